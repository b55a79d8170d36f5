// SPDX-License-Identifier: GPL-2.0-only
/*
 * device [nofaults]: uses a page behind which there is the device of test/ext/device.c, with
 * instructions of all kinds, and says what was wrong. It prints where the page is in physical
 * memory, waits for a line on its standard input, and says "done". After another line it looks at
 * the page itself, where nothing may have been written.
 */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "physical.h"

#define FAULTS 4095 /* where the device raises #PF */
#define INTERRUPTS 4094 /* where it interrupts */
#define TIMES 500
#define COUNTER 1024

static uint8_t *page, *memory; /* of memory, the second page is not there */
static volatile unsigned int traps;
static sigjmp_buf back;
static void *volatile fault_at;

static void check(bool right, const char *what)
{
	if (right)
		return;
	printf("wrong: %s\n", what);
	exit(1);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (signal == SIGTRAP) {
		traps++;
		return;
	}
	fault_at = info->si_addr;
	siglongjmp(back, 1);
}

/* What the device has there at first. */
static uint64_t original(unsigned int offset, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)(uint8_t)((offset + i) * 7 + 1) << 8 * i;
	return value;
}

#define MOVES(type, suffix) \
	do { \
		volatile type *at = (volatile type *)(page + 64 + 16 * sizeof(type)); \
		unsigned int offset = (unsigned int)((uint8_t *)at - page); \
		check(*at == (type)original(offset, sizeof(type)), "read of " suffix); \
		*at = (type)0xFEDCBA9876543210; \
		check(*at == (type)0xFEDCBA9876543210, "write of " suffix); \
		check(page[offset + sizeof(type)] == (uint8_t)original(offset + sizeof(type), 1), \
		      "behind a write of " suffix); \
		at = (volatile type *)(page + 3000); \
		*at = 0; \
		check(*at == (type)original(3000, sizeof(type)), "dropped write of " suffix); \
	} while (0)

static void moves(void)
{
	int64_t extended;

	MOVES(uint8_t, "1 byte");
	MOVES(uint16_t, "2 bytes");
	MOVES(uint32_t, "4 bytes");
	MOVES(uint64_t, "8 bytes");
	__asm__ volatile("movsbq 3(%1), %0" : "=r"(extended) : "r"(page + 3000) : "memory");
	check(extended == (int8_t)original(3003, 1), "MOVSX");
}

static void strings(void)
{
	const void *from = page + 2100;
	void *to = memory;
	size_t count = 333;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	check(!count && from == page + 2433 && to == memory + 333, "registers after REP MOVSB");
	for (unsigned int i = 0; i < 333; i++)
		check(memory[i] == (uint8_t)original(2100 + i, 1), "REP MOVSB from the device");
	memset(memory, 0x77, 512);
	from = memory;
	to = page + 256;
	count = 64;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	check(!count && to == page + 768, "registers after REP MOVSQ");
	check(page[255] == (uint8_t)original(255, 1) && page[256] == 0x77 && page[767] == 0x77 &&
		      page[768] == (uint8_t)original(768, 1),
	      "REP MOVSQ to the device");
	to = page + 800 + 12;
	count = 4;
	__asm__ volatile("std\n\trep stosl\n\tcld"
			 : "+D"(to), "+c"(count)
			 : "a"(0x55555555)
			 : "memory");
	check(page[800] == 0x55 && page[815] == 0x55 && page[816] == (uint8_t)original(816, 1) &&
		      to == page + 796,
	      "REP STOSL downwards");
}

static void locked(void)
{
	uint64_t expected = original(1200, 8), swap = 0x1234, add = 5;
	volatile uint32_t *word = (volatile uint32_t *)(page + 1216);
	uint8_t carry, zero;

	__asm__ volatile("lock cmpxchgq %3, (%2)\n\tsetz %1"
			 : "+a"(expected), "=q"(zero)
			 : "r"(page + 1200), "r"(swap)
			 : "memory", "cc");
	check(zero && *(volatile uint64_t *)(page + 1200) == swap, "CMPXCHG that is equal");
	expected = 7;
	__asm__ volatile("lock cmpxchgq %3, (%2)\n\tsetz %1"
			 : "+a"(expected), "=q"(zero)
			 : "r"(page + 1200), "r"(9ULL)
			 : "memory", "cc");
	check(!zero && expected == swap && *(volatile uint64_t *)(page + 1200) == swap,
	      "CMPXCHG that is not equal");
	__asm__ volatile("lock xaddq %0, (%1)" : "+r"(add) : "r"(page + 1200) : "memory", "cc");
	check(add == swap && *(volatile uint64_t *)(page + 1200) == swap + 5, "XADD");
	__asm__ volatile("xchgq %0, (%1)" : "+r"(add) : "r"(page + 1200) : "memory");
	check(add == swap + 5 && *(volatile uint64_t *)(page + 1200) == swap, "XCHG");
	*word = 0xFFFFFFFF;
	__asm__ volatile("addl $1, (%1)\n\tsetc %0" : "=q"(carry) : "r"(word) : "memory", "cc");
	check(carry && !*word, "ADD");
	__asm__ volatile("lock btsl $5, (%1)\n\tsetc %0"
			 : "=q"(carry)
			 : "r"(word)
			 : "memory", "cc");
	check(!carry && *word == 0x20, "BTS");
}

static void *count(void *unused)
{
	for (unsigned int i = 0; i < TIMES; i++)
		__asm__ volatile("lock incl (%0)" : : "r"(page + COUNTER) : "memory", "cc");
	return unused;
}

static void counts_with_another(void)
{
	pthread_t other;

	*(volatile uint32_t *)(page + COUNTER) = 0;
	check(!pthread_create(&other, NULL, count, NULL), "thread");
	count(NULL);
	pthread_join(other, NULL);
	check(*(volatile uint32_t *)(page + COUNTER) == 2 * TIMES, "counter of two threads");
}

/* Each instruction traps, an iteration too, and the two that restore the flag. */
static void single_steps(void)
{
	const void *from = page + 2100;
	void *to = memory;
	size_t n = 3;

	traps = 0;
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "pushfq\n\t"
			 "orl $0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "incl (%3)\n\t"
			 "rep movsb\n\t"
			 "nop\n\t"
			 "pushfq\n\t"
			 "andl $~0x100, (%%rsp)\n\t"
			 "popfq\n\t"
			 "add $128, %%rsp"
			 : "+D"(to), "+S"(from), "+c"(n)
			 : "r"(page + 1300)
			 : "memory", "cc");
	printf("single steps: %u\n", traps);
	check(traps == 8, "single steps");
}

/* Two bytes are copied, then #PF; and the device's own. */
static void faults(void)
{
	const void *from = page + 2100;
	void *to = memory + PAGE - 2;
	size_t n = 5;
	uint8_t value;

	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
		check(false, "no #PF");
	}
	check(fault_at == memory + PAGE, "address of #PF");
	check(memory[PAGE - 1] == (uint8_t)original(2101, 1), "what is copied before #PF");
	if (!sigsetjmp(back, 1)) {
		__asm__ volatile("movb (%%rbx), %0" : "=r"(value) : "b"(page + FAULTS) : "memory");
		check(false, "no #PF by the device");
	}
	check(fault_at == page + FAULTS, "address of the device's #PF");
}

static void interrupts(void)
{
	for (unsigned int i = 0; i < TIMES; i++)
		check(((volatile uint8_t *)page)[INTERRUPTS] == original(INTERRUPTS, 1),
		      "read with an interrupt");
}

static void kernel_accesses(void)
{
	char text[8] = "";
	int fds[2];

	memset(memory, 0, 16);
	check(!pipe(fds) && write(fds[1], "kernel", 7) == 7 && read(fds[0], page + 1400, 7) == 7,
	      "the kernel writes");
	for (unsigned int i = 0; i < 7; i++)
		text[i] = (char)((volatile uint8_t *)page)[1400 + i];
	check(!strcmp(text, "kernel"), "what the kernel wrote");
	check(write(fds[1], page + 1400, 7) == 7 && read(fds[0], memory, 7) == 7 &&
		      !strcmp((char *)memory, "kernel"),
	      "what the kernel read");
	close(fds[0]);
	close(fds[1]);
}

/* With SSE registers nothing is emulated: the memory that is there is read, and has nothing. */
static void beyond_the_emulator(void)
{
	uint64_t value = 1;

	__asm__ volatile("movdqu (%1), %%xmm0\n\tmovq %%xmm0, %0"
			 : "=r"(value)
			 : "r"(page + 2100)
			 : "memory", "xmm0");
	check(!value, "MOVDQU");
}

int main(int argc, char **argv)
{
	bool may_fault = argc < 2 || strcmp(argv[1], "nofaults");
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	char line[8];

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED || memory == MAP_FAILED || munmap(memory + PAGE, PAGE)) {
		perror("mmap");
		return 1;
	}
	printf("0x%" PRIx64 "\n", spa_of(page));
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	moves();
	strings();
	locked();
	counts_with_another();
	single_steps();
	if (may_fault)
		faults();
	interrupts();
	kernel_accesses();
	beyond_the_emulator();
	printf("done\n");
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	for (unsigned int i = 0; i < PAGE; i++)
		check(!page[i], "the memory behind the device");
	return 0;
}
