// SPDX-License-Identifier: GPL-2.0-only
/* The part in C++ of the chain in backtrace.c: a function, a method, a template that is inlined. */
#include "test/ext/backtrace.h"

namespace
{

template<typename T> inline __attribute__((always_inline)) void store(uint64_t address)
{
#line 2001
	*reinterpret_cast<volatile T *>(address) = T{ 1 };
}

struct writer {
	uint64_t address;

	__attribute__((noinline)) void write() const
	{
#line 2002
		store<uint32_t>(address);
		__asm__ volatile("");
	}
};

} // namespace

void in_cxx(uint64_t address)
{
	const writer w = { address };

#line 2003
	w.write();
	__asm__ volatile("");
}
