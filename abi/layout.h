/* SPDX-License-Identifier: MIT */
/*
 * The address map: what lies where while a CPU is in root mode. Shared by C and assembly.
 *
 * The user half is the contract of Mk#1 and never changes. The supervisor half is private to the
 * loader and the microkernel: none of it can collide with a Linux kernel address that is mapped
 * beside it during the switch, because Linux leaves PML4 slots 256..271 to hypervisors
 * (Documentation/arch/x86/x86_64/mm.rst, "guard hole") and never maps the lower half for itself.
 */
#ifndef BF_ABI_LAYOUT_H
#define BF_ABI_LAYOUT_H

#define BF_PAGE_SHIFT 12
#define BF_PAGE_SIZE 0x1000
#define BF_PAGE_MASK 0xFFF

/* --- Mk#1: what an extension sees ------------------------------------------------------------ */
#define MK1_PAGE_POOL_BASE 0x0000200000000000 /* + SPA of an allocated page */
#define MK1_EXT_STACK_BASE 0x0000308000000000
#define MK1_EXT_FAIL_STACK_BASE 0x0000318000000000
#define MK1_EXT_STACK_SIZE 0x8000
#define MK1_EXT_STACK_STRIDE 0x9000 /* one guard page between two stacks */
#define MK1_EXT_CODE_BASE 0x0000328000000000
#define MK1_EXT_CODE_SIZE 0x800000
#define MK1_EXT_TLS_BASE 0x0000338000000000
#define MK1_EXT_TLS_STRIDE 0x3000 /* TLS data page, ABI page, guard page */
#define MK1_EXT_TLS_ABI_OFFSET 0x1000
#define MK1_DIRECT_MAP_BASE 0x0000600000000000 /* + SPA, per VM */
#define MK1_DIRECT_MAP_SIZE 0x0000100000000000

/* A physical address at or above this has no place in the pool window. */
#define MK1_SPA_LIMIT 0x0000100000000000

/* Offsets in the ABI page, addressed by extensions as %fs:offset. */
#define MK1_TLS_GPRS 0x800 /* 15 registers, order of enum bf_gpr */
#define MK1_TLS_EXTID 0xFF0
#define MK1_TLS_VMID 0xFF2
#define MK1_TLS_VPID 0xFF4
#define MK1_TLS_VSID 0xFF6
#define MK1_TLS_PPID 0xFF8
#define MK1_TLS_ONLINE_PPS 0xFFA

/* --- loader and microkernel ------------------------------------------------------------------ */
/* Window on the hypervisor's own data pages, supervisor, RW, NX: VA = base + SPA. */
#define BF_WINDOW_BASE 0x0000080000000000

/* The microkernel's image is linked here. */
#define BF_MK_BASE 0xFFFF800000000000
#define BF_MK_SIZE 0x0000000000400000

/* The area of this PP: the same address on every PP, other pages behind it (PML4 slot 257). */
#define BF_PP_BASE 0xFFFF808000000000
#define BF_PP_DATA BF_PP_BASE /* struct pp, BF_PP_DATA_PAGES pages */
#define BF_PP_DATA_PAGES 4
/*
 * Behind the data, 64 KiB are unmapped (pp_gdt in microkernel/pp.h), as is a page below each stack.
 */
#define BF_PP_STACK (BF_PP_BASE + 0x14000)
#define BF_PP_STACK_PAGES 4
#define BF_PP_STACK_TOP (BF_PP_STACK + BF_PP_STACK_PAGES * BF_PAGE_SIZE)
#define BF_PP_IST_BASE (BF_PP_BASE + 0x20000) /* one page an IST stack, a guard page below each */
#define BF_PP_IST_COUNT 4 /* NMI, #DF, #MC, #DB */
#define BF_PP_IST_STRIDE 0x2000
#define BF_PP_ABI (BF_PP_BASE + 0x30000) /* supervisor alias of the active extension's ABI page */
#define BF_PP_TEMP (BF_PP_BASE + 0x31000) /* slots for pages of guest memory, read-only */
#define BF_PP_TEMP_SLOTS 8

/*
 * --- selectors: fixed by Mk#1 for ring 3, Linux's own for ring 0 -------------------------------
 */
#define BF_SEL_KERNEL_CS 0x10
#define BF_SEL_KERNEL_SS 0x18
#define BF_SEL_USER_SS 0x23
#define BF_SEL_USER_CS 0x2B
#define BF_SEL_TSS 0x30

/* RFLAGS on every entry into ring 3: IF and IOPL are 0, so that an extension can neither take
 * Linux's interrupts in root mode nor touch an I/O port. */
#define MK1_ENTRY_RFLAGS 0x2

#endif
