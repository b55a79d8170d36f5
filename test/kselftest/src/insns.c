// SPDX-License-Identifier: GPL-2.0-only
/*
 * insns [LEFT_OUT]: executes instructions that a hypervisor may intercept, as an unprivileged
 * process, and prints for each how it ended: the signal, its code, RIP and the fault address
 * (counted from the instruction; -1 elsewhere), registers. The output must be the same on a bare
 * CPU and under the hypervisor. What begins with LEFT_OUT is not executed.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <abi/handoff.h>
#include <abi/mk1.h>

#define NOBODY 65534
#define CODE_SIZE 4096

/* rax, rcx and rdx before the instruction */
static const struct insn {
	const char *name;
	uint64_t rax, rcx, rdx;
	uint8_t bytes[15];
	uint8_t length;
} insns[] = {
	{ "cpuid leaf of Mk#1, stop", MK1_CPUID_LEAF, MK1_CPUID_STOP, 0, { 0x0F, 0xA2 }, 2 },
	{ "cpuid leaf of Mk#1, report", MK1_CPUID_LEAF, MK1_CPUID_REPORT_ON, 0, { 0x0F, 0xA2 }, 2 },
	{ "cpuid with prefixes", 0, 0, 0, { 0x66, 0x2E, 0x48, 0x0F, 0xA2 }, 5 },
	{ "vmmcall, stop", BF_HYPERCALL_STOP, 0, 0, { 0x0F, 0x01, 0xD9 }, 3 },
	{ "vmcall, stop", BF_HYPERCALL_STOP, 0, 0, { 0x0F, 0x01, 0xC1 }, 3 },
	{ "vmmcall", 0, 0, 0, { 0x0F, 0x01, 0xD9 }, 3 },
	{ "vmcall", 0, 0, 0, { 0x0F, 0x01, 0xC1 }, 3 },
	{ "vmrun", 0, 0, 0, { 0x0F, 0x01, 0xD8 }, 3 },
	{ "vmload", 0, 0, 0, { 0x0F, 0x01, 0xDA }, 3 },
	{ "vmsave", 0, 0, 0, { 0x0F, 0x01, 0xDB }, 3 },
	{ "stgi", 0, 0, 0, { 0x0F, 0x01, 0xDC }, 3 },
	{ "clgi", 0, 0, 0, { 0x0F, 0x01, 0xDD }, 3 },
	{ "skinit", 0, 0, 0, { 0x0F, 0x01, 0xDE }, 3 },
	{ "invlpga", 0, 0, 0, { 0x0F, 0x01, 0xDF }, 3 },
	{ "vmlaunch", 0, 0, 0, { 0x0F, 0x01, 0xC2 }, 3 },
	{ "vmresume", 0, 0, 0, { 0x0F, 0x01, 0xC3 }, 3 },
	{ "vmxoff", 0, 0, 0, { 0x0F, 0x01, 0xC4 }, 3 },
	{ "vmfunc", 0, 0, 0, { 0x0F, 0x01, 0xD4 }, 3 },
	{ "vmxon [rsp]", 0, 0, 0, { 0xF3, 0x0F, 0xC7, 0x34, 0x24 }, 5 },
	{ "vmclear [rsp]", 0, 0, 0, { 0x66, 0x0F, 0xC7, 0x34, 0x24 }, 5 },
	{ "vmptrld [rsp]", 0, 0, 0, { 0x0F, 0xC7, 0x34, 0x24 }, 4 },
	{ "vmptrst [rsp]", 0, 0, 0, { 0x0F, 0xC7, 0x3C, 0x24 }, 4 },
	{ "vmread rax, rcx", 0, 0, 0, { 0x0F, 0x78, 0xC8 }, 3 },
	{ "vmwrite rcx, rax", 0, 0, 0, { 0x0F, 0x79, 0xC8 }, 3 },
	{ "invept [rsp], rax", 0, 0, 0, { 0x66, 0x0F, 0x38, 0x80, 0x04, 0x24 }, 6 },
	{ "invvpid [rsp], rax", 0, 0, 0, { 0x66, 0x0F, 0x38, 0x81, 0x04, 0x24 }, 6 },
	{ "getsec", 0, 0, 0, { 0x0F, 0x37 }, 2 },
	{ "invd", 0, 0, 0, { 0x0F, 0x08 }, 2 },
	{ "wbinvd", 0, 0, 0, { 0x0F, 0x09 }, 2 },
	{ "rdmsr", 0, 0xC0000080, 0, { 0x0F, 0x32 }, 2 },
	{ "wrmsr", 0, 0xC0000080, 0, { 0x0F, 0x30 }, 2 },
	{ "xgetbv", 0, 0, 0, { 0x0F, 0x01, 0xD0 }, 3 },
	{ "xsetbv", 1, 0, 0, { 0x0F, 0x01, 0xD1 }, 3 },
	{ "hlt", 0, 0, 0, { 0xF4 }, 1 },
	{ "cli", 0, 0, 0, { 0xFA }, 1 },
	{ "in al, dx", 0, 0, 0x80, { 0xEC }, 1 },
	{ "out dx, al", 0, 0, 0x80, { 0xEE }, 1 },
	{ "mov rax, cr0", 0, 0, 0, { 0x0F, 0x20, 0xC0 }, 3 },
	{ "mov cr4, rax", 0, 0, 0, { 0x0F, 0x22, 0xE0 }, 3 },
	{ "mov rax, dr7", 0, 0, 0, { 0x0F, 0x21, 0xF8 }, 3 },
	{ "invlpg [rsp]", 0, 0, 0, { 0x0F, 0x01, 0x3C, 0x24 }, 4 },
	{ "monitor", 0, 0, 0, { 0x0F, 0x01, 0xC8 }, 3 },
	{ "ud2", 0, 0, 0, { 0x0F, 0x0B }, 2 },
	{ "int3", 0, 0, 0, { 0xCC }, 1 },
	{ "int1", 0, 0, 0, { 0xF1 }, 1 },
	{ "single step, cpuid",
	  0,
	  0,
	  0,
	  { 0x9C, 0x81, 0x0C, 0x24, 0x00, 0x01, 0x00, 0x00, 0x9D, 0x0F, 0xA2, 0x90 },
	  12 }
};

static struct {
	int signal, code;
	int64_t rip, address;
} seen;
static uint8_t *code;
static uint64_t resume;

/* Notes what happened and goes on after the instruction. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	seen.signal = number;
	seen.code = info->si_code;
	seen.rip = regs[REG_RIP] - (int64_t)(uintptr_t)code;
	seen.address = (int64_t)(uintptr_t)info->si_addr - (int64_t)(uintptr_t)code;
	if (seen.address < 0 || seen.address >= CODE_SIZE)
		seen.address = -1;
	regs[REG_RIP] = (greg_t)resume;
	regs[REG_EFL] &= ~0x100;
}

/* Copies the instruction in front of a jump back and executes it there. */
static void run(const struct insn *insn)
{
	uint64_t rax = insn->rax;
	uint64_t rcx = insn->rcx;
	uint64_t rdx = insn->rdx;
	uint64_t rbx = 0x1234;
	/* jmp [rip] to the end */
	static const uint8_t jump[] = { 0xFF, 0x25, 0, 0, 0, 0 };

	memset(&seen, 0, sizeof(seen));
	memset(code, 0xCC, 64);
	memcpy(code, insn->bytes, insn->length);
	memcpy(code + insn->length, jump, sizeof(jump));
	__asm__ volatile("lea 1f(%%rip), %%rsi\n\t"
			 "mov %%rsi, (%5)\n\t"
			 "mov %%rsi, %6\n\t"
			 "sub $256, %%rsp\n\t"
			 "movq $0, (%%rsp)\n\t"
			 "movq $0, 8(%%rsp)\n\t"
			 "mov %%rsp, %%r15\n\t"
			 "jmp *%4\n\t"
			 "1: mov %%r15, %%rsp\n\t"
			 "add $256, %%rsp\n\t"
			 : "+a"(rax), "+c"(rcx), "+d"(rdx), "+b"(rbx)
			 : "r"(code), "r"(code + insn->length + sizeof(jump)), "m"(resume)
			 : "rsi", "rdi", "r8", "r9", "r10", "r11", "r15", "cc", "memory");
	printf("%s: signal %d code %d rip %lld address %lld", insn->name, seen.signal, seen.code,
	       (long long)seen.rip, (long long)seen.address);
	printf(" rax %llx rbx %llx rcx %llx rdx %llx\n", (unsigned long long)rax,
	       (unsigned long long)rbx, (unsigned long long)rcx, (unsigned long long)rdx);
}

/*
 * INT n for every n: nearly all of their gates are the kernel's. 0x80 is a system call that is
 * none.
 */
static void run_ints(void)
{
	for (unsigned int n = 0; n < 256; n++) {
		char name[16];
		struct insn insn = { name, 0xFFFF, 0, 0, { 0xCD, (uint8_t)n }, 2 };

		snprintf(name, sizeof(name), "int 0x%x", n);
		run(&insn);
	}
}

int main(int argc, char **argv)
{
	static uint8_t stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static const int signals[] = { SIGILL, SIGSEGV, SIGTRAP, SIGBUS, SIGFPE };

	code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED || sigaltstack(&alternate, NULL)) {
		perror("insns");
		return 1;
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	if (setgid(NOBODY) || setuid(NOBODY)) {
		perror("setuid");
		return 1;
	}
	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		if (argc < 2 || strncmp(insns[i].name, argv[1], strlen(argv[1])))
			run(&insns[i]);
	}
	run_ints();
	return 0;
}
