// SPDX-License-Identifier: GPL-2.0-only
/* cpuid LEAF [SUBLEAF [CPU]]: prints EAX EBX ECX EDX in hex, on CPU where one is given. */
#include <cpuid.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	unsigned int a = 0, b = 0, c = 0, d = 0;

	if (argc < 2)
		return 2;
	if (argc > 3) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)strtoul(argv[3], NULL, 0), &set);
		if (sched_setaffinity(0, sizeof(set), &set)) {
			perror("sched_setaffinity");
			return 1;
		}
	}
	__cpuid_count((unsigned int)strtoul(argv[1], NULL, 0),
		      argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 0, a, b, c, d);
	printf("%08x %08x %08x %08x\n", a, b, c, d);
	return 0;
}
