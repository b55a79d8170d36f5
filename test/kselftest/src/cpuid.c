// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid LEAF [SUBLEAF [CPU [kernel]]]: prints EAX EBX ECX EDX in hex, on CPU where one is given;
 * with "kernel" it is the kernel that executes the instruction. Fails if the instruction changed
 * another register.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
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

/* The instruction, between values in all registers that it must leave alone: whether it has. */
static bool execute(uint32_t regs[4])
{
	register uint64_t r8 __asm__("r8") = 8;
	register uint64_t r9 __asm__("r9") = 9;
	register uint64_t r10 __asm__("r10") = 10;
	register uint64_t r11 __asm__("r11") = 11;
	register uint64_t r12 __asm__("r12") = 12;
	register uint64_t r13 __asm__("r13") = 13;
	register uint64_t r14 __asm__("r14") = 14;
	register uint64_t r15 __asm__("r15") = 15;
	uint64_t a = regs[0], b = 0, c = regs[2], d = 0, si = 6, di = 7;

	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "push %%rbp\n\t"
			 "mov %%rsp, %%rbp\n\t"
			 "cpuid\n\t"
			 "sub %%rsp, %%rbp\n\t"
			 "add %%rbp, %%rsi\n\t"
			 "pop %%rbp\n\t"
			 "lea 128(%%rsp), %%rsp"
			 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di), "+r"(r8),
			   "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12), "+r"(r13), "+r"(r14),
			   "+r"(r15)
			 :
			 : "memory", "cc");
	regs[0] = (uint32_t)a;
	regs[1] = (uint32_t)b;
	regs[2] = (uint32_t)c;
	regs[3] = (uint32_t)d;
	return si == 6 && di == 7 && r8 == 8 && r9 == 9 && r10 == 10 && r11 == 11 && r12 == 12 &&
	       r13 == 13 && r14 == 14 && r15 == 15;
}

int main(int argc, char **argv)
{
	uint32_t regs[4] = { 0 };
	bool kept;

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
	regs[0] = (uint32_t)strtoul(argv[1], NULL, 0);
	regs[2] = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	kept = execute(regs);
	printf("%08x %08x %08x %08x\n", regs[0], regs[1], regs[2], regs[3]);
	if (!kept)
		fprintf(stderr, "registers changed\n");
	return !kept;
}
