/* SPDX-License-Identifier: GPL-2.0-only */
/* The default extension, which first measures what a system call costs that does nothing. */
#include <ext/libext/libext.h>

int default_start(uint64_t specs);
#define ext_start default_start
#include <ext/default/main.c>
#undef ext_start

#define ROUNDS 1000

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

int ext_start(uint64_t specs)
{
	uint64_t best = UINT64_MAX;
	uint64_t empty = UINT64_MAX;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = rdtsc();
		uint64_t t1 = rdtsc();
		uint64_t t2;

		mk1_handle_close_handle(MK1_INVALID_HANDLE);
		t2 = rdtsc();
		if (t1 - t0 < empty)
			empty = t1 - t0;
		if (t2 - t1 < best)
			best = t2 - t1;
	}
	ext_print("bench: syscall %llu\n", (unsigned long long)(best - empty));
	return default_start(specs);
}
