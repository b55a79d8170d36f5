/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for the microkernel: memory as the loader lays it out, fake CPUs, and a test that plays
 * Linux, the loader and the extensions. The microkernel's ways out (into ring 3, into the guest,
 * back to the loader) come back here.
 */
#ifndef TEST_MK_MACHINE_H
#define TEST_MK_MACHINE_H

/* The tests name syscalls by their RAX. */
#define MK1_WANT_NUMBERS
#define MK2_WANT_NUMBERS

#include <check.h>

#include <abi/handoff.h>
#include <abi/mk1.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>

#include "microkernel/run/fail.h"
#include "microkernel/mem/mem.h"
#include "microkernel/mem/tlb.h"
#include "microkernel/mk.h"
#include "microkernel/obj/ext.h"
#include "microkernel/obj/objects.h"
#include "microkernel/pp.h"
#include "microkernel/svm/checks.h"
#include "microkernel/svm/entry.h"
#include "microkernel/svm/fetch.h"
#include "microkernel/svm/svm.h"
#include "microkernel/call/syscall.h"
#include "microkernel/arch/trap.h"
#include "microkernel/vendor.h"
#include "microkernel/vmx/checks.h"
#include "microkernel/vmx/cr.h"
#include "microkernel/vmx/entry.h"
#include "microkernel/vmx/nested.h"
#include "microkernel/vmx/vmx.h"
#include "../cpu/cpu.h"

#define MACHINE_PPS 4
/* Bits of CR4 that the microkernel only takes over. */
#define PAGE 0x1000ULL

/* Physical memory: the hypervisor's at the bottom, then Linux's. */
#define OWNED_SIZE 0x1000000ULL
#define LINUX_RAM (PHYS_BASE + OWNED_SIZE)
#define ODD_OWNED 0x50001000ULL /* one page far away that is the hypervisor's, too */
#define RAM_TOP 0x200000000ULL /* 8 GiB */

#define EXT_ENTRY (MK1_EXT_CODE_BASE + 0x1000)
#define EXT_BOOTSTRAP (MK1_EXT_CODE_BASE + 0x1100)
#define EXT_VMEXIT (MK1_EXT_CODE_BASE + 0x1200)
#define EXT_FAIL (MK1_EXT_CODE_BASE + 0x1300)
#define EXT_RODATA (MK1_EXT_CODE_BASE + 0x2000)
#define EXT_DATA (MK1_EXT_CODE_BASE + 0x3000)
#define EXT_TLS_SIZE 0x20

/* How a run of microkernel code ended. */
enum end {
	END_RETURNED,
	END_RING3,
	END_RESUMED,
	END_GUEST,
	END_LEFT,
	END_RESET,
	END_HALTED,
	END_BACK
};

struct ended {
	enum end end;
	uint64_t rip, rsp, arg0, arg1, rflags; /* RING3, RESUMED */
	const uint64_t *gpr; /* RESUMED */
	uint64_t spa; /* GUEST, SVM: of the VMCB */
	bool launched; /* GUEST, VMX */
	struct bf_switch_page *sp; /* LEFT */
	uint64_t status; /* BACK: from ring 3 to the call of another extension */
};

extern struct ended ended;

struct machine {
	uint32_t vendor;
	uint32_t nr_pps;
	uint32_t nr_exts;
	uint64_t pool_pages;
	uint64_t huge_pages;
	uint16_t serial_port;
	bool la57; /* Linux and root mode have 5 levels */
	uint8_t outer, outer_flags;
	/* made by machine_init */
	struct bf_handoff *handoff;
	struct bf_ring *ring;
	uint64_t ring_seen;
	struct cpu cpus[MACHINE_PPS];
	struct pp *pps[MACHINE_PPS];
	struct bf_switch_page *switch_pages[MACHINE_PPS];
	uint64_t free_spa; /* carved up to here */
};

extern struct machine m;

/* Defaults of everything above "made by machine_init"; AMD or Intel. */
void machine_defaults(uint32_t vendor);
void machine_init(void);
/* What any machine begins with: memory that is all zero, and a process that stands for its CPUs. */
void machine_prepare(void);

/* The handoff's VMX capabilities from the MSRs of PP 0; the first enter does it, if nobody has. */
void machine_offers(void);

/* Linux maps a page, and runs on the page table in which it does. */
void machine_maps(uint64_t va, uint64_t spa);

/* Before PP 0 enters: root mode is to do without these bits of CR4, which the CPU does not have. */
void machine_without_cr4(uint64_t bits);

/*
 * While a PP waits for an NMI; NULL: that ends the run (HALTED). And how many interrupts root mode
 * has taken from its local APIC.
 */
extern void (*machine_waits)(void);
extern unsigned int machine_interrupts;

/* A local APIC in x2APIC mode on each CPU, with an ID of 0x10 × its number; and others. */
void machine_has_x2apics(void);

/* Stands on another PP from here on. */
void on_pp(uint32_t ppid);

/* If not NULL: what an extension does that another one calls, up to its reply or failure. */
extern void (*called_runs)(void);

/* Runs an expression and says in ended how it ended. */
#define RUN(expression) \
	do { \
		run_begin(); \
		if (!__builtin_setjmp(run_env)) { \
			expression; \
			ended.end = END_RETURNED; \
		} \
		run_end(); \
	} while (0)
extern void *run_env[5];
void run_begin(void);
void run_end(void);

/* mk_main on the PP. */
void enter(uint32_t ppid);

/* A syscall by its name: returns RAX, or NOT_RETURNED. regs is its frame, before and after. */
#define NOT_RETURNED 0x0123456789ABCDEF
#define SYS(name, ...) \
	(regs = (struct syscall_frame){ .reg = { __VA_ARGS__ }, .rip = EXT_ENTRY + 0x10 }, \
	 syscall_run(MK1_##name))
extern struct syscall_frame regs;
uint64_t syscall_run(uint64_t rax);

enum { HANDLE = MK1_HANDLE };

/* Without a call: bit 0 that of Mk#1, bit 1 that of Mk#2. */
void open_handles(struct ext *ext, unsigned int open);

/* From _start of all extensions to the bootstrap callback of PP 0, which registers everything. */
void start(void);
/* The bootstrap callback: VP, VS, root, run. Ends in the guest; returns the vsid. */
uint16_t launch(void);
/* start and launch on PP 0. */
void start_and_launch(void);

/* An exit from the guest with this reason; rip is the guest's. */
void guest_exit(uint64_t reason);

/* What the debug ring got since the last call; valid until the next. */
const char *printed(void);
void expect_printed(const char *text);

/* PP ppid as the loader sees it. */
struct bf_pp_status *status_of(uint32_t ppid);

/* Extension extid, likewise. */
struct bf_ended *ended_of(uint16_t extid);
void expect_failed(enum bf_error error);

/* A register of the VS that is active, by the Mk#1 name of its vendor. */
uint64_t reg_read(uint16_t vsid, uint64_t reg);
uint64_t reg_write(uint16_t vsid, uint64_t reg, uint64_t value);

/* Takes all pages but keep out of the page pool. */
void drain_pool(unsigned int keep);

/* What the table of the root VM says about gpa: the level of the leaf, 0: not mapped. */
unsigned int nested_walk(uint64_t gpa, uint64_t *entry);

/* A loop test's vendor: 0 AMD, 1 Intel. */
void machine_of(int i);

/* A machine of AMD, as a fixture; and one of which Linux is the guest. */
void machine_amd(void);
void machine_amd_runs(void);

/* Pages of Linux's memory, zeroed at the start of a test. */
uint64_t linux_page(unsigned int n);

#endif
