/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that may fault, without any help of the firmware's: its own handlers of exceptions
 * end everything.
 */
#ifndef BF_EFI_FAULT_H
#define BF_EFI_FAULT_H

#include <abi/cpu_state.h>
#include <abi/types.h>

/* Copies the firmware's IDT, of the CPU that this runs on. */
void efi_fault_init(void);

/* Disables interrupts, and enables them again if flags, which that returned, say so. */
uint64_t efi_interrupts_off(void);
void efi_interrupts_restore(uint64_t flags);

#define EFI_GDT_ENTRIES 32

/* What efi_quiet_begin has replaced, and the GDT in between. */
struct efi_quiet {
	struct bf_table idt, gdt;
	uint16_t cs, ss;
	bool moved; /* to the GDT below */
	/* Within a page. */
	uint64_t own_gdt[EFI_GDT_ENTRIES] __attribute__((aligned(EFI_GDT_ENTRIES * 8)));
};

/*
 * From begin to end, this CPU, whose interrupts are off, ignores NMIs: the firmware would not
 * survive those of our watchdog. Unless it has a shadow stack, its code and stack segments are
 * those of the switch page (abi/layout.h): an NMI between two GDTs returns to selectors that mean
 * the same in both.
 */
void efi_quiet_begin(struct efi_quiet *quiet);
void efi_quiet_end(const struct efi_quiet *quiet);

/* --- fault.S: with an IDT of efi_fault_init's, a #GP or a #UD makes them return false --------- */

bool efi_try_rdmsr(uint32_t msr, uint64_t *value);
bool efi_try_wrmsr(uint32_t msr, uint64_t value);

/* RAX is *rax, which receives the answer. */
bool efi_try_vmcall(uint64_t *rax);
bool efi_try_vmmcall(uint64_t *rax);

/* Handlers of exceptions, for that IDT. */
void efi_on_gp(void);
void efi_on_ud(void);
void efi_on_nmi(void);

#endif
