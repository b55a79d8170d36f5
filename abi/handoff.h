/* SPDX-License-Identifier: MIT */
/*
 * What the loader tells the microkernel. One struct bf_handoff for the machine, one struct
 * bf_pp_handoff per PP; arrays lie in pages that the window shows.
 *
 * Both must have the same version: increment it with any change of this file or of abi/layout.h.
 * The microkernel's image begins with a struct bf_mk_head, which the loader checks before any CPU
 * enters it; the microkernel checks the handoff in turn.
 */
#ifndef BF_ABI_HANDOFF_H
#define BF_ABI_HANDOFF_H

#include <abi/layout.h>

#define BF_HANDOFF_MAGIC 0x666F646E61486642 /* "BfHandof" */
#define BF_HANDOFF_VERSION 19

/* Detail of MK_VERSION: the microkernel's version and the module's; 0: it is no microkernel. */
#define BF_VERSION_DETAIL(other, own) ((uint64_t)(other) << 32 | (own))
#define BF_VERSION_OTHER(detail) ((uint32_t)((detail) >> 32))
#define BF_VERSION_OWN(detail) ((uint32_t)(detail))

#ifndef __ASSEMBLER__

#include <abi/loader.h>
#include <abi/types.h>

/* At BF_MK_BASE. */
struct bf_mk_head {
	uint64_t magic;
	uint64_t version;
};

#define BF_MAX_PPS 1024
#define BF_MAX_EXTS 8
#define BF_NR_VMX_MSRS 18 /* MSR_VMX_BASIC to MSR_VMX_VMFUNC */

enum bf_vendor { BF_VENDOR_NONE, BF_VENDOR_AMD, BF_VENDOR_INTEL };

/*
 * The hypervisor below this machine, by the interface that Linux uses of it. NONE: there is none,
 * or it has no hypercalls (QEMU's TCG). OTHER: one that is not known here.
 */
enum bf_outer {
	BF_OUTER_NONE,
	BF_OUTER_KVM,
	BF_OUTER_HYPERV,
	BF_OUTER_XEN,
	BF_OUTER_VMWARE,
	BF_OUTER_OTHER
};

/* Linux may request of the outer hypervisor to flush the TLB of a CPU that is not running. */
#define BF_OUTER_FLUSHES 0x1

/*
 * INIT and start-up IPIs of Linux's are carried out for the guest, so that a CPU stays in the
 * hypervisor while it is offline, and when the next kernel or the firmware starts it.
 */
#define BF_HANDOFF_KEEP_CPUS 0x1

/*
 * The system that was there at the start makes room for another one, which does not have the switch
 * page where root mode does: a CPU can leave during the start, and when it is bound
 * (BF_HYPERCALL_BIND).
 */
#define BF_HANDOFF_STAYS 0x2

/* Physical memory, in bytes: whole pages, but where a size is said to be another. */
struct bf_region {
	uint64_t spa;
	uint64_t size;
};

/* A list in hypervisor memory: count elements, physically contiguous from spa. */
struct bf_list {
	uint64_t spa;
	uint64_t count;
};

#define BF_PAGE_W 0x1
#define BF_PAGE_X 0x2

/* A page of a loaded image: where it lies and how it is mapped (readable always, never W and X). */
struct bf_image_page {
	uint64_t va;
	uint64_t spa; /* low bits: BF_PAGE_* */
};

struct bf_image {
	uint64_t entry;
	uint64_t tls_spa; /* a page as the thread_local data begins on every PP; 0: all zero */
	struct bf_list pages; /* struct bf_image_page, ascending by va */
};

struct bf_handoff {
	uint64_t magic;
	uint32_t version;
	uint32_t vendor; /* enum bf_vendor */
	uint32_t nr_pps; /* PPs that are possible */
	uint32_t nr_online; /* PPs that this start launches */
	uint32_t nr_exts;
	uint16_t serial_port; /* 0: none */
	uint8_t outer; /* enum bf_outer */
	uint8_t outer_flags; /* BF_OUTER_FLUSHES */
	uint64_t tsc_khz;
	uint64_t watchdog_ns; /* what a callback may take; 0: any time, unless all CPUs wait */
	uint64_t repeats; /* how often the same exit may come without progress; 0: any number */
	struct bf_region ring; /* debug ring: struct bf_ring and its data, shared with Linux */
	struct bf_region status; /* struct bf_pp_status [nr_pps], shared with Linux */
	struct bf_region ended; /* struct bf_ended [BF_MAX_EXTS], shared with Linux */
	struct bf_region huge_pool;
	struct bf_list page_pool; /* struct bf_region: pages free for the microkernel */
	struct bf_list
		owned; /* struct bf_region: all that Linux must not see, the pools included */
	struct bf_list ram; /* struct bf_region: the machine's RAM, ascending */
	struct bf_image exts[BF_MAX_EXTS];
	uint64_t denied[BF_MAX_EXTS]; /* enum bf_right: what each of them may not do */
	uint32_t nr_grants;
	uint32_t flags; /* BF_HANDOFF_* */
	struct bf_grant grants[BF_MAX_GRANTS];
	/* By extension, a page: size bytes of arguments (abi/args.h), and zeros behind them. */
	struct bf_region args[BF_MAX_EXTS];
	/* By extension: struct bf_channel and its data (abi/channel.h), shared with Linux. */
	struct bf_region channels[BF_MAX_EXTS];
	uint64_t table; /* SPA of struct bf_firmware (abi/firmware.h); 0: there is none */
	uint64_t vmx[BF_NR_VMX_MSRS]; /* Intel: the capability MSRs, by what all CPUs offer */
};

/* At BF_PP_DATA. */
struct bf_pp_handoff {
	uint64_t magic;
	uint32_t ppid;
	uint32_t cpu; /* Linux's number, for messages only */
	uint64_t handoff; /* VA of struct bf_handoff, in the window */
	uint64_t cr3; /* SPA of this PP's PML4, without an extension */
	uint64_t area_pt; /* SPA of the page table that maps the PP area (BF_PP_ABI, BF_PP_TEMP) */
	uint64_t switch_page; /* VA of this PP's struct bf_switch_page, the same in Linux */
	uint64_t switch_leave; /* VA of the code that goes back to Linux, the same in Linux */
	uint64_t switch_page_spa; /* where both lie: the page, and that of the code */
	uint64_t switch_code_spa;
	uint64_t trace; /* SPA of this PP's struct bf_trace, shared with Linux */
};

/*
 * The way out that no extension can block: VMCALL (Intel) or VMMCALL (AMD) with this in RAX,
 * executed by the root VM in CPL 0. The microkernel promotes the PP; RAX is BF_HYPERCALL_STOPPED
 * afterwards: a value of our own, because on a bare CPU an outer hypervisor may answer the
 * instruction, too. From any other privilege level it is what it is on a bare CPU.
 */
#define BF_HYPERCALL_STOP 0x706F747346426B6D
#define BF_HYPERCALL_STOPPED 0x8F908B8CB9BD9492 /* ~BF_HYPERCALL_STOP */

/*
 * The same instruction, likewise, with this in RAX: the microkernel looks at bf_pp_status.tracing.
 * RAX is BF_HYPERCALL_TRACED afterwards.
 */
#define BF_HYPERCALL_TRACE 0x6563617254426B6D
#define BF_HYPERCALL_TRACED 0x9A9C9E8DABBD9492 /* ~BF_HYPERCALL_TRACE */

/* The same instruction, likewise, with this in RAX, which receives bf_handoff.table. */
#define BF_HYPERCALL_TABLE 0x656C626154426B6D

/*
 * The same instruction, likewise, with this in RAX, where CPUs stay (BF_HANDOFF_STAYS): from then
 * on this CPU can leave, to where bf_pp_status.bind_page and bind_code say that this Linux has the
 * switch page and the page of the switch code. RAX is BF_HYPERCALL_BOUND afterwards, or the
 * enum bf_error for which it cannot: BAD_REQUEST, MK_VERSION, MK_LEVELS, MK_POOL.
 */
#define BF_HYPERCALL_BIND 0x646E696246426B6D
#define BF_HYPERCALL_BOUND 0x9B91969DB9BD9492 /* ~BF_HYPERCALL_BIND */

/* --- memory that Linux may read while the hypervisor runs ------------------------------------- */

/*
 * The debug ring: byte n of the text lies at data[n % size]. Behind data are BF_RING_LINES of
 * struct bf_line: of line n, the one with index n % BF_RING_LINES. The writer owns its counters.
 */
#define BF_RING_DATA 0x8000 /* the size that it is given */

struct bf_ring {
	uint64_t written; /* bytes ever written */
	uint64_t size; /* of data, a power of two */
	uint64_t lines; /* ever begun */
	uint8_t pad[104];
	uint8_t data[];
};

#define BF_RING_LINES 1024

/* When a line has begun, and who has begun it. */
struct bf_line {
	uint64_t position; /* of its first byte in the text */
	uint64_t tsc;
	uint32_t cpu; /* Linux's number */
	uint16_t image; /* the extension, from 1 on; 0: the microkernel */
	uint16_t pad;
};

/*
 * FAILED: this PP's extension or VS failed. fallback tells which of two cases it is: 0, the CPU is
 * bare again (a launch that failed); 1, it is still a guest, but of the microkernel alone, which
 * lets everything through until the driver executes BF_HYPERCALL_STOP.
 * HALTED: nothing is left that this CPU could run. It stays in the microkernel, whose memory it
 * uses, until the machine is reset.
 */
enum bf_pp_state { BF_PP_BARE, BF_PP_GUEST, BF_PP_FAILED, BF_PP_HALTED };

/* Callbacks of an extension; also the detail of EXT_OVERDUE. */
enum bf_callback {
	BF_CALLBACK_NONE,
	BF_CALLBACK_START, /* _start */
	BF_CALLBACK_BOOTSTRAP,
	BF_CALLBACK_VMEXIT,
	BF_CALLBACK_FAIL,
	BF_CALLBACK_ENTRY /* a call by another extension */
};

#define BF_CALLBACK_NAMES { "no callback", "_start", "bootstrap", "vmexit", "fail", "entry" }

/*
 * Exits by reason. Intel: the basic exit reason. AMD: exit codes up to SVM_EXIT_EFER_WRITE_TRAP as
 * they are, the four from SVM_EXIT_NPF on behind each other, all others (INVALID) in the last slot.
 */
#define BF_NR_EXIT_SLOTS 256
#define BF_EXIT_SLOT_NPF 0xF0
#define BF_EXIT_SLOT_OTHER 0xFF

/*
 * What a PP was doing when it failed. stack is a copy of what was on the stack: ring 3's if cs is a
 * selector of ring 3, else the microkernel's.
 */
#define BF_REPORT_PLACE 0x1 /* rip, cs, rflags, rsp and the control registers are known */
#define BF_REPORT_GPRS 0x2 /* gpr, too */
#define BF_REPORT_FAULT 0x4 /* an exception: vector, error_code and address */
#define BF_REPORT_STACK 1416
#define BF_REPORT_SAID 120

struct bf_report {
	uint32_t error; /* enum bf_error; OK: there is no report */
	uint32_t cpu; /* Linux's number */
	uint16_t image; /* as in struct bf_pp_status */
	uint8_t callback; /* enum bf_callback */
	uint8_t flags; /* BF_REPORT_* */
	uint32_t stack_size; /* bytes of stack, from RSP up */
	uint64_t gpr[BF_NR_GPRS];
	uint64_t vector;
	uint64_t error_code;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t address; /* that could not be accessed, if it was a page fault */
	uint64_t cr0;
	uint64_t cr2;
	uint64_t cr3;
	uint64_t cr4;
	char said[BF_REPORT_SAID]; /* EXT_EXIT: what it printed last, the beginning; NUL */
	uint8_t stack[BF_REPORT_STACK];
};

/*
 * By image, less one: an extension that has failed, without which Linux and the others go on. It is
 * no failure of the PP's, and stays whatever becomes of that: until the next start.
 */
struct bf_ended {
	uint64_t detail; /* as in struct bf_pp_status; written, like cpu and image, before error */
	struct bf_report report; /* error OK: it has not ended */
};

struct bf_pp_status {
	uint32_t state; /* enum bf_pp_state */
	uint32_t error; /* enum bf_error: why this PP failed, kept until it is launched again */
	uint64_t detail; /* vector, exit reason or field, by error */
	uint64_t rip; /* extension: where it failed */
	uint64_t address; /* extension: the faulting address (CR2) */
	uint64_t exits;
	uint64_t exit_count[BF_NR_EXIT_SLOTS];
	uint64_t fallback;
	uint64_t image; /* which extension error is about, from 1 on; 0: none of them */
	uint64_t leaving; /* written by the driver: all CPUs wait until this one has left */
	uint64_t together; /* written by the driver: all CPUs are in a rendezvous */
	uint64_t exit_ibpb; /* 1: each exit of a guest behind a nested table has an IBPB */
	struct bf_report report; /* kept like error */
	/* Of these exits, those that were given to each extension; the others, to none. */
	uint64_t ext_exits[BF_MAX_EXTS];
	uint64_t tracing; /* written by the driver: exits are traced (BF_HYPERCALL_TRACE) */
	uint64_t parked; /* written by the driver: offline, but a guest, which may never exit */
	uint64_t awaits_ipi; /* 1: Intel, its guest waits for a start-up IPI, and blocks INIT */
	uint64_t boot_cpu; /* 1: its CPU is the boot processor, which an INIT does not take back */
	uint64_t bind_page; /* written by the driver: addresses of Linux's (BF_HYPERCALL_BIND) */
	uint64_t bind_code;
	/*
	 * Intel, written by the driver before an NMI: Linux is about to start its CPU, which is
	 * offline, and is to wait for the start-up IPI; 0 again when the NMI has come
	 */
	uint64_t starting;
	uint64_t pad[495 - BF_MAX_EXTS - BF_NR_EXIT_SLOTS - sizeof(struct bf_report) / 8];
};

BF_STATIC_ASSERT(sizeof(struct bf_pp_status) == BF_PAGE_SIZE, "one page per PP");

/*
 * An exit, and what followed until the next entry, of whichever VS: of one that has none, there is
 * no record. Of the exits of a PP while it is traced, number n is records[n % BF_TRACE_RECORDS].
 */
struct bf_trace_record {
	uint64_t begin; /* TSC at the exit */
	uint64_t rip; /* of the guest */
	uint32_t ticks; /* of the TSC, until the entry, or UINT32_MAX */
	uint16_t slot; /* as of bf_pp_status.exit_count */
	uint16_t image; /* the extension that was asked, from 1 on; 0: none was */
	uint16_t vmid;
	uint16_t vsid;
	uint32_t pad;
};

#define BF_TRACE_BYTES 0x8000
#define BF_TRACE_RECORDS 1023

struct bf_trace {
	uint64_t written; /* records ever written; the writer owns its own counter */
	uint64_t pad[3];
	struct bf_trace_record records[BF_TRACE_RECORDS];
};

BF_STATIC_ASSERT(sizeof(struct bf_trace) == BF_TRACE_BYTES, "whole pages");

#endif /* __ASSEMBLER__ */
#endif
