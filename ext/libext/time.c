// SPDX-License-Identifier: MIT
#include <abi/ext_calls.h>
#include <ext/libext/libext.h>

uint64_t ext_more_time(uint64_t ns)
{
	uint64_t status = BF_CALL_MORE_TIME;

	__asm__ volatile("syscall" : "+a"(status) : "D"(ns) : MK1_CLOBBERS);
	return status;
}
