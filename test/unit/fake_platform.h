/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine and an operating system for the loader (driver/core/platform.h), all in memory: CPUs
 * with registers, a microkernel that walks the page tables it is given, and calls that fail on
 * demand.
 */
#ifndef TEST_FAKE_PLATFORM_H
#define TEST_FAKE_PLATFORM_H

#include "driver/core/loader.h"
#include "driver/core/platform.h"
#include "driver/core/x86/hw.h"

#define FAKE_CPUS 4
#define FAKE_MAX_CPUS (BF_MAX_PPS + 1)

/* What happens to a CPU that enters the microkernel. */
enum fake_behaviour {
	FAKE_WORKS,
	FAKE_FAILS_LAUNCH, /* comes back with EXT_FAULT */
	FAKE_NO_EXIT, /* a guest whose CPUID does not exit */
	FAKE_SILENT, /* a guest in which nothing but the hypercall exits */
	FAKE_PROMOTES, /* is given back before anything exits */
	FAKE_REFUSES_STOP, /* the extension ignores the CPUID */
	FAKE_FAILS_STOP, /* it faults in that exit */
	FAKE_STUCK, /* nothing gets it out */
	FAKE_LOOPS_LAUNCH, /* does not come back from bootstrap, unless the watchdog ends it */
	FAKE_LOOPS_STOP, /* nor from the exit in which it is asked to stop */
};

struct fake_cpu {
	uint32_t number;
	bool online;
	bool guest;
	enum fake_behaviour behaviour;
	enum bf_vendor vendor;
	enum bf_vendor hides; /* a microkernel that is there before us, with vendor NONE */
	uint32_t max_leaf, leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_edx, leaf_a_eax; /* CPUID */
	uint32_t stopped[4]; /* MSRs of BF_RUNNING_MSRS that were set to 0 */
	unsigned int nr_stopped;
	uint64_t cr0, cr3, cr4, xcr0, efer, feature_control, vm_cr;
	uint64_t vmx_procbased2;
	struct fake_msr {
		uint32_t number; /* 0: no more of them */
		uint64_t value;
	} msrs[8]; /* instead of what an MSR has otherwise */
	struct fake_cpuid {
		uint32_t leaf, subleaf, reg, bits;
	} cpuid[10]; /* set in what CPUID says otherwise */
	bool marked; /* bf_os_mark_virt */
	bool silent; /* does not answer */
	bool lost; /* bf_os_lose_cpu */
	bool late; /* comes to a rendezvous when all others have given up */
	uint32_t ext_ebx; /* CPUID 8000_0008 */
	unsigned int nmis; /* of the watchdog's, since it went astray */
	bool traced; /* as of the last hypercall of that kind */
	struct bf_pp_status *status;
	struct bf_switch_page *page;
	unsigned int entries; /* how often it entered */
	unsigned int passed; /* NMIs to Linux after it came out */
	unsigned int inits;
	unsigned int wakes; /* NMIs while it is offline */
	bool awaits_ipi; /* a guest, which blocks INIT until its start-up IPI */
	bool bound; /* BF_HYPERCALL_BIND, to a microkernel that is there before us */
};

#define FAKE_APIC_ID(cpu) (0x100 + (cpu))

struct fake {
	struct fake_cpu cpus[FAKE_MAX_CPUS];
	unsigned int nr_cpus;
	struct fake_cpu *here; /* the CPU that runs the code */
	bool any_lost;
	bool locked_down;
	bool status_hidden;
	bool null_tr; /* as after reset */
	uint64_t table; /* of a microkernel that is there before us: BF_HYPERCALL_TABLE */
	uint64_t bind_answer; /* its; 0: BF_HYPERCALL_BOUND */
	struct bf_pp_status *stranger; /* of one of its PPs, on a CPU that is none of those below */
	unsigned int stranger_inits;
	int mappings; /* of memory that is not the system's */
	bool watched; /* bf_os_watch has been called */
	char outer[2][13]; /* signatures at CPUID 0x40000000 and 0x40000100 */
	uint32_t outer_features; /* EAX of the leaf after them */
	bool outer_answers; /* hypercalls of a bare CPU */
	uint64_t free_memory;
	void (*before_all)(void); /* what happens just before a rendezvous */
	void (*after_all)(void); /* and just after it */
	uint64_t memory_end;
	uint64_t spa_base; /* where physical memory begins */
	unsigned int max_order; /* larger blocks are not to be had */
	uint64_t calls; /* of functions that can fail */
	uint64_t fail_at; /* the number of the call that fails, 0: none */
	uint64_t allocations; /* blocks and records that exist */
	struct bf_ended *ended; /* of the handoff */
	const struct bf_handoff *handoff; /* as the microkernel saw it last; hidden from guests */
};

extern struct fake fake;

void fake_reset(void); /* FAKE_CPUS of them */

/* The machine has this many CPUs, all online and as after fake_reset. */
void fake_set_cpus(unsigned int count);

/* Checks an address space as the microkernel would use it; called whenever a CPU enters. */
void fake_verify_aspace(const struct bf_switch_page *page, uint64_t cr3, uint64_t entry);

struct fake_cpu *fake_cpu(uint32_t number);

/* Lets a test look at fake.handoff while the CPU it stands on is a guest. */
void fake_show_handoff(void);

/* Gives an MSR of the CPU this value; sets these bits in what CPUID tells there. */
void fake_set_msr(struct fake_cpu *cpu, uint32_t msr, uint64_t value);
void fake_set_cpuid(struct fake_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t reg,
		    uint32_t bits);

/* The extension of this CPU fails: the microkernel goes on alone. */
void fake_fail(struct fake_cpu *cpu, enum bf_error error, uint64_t detail);

/* The extension of this image ends alone, as this CPU finds. */
void fake_end(uint32_t image, enum bf_error error, uint64_t detail);

/* Linux has the CPU again, for which an NMI came on the way. */
void fake_come_out(struct fake_cpu *cpu);

/* --- between fake_platform.c, fake_machine.c and fake_aspace.c -------------------------------- */

/* This CPU runs the code; as a guest it does not see what nested paging hides. */
void fake_stand_on(struct fake_cpu *cpu);

/* Whether the function that calls this is the one to fail. */
bool fake_call_fails(void);

#endif
