/* SPDX-License-Identifier: MIT */
/* The kernel's words for what compilers spell with attributes, where no header of a system has them. */
#ifndef BSL_COMPILER_H
#define BSL_COMPILER_H

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
/* Of a function that a hot path calls rarely: away from it, and never inlined into it. */
#ifndef __cold
#define __cold __attribute__((__cold__))
#endif
#ifndef noinline
#define noinline __attribute__((__noinline__))
#endif
#ifndef __noreturn
#define __noreturn __attribute__((__noreturn__))
#endif

#endif
