// SPDX-License-Identifier: GPL-2.0-only
/*
 * exceptions: raises exceptions in a program, and says which signals came of them, with what. It is
 * to be the same whether or not anybody watches, but for the last line, about UD2 with a mark.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <xmmintrin.h>

#define PAGE 4096
#define PAGES 64

static sigjmp_buf back;
static volatile int got, code;
static volatile uint64_t at, trap, error;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	got = signal;
	code = info->si_code;
	at = signal == SIGSEGV ? (uintptr_t)info->si_addr :
	     signal == SIGTRAP ? (uint64_t)uc->uc_mcontext.gregs[REG_RIP] :
				 0;
	trap = (uint64_t)uc->uc_mcontext.gregs[REG_TRAPNO];
	error = (uint64_t)uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(back, 1);
}

static void raises(const char *name, void (*fn)(void))
{
	got = 0;
	if (!sigsetjmp(back, 1))
		fn();
	if (got)
		printf("%s: signal %d, code %d, vector %d, error 0x%x, at 0x%llx\n", name, got,
		       code, (int)trap, (unsigned int)error, (unsigned long long)at);
	else
		printf("%s: nothing\n", name);
}

static void divide(void)
{
	__asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx"
			 :
			 :
			 : "eax", "ecx", "edx");
}

static void undefined(void)
{
	__asm__ volatile("ud2; nop");
}

static void read_nothing(void)
{
	volatile uintptr_t nowhere = 0x10;

	(void)*(volatile char *)nowhere;
}

static void write_code(void)
{
	*(volatile char *)(uintptr_t)divide = 0;
}

static void execute_data(void)
{
	((void (*)(void))0x7000)();
}

static void bad_stack(void)
{
	__asm__ volatile("movq %%rsp, %%rcx; movq $1, %%rax; shlq $60, %%rax; movq %%rax, %%rsp\n"
			 "movq (%%rsp), %%rdx; movq %%rcx, %%rsp"
			 :
			 :
			 : "rax", "rcx", "rdx", "memory");
}

static void sse(void)
{
	volatile float zero = 0, one = 1;

	_MM_SET_EXCEPTION_MASK(_MM_GET_EXCEPTION_MASK() & ~(unsigned int)_MM_MASK_DIV_ZERO);
	one /= zero;
}

static void x87(void)
{
	__asm__ volatile(
		"fninit; pushq $0x37b; fldcw (%%rsp); popq %%rax; fld1; fldz; fdivrp; fwait"
		:
		:
		: "rax", "memory");
}

static void breakpoint(void)
{
	__asm__ volatile("int3; nop");
}

/* The system call of 32-bit programs */
static void int_0x80(void)
{
	const int getpid_32 = 20;
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(getpid_32) : "r8", "r9", "r10", "r11");
	printf("INT 0x80 gives %s\n", result == getpid() ? "this process" : "something else");
}

static void marked(void)
{
	__asm__ volatile("ud2; .byte 0x0f, 0x1f, 0x40, 0x2a");
}

/* Faults that Linux mends. */
static void touch(void)
{
	volatile char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sum = 0;

	for (int i = 0; i < PAGES; i++)
		pages[i * PAGE] = (char)i;
	for (int i = 0; i < PAGES; i++)
		sum += pages[i * PAGE];
	munmap((void *)(uintptr_t)pages, PAGES * PAGE);
	printf("touched: %d\n", sum);
}

int main(void)
{
	static uint8_t stack[65536];
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&other, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	raises("divide", divide);
	raises("undefined", undefined);
	raises("read", read_nothing);
	raises("write", write_code);
	raises("execute", execute_data);
	raises("stack", bad_stack);
	raises("sse", sse);
	raises("x87", x87);
	raises("breakpoint", breakpoint);
	raises("INT 0x80", int_0x80);
	touch();
	raises("marked", marked);
	return 0;
}
