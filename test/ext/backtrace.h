/* SPDX-License-Identifier: GPL-2.0-only */
/* What backtrace.c and backtrace_cxx.cc share. */
#ifndef TEST_EXT_BACKTRACE_H
#define TEST_EXT_BACKTRACE_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C"
#endif
	void
	in_cxx(uint64_t address);

#endif
