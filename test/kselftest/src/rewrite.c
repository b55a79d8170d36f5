// SPDX-License-Identifier: GPL-2.0-only
/*
 * rewrite SECONDS: one thread executes a CPUID again and again, while another puts other
 * instructions in its place, or takes the page away. Whatever the hypervisor finds there when it
 * looks, the thread must see that one instruction was executed and nothing else: all of CPUID's
 * results or none.
 */
#include <cpuid.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096
#define NOBODY 65534
#define MARK 0x1234567812345678

static uint8_t *code;
static volatile bool done;
static uint64_t executed, others;

/*
 * The page is gone for a moment: until it is back, this thread comes here, at one of its two
 * instructions. Anywhere else, half an instruction was executed.
 */
static void on_fault(int number, siginfo_t *info, void *context)
{
	const uint8_t *rip = (const uint8_t *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)number;
	if (info->si_addr == rip && (rip == code || rip == code + 2))
		return;
	dprintf(STDOUT_FILENO, "a fault at %p, for address %p; the instruction is at %p\n",
		(const void *)rip, info->si_addr, (void *)code);
	_exit(1);
}

static void *change(void *unused)
{
	/*
	 * The second byte of CPUID, and of two that leave things as they are: BSWAP EAX, with EAX
	 * 0, and EMMS. One byte only, because an emulator may fetch bytes one by one.
	 */
	static const uint8_t second[] = { 0xA2, 0xC8, 0xA2, 0x77 };

	(void)unused;
	for (unsigned int n = 0; !done; n++) {
		((volatile uint8_t *)code)[1] = second[n % 4];
		if (n % 64 == 0) {
			mprotect(code, PAGE, PROT_NONE);
			mprotect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
		}
	}
	return NULL;
}

/* Whether what the instruction left is right. */
static bool execute(const uint32_t want[4])
{
	uint64_t rax = 0, rbx = MARK, rcx = 0, rdx = MARK;

	/* below the red zone */
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "call *%4\n\t"
			 "add $128, %%rsp"
			 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx)
			 : "r"(code)
			 : "memory", "cc");
	executed++;
	if (rax == want[0] && rbx == want[1] && rcx == want[2] && rdx == want[3])
		return true;
	others++;
	return rax == 0 && rbx == MARK && rcx == 0 && rdx == MARK;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	uint32_t want[4];
	pthread_t thread;
	time_t end;

	code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (argc != 2 || code == MAP_FAILED || setgid(NOBODY) || setuid(NOBODY)) {
		perror("rewrite");
		return 1;
	}
	memcpy(code, "\x0F\xA2\xC3", 3); /* CPUID, RET */
	sigaction(SIGSEGV, &action, NULL);
	__cpuid_count(0, 0, want[0], want[1], want[2], want[3]);
	if (pthread_create(&thread, NULL, change, NULL)) {
		perror("pthread_create");
		return 1;
	}
	end = time(NULL) + atoi(argv[1]);
	while (time(NULL) < end) {
		if (!execute(want)) {
			printf("half an instruction was executed after %llu\n",
			       (unsigned long long)executed);
			return 1;
		}
	}
	done = true;
	pthread_join(thread, NULL);
	printf("%llu executed, %llu of them another instruction\n", (unsigned long long)executed,
	       (unsigned long long)others);
	return 0;
}
