/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What test programs share that hand memory of their own to an extension: what did not hold is
 * printed and counted, and looking at memory on every CPU.
 */
#ifndef TEST_KSELFTEST_MEMORY_H
#define TEST_KSELFTEST_MEMORY_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "physical.h"

#define SIZE_2M 0x200000ULL

static int failures;

#define EXPECT(condition) expect(condition, __LINE__, #condition)
#define EXPECT_EQ(value, wanted) expect_eq(value, wanted, __LINE__, #value)

static inline bool expect(bool ok, int line, const char *what)
{
	if (!ok) {
		printf("line %d: %s\n", line, what);
		failures++;
	}
	return ok;
}

static inline bool expect_eq(uint64_t value, uint64_t wanted, int line, const char *what)
{
	if (value != wanted) {
		printf("line %d: %s: 0x%llx instead of 0x%llx\n", line, what,
		       (unsigned long long)value, (unsigned long long)wanted);
		failures++;
	}
	return value == wanted;
}

static inline void fail(const char *what)
{
	perror(what);
	exit(2);
}

static inline unsigned int nr_cpus(void)
{
	return (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
}

static inline void on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

/* On every CPU, all of it has this byte. */
static inline void expect_bytes(const uint8_t *at, uint64_t size, uint8_t byte)
{
	for (unsigned int cpu = 0; cpu < nr_cpus(); cpu++) {
		uint64_t others = 0;

		on_cpu(cpu);
		for (uint64_t i = 0; i < size; i++)
			others += ((const volatile uint8_t *)at)[i] != byte;
		EXPECT_EQ(others, 0);
	}
	on_cpu(0);
}

/* On every CPU, these are two views of the one page that is there instead of hidden ones. */
static inline void expect_one_page(void *first, const void *last)
{
	for (unsigned int cpu = 0; cpu < nr_cpus(); cpu++) {
		on_cpu(cpu);
		*(volatile uint64_t *)first = 0x1234 + cpu;
		EXPECT_EQ(*(const volatile uint64_t *)last, 0x1234 + cpu);
	}
	*(volatile uint64_t *)first = 0;
	on_cpu(0);
}

#endif
