/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width types for code that is compiled in the kernel, in the microkernel, in extensions and
 * on the host.
 */
#ifndef BF_ABI_TYPES_H
#define BF_ABI_TYPES_H

#ifndef __ASSEMBLER__
#ifdef __KERNEL__
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

/* The calling convention of root mode, for functions of systems that have another one. */
#if defined(__x86_64__) && defined(_WIN32)
#define BF_SYSV_ABI __attribute__((sysv_abi))
#else
#define BF_SYSV_ABI
#endif

#ifdef __cplusplus
#define BF_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define BF_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif
#define BF_ASSERT_OFFSET(type, member, off) \
	BF_STATIC_ASSERT(offsetof(type, member) == (off), #type "." #member)
#endif /* __ASSEMBLER__ */

#endif
