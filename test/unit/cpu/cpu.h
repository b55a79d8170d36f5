/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fake CPUs for the microkernel in a test process: a signal handler emulates the privileged
 * instructions on a model of registers, MSRs, paging and VMX. What a real CPU would answer with an
 * exception goes to the microkernel's trap_dispatch(); what it would not survive ends the test.
 */
#ifndef TEST_CPU_CPU_H
#define TEST_CPU_CPU_H

#include <abi/cpu_state.h>
#include <abi/types.h>
#include <bsl/compiler.h>

/* What is counted, and what can be made to fail. */
enum insn {
	INSN_READ_CR,
	INSN_WRITE_CR,
	INSN_READ_DR,
	INSN_WRITE_DR,
	INSN_RDMSR,
	INSN_WRMSR,
	INSN_LGDT,
	INSN_LIDT,
	INSN_LLDT,
	INSN_LTR,
	INSN_MOV_SS,
	INSN_INVLPG,
	INSN_IN,
	INSN_OUT,
	INSN_XSETBV,
	INSN_FXSAVE, /* arg: the mask, also of the next three */
	INSN_XSAVE,
	INSN_FXRSTOR,
	INSN_XRSTOR,
	INSN_FORGET_X87, /* what is executed before those two */
	INSN_STAC,
	INSN_CLAC,
	INSN_IRET,
	INSN_CLGI,
	INSN_STGI,
	INSN_VMSAVE,
	INSN_INVLPGA,
	INSN_VMXON,
	INSN_VMXOFF,
	INSN_VMCLEAR,
	INSN_VMPTRLD,
	INSN_VMREAD,
	INSN_VMWRITE,
	INSN_INVEPT,
	INSN_INVVPID,
	INSN_VMCALL,
	INSN_VMMCALL,
	NR_INSNS
};

#define CPU_MSRS 160

struct cpu {
	uint64_t cr0, cr2, cr3, cr4, cr8, xcr0;
	uint64_t dr[8];
	uint64_t cr4_known; /* other bits are #GP */
	uint64_t xcr0_known;
	/* x87, SSE and so on, in the standard format of XSAVE; what CPUID leaf 0xD has of it */
	uint8_t xstate[0x1000];
	uint64_t xinuse;
	uint32_t mxcsr_mask; /* as FXSAVE tells it */
	bool amd_x87; /* FXRSTOR and XRSTOR leave the addresses as they are */
	struct bf_table gdtr, idtr;
	uint16_t ldtr, tr, ss;
	bool ac; /* RFLAGS.AC, as STAC and CLAC see it */
	bool gif;
	void (*on_stgi)(void); /* what has waited for it; NULL: nothing */
	bool vmxon;
	struct vmcs *current;
	struct {
		uint32_t number;
		uint64_t value;
		uint64_t known; /* other bits are #GP */
	} msrs[CPU_MSRS];
	unsigned int nr_msrs;
	unsigned int count[NR_INSNS];
	uint64_t arg[NR_INSNS][2]; /* of the last one */
};

/* The CPU that executes. */
extern struct cpu *cpu;

/* Called before each instruction is emulated; NULL: nothing. */
extern void (*cpu_watch)(enum insn insn, uint64_t arg);

/*
 * The outer hypervisor: VMCALL and VMMCALL, with the general registers in the order of enum bf_gpr.
 * false: VMfail, that is, CF. NULL: there is none, #UD.
 */
extern bool (*cpu_outer)(enum insn insn, uint64_t *gpr);

/* Called for an exception that finds no gate: a real CPU shuts down. */
extern __noreturn void cpu_shutdown(void);

/*
 * The serial port: what was written; lcr and lsr are what its line control and line status
 * registers read as.
 */
extern struct serial {
	uint16_t port;
	uint16_t divisor;
	uint8_t lcr;
	uint8_t lsr;
	size_t length;
	char text[4096];
} serial;

/* Takes over SIGSEGV and SIGILL; no CPUID leaf is set, and no VMCS is there. */
void cpu_install(void);

/* State after reset, with paging and long mode as the loader hands them over. */
void cpu_reset(struct cpu *c);

/* MSRs: set makes it exist, drop makes it #GP, get wants it to exist. */
void msr_set(struct cpu *c, uint32_t number, uint64_t value);
void msr_restrict(struct cpu *c, uint32_t number, uint64_t known);
void msr_drop(struct cpu *c, uint32_t number);
bool msr_has(struct cpu *c, uint32_t number);
uint64_t msr_get(struct cpu *c, uint32_t number);

/*
 * The TSC of all CPUs. It goes on by TSC_STEP with each RDTSC, and is the same in every run: what
 * waits by it gets no less time on a busy host, and what waits in vain is done at once.
 */
#define TSC_STEP 10000
extern uint64_t cpu_tsc;

/* What happens meanwhile, after so many RDTSCs that somebody is waiting: once. */
void cpu_in_a_while(void (*then)(void));

/* What CPUID answers on all CPUs; 0 for leaves never set. */
void cpuid_set(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
	       uint32_t edx);

/* The nth (from 1) VMX instruction of a kind from now on fails; arg ~0: whatever its operand. */
void vmx_fail(enum insn insn, uint64_t arg, unsigned int nth);

/* The VMCS at spa: a field, and a field that this CPU does not have. */
uint64_t vmcs_get(uint64_t spa, uint32_t field);
void vmcs_put(uint64_t spa, uint32_t field, uint64_t value);
void vmcs_absent(uint32_t field, bool absent);

/* --- memory: mmu.c ---------------------------------------------------------------------------- */

#define PHYS_BASE 0x40000000ULL
#define PHYS_SIZE 0x2000000ULL

/* Fresh memory, all zero. */
void phys_reset(void);
void *phys_at(uint64_t spa);

/* A page fault at va: maps the page as the tables of CR3 say, or returns the error code. */
bool mmu_fault(uint64_t va, bool write, uint64_t *error_code);
void mmu_flush(void);
void mmu_flush_page(uint64_t va);
void mmu_flush_user(void);

/* Where ring 3 sees va; NULL: it does not, or not with this access. */
void *mmu_user(uint64_t va, bool write, bool execute);

/* --- used between cpu.c and vmx.c ------------------------------------------------------------- */

__noreturn void cpu_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vmx_reset(void);
/* These return RFLAGS' CF and ZF as the instruction leaves them. */
uint64_t vmx_exec(enum insn insn, uint64_t a, uint64_t *b);

#endif
