// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid-all LEAF SUBLEAF COUNT: executes CPUID that often on every CPU, on all at the same time,
 * and prints the sum of what was in EAX.
 */
#include <cpuid.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	unsigned int ready;
	uint64_t sum;
};

static int run(struct shared *shared, size_t cpu, unsigned int cpus, char **argv)
{
	unsigned int leaf = (unsigned int)strtoul(argv[1], NULL, 0);
	unsigned int subleaf = (unsigned int)strtoul(argv[2], NULL, 0);
	unsigned long count = strtoul(argv[3], NULL, 0);
	uint64_t sum = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < cpus)
		sched_yield();
	while (count--) {
		unsigned int a, b, c, d;

		__cpuid_count(leaf, subleaf, a, b, c, d);
		sum += a;
	}
	__atomic_add_fetch(&shared->sum, sum, __ATOMIC_SEQ_CST);
	return 0;
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int bad = 0, status;

	if (argc != 4 || shared == MAP_FAILED)
		return 2;
	for (long cpu = 0; cpu < cpus; cpu++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return 1;
		}
		if (!pid)
			return run(shared, (size_t)cpu, (unsigned int)cpus, argv);
	}
	while (wait(&status) > 0)
		bad |= status;
	printf("%llu\n", (unsigned long long)shared->sum);
	return bad != 0;
}
