// SPDX-License-Identifier: GPL-2.0-only
/*
 * hypercall RAX RDX: a hypercall of a program's, by the instruction of this CPU. It says the answer
 * in RAX and RCX, or "nobody" for #UD, with the registers as they were.
 */
#include <cpuid.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

static volatile int nobody;

/* Both instructions have 3 bytes. */
static void on_ill(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)info;
	nobody = 1;
	uc->uc_mcontext.gregs[REG_RIP] += 3;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	unsigned int eax, ebx, ecx, edx;
	uint64_t rax, rcx = 0x77, rdx;

	if (argc != 3)
		return 2;
	rax = strtoull(argv[1], NULL, 0);
	rdx = strtoull(argv[2], NULL, 0);
	sigaction(SIGILL, &action, NULL);
	if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx)
		__asm__ volatile("vmcall" : "+a"(rax), "+c"(rcx) : "d"(rdx) : "memory");
	else
		__asm__ volatile("vmmcall" : "+a"(rax), "+c"(rcx) : "d"(rdx) : "memory");
	printf("%s0x%" PRIx64 " 0x%" PRIx64 "\n", nobody ? "nobody " : "", rax, rcx);
	return 0;
}
