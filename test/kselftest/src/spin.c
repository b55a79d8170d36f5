// SPDX-License-Identifier: GPL-2.0-only
/*
 * spin store|port|ud|cr|call|sleep: counts in the first word of a page, in a loop that gives Linux
 * nothing to do, and, each time after that: nothing; asks the real-time clock, by ports; executes
 * UD2; changes its CR4.TSD; calls getppid(). sleep waits for SIGUSR1, and counts then, once. It
 * prints where the page is in physical memory, and its PID, and ends with SIGTERM.
 *
 * spin watch N: executes CPUID for test/ext/live.c, N times, about a page of its own.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "physical.h"

#define LIVE_LEAF 0x4000C1FE
#define BETWEEN_PORTS 10000
#define UD2_LENGTH 2

static volatile uint64_t *counter;
static volatile sig_atomic_t ends, wakes;
static int clock_file;

static void on_end(int signal)
{
	(void)signal;
	ends = 1;
}

static void on_wake(int signal)
{
	(void)signal;
	wakes = 1;
}

static void on_ill(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)info;
	uc->uc_mcontext.gregs[REG_RIP] += UD2_LENGTH;
}

static void store(void)
{
}

/*
 * By the kernel: programs have no ports in a guest of QEMU's. Not at once again: that has a lock
 * for them, which its other CPUs need.
 */
static void port(void)
{
	char date[16];

	for (unsigned int i = 0; i < BETWEEN_PORTS; i++)
		__builtin_ia32_pause();
	if (pread(clock_file, date, sizeof(date), 0) < 1) {
		perror("clock");
		exit(1);
	}
}

static void ud(void)
{
	__asm__ volatile("ud2");
}

static void cr(void)
{
	prctl(PR_SET_TSC, *counter & 1 ? PR_TSC_SIGSEGV : PR_TSC_ENABLE);
}

static void call(void)
{
	syscall(SYS_getppid);
}

/* Without a moment between the look at what has come and the wait for it. */
static void sleep_then(void)
{
	sigset_t waits;

	sigemptyset(&waits);
	while (!wakes && !ends)
		sigsuspend(&waits);
}

static int watches(unsigned long count)
{
	uint32_t eax, ebx, ecx, edx;

	for (unsigned long i = 0; i < count; i++) {
		__cpuid_count(LIVE_LEAF, (uint32_t)(spa_of(counter) / PAGE), eax, ebx, ecx, edx);
		if (eax != 1) {
			fprintf(stderr, "time %lu: EAX = %" PRIx32 "\n", i, eax);
			return 1;
		}
		*counter = i;
	}
	return 0;
}

static void on(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(number, &action, NULL);
}

static int spin(void (*then)(void))
{
	struct sigaction ill = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };

	on(SIGTERM, on_end);
	sigaction(SIGILL, &ill, NULL);
	if (then == port)
		clock_file = open("/sys/class/rtc/rtc0/date", O_RDONLY);
	if (then == sleep_then) {
		sigset_t blocked;

		on(SIGUSR1, on_wake);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGUSR1);
		sigaddset(&blocked, SIGTERM);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
	}
	printf("%" PRIx64 " %d\n", spa_of(counter), (int)getpid());
	fflush(stdout);
	if (then == sleep_then) {
		sleep_then();
		(*counter)++;
		while (!ends) {
			wakes = 0;
			sleep_then();
		}
	}
	while (!ends) {
		(*counter)++;
		then();
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*then)(void);
	} kinds[] = {
		{ "store", store }, { "port", port }, { "ud", ud },
		{ "cr", cr },       { "call", call }, { "sleep", sleep_then },
	};

	counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (counter == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	*counter = 0;
	if (argc == 3 && !strcmp(argv[1], "watch"))
		return watches(strtoul(argv[2], NULL, 10));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (argc == 2 && !strcmp(argv[1], kinds[i].name))
			return spin(kinds[i].then);
	}
	fprintf(stderr, "usage: spin store|port|ud|cr|call|sleep | spin watch N\n");
	return 2;
}
