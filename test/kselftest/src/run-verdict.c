// SPDX-License-Identifier: GPL-2.0-only
/*
 * run-verdict: has the running extension (test/ext/call/) test its call, on one CPU after the
 * other, and fetches its verdict. Prints how many checks held and how many did not; the exit status
 * is 0 if all did.
 *
 * run-verdict end: the last step of a test, which may be the end of the extension, on the last CPU.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* test/ext/lib/verify.h, test/ext/lib/call.h */
#define VERIFY_LEAF 0x4000F00D
#define STEP_END 0xFF

static void go_to(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		_exit(1);
	}
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t a, b = 0, c, d;
	int status = 0;

	if (argc == 2 && !strcmp(argv[1], "end")) {
		a = VERIFY_LEAF;
		c = STEP_END;
		go_to(cpus - 1);
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		return 0;
	}
	for (long cpu = 0; cpu < cpus; cpu++) {
		go_to(cpu);
		a = VERIFY_LEAF;
		c = 0;
		/* The first exit is the test, the second one the question. */
		__asm__ volatile("cpuid\n\tcpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		printf("CPU %ld: %u passed, %u failed\n", cpu, a, b);
		if (!a || b || c || d)
			status = 1;
	}
	return status;
}
