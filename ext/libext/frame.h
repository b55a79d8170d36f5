/* SPDX-License-Identifier: MIT */
/*
 * The frame: an extension that lets Linux run on, as the default one does, and hooks into what it
 * is interested in. The same source serves both vendors.
 *
 *	#include <ext/libext/frame.h>
 *
 *	const char ext_name[] = "hello";
 *
 *	static bool cpuid_hook(struct ext_exit *e, uint32_t leaf, uint32_t subleaf,
 *			       struct cpuid_regs *regs)
 *	...
 *	int ext_start(uint64_t specs)
 *	{
 *		static const struct ext_ops ops = { .cpuid = cpuid_hook };
 *
 *		return ext_run_linux(specs, &ops);
 *	}
 */
#ifndef LIBEXT_FRAME_H
#define LIBEXT_FRAME_H

#include <ext/libext/cpuid.h>
#include <ext/libext/libext.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The extension's name, with which its messages begin: the extension defines it. */
extern const char ext_name[];

/* --- hooks ----------------------------------------------------------------------------------- */

/*
 * An exit of Linux on this PP. A hook that answers one itself returns true, and Linux goes on after
 * the instruction, unless it has said otherwise here.
 */
struct ext_exit {
	uint64_t vsid; /* the root VS of this PP, which is active */
	/*
	 * EXITCODE of the VMCB, or the exit reason of VMX (abi/hw/), of the latter bits 15:0 and
	 * 31: not how it came about, as out of an SGX enclave
	 */
	uint64_t reason;
	uint8_t fault; /* EXT_FAULT_*: Linux takes this exception at the instruction */
	bool again; /* Linux executes the instruction again */
	bool step; /* the same, this once with nothing watched: watch.h */
};

#define EXT_FAULT_UD 6
#define EXT_FAULT_GP 13 /* with error code 0 */

#define EXT_READ 0x1
#define EXT_WRITE 0x2
#define EXT_EXECUTE 0x4

/* An access of Linux's to memory that is watched (watch.h). */
struct ext_fault {
	uint64_t gpa;
	uint64_t gva; /* Intel; 0: the CPU does not tell */
	unsigned int access; /* EXT_READ, EXT_WRITE, EXT_EXECUTE */
	bool walk; /* in a walk through Linux's own page tables */
};

/* An IN or OUT of Linux's that is watched (watch.h). */
struct ext_io {
	uint16_t port;
	uint8_t size; /* bytes: 1, 2 or 4 */
	bool in;
	bool string; /* INS or OUTS, with or without REP: only to be let through */
};

/* A write of Linux's to a control register that is watched (watch.h): MOV, CLTS or LMSW. */
struct ext_cr {
	unsigned int number; /* 0, 3, 4 or 8 */
	uint64_t old; /* what Linux reads there */
	uint64_t value; /* what is to be written, of CR3 with bit 63 as MOV has it */
};

/* A MOV of Linux's to or from a debug register that is watched (watch.h). */
struct ext_dr {
	unsigned int number; /* 0 to 3, 6 or 7; an access of DR4 or DR5 is one of 6 or 7 */
	bool write;
};

/* An exception that Linux or a program of its has raised (watch.h). */
struct ext_exception {
	uint8_t vector;
	bool has_error_code;
	uint32_t error_code;
	uint64_t address; /* of #PF: what CR2 is to be */
};

/* VMCALL or VMMCALL of Linux's or of a program of its, with some of its registers. */
struct ext_hypercall {
	uint64_t rax, rcx, rdx;
};

/*
 * The hooks. Each may be NULL. They are called on the PP that exited, with interrupts off, several
 * PPs at a time: what they share is theirs to protect (lib/bsl/spinlock.h).
 *
 * Those that return bool: false is "not mine", and what the default extension does is done. They
 * must not change a register of Linux then.
 */
struct ext_ops {
	/*
	 * A PP is about to become a guest, at the start, and when a CPU comes online again: its
	 * root VS is ready. false, after a message: the start fails.
	 */
	bool (*cpu_in)(uint64_t vsid);

	/* The PP is about to be given back to Linux: a stop, or its CPU goes offline. */
	void (*cpu_out)(uint64_t vsid);

	/*
	 * Any exit, before the hooks below; not those that are the microkernel's own, and not the
	 * request of the loader to stop, which no extension can take away. If it interrupted the
	 * delivery of an event, that goes on, whatever the hook says: there is no instruction that
	 * could fault, or be left out.
	 */
	bool (*exit)(struct ext_exit *e);

	/*
	 * CPUID. regs is the default answer, from which the virtualisation in use is hidden; true:
	 * Linux gets it as the hook has left it. leaf and subleaf are EAX and ECX.
	 */
	bool (*cpuid)(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs);

	/* RDMSR of an MSR that exits, see ext_msr_intercept. true: Linux gets *value. */
	bool (*rdmsr)(struct ext_exit *e, uint32_t msr, uint64_t *value);

	/* WRMSR. true: it is done, and the frame writes nothing. */
	bool (*wrmsr)(struct ext_exit *e, uint32_t msr, uint64_t value);

	/*
	 * An access to watched memory. Whatever the hook returns, Linux executes the instruction
	 * this once as if nothing were watched; unless the hook returns true, and says that it
	 * takes a fault (which an access in the delivery of an interrupt cannot), or is to be
	 * executed again, as the hook has changed what is watched.
	 */
	bool (*nested_fault)(struct ext_exit *e, const struct ext_fault *fault);

	/*
	 * IN or OUT of a watched port. true: it is done, with *value for IN; else, and for what is
	 * a string, Linux executes it this once.
	 */
	bool (*io)(struct ext_exit *e, const struct ext_io *io, uint32_t *value);

	/*
	 * A write to a watched control register. true: nothing is written, and Linux goes on behind
	 * the instruction, or takes the fault that the hook has said; else it executes it this
	 * once, with all that the CPU checks. If an interrupt comes first, the hook is called
	 * again.
	 */
	bool (*cr)(struct ext_exit *e, const struct ext_cr *cr);

	/*
	 * An access to a watched debug register. *value is what is written. true: the instruction
	 * is done, with *value as what is read; else Linux executes it this once.
	 */
	bool (*dr)(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value);

	/*
	 * A hypercall, of any privilege level (ext_cpl), that is neither the loader's, nor one that
	 * an extension has routed to itself (hypercall_route of Mk#2), nor an outer hypervisor's.
	 * true: Linux gets RAX and RCX as the hook has left them. If nobody answers, Linux takes
	 * #UD, as without a hypervisor.
	 */
	bool (*hypercall)(struct ext_exit *e, struct ext_hypercall *call);

	/*
	 * A watched exception, at the instruction that has raised it. true: Linux does not get it,
	 * and executes the instruction again, or goes on where the hook has set RIP, or takes the
	 * fault that the hook has said (which it cannot if the exception is one of the delivery of
	 * an event, which is then delivered again). Else it is delivered as by the CPU.
	 */
	bool (*exception)(struct ext_exit *e, const struct ext_exception *exception);
};

/*
 * To be called by ext_start: lets Linux run, with these hooks. ops stays where it is. Returns what
 * ext_start is to return: 0, or 1 after a message that says why not.
 *
 * Several such extensions can be started together (bfm start hello msr-trace; default is one, too):
 * the first one treats Linux and asks its hooks, then those of the others, in the order of the
 * command line, until one returns true. What the others see of Linux's registers are those that
 * are not general registers, and the arguments of the hook. For this, an extension with hooks has
 * an entry (ext_set_entry of Mk#2), and the first one has to be one with hooks.
 */
int ext_run_linux(uint64_t specs, const struct ext_ops *ops);

/* --- MSRs of Linux --------------------------------------------------------------------------- */

#define EXT_MSR_READ 0x1
#define EXT_MSR_WRITE 0x2

/*
 * From now on RDMSR, WRMSR or both of this MSR exit, on all PPs. To be called in ext_start after
 * ext_run_linux, or with ext_watch_live (watch.h) later. false, after a message: the MSR has no bit
 * in the permission maps (APM vol. 2 §15.11, SDM vol. 3 §27.6.9), or it is one that neither a VS
 * nor intrinsic_rdmsr and intrinsic_wrmsr reach (docs/abi/registers.md), so that the frame could
 * not do what Linux wants.
 */
bool ext_msr_intercept(uint32_t msr, unsigned int access);

/*
 * An MSR as Linux has it, wherever that is: in the VMCB or VMCS, or in the CPU. false: Linux would
 * take #GP, or it is none of those that ext_msr_intercept takes.
 */
bool ext_msr_read(uint64_t vsid, uint32_t msr, uint64_t *value);
bool ext_msr_write(uint64_t vsid, uint32_t msr, uint64_t value);

/* --- registers of a VS by name --------------------------------------------------------------- */

/* X(name): those that a VS has on both vendors under this name. */
// clang-format off
#define EXT_REGS(X) \
	X(rax) X(rbx) X(rcx) X(rdx) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) \
	X(r13) X(r14) X(r15) X(rip) X(rsp) X(rflags) X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) X(xcr0) \
	X(dr0) X(dr1) X(dr2) X(dr3) X(dr6) X(dr7) X(efer) X(cs_selector) X(cs_base) \
	X(ss_selector) X(fs_base) X(gs_base) X(kernel_gs_base) X(gdtr_base) X(gdtr_limit) \
	X(idtr_base) X(idtr_limit) X(tr_base) X(star) X(lstar) X(cstar) X(fmask) X(sysenter_cs) \
	X(sysenter_esp) X(sysenter_eip) X(pat)
// clang-format on

/* EXT_REG_rip and so on. */
#define EXT_REG_ENUM(name) EXT_REG_##name,
enum ext_reg { EXT_REGS(EXT_REG_ENUM) EXT_NR_REGS };

/*
 * A register of a VS, as it is in the VMCB or VMCS; of the active VS, too. One that a correct
 * microkernel always has: a refusal ends the extension's run, with a message. Writing returns false
 * if the microkernel refuses the value (docs/abi/registers.md).
 */
uint64_t ext_reg_read(uint64_t vsid, enum ext_reg reg);
bool ext_reg_write(uint64_t vsid, enum ext_reg reg, uint64_t value);

/* Linux's privilege level, 0 to 3. */
unsigned int ext_cpl(uint64_t vsid);

#ifdef __cplusplus
}
#endif

#endif
