/* SPDX-License-Identifier: MIT */
/*
 * The address map of Mk#1, which is what an extension sees, and its ABI page. Shared by C, assembly
 * and linker scripts.
 */
#ifndef BF_ABI_MK1_LAYOUT_H
#define BF_ABI_MK1_LAYOUT_H

#define BF_PAGE_SHIFT 12
#define BF_PAGE_SIZE 0x1000
#define BF_PAGE_MASK 0xFFF

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
#define MK1_TLS_GPRS 0x800 /* 15 registers, BF_GPR_* */
#define MK1_TLS_EXTID 0xFF0
#define MK1_TLS_VMID 0xFF2
#define MK1_TLS_VPID 0xFF4
#define MK1_TLS_VSID 0xFF6
#define MK1_TLS_PPID 0xFF8
#define MK1_TLS_ONLINE_PPS 0xFFA

/* The order of the general registers there. */
#define BF_GPR_RAX 0x00
#define BF_GPR_RBX 0x08
#define BF_GPR_RCX 0x10
#define BF_GPR_RDX 0x18
#define BF_GPR_RBP 0x20
#define BF_GPR_RSI 0x28
#define BF_GPR_RDI 0x30
#define BF_GPR_R8 0x38
#define BF_GPR_R9 0x40
#define BF_GPR_R10 0x48
#define BF_GPR_R11 0x50
#define BF_GPR_R12 0x58
#define BF_GPR_R13 0x60
#define BF_GPR_R14 0x68
#define BF_GPR_R15 0x70
#define BF_GPR_BYTES 0x78

#ifndef __ASSEMBLER__
// clang-format off
enum bf_gpr {
	BF_RAX, BF_RBX, BF_RCX, BF_RDX, BF_RBP, BF_RSI, BF_RDI, BF_R8,
	BF_R9, BF_R10, BF_R11, BF_R12, BF_R13, BF_R14, BF_R15,
	BF_NR_GPRS
};
#define BF_GPR_NAMES { \
	"rax", "rbx", "rcx", "rdx", "rbp", "rsi", "rdi", "r8", \
	"r9", "r10", "r11", "r12", "r13", "r14", "r15" }
// clang-format on
#endif

#endif
