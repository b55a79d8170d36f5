/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions that the rest of x86/ needs: the contract under it, which a test implements, too. */
#ifndef BF_CORE_HW_H
#define BF_CORE_HW_H

#include <abi/cpu_state.h>
#include <abi/handoff.h>
#include <abi/layout.h>
#include <abi/types.h>

/* --- those that may fault: the operating system's, for its exception tables (any context) ----- */

/* False: #GP, and *value is 0. */
bool bf_os_rdmsr(uint32_t msr, uint64_t *value);
bool bf_os_wrmsr(uint32_t msr, uint64_t value);

/*
 * VMCALL or VMMCALL with RAX = *rax, which receives the answer. False: #UD, no hypervisor answers.
 * One that does need not be ours: an outer one may.
 */
bool bf_os_hypercall(enum bf_vendor vendor, uint64_t *rax);

/* --- hw.c ------------------------------------------------------------------------------------- */

/* CPUID; regs receives EAX, EBX, ECX, EDX. */
void bf_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);

uint64_t bf_hw_cr0(void);
uint64_t bf_hw_cr3(void);
uint64_t bf_hw_cr4(void);
uint64_t bf_hw_xcr0(void); /* with CR4.OSXSAVE only */

/* CR0-4, CR8, XCR0, DR0-7, GDTR, IDTR and all selectors of this CPU; nothing else of *state. */
void bf_hw_registers(struct bf_cpu_state *state);

/* --- switch.S --------------------------------------------------------------------------------- */

/*
 * One page, which has the ABI of the microkernel whatever that of the operating system is.
 *
 * bf_switch_enter (interrupts off) saves the caller in page->cpu, loads cr3 and jumps to entry.
 * Returns 0 as a guest, or the enum bf_error with which the microkernel left. bf_switch_leave,
 * called by the microkernel, restores the state in page->cpu. bf_switch_nmi is the handler in the
 * page's own IDT.
 */
BF_SYSV_ABI uint64_t bf_switch_enter(struct bf_switch_page *page, uint64_t cr3, uint64_t entry);
BF_SYSV_ABI void bf_switch_leave(struct bf_switch_page *page);
void bf_switch_nmi(void);

/* The page that holds these three. */
extern const uint8_t bf_switch_code[BF_PAGE_SIZE];

#endif
