// SPDX-License-Identifier: GPL-2.0-only
/*
 * guarded: uses a page of its own in every way that a watched one may be used, and says what it
 * found, which is to be the same whether or not anybody watches.
 *
 * It prints where the page is in physical memory, and waits for a line on its standard input; and
 * keeps the page until that ends, as Linux writes to it then.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "physical.h"

#define TF 0x100
#define CODE 2048 /* where the page has code */
#define TIMES 100

static uint8_t *page;
static volatile unsigned int traps, leaks;
static volatile unsigned int undefined;

/* A breakpoint, or a trap of our own flag: nobody else's flag is in what was pushed. */
static void on_trap(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	(void)signal;
	traps++;
	if (info->si_code != TRAP_TRACE && uc->uc_mcontext.gregs[REG_EFL] & TF)
		leaks++;
}

/* VMMCALL and VMCALL, which are three bytes: left out */
static void on_undefined(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)info;
	undefined++;
	if (uc->uc_mcontext.gregs[REG_EFL] & TF)
		leaks++;
	uc->uc_mcontext.gregs[REG_RIP] += 3;
}

static void writes(void)
{
	volatile uint64_t *word = (volatile uint64_t *)page;
	char pattern[] = "pattern";
	void *to = page + 512;
	const void *from = pattern;
	size_t count = sizeof(pattern);

	*word = 0;
	for (unsigned int i = 0; i < TIMES; i++)
		(*word)++;
	printf("counted %" PRIu64 "\n", *word);
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	printf("copied %s\n", (char *)page + 512);
}

static void kernel_writes(void)
{
	int fds[2];

	memset(page + 1024, 'x', 8);
	if (pipe(fds) || write(fds[1], "kernel", 7) != 7 || read(fds[0], page + 1024, 7) != 7) {
		perror("pipe");
		exit(1);
	}
	printf("the kernel wrote %s\n", (char *)page + 1024);
	close(fds[0]);
	close(fds[1]);
}

static uint64_t execute(const void *code, size_t size)
{
	uint64_t (*function)(void);

	memcpy(page + CODE, code, size);
	function = (uint64_t (*)(void))(uintptr_t)(page + CODE);
	return function();
}

/* Instructions that store flags find those of this program. */
static void executes(void)
{
	static const uint8_t pushes[] = { 0x9C, 0x58, 0xC3 }; /* pushfq; pop %rax; ret */
	static const uint8_t calls[] = { 0xB8, 39,   0,    0,   0, /* mov $SYS_getpid, %eax */
					 0x0F, 0x05, /* syscall */
					 0x4C, 0x89, 0xD8, 0xC3 }; /* mov %r11, %rax; ret */
	static const uint8_t breaks[] = { 0x31, 0xC0, 0xCC, 0xC3 }; /* xor %eax, %eax; int3; ret */
	static const uint8_t traps_once[] = { 0x31, 0xC0, 0xF1, 0xC3 }; /* xor; int1; ret */
	static const uint8_t calls_host[] = {
		0x0F, 0x01, 0xD9, 0x0F, 0x01, 0xC1, 0xC3
	}; /* vmmcall; vmcall; ret */

	printf("pushed TF: %d\n", !!(execute(pushes, sizeof(pushes)) & TF));
	printf("TF in R11: %d\n", !!(execute(calls, sizeof(calls)) & TF));
	traps = 0;
	(void)execute(breaks, sizeof(breaks));
	printf("INT3: %u traps, %u with TF\n", traps, leaks);
	traps = 0;
	(void)execute(traps_once, sizeof(traps_once));
	printf("INT1: %u traps\n", traps);
	(void)execute(calls_host, sizeof(calls_host));
	printf("VMMCALL: %u undefined, %u with TF\n", undefined, leaks);
}

/* A trap flag that an instruction on the page loads: what is behind it traps, all four. */
static void loads_trap_flag(void)
{
	static const uint8_t code[] = {
		0x68, 0x02, 0x03, 0x00, 0x00, /* push $0x302 */
		0x9D, /* popfq */
		0x90, 0x90, /* nop; nop */
		0x68, 0x02, 0x02, 0x00, 0x00, /* push $0x202 */
		0x9D, /* popfq */
		0xC3 /* ret */
	};

	traps = 0;
	(void)execute(code, sizeof(code));
	printf("TF loaded: %u traps\n", traps);
}

/* Our own trap flag: each instruction traps, those on the page as well. */
static void single_steps(void)
{
	traps = 0;
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "pushfq\n\t"
			 "orl $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "incl (%0)\n\t"
			 "nop\n\t"
			 "incl (%0)\n\t"
			 "pushfq\n\t"
			 "andl $~0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "add $128, %%rsp"
			 :
			 : "r"(page)
			 : "memory", "cc");
	printf("single steps: %u\n", traps);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	char line[8];

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTRAP, &action, NULL);
	action.sa_sigaction = on_undefined;
	sigaction(SIGILL, &action, NULL);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (page == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	page[0] = 1;
	printf("0x%" PRIx64 "\n", spa_of(page));
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	writes();
	kernel_writes();
	executes();
	loads_trap_flag();
	single_steps();
	printf("done\n");
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
