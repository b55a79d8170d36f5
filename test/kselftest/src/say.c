// SPDX-License-Identifier: GPL-2.0-only
/*
 * say CPU: has test/ext/memory.c look at this program's memory. Fails unless all has been as it
 * should be there, and the answer is here.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <test/ext/memory.h>

#define PAGE 0x1000

int main(int argc, char **argv)
{
	uint64_t a = SAY_LEAF, b, c = 0, d;
	cpu_set_t set;
	char *pages, *text;

	if (argc != 2)
		return 2;
	CPU_ZERO(&set);
	CPU_SET((size_t)strtoul(argv[1], NULL, 0), &set);
	pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sched_setaffinity(0, sizeof(set), &set) || pages == MAP_FAILED ||
	    munmap(pages + 2 * PAGE, PAGE)) {
		perror("say");
		return 1;
	}
	text = pages + PAGE - SAY_BEFORE;
	memset(pages, 'x', 2 * PAGE);
	memcpy(text, TEXT, sizeof(TEXT));
	b = (uint64_t)text;
	__asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "=d"(d) : : "memory");
	printf("%u checks held, %u did not; now: %.64s\n", (unsigned int)a, (unsigned int)b, text);
	return (uint32_t)a == 0 || (uint32_t)b != 0 || memcmp(text, HEARD, sizeof(HEARD)) != 0;
}
