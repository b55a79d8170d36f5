/* SPDX-License-Identifier: MIT */
/*
 * The supervisor half of root mode's address map, private to the loader and the microkernel. Shared
 * by C and assembly.
 *
 * None of it can collide with a Linux kernel address that is mapped during the switch as well:
 * Linux leaves PML4 slots 256..271 to hypervisors (Documentation/arch/x86/x86_64/mm.rst, "guard
 * hole") and never maps the lower half for itself.
 */
#ifndef BF_ABI_LAYOUT_H
#define BF_ABI_LAYOUT_H

#include <abi/mk1_layout.h>

/* Window on the hypervisor's own data pages, supervisor, RW, NX: VA = base + SPA. */
#define BF_WINDOW_BASE 0x0000080000000000

/* The microkernel's image is linked here. */
#define BF_MK_BASE 0xFFFF800000000000
#define BF_MK_SIZE 0x0000000000400000

/* The area of this PP: the same address on every PP, other physical pages (PML4 slot 257). */
#define BF_PP_BASE 0xFFFF808000000000
#define BF_PP_DATA BF_PP_BASE /* struct pp, BF_PP_DATA_PAGES pages */
#define BF_PP_DATA_PAGES 4
/*
 * After the data, 64 KiB are unmapped (pp_gdt in microkernel/pp.h), as is a page below each stack.
 */
#define BF_PP_STACK (BF_PP_BASE + 0x14000)
#define BF_PP_STACK_PAGES 4
#define BF_PP_STACK_TOP (BF_PP_STACK + BF_PP_STACK_PAGES * BF_PAGE_SIZE)
#define BF_PP_IST_BASE (BF_PP_BASE + 0x20000) /* one page per IST stack, a guard page below each */
#define BF_PP_IST_COUNT 4 /* NMI, #DF, #MC, #DB */
#define BF_PP_IST_STRIDE 0x2000
#define BF_PP_ABI (BF_PP_BASE + 0x30000) /* supervisor alias of the active extension's ABI page */
#define BF_PP_TEMP (BF_PP_BASE + 0x31000) /* slots for pages of guest memory, read-only */
#define BF_PP_TEMP_SLOTS 8

/* Selectors: fixed by Mk#1 for ring 3, Linux's own for ring 0. */
#define BF_SEL_KERNEL_CS 0x10
#define BF_SEL_KERNEL_SS 0x18
#define BF_SEL_USER_SS 0x23
#define BF_SEL_USER_CS 0x2B
#define BF_SEL_TSS 0x30

/* RFLAGS on every entry into ring 3: IF and IOPL are 0, so that an extension can neither take
 * Linux's interrupts in root mode nor touch an I/O port. */
#define MK1_ENTRY_RFLAGS 0x2

#endif
