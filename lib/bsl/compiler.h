/* SPDX-License-Identifier: MIT */
/* Linux's names for attributes of compilers, where no header of the system defines them. */
#ifndef BSL_COMPILER_H
#define BSL_COMPILER_H

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
/* For functions that a hot path rarely calls: placed apart, and with noinline never part of it. */
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
