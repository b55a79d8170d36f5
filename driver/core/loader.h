/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loader: brings the hypervisor up on every CPU and takes it down again. All state is in struct
 * bf_loader. The caller serialises all calls on one loader and excludes CPU hotplug during them,
 * but for the three calls that are part of it.
 */
#ifndef BF_CORE_LOADER_H
#define BF_CORE_LOADER_H

#include <abi/cpu_state.h>
#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/loader.h>
#include <abi/types.h>

#include "arch.h"
#include "memory.h"

/* The block of the debug ring: behind its text come the lines. */
#define BF_RING_BYTES 0x10000
BF_STATIC_ASSERT(sizeof(struct bf_ring) + BF_RING_DATA + BF_RING_LINES * sizeof(struct bf_line) <=
			 BF_RING_BYTES,
		 "room for the lines");

/* The page pool: what there is once, of each PP, and of each extension on each PP. */
#define BF_POOL_DEFAULT 0x380000
#define BF_POOL_PER_PP 0xB000
#define BF_POOL_PER_EXT 0x15000
#define BF_POOL_TO_BIND 0x8000 /* of each PP, if it stays: see BF_HYPERCALL_BIND */
#define BF_POOL_MAX 0x40000000
#define BF_HUGE_DEFAULT 0x200000
#define BF_HUGE_MAX 0x400000 /* the largest contiguous block there is: BF_OS_MAX_ORDER */

/* What went wrong, where. */
struct bf_failure {
	enum bf_error error;
	uint32_t cpu;
	uint32_t image; /* 0: the microkernel, 1..: an extension */
	uint64_t detail;
};

/* A private copy of an ELF file, or of arguments. */
struct bf_source {
	const void *data;
	uint64_t size;
};

struct bf_start {
	struct bf_source microkernel;
	struct bf_source exts[BF_MAX_EXTS];
	uint32_t nr_exts;
	uint16_t serial_port;
	bool stays; /* CPUs never leave, once all of them have entered */
	bool keep_cpus; /* those that go offline stay in the hypervisor: park.h */
	uint64_t table; /* of a start that stays: SPA of struct bf_firmware, or 0 */
	uint64_t pool_size; /* 0: the default */
	uint64_t huge_size; /* 0: the default */
	uint64_t watchdog_ns; /* 0: the default; BF_WATCHDOG_OFF */
	uint64_t repeats; /* 0: the default; BF_REPEATS_OFF */
	uint64_t denied[BF_MAX_EXTS]; /* enum bf_right: what each of them may not do */
	struct bf_grant grants[BF_MAX_GRANTS];
	uint32_t nr_grants;
	struct bf_source args[BF_MAX_EXTS]; /* abi/args.h */
	uint64_t channel_size; /* of each extension; 0: the default */
};

struct bf_loader;

struct bf_pp {
	struct bf_loader *loader;
	uint32_t ppid;
	uint32_t cpu;
	uint64_t apic_id;
	bool stranger; /* adopted, with a CPU that this system does not know; never inside */
	bool inside; /* this CPU is a guest */
	bool parked; /* and offline: park.h */
	bool entering; /* is about to become one */
	enum bf_error bound; /* whether it can leave, if it was adopted: adopt.c */
	bool together; /* all CPUs stand still until this one has entered or left */
	bool refused; /* the extension did not give it back on request */
	bool failed; /* it had when it was to leave, or did so then */
	struct bf_failure failure; /* of the last launch */
	struct bf_switch_page *switch_page;
	uint64_t switch_page_spa;
	struct bf_block switch_map; /* adopted: the switch page, as the system has mapped it */
	uint64_t root; /* SPA of the uppermost table of its address space */
	struct bf_pp_status *status; /* shared: the hypervisor writes it at any time */
	struct bf_block trace; /* struct bf_trace; likewise */
	struct bf_cpu_features features;

	/* watchdog.c: a counter that grows while Linux runs there; and what another CPU has seen */
	uint64_t beats;
	struct {
		bool busy; /* another CPU is looking */
		uint64_t sent; /* ns; when the last NMI was sent, or the last progress seen */
		uint64_t exits;
		uint64_t beats;
	} watch;
};

struct bf_loader {
	enum bf_state state;
	enum bf_vendor vendor;
	struct bf_failure failure; /* the last one, kept until the next start */
	struct bf_report report; /* of the PP that failed; kept like failure */
	uint64_t starts; /* how many have begun */
	uint64_t start_ns;
	uint64_t stop_ns;
	uint64_t start_paused_ns; /* of these, with interrupts off */
	uint64_t stop_paused_ns;
	struct bf_block ring; /* kept for the life of the loader */
	struct bf_block status; /* kept, like pps, until the next start */
	struct bf_block ended; /* struct bf_ended [BF_MAX_EXTS]; its content likewise */
	struct bf_block channels[BF_MAX_EXTS]; /* kept like status: channel.h */
	uint32_t nr_pps;
	uint32_t nr_online; /* PPs that a start launches: the first ones */
	uint64_t watchdog_ns; /* 0: off */
	uint64_t repeats; /* 0: off */
	bool halted; /* a CPU has, and uses the memory: none is freed, and nothing starts */
	bool entered; /* all CPUs have, together, and a CPU that comes online enters, too */
	bool keep_cpus; /* CPUs that go offline stay inside: park.h */
	bool adopted; /* the firmware has started it: adopt.c */
	/*
	 * Then each CPU that is online learns where this system has what it needs to leave. An
	 * error, which is also in *failure: one cannot leave, and nothing has changed.
	 */
	enum bf_error (*bind)(struct bf_loader *loader, struct bf_failure *failure);
	bool tracing; /* the exits of all CPUs; it outlives a stop: trace.h */
	struct bf_pp *pps;

	/* while there is a hypervisor */
	struct bf_memory memory;
	struct bf_cpu_features features; /* that every CPU has, and must have */
	struct bf_handoff *handoff; /* until the first launch: guests see none of this memory */
	uint64_t handoff_spa;
	uint64_t entry; /* of the microkernel */
	uint64_t common; /* SPA of a table with what all PPs have in common */
	uint64_t switch_spa; /* our copy of the switch code */
};

/* NO_MEMORY or SPA_TOO_HIGH. */
enum bf_error bf_loader_init(struct bf_loader *loader);

/*
 * Takes over a hypervisor that the firmware has started, as if this loader had: it is RUNNING then.
 * It can be stopped, and a start after that is as any other; a suspend is refused. NOT_RUNNING:
 * there is none; MK_VERSION: it is of another version; NO_MEMORY: *loader is good for
 * bf_loader_fini only.
 */
enum bf_error bf_loader_adopt(struct bf_loader *loader);

/* The opposite: it runs on, and somebody else may adopt it. */
void bf_loader_abandon(struct bf_loader *loader);

/* Frees what is kept. The hypervisor must be stopped. */
void bf_loader_fini(struct bf_loader *loader);

/*
 * Starts the hypervisor on every CPU that is online. On failure every CPU is bare again, nothing is
 * left allocated, and loader->failure says why. CPU_HALTED: nothing has changed.
 */
enum bf_error bf_loader_start(struct bf_loader *loader, const struct bf_start *start);

/*
 * Takes every CPU back and frees everything. EXT_STOP_REFUSED: done, but not by the extension. The
 * error of a PP: done, it had failed before. MK_FAULT: a CPU is not bare, nothing is freed;
 * failure.cpu names it. Nothing has changed: CPU_STUCK, failure.cpu does not answer; MK_BOOT_CPU,
 * failure.cpu is offline, and cannot be taken back so; of one that was adopted, what
 * BF_HYPERCALL_BIND says. NOT_RUNNING.
 * A CPU that has halted is left behind, with all memory: loader->halted is set.
 */
enum bf_error bf_loader_stop(struct bf_loader *loader);

/*
 * If a PP has failed by itself: stops everything, state is FAILED, returns its error. If a CPU is
 * not bare, MK_FAULT as above; CPU_STUCK: to be called again.
 */
enum bf_error bf_loader_poll(struct bf_loader *loader);

/* A CPU that is offline is about to be started. Called on another one; does not sleep. */
void bf_loader_cpu_starts(struct bf_loader *loader, uint32_t cpu);

/*
 * A CPU has come online or is about to go offline. Called on that CPU; does not sleep. An error of
 * cpu_up leaves the CPU bare, one of cpu_down leaves it a guest, and it must not go.
 * HOTPLUG_REFUSED: on this machine CPUs change sides together or not at all.
 */
enum bf_error bf_loader_cpu_up(struct bf_loader *loader, uint32_t cpu);
enum bf_error bf_loader_cpu_down(struct bf_loader *loader, uint32_t cpu);

/*
 * Takes every CPU back and keeps everything else, for bf_loader_resume. MK_FAULT: a CPU did not
 * leave, CPU_STUCK: it does not answer, CPU_HALTED: it never will, MK_BOOT_CPU: as for a stop; call
 * bf_loader_resume then, too. MK_FIRMWARE: it was adopted, nothing has changed.
 */
enum bf_error bf_loader_suspend(struct bf_loader *loader);

/* All CPUs that are online enter again. An error: none has, and the state is FAILED. */
enum bf_error bf_loader_resume(struct bf_loader *loader);

/* Bytes that a start takes, about; 0: the default size of a pool. */
uint64_t bf_loader_memory_needed(uint32_t nr_pps, uint32_t nr_exts, uint64_t pool_size,
				 uint64_t huge_size);

/*
 * The report of the last failure; if there is none, that of a CPU that did not come in, or else of
 * an extension which has ended alone. NULL: nothing has failed.
 */
const struct bf_report *bf_loader_report(const struct bf_loader *loader);

/*
 * An extension that has ended alone since the last start began, and has no bit in *told yet: it
 * gets one, by the number of its image. false: there is none.
 */
bool bf_loader_ended(const struct bf_loader *loader, uint32_t *told, struct bf_failure *failure);

/*
 * Of image number image, from 1 to BF_MAX_EXTS, before those behind it; its error says whether it
 * has ended alone.
 */
const struct bf_ended *bf_loader_ended_image(const struct bf_loader *loader, uint32_t image);

/* The PP of a CPU, or NULL. */
struct bf_pp *bf_find_pp(const struct bf_loader *loader, uint32_t cpu);

/* Whether the CPU has halted in the microkernel. */
bool bf_pp_halted(const struct bf_pp *pp);

/* This CPU enters, with the result in pp->inside and pp->failure; or leaves. Interrupts are off. */
void bf_launch(struct bf_pp *pp);
void bf_leave(struct bf_pp *pp);

/* prepare.c: allocates and fills all that a start needs; memory is the caller's to release. */
enum bf_error bf_prepare(struct bf_loader *loader, const struct bf_start *start);

#endif
