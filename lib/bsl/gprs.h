/* SPDX-License-Identifier: MIT */
/* For assembly: stores and loads the general registers but RSP, in the order of enum bf_gpr. */
#ifndef BSL_GPRS_H
#define BSL_GPRS_H

#ifdef __ASSEMBLER__

#include <abi/mk1_layout.h>

// clang-format off: assembly
	.macro bsl_for_gprs action, base, but, at
	\action rax, (BF_GPR_RAX + \at), \base, \but
	\action rbx, (BF_GPR_RBX + \at), \base, \but
	\action rcx, (BF_GPR_RCX + \at), \base, \but
	\action rdx, (BF_GPR_RDX + \at), \base, \but
	\action rbp, (BF_GPR_RBP + \at), \base, \but
	\action rsi, (BF_GPR_RSI + \at), \base, \but
	\action rdi, (BF_GPR_RDI + \at), \base, \but
	\action r8, (BF_GPR_R8 + \at), \base, \but
	\action r9, (BF_GPR_R9 + \at), \base, \but
	\action r10, (BF_GPR_R10 + \at), \base, \but
	\action r11, (BF_GPR_R11 + \at), \base, \but
	\action r12, (BF_GPR_R12 + \at), \base, \but
	\action r13, (BF_GPR_R13 + \at), \base, \but
	\action r14, (BF_GPR_R14 + \at), \base, \but
	\action r15, (BF_GPR_R15 + \at), \base, \but
	.endm

	.macro bsl_save_gpr reg, offset, base, but
	.ifnc \reg, \base
	.ifnc \reg, \but
	mov	%\reg, \offset(%\base)
	.endif
	.endif
	.endm

	.macro bsl_load_gpr reg, offset, base, but
	.ifnc \reg, \base
	.ifnc \reg, \but
	mov	\offset(%\base), %\reg
	.endif
	.endif
	.endm

/* All to \at bytes after where \base points, which is not stored itself, nor is \but. */
	.macro save_gprs base, but, at=0
	bsl_for_gprs bsl_save_gpr, \base, \but, \at
	.endm

/* All from \at bytes after where \base points, which may be loaded behind them, but for \but. */
	.macro load_gprs base, but, at=0
	bsl_for_gprs bsl_load_gpr, \base, \but, \at
	.endm
// clang-format on

#endif
#endif
