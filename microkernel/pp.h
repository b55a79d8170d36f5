/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A physical processor (PP): everything the microkernel keeps for one logical CPU. It lies at the
 * same virtual address on every CPU, so no segment register has to be trusted to find it.
 */
#ifndef MK_PP_H
#define MK_PP_H

#include <abi/layout.h>

#define PP_HOST_VMCB 0x68
#define PP_EXIT_GPRS 0x208
/* From the general registers in the ABI page, which the exit path has a pointer to. */
#define PP_EXIT_GPRS_REL (BF_PP_DATA + PP_EXIT_GPRS - BF_PP_ABI - MK1_TLS_GPRS)

#ifndef __ASSEMBLER__

#include <abi/cpu_state.h>
#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/types.h>
#include <bsl/compiler.h>

#include "arch/desc.h"
#include "arch/restore.h"
#include "arch/trap.h"
#include "vendor_state.h"

/*
 * The exit path is inline, and calls nothing from which it comes back while it still needs
 * something: then the compiler does not save registers for it. Rare exits end in a function of
 * their own.
 */

struct ext;
struct mk_lock;
struct route;
struct tlb_state;
struct vs;
struct xstate;

/* What the extension on this PP is doing; each callback may end in its own ways only. */
enum phase {
	PHASE_IDLE = BF_CALLBACK_NONE,
	PHASE_START = BF_CALLBACK_START, /* on PP 0 */
	PHASE_BOOTSTRAP = BF_CALLBACK_BOOTSTRAP,
	PHASE_VMEXIT = BF_CALLBACK_VMEXIT,
	PHASE_FAIL = BF_CALLBACK_FAIL,
	PHASE_ENTRY = BF_CALLBACK_ENTRY
};

#define MK_EXIT_LOG_ENTRIES 32 /* a power of two */

/* For debugging; by number of the exit, in a page of its own, so that other PPs can read it. */
struct exit_log_entry {
	uint64_t reason;
	uint64_t rip;
	uint64_t vsid;
	uint64_t pad; /* the exit path multiplies by a power of two */
};

/* The fault that a fail callback is about, and where to go on when it says "again". */
struct fail_frame {
	struct trap_frame trap;
	uint64_t address;
	enum phase phase;
};

/* An exit, as far as the next one may be the same: stall.h. */
struct stall_exit {
	uint64_t reason;
	uint64_t rip;
	uint64_t info[2]; /* what else the CPU says of it */
};

/* A series of exits between which a VS has not got on. */
struct stall {
	const struct vs *vs; /* NULL: there is none */
	struct stall_exit mark; /* one of them, and the general registers with it */
	uint64_t gpr[BF_NR_GPRS];
	bool entered; /* since the last one, the VS was to execute the same instruction again */
	uint64_t entry; /* TSC then */
	uint64_t exits; /* since the mark */
	uint64_t since; /* TSC at the mark */
	uint64_t in_guest; /* TSC ticks since the mark, from entry to exit */
	unsigned int lap; /* exits since it was the same as the mark */
	unsigned int longest_lap;
};

/* How long the callback has run: watchdog.h. */
struct watch_time {
	uint64_t exits; /* + 1, of the callback that all of this is about; 0: none */
	uint64_t last; /* TSC at the last NMI */
	uint64_t taken; /* TSC ticks that the callback has taken, as far as is known */
	uint64_t more; /* ns that it has got in addition to the limit */
	uint64_t printing; /* TSC ticks that the serial port has taken */
};

/* What an extension has printed last here: the reason, if it gives up then. */
struct last_words {
	const struct ext *ext; /* NULL: nobody has */
	char text[BF_REPORT_SAID]; /* the beginning; ends with a NUL */
};

/* The exit that is being traced: trace.h. */
struct trace {
	struct bf_trace *ring;
	uint64_t written; /* ours: what Linux writes into the ring changes nothing */
	bool open; /* there has been no entry since the exit */
	struct bf_trace_record record;
};

/* A call of one extension into another: cross.h. */
struct crossing {
	struct ext *caller; /* NULL: there is none */
	enum phase phase; /* of the caller */
	uint64_t gs_base; /* its */
	uint64_t gpr[BF_NR_GPRS]; /* of the active VS */
	uint64_t result[4];
	struct watch_time time; /* of the caller */
	struct kept_stack kept;
};

/* Where the PP can leave to, if that is not where it came from: run/bind.h. */
#define MK_BIND_TABLES 8

struct bind {
	uint64_t page; /* 0: it is not bound */
	uint64_t code;
	uint64_t tables[MK_BIND_TABLES]; /* SPAs of pages for page tables; 0: none yet */
	unsigned int used;
};

struct pp {
	struct bf_pp_handoff handoff;
	uint64_t exits; /* since this PP came in */
	struct vs *vs; /* active VS, or NULL */
	struct ext *ext; /* whose address space is loaded */
	union {
		struct svm_pp_state svm;
		struct vmx_pp_state vmx;
	};
	struct tss tss;
	uint64_t exit_gpr[BF_NR_GPRS]; /* as of the last exit: the ABI page is the extension's */

	struct bf_pp_status *status;
	struct bf_switch_page *switch_page;
	struct vs *root_vs; /* the VS that holds Linux on this PP */
	struct xstate *xstate; /* which is in the CPU; NULL: that of all VSs that have none */
	struct tlb_state *tlb; /* what other PPs need to know: tlb.h */
	uint64_t stack_top; /* of the extension's stack on this PP */
	enum phase phase;
	bool launched; /* an exit has arrived: Linux runs as a guest here */
	union {
		struct {
			bool fallback; /* no extension is asked any more: see fail.c */
			bool watched; /* an exit that is looked at: stall.h */
			uint8_t barriers; /* what the active VS is kept behind: barrier.h */
			bool traced; /* trace.h */
			bool nmi_window; /* svm/startup.h */
		};
		uint64_t exit_slow; /* any of them */
	};
	bool reporting; /* a failure; one that comes meanwhile is not reported */
	bool entry_dirty; /* VMX: the next entry may need more than VMRESUME, see vmx_run */
	/*
	 * What arrived in root mode and is owed to the root VS: two flags, and either of them. What
	 * ends the run of another VS: the former, or a request, which Linux's run ends.
	 */
	union {
		struct {
			union {
				struct {
					union {
						struct {
							bool nmi_pending;
							bool mc_pending;
						};
						uint16_t owed;
					};
					bool end_run; /* tlb.h */
					bool fetched; /* for Linux: tlb.h; VMX: or an INIT */
				};
				uint32_t no_guest;
			};
			/*
			 * SVM: the active VS is none that holds Linux, see svm_run; VMX has
			 * entry_dirty
			 */
			bool guest_active;
			bool entry_watched; /* stall.h; VMX sets entry_dirty as well */
			bool flush_due; /* SVM: the next entry drops all translations: svm/asid.h */
			bool nmis_blocked; /* SVM: Linux is to run with NMIs blocked: svm/nmi.h */
		};
		uint64_t before_entry; /* any of them */
	};
	void (*on_nmi)(struct pp *pp); /* does what an NMI was sent for, and does not come back */
	struct mk_lock *locks[8]; /* that it holds: lock.h */
	unsigned int nr_locks;
	bool virt_on; /* VMXON or EFER.SVME is in force */
	uint16_t vmid; /* active ids */
	uint16_t vpid;
	uint16_t vsid;
	uint8_t needs_barriers; /* this CPU, around guests */
	uint16_t last_guest; /* the VM of the one that ran here last */
	uint64_t linux_gdt[MK_LINUX_GDT_ENTRIES]; /* for LTR on the way back: restore.c */
	/*
	 * The root VS as it exited, before the extension changed it. Its general registers are
	 * there once another VS is active; until then they are in exit_gpr.
	 */
	struct bf_cpu_state backup;
	uint64_t backup_exits; /* exits when it was taken: it is good for that exit only */
	bool backup_kept; /* it is good, whatever exits meanwhile: another VS is active */
	/* exits when the active VS changed last, and the VS whose exit was the last one then */
	uint64_t exits_before;
	const struct vs *exited_before;
	/* Who gets the exits of the active VS, or of Linux's if there is none: vs_find_handler. */
	struct ext *exit_ext;
	uint64_t exit_fn;
	/* A hypercall of Linux that is not for exit_ext: route.h. */
	const struct route *route;
	bool answering; /* one that has gone that way is not answered yet */
	uint64_t asked_at; /* RIP of it */
	struct fail_frame fail;
	struct stall stall; /* stall.h */
	struct watch_time watch;
	struct trap_frame overdue; /* where ring 3 was: watchdog.h */
	struct crossing crossing;
	struct last_words said;
	struct trace trace;
	struct bind bind;
	struct exit_log_entry *log; /* MK_EXIT_LOG_ENTRIES of them */
	/* By extension: SPA of its PML4 for this PP, 0: not prepared; SPA of its ABI page here. */
	uint64_t ext_cr3[BF_MAX_EXTS];
	uint64_t ext_abi_page[BF_MAX_EXTS];
	uint8_t ext_direct[BF_MAX_EXTS]; /* slots of the direct map in that PML4: direct_map.h */
	struct idt_gate idt[MK_IDT_ENTRIES] __attribute__((aligned(16)));
};

/*
 * The GDT ends where the PP's data ends. A VM exit leaves its limit at 64 KiB (SDM vol. 3 §30.5.2):
 * what lies there must not become descriptors for an extension that loads a selector, so nothing
 * does.
 */
#define PP_GDT_OFFSET (BF_PP_DATA_PAGES * BF_PAGE_SIZE - MK_GDT_ENTRIES * 8)
BF_STATIC_ASSERT(sizeof(struct pp) <= PP_GDT_OFFSET, "PP data");
BF_STATIC_ASSERT(BF_PP_STACK - BF_PP_DATA >= PP_GDT_OFFSET + 0x10000, "nothing after the GDT");
BF_ASSERT_OFFSET(struct pp, svm.host_vmcb, PP_HOST_VMCB);
BF_ASSERT_OFFSET(struct pp, exit_gpr, PP_EXIT_GPRS);

#if __STDC_HOSTED__
extern struct pp *host_pp; /* unit tests stand on several PPs in turn */
#define this_pp() host_pp
#else
static inline struct pp *this_pp(void)
{
	struct pp *pp;

	/* The compiler keeps it in a register, where it would repeat a constant of 8 bytes. */
	__asm__("movabs %1, %0" : "=r"(pp) : "i"(BF_PP_DATA));
	return pp;
}
#endif

/* The general registers that the active extension sees: the active VS's. */
static inline uint64_t *abi_gprs(void)
{
	return (uint64_t *)(BF_PP_ABI + MK1_TLS_GPRS);
}

/* Whether this is the callback, or a fail callback out of it. */
static inline bool pp_is_in(const struct pp *pp, enum phase phase)
{
	return pp->phase == phase || (pp->phase == PHASE_FAIL && pp->fail.phase == phase);
}

static inline uint64_t *pp_gdt(struct pp *pp)
{
	return (uint64_t *)((uint8_t *)pp + PP_GDT_OFFSET);
}

#endif /* __ASSEMBLER__ */
#endif
