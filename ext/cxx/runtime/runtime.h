/* SPDX-License-Identifier: MIT */
/* What the parts of the C++ runtime have of each other, and ext/cxx/hook.hpp of them. */
#ifndef EXT_CXX_RUNTIME_H
#define EXT_CXX_RUNTIME_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* enter.S */
uint64_t ext_cxx_enter(uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		       uint64_t a4) __attribute__((visibility("hidden")));
__attribute__((visibility("hidden"))) void ext_cxx_fpu_restore(void);

/* terminate.cc: what a C library's abort does here. */
__attribute__((noreturn)) void ext_cxx_abort(const char *why);

#ifdef __cplusplus
}
#endif

#endif
