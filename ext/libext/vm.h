/* SPDX-License-Identifier: MIT */
/*
 * A VM of the extension's own beside Linux, on either vendor: a piece of memory from the huge pool
 * (bfm start --huge), a nested table that shows it and nothing else, and one CPU in a mode of the
 * extension's choice. It runs in turns with Linux.
 *
 *	static struct ext_vm vm;
 *
 *	if (!ext_vm_create(&vm, 0x10000))
 *		return false;
 *	bsl_memcpy(vm.memory, code, size);
 *	if (!ext_vm_reset(&vm, EXT_VM_REAL, 0))
 *		return false;
 *	do
 *		ext_vm_run(&vm, &exit);
 *	while (exit.kind == EXT_VM_IO && answer(&vm, &exit));
 *
 * All of it is called in a hook of ext/libext/frame.h or ext/libext/channel.h, where Linux has
 * exited and waits. The registers of Linux are as before when ext_vm_run comes back, those of the
 * FPU, too: the guest has its own. One PP at a time can have a VM, whichever: the extension sees to
 * that (lib/bsl/spinlock.h). Its structure may be anywhere, on the stack as well.
 *
 * It takes Mk#2, which ext_run_linux opens, and the rights "guests", "physical" and "memory"
 * (docs/abi/mk2.md). Guests with devices, an interrupt controller or memory of Linux's are what
 * ext/guests is for. Not with the C++ library, which saves FPU registers in each callback.
 */
#ifndef LIBEXT_VM_H
#define LIBEXT_VM_H

#include <ext/libext/libext.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name): the registers that the extension sets and sees. */
// clang-format off
#define EXT_VM_REGS(X) \
	X(rax) X(rbx) X(rcx) X(rdx) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) \
	X(r13) X(r14) X(r15) X(rip) X(rsp) X(rflags)
// clang-format on

#define EXT_VM_REG_MEMBER(name) uint64_t name;
struct ext_vm_regs {
	EXT_VM_REGS(EXT_VM_REG_MEMBER)
};

/* Why the guest has stopped. RIP is behind the instruction for those that say so. */
enum ext_vm_exit_kind {
	EXT_VM_INTERRUPTED, /* Linux has something to do: return to it, and go on another time */
	EXT_VM_IO, /* IN or OUT: behind it. With IN, ext_vm_input before the next run */
	EXT_VM_CPUID, /* behind it: RAX to RDX are to be set */
	EXT_VM_RDMSR, /* of RCX, behind it: RAX and RDX are to be set. All MSRs exit */
	EXT_VM_WRMSR, /* the same */
	EXT_VM_HLT, /* behind it */
	EXT_VM_CALL, /* VMCALL or VMMCALL, behind it */
	EXT_VM_MEMORY, /* an access to an address where there is no memory */
	EXT_VM_SHUTDOWN, /* a triple fault: it has to be reset */
	EXT_VM_REFUSED, /* the CPU refuses the state, or the microkernel does */
	EXT_VM_OTHER /* what this header has no word for; INS and OUTS are among it */
};

struct ext_vm_exit {
	enum ext_vm_exit_kind kind;
	/*
	 * EXITCODE or the exit reason: ext_exit_number (ext/libext/exits.h) knows its name. If the
	 * microkernel refuses, its status.
	 */
	uint64_t reason;
	uint64_t gpa; /* MEMORY */
	unsigned int access; /* MEMORY: EXT_READ, EXT_WRITE or EXT_EXECUTE of ext/libext/frame.h */
	uint16_t port; /* IO */
	uint8_t size; /* IO: bytes, 1, 2 or 4 */
	bool in; /* IO */
};

/* All zeros at first. */
struct ext_vm {
	struct ext_vm_regs regs; /* between runs */
	uint8_t *memory; /* guest-physical 0 and so on; the guest changes it only while it runs */
	uint64_t size; /* bytes of it */
	/* libext's own: */
	uint64_t va, spa; /* of all that it has */
	uint64_t vmid, vpid, vsid, ppid;
	uint64_t linux_vpid, linux_vsid; /* of this run */
	uint64_t rsp;
	uint8_t *stack;
	struct ext_vm_exit exit;
};

#define EXT_VM_MEMORY_MAX 0x300000 /* bytes; the huge pool has 2 MiB by default, 4 MiB at most */

/*
 * Makes a VM with bytes of memory, a multiple of 4 KiB; it is zeroed. Not in ext_start. false,
 * after a message: the size is wrong, the pools or the ids are used up, a right is missing, or this
 * CPU lacks nested paging (Intel: and unrestricted guests).
 */
bool ext_vm_create(struct ext_vm *vm, uint64_t bytes);

enum ext_vm_mode {
	EXT_VM_REAL, /* 16 bits; all segments begin at 0, vectors are at 0, as after reset */
	EXT_VM_PROTECTED, /* 32 bits, flat, without paging */
	EXT_VM_LONG /* 64 bits; linear addresses below 1 GiB are physical ones */
};

/*
 * Puts the CPU into a mode, at CPL 0 with interrupts off, at this address, with the stack at the
 * end of memory (in real mode, of 64 KiB of it), and all other registers 0. Descriptor tables are
 * empty but for real mode's: exceptions are triple faults, and segment registers cannot be loaded,
 * until the guest has loaded its own. The page tables of 64-bit mode are 3 pages that follow the
 * memory. Memory stays. Registers may then be changed in vm->regs.
 *
 * The guest can leave the mode only by what needs neither MSRs nor a write to CR4, which is
 * EXT_VM_OTHER: on AMD each one, on Intel one that changes it. On Intel so is a write to CR0 that
 * changes CD, NW, or NE, which is set. false, after a message: the CPU is with another PP, which
 * failed.
 */
bool ext_vm_reset(struct ext_vm *vm, enum ext_vm_mode mode, uint64_t rip);

/*
 * Runs the guest up to its next exit, which *exit is about. Every interrupt for Linux ends a run,
 * whatever the guest does, so that it has a tick of Linux's at most (on a CPU with nohz_full, which
 * has none, as long as nothing else happens); whoever calls this in a loop returns to Linux with
 * EXT_VM_INTERRUPTED. A run may come to that before the first instruction.
 *
 * The watchdog's limit is that of the time between runs. Ends the extension's run, after a message,
 * in ext_start, or in a fail callback.
 */
void ext_vm_run(struct ext_vm *vm, struct ext_vm_exit *exit);

/* What IN has read: the low bytes of value, as many as it has asked for. */
void ext_vm_input(struct ext_vm *vm, const struct ext_vm_exit *exit, uint32_t value);

/* The VM is no more, and its memory the pool's; it may be created again. false: it is leaked. */
bool ext_vm_destroy(struct ext_vm *vm);

#ifdef __cplusplus
}
#endif

#endif
