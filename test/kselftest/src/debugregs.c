// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugregs: what Linux does with control and debug registers for programs: the time-stamp counter
 * is taken away (CR4.TSD) and given back, and a child stops at data breakpoints, one after the
 * other. It says what it found, which is to be the same whether or not anybody watches.
 */
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 20
#define DR(n) ((void *)(offsetof(struct user, u_debugreg) + (size_t)(n) * sizeof(long)))
#define WRITES_OF_4_BYTES(n) (1L << 2 * (n) | 0xDL << (16 + 4 * (n)))

static sigjmp_buf back;
static volatile uint32_t words[4];
static volatile unsigned int faults;

static void on_fault(int signal)
{
	siglongjmp(back, signal);
}

static void try_time_stamp(void)
{
	if (sigsetjmp(back, 1))
		faults++;
	else
		__builtin_ia32_rdtsc();
}

static void time_stamps(void)
{
	signal(SIGSEGV, on_fault);
	for (int i = 0; i < TIMES; i++) {
		prctl(PR_SET_TSC, i % 2 ? PR_TSC_ENABLE : PR_TSC_SIGSEGV);
		try_time_stamp();
	}
	printf("%u faults\n", faults);
}

static void child(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (int i = 0; i < TIMES; i++)
		words[i % 4] = (uint32_t)i;
	_exit(0);
}

static void breakpoints(void)
{
	unsigned int stops[4] = { 0 }, others = 0;
	pid_t pid = fork();
	int status;

	if (!pid)
		child();
	waitpid(pid, &status, 0);
	for (int i = 0; i < 4; i++) {
		if (ptrace(PTRACE_POKEUSER, pid, DR(i), &words[i]))
			perror("DR");
	}
	if (ptrace(PTRACE_POKEUSER, pid, DR(7),
		   WRITES_OF_4_BYTES(0) | WRITES_OF_4_BYTES(1) | WRITES_OF_4_BYTES(2) |
			   WRITES_OF_4_BYTES(3)))
		perror("DR7");
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		long dr6 = ptrace(PTRACE_PEEKUSER, pid, DR(6), NULL) & 0xF;

		if (WSTOPSIG(status) == SIGTRAP && dr6 && !(dr6 & (dr6 - 1)))
			stops[__builtin_ctzl((unsigned long)dr6)]++;
		else
			others++;
		ptrace(PTRACE_POKEUSER, pid, DR(6), 0);
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
	printf("%u %u %u %u stops, %u others, status %d\n", stops[0], stops[1], stops[2], stops[3],
	       others, status);
}

int main(void)
{
	time_stamps();
	breakpoints();
	return 0;
}
