/* SPDX-License-Identifier: MIT */
/*
 * Guests beside Linux: what a Linux module (driver/kvm) and the extension that runs guests
 * (ext/guests) say to each other. The module calls with VMCALL or VMMCALL at CPL 0, interrupts off:
 *
 *   RAX  GUESTS_CALL | operation    RDX  the instance, which INFO returns (INFO: 0)
 *   RSI, RDI, R8, R9                arguments
 *
 * The answer is GUESTS_CALL | status in RAX, and values in RDX, RSI and RDI. The microkernel says
 * MK1_FAILURE_UNSUPPORTED for an extension that has ended; any other answer is of somebody else, or
 * of nobody (abi/linux_hypercall.h). The registers of a vCPU and its exits are in a page of the
 * module's, one for each vCPU, which the extension copies before it looks at it. Neither side
 * trusts what the other one says of a guest.
 */
#ifndef BF_ABI_GUESTS_H
#define BF_ABI_GUESTS_H

#include <abi/types.h>

#define GUESTS_CALL 0x4266477500000000 /* "BfGu" */
#define GUESTS_CALL_MASK 0xFFFFFFFF00000000
#define GUESTS_VERSION 2

/*
 * Operations: arguments -> results. Ids are those that the extension has returned; the module may
 * use any, and a wrong one is refused.
 */
enum guests_op {
	GUESTS_INFO, /* -> RDX instance, never the one of an earlier start; RSI version */
	GUESTS_CPUID, /* RSI leaf, RDI subleaf -> RDX EBX:EAX, RSI EDX:ECX: what a guest may have */
	GUESTS_VM_CREATE, /* -> RDX VM */
	GUESTS_VM_DESTROY, /* RSI VM, which has no vCPU any more */
	/*
	 * RSI VM, RDI guest-physical and R8 physical address of a page, R9 GUESTS_MAP_. What is
	 * there already must be the same.
	 */
	GUESTS_MAP,
	/*
	 * RSI VM, RDI guest-physical address, R8 number of pages of 4 KiB, large ones as a whole.
	 * GUESTS_OK: no CPU can access them any more. GUESTS_BUSY: a CPU does not answer, and may.
	 */
	GUESTS_UNMAP,
	GUESTS_VCPU_CREATE, /* RSI VM, RDI physical address of its page -> RDX vCPU */
	GUESTS_VCPU_DESTROY, /* RSI vCPU */
	/* RSI vCPU: this CPU gives up what it caches of it, so that another one can have it. */
	GUESTS_VCPU_RELEASE,
	GUESTS_STATE_GET, /* RSI vCPU, RDI GUESTS_STATE_ -> those parts of the page */
	GUESTS_STATE_SET, /* RSI vCPU, RDI GUESTS_STATE_: those parts of the page */
	GUESTS_CPUID_SET, /* RSI vCPU, RDI how many of the page's cpuid: what the guest gets */
	/*
	 * RSI physical address, RDI bytes: memory of Linux's becomes the page pool's, until the
	 * stop. It is used once each CPU has made a call.
	 */
	GUESTS_DONATE,
	GUESTS_RUN, /* RSI vCPU: enters the guest; what ended that is in the page's exit */
	/* RSI n -> RDX the n-th MSR that belongs to a vCPU's state. GUESTS_BAD_VALUE: no more. */
	GUESTS_MSR_LIST,
	/*
	 * RSI vCPU, RDI how many of the page's msrs, read or written in their order -> RDX how many
	 * were, before the first that is refused.
	 */
	GUESTS_MSRS_GET,
	GUESTS_MSRS_SET,
	/* RSI vCPU -> the page's cpuid: what CPUID_SET gave, as the guest sees it by now */
	GUESTS_CPUID_GET,
	GUESTS_NR_OPS
};

enum guests_status {
	GUESTS_OK,
	GUESTS_BAD_CALL, /* no such operation, or the instance of another start */
	GUESTS_BAD_ID, /* no such VM or vCPU */
	GUESTS_BAD_VALUE, /* an argument, or something in the page */
	GUESTS_BUSY, /* the vCPU or the VM is still in use */
	GUESTS_ELSEWHERE, /* RDX: the PP that has to release the vCPU first */
	GUESTS_FULL, /* no id, or no memory of the hypervisor's, is left */
	GUESTS_DENIED, /* this page is not for guests: the hypervisor's, or another guest's */
	GUESTS_UNSUPPORTED /* this CPU cannot run guests; INFO says it, the log why */
};

#define GUESTS_MAP_WRITE 0x1
#define GUESTS_MAP_LARGE 0x2 /* the page is one of 2 MiB */
#define GUESTS_LARGE_SIZE 0x200000
#define GUESTS_MAX_UNMAP 512 /* pages */

#define GUESTS_STATE_REGS 0x1
#define GUESTS_STATE_SREGS 0x2
#define GUESTS_STATE_XSAVE 0x4 /* xsave, but for its xcr0 */
#define GUESTS_STATE_XCR0 0x8 /* xsave.xcr0 */
#define GUESTS_STATE_EVENTS 0x10
#define GUESTS_STATE_DEBUG 0x20
#define GUESTS_STATE_PDPTES 0x40
#define GUESTS_STATE_TSC 0x80
#define GUESTS_STATE_ALL 0xFF

#define GUESTS_GPA_BITS 46 /* guest-physical addresses are below 2^46 */
#define GUESTS_MAX_CPUID 80
#define GUESTS_MAX_XSAVE 2752 /* bytes */
#define GUESTS_MAX_MSRS 128 /* of a call */
#define GUESTS_MAX_IO 256 /* bytes of INS that an exit asks for */

struct guests_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

/* Bits 7:0 as in a descriptor: type, S, DPL, P; then AVL, L, D/B, G (APM vol. 2 §15.5.1). */
#define GUESTS_SEG_ATTRIB 0x0FFF
#define GUESTS_SEG_UNUSABLE 0x8000

struct guests_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t attrib;
};

struct guests_table {
	uint64_t base;
	uint64_t limit; /* 16 bits */
};

struct guests_sregs {
	struct guests_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct guests_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
};

/* What is delivered when the guest is entered next, as it was on its way when the guest exited. */
enum guests_event { GUESTS_EVENT_NONE, GUESTS_EVENT_IRQ, GUESTS_EVENT_NMI, GUESTS_EVENT_EXCEPTION };

/* Until the end of the next instruction; on AMD both are one. */
#define GUESTS_SHADOW_MOV_SS 0x1
#define GUESTS_SHADOW_STI 0x2

struct guests_events {
	uint8_t kind; /* enum guests_event */
	uint8_t vector;
	uint8_t has_error;
	uint8_t shadow; /* GUESTS_SHADOW_ */
	uint8_t nmi_masked; /* until IRET */
	uint8_t pad[3];
	uint32_t error;
	uint32_t pad2;
};

struct guests_debug {
	uint64_t dr[4], dr6, dr7;
};

/*
 * The highest level of PAE paging, where the CPU has a copy of it (Intel). GET: not valid if it has
 * none, or is to read it anew. SET: they are not read anew.
 */
struct guests_pdptes {
	uint64_t valid;
	uint64_t entry[4];
};

struct guests_msr {
	uint64_t msr; /* its number */
	uint64_t value;
};

#define GUESTS_CPUID_SUBLEAF 0x1 /* the entry is for one subleaf */

struct guests_cpuid {
	uint32_t leaf, subleaf, flags;
	uint32_t eax, ebx, ecx, edx;
};

/* What RUN is asked for. */
#define GUESTS_RUN_EMULATE 0x1 /* no page comes for the last FAULT: it is an access to a device */
#define GUESTS_RUN_NMI 0x2 /* an NMI is to be delivered */
#define GUESTS_RUN_IRQ 0x4 /* an interrupt is to be delivered, of this vector */
#define GUESTS_RUN_WINDOW 0x8 /* exit as soon as the guest can take an interrupt */
#define GUESTS_RUN_COMPLETE 0x10 /* do not enter: end only what data is for, and exit as by INTR */

struct guests_entry {
	uint32_t flags;
	uint32_t vector;
	uint64_t data; /* what the last IO or MMIO has read */
	uint64_t cr8; /* 0 to 15 */
};

enum guests_exit_reason {
	GUESTS_EXIT_INTR, /* Linux has an interrupt to take */
	/*
	 * address: port; size, write, data. INS: size bytes each of count elements in the page's io
	 * are what the next RUN wants.
	 */
	GUESTS_EXIT_IO,
	GUESTS_EXIT_FAULT, /* address: guest-physical, of no page, or none to write to; write */
	GUESTS_EXIT_MMIO, /* address: guest-physical; size, write, data */
	GUESTS_EXIT_HLT,
	GUESTS_EXIT_WINDOW,
	GUESTS_EXIT_SHUTDOWN, /* a triple fault */
	GUESTS_EXIT_FAIL_ENTRY, /* the CPU refuses the guest's state; data: its reason */
	/*
	 * detail: enum guests_internal; address, data: more of it. GUESTS_INTERNAL_EMULATE: the
	 * page's io has the instruction, of which size bytes could be read.
	 */
	GUESTS_EXIT_INTERNAL
};

/* Why the extension cannot go on with a guest. */
enum guests_internal {
	GUESTS_INTERNAL_EMULATE = 1, /* an instruction that is not emulated, at RIP address */
	GUESTS_INTERNAL_FETCH, /* the instruction at RIP address cannot be read */
	GUESTS_INTERNAL_STRING_IO, /* INS or OUTS, at RIP address, from or to a device in memory */
	GUESTS_INTERNAL_TASK_SWITCH, /* a task switch, at RIP address */
	GUESTS_INTERNAL_EXIT, /* an exit that should not happen; data: its reason */
	GUESTS_INTERNAL_REFUSED /* the microkernel does not run the guest; data: its status */
};

struct guests_exit {
	uint32_t reason; /* enum guests_exit_reason */
	uint32_t detail;
	uint64_t address;
	uint64_t data;
	uint32_t size; /* bytes: 1, 2, 4 or 8 */
	uint32_t write;
	uint32_t interrupt_flag; /* the guest's RFLAGS.IF */
	uint32_t ready; /* an interrupt would be delivered at once */
	uint32_t taken; /* GUESTS_RUN_NMI, GUESTS_RUN_IRQ: what the guest has got of these */
	uint32_t exits; /* how often the guest has left the CPU since RUN */
	uint32_t count; /* 0: one, and its value is entry.data */
	uint32_t pad;
	uint64_t cr8;
};

/* Extended state. What has no features is as after reset, whatever is in the area. */
struct guests_xsave {
	uint64_t xcr0;
	uint64_t features; /* that the area may have, as in XCR0; read only */
	uint32_t size; /* bytes of it that are used; read only */
	uint32_t pad;
	/* Standard format of XSAVE64 (SDM vol. 1 §13.4), with TSC_AUX in bytes 464 to 471. */
	uint8_t area[GUESTS_MAX_XSAVE];
};

struct guests_page {
	struct guests_regs regs;
	struct guests_sregs sregs;
	struct guests_entry entry;
	struct guests_exit exit;
	struct guests_events events;
	struct guests_debug debug;
	struct guests_pdptes pdptes;
	uint64_t tsc_offset; /* what the guest's TSC has more than the CPU's */
	/* Each is there during a call that is about it. */
	union {
		struct guests_cpuid cpuid[GUESTS_MAX_CPUID];
		struct guests_xsave xsave;
		struct guests_msr msrs[GUESTS_MAX_MSRS];
		uint8_t io[GUESTS_MAX_IO];
	};
};

BF_STATIC_ASSERT(sizeof(struct guests_regs) == 144, "guests_regs");
BF_STATIC_ASSERT(sizeof(struct guests_sregs) == 208, "guests_sregs");
BF_STATIC_ASSERT(sizeof(struct guests_events) == 16, "guests_events");
BF_STATIC_ASSERT(sizeof(struct guests_exit) == 64, "guests_exit");
BF_STATIC_ASSERT(sizeof(struct guests_page) <= 4096, "guests_page");

#endif
