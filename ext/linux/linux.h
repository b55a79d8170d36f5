/* SPDX-License-Identifier: MIT */
/*
 * What treats Linux as the root VM: it runs on, and everything passes through to the CPU. The
 * default extension is nothing but this; others add to it.
 */
#ifndef EXT_LINUX_H
#define EXT_LINUX_H

#include <abi/hw/x86.h>
#include <bsl/compiler.h>
#include <ext/libext/frame.h>
#include <ext/libext/memory.h>

/* --- exit.c ---------------------------------------------------------------------------------- */

/* Extra printing, switched by MK1_CPUID_REPORT_ON and _OFF. */
extern bool report;

/* Prints what happened and the state of the VS, then hands this PP to the microkernel. */
__cold __noreturn void give_up(const char *what, uint64_t vsid, uint64_t detail);

/* An exit that was not requested and that has no handler. */
__cold __noreturn void unexpected_exit(uint64_t vsid, uint64_t reason, uint64_t rip);

/* A register that a correct microkernel always has: a refusal ends with give_up. */
uint64_t vs_get(uint64_t vsid, uint64_t reg);
void vs_set(uint64_t vsid, uint64_t reg, uint64_t value);

/* Drops this PP's translations of the active VM. */
void flush_tlb(uint64_t vsid);

/* How an exit ends: the guest goes on at, or after, the instruction that exited. */
__noreturn void resume(uint64_t vsid);
__noreturn void resume_next(uint64_t vsid);

/*
 * CPUID exits that need more than the CPU's own answer: is_loaders tells, and does, what the loader
 * asks of the extension; the others are answered, which may change how the exit ends.
 */
bool is_loaders(uint64_t vsid);
void answer_cpuid(struct ext_exit *e);

/* EDX:EAX of the guest. */
static inline uint64_t guest_edx_eax(void)
{
	return (mk1_rdx() << 32) | (uint32_t)mk1_rax();
}

static inline void set_guest_edx_eax(uint64_t value)
{
	mk1_set_rax((uint32_t)value);
	mk1_set_rdx(value >> 32);
}

/* A general register by its number in the encoding of instructions. */
static inline enum ext_reg general_reg(unsigned int number)
{
	static const uint8_t regs[16] = {
		EXT_REG_rax, EXT_REG_rcx, EXT_REG_rdx, EXT_REG_rbx, EXT_REG_rsp, EXT_REG_rbp,
		EXT_REG_rsi, EXT_REG_rdi, EXT_REG_r8,  EXT_REG_r9,  EXT_REG_r10, EXT_REG_r11,
		EXT_REG_r12, EXT_REG_r13, EXT_REG_r14, EXT_REG_r15,
	};

	return (enum ext_reg)regs[number & 15];
}

/* --- msr.c ----------------------------------------------------------------------------------- */

/*
 * An MSR of Linux's that is nothing special on this vendor: of the VS, or of the CPU, where the
 * microkernel's policy decides. false: #GP.
 */
bool pass_rdmsr(uint64_t vsid, uint32_t msr, uint64_t *value);
bool pass_wrmsr(uint64_t vsid, uint32_t msr, uint64_t value);

/* RDMSR, WRMSR or both exit. false, after a message: they cannot. */
bool intercept_msr(uint32_t msr, unsigned int access);

/* --- memory.c -------------------------------------------------------------------------------- */

/*
 * Translates a linear address of Linux's as an access of this kind by the CPU does, with accessed
 * and dirty bits: PAGING_OK, *gpa is valid; PAGING_FAULT, *error is #PF's; PAGING_CHANGED, other
 * CPUs go on changing the tables; PAGING_UNREACHABLE, *status is why.
 */
enum paging_status memory_walk(uint64_t vsid, uint64_t la, unsigned int access, uint64_t *gpa,
			       uint32_t *error, enum ext_mem_status *status);

/* --- main.c ---------------------------------------------------------------------------------- */

/*
 * What ext_start calls and registers, as do the extensions that test the ABI. linux_start opens the
 * handle (linux_open), makes what all PPs share (linux_start_vendor), and returns false, after a
 * message, when it cannot go on; linux_vmexit is the callback for this vendor, once the handle is
 * open.
 */
bool linux_start(uint64_t specs);
bool linux_open(uint64_t specs);
bool linux_open_handle(void); /* of Mk#1, unless it is open: for what comes before that */
bool linux_start_vendor(void);
__noreturn mk1_bootstrap_fn linux_bootstrap;
mk1_vmexit_fn *linux_vmexit(void);
__noreturn mk1_fail_fn linux_fail;

/*
 * In the bootstrap callback: makes the root VS of this PP and returns it, active and ready to run.
 * An extension that wants more of it than linux_bootstrap sets that and runs it.
 */
uint64_t linux_prepare(uint64_t ppid);

bool cpu_is_amd(void);
bool linux_is_open(void); /* linux_open has been called */
bool linux_is_on_amd(void); /* as cpu_is_amd says, since then */

#endif
