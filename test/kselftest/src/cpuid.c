// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid LEAF [SUBLEAF [CPU [kernel]]]: prints EAX EBX ECX EDX in hex, on CPU where one is given;
 * with "kernel" it is the kernel that executes the instruction.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int ask_kernel(const char *cpu, uint32_t leaf, uint32_t subleaf)
{
	char path[64];
	uint32_t regs[4];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%d/cpuid", atoi(cpu));
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, regs, sizeof(regs), (off_t)((uint64_t)subleaf << 32 | leaf)) < 0) {
		perror(path);
		return 1;
	}
	printf("%08x %08x %08x %08x\n", regs[0], regs[1], regs[2], regs[3]);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int a = 0, b = 0, c = 0, d = 0;

	if (argc < 2)
		return 2;
	if (argc > 4)
		return ask_kernel(argv[3], (uint32_t)strtoul(argv[1], NULL, 0),
				  (uint32_t)strtoul(argv[2], NULL, 0));
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
