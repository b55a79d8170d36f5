// SPDX-License-Identifier: GPL-2.0-only
/*
 * fpu hold LEAF SUBLEAF ROUNDS: on every CPU two threads and a process of its own fill the
 * registers of x87, SSE and, where they may, AVX with values that nobody else has, MXCSR and FCW
 * included, let the others run, and look at them; ROUNDS times. The threads execute CPUID in
 * between, if LEAF is not 0, and find in EAX how often something else has run then and in EBX what
 * it complains of. Prints how many rounds there were, in how many a register had changed, and the
 * sums of EAX and EBX.
 *
 * fpu faults: prints which exceptions the FPU raises: 1 #MF, 2 #XM.
 */
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* As FXSAVE writes it, and after it the upper halves of YMM0 to YMM15. */
struct image {
	uint16_t fcw, fsw, ftw, fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	struct {
		uint64_t mantissa;
		uint16_t exponent, reserved[3];
	} st[8];
	uint64_t xmm[16][2];
	uint64_t more[12];
	uint64_t high[16][2];
} __attribute__((aligned(64)));

struct exits {
	uint64_t leaf, subleaf, sum_eax, sum_ebx;
};

/*
 * Loads wanted, executes CPUID, yields, waits for a while, and stores what there is now. The
 * caller's registers of the FPU are put back.
 */
void hold(const struct image *wanted, struct image *seen, struct exits *exits, uint64_t avx);

// clang-format off
#define ALL_YMM(insn) \
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n" insn "\n.endr\n"

__asm__(".text\n"
	"hold:\n"
	"	push	%rbx\n"
	"	push	%rbp\n"
	"	push	%r12\n"
	"	push	%r13\n"
	"	mov	%rsp, %rbp\n"
	"	sub	$512, %rsp\n"
	"	and	$-64, %rsp\n"
	"	mov	%rsi, %r12\n"
	"	mov	%rdx, %r13\n"
	"	mov	%rcx, %r8\n"
	"	fxsave64 (%rsp)\n"
	"	fxrstor64 (%rdi)\n"
	"	test	%r8, %r8\n"
	"	jz	1f\n"
	ALL_YMM("	vinsertf128 $1, 512+16*\\n(%rdi), %ymm\\n, %ymm\\n")
	"1:	cmpq	$0, (%r13)\n"
	"	je	2f\n"
	"4:	mov	(%r13), %eax\n"
	"	mov	8(%r13), %ecx\n"
	"	cpuid\n"
	"	cmp	$-1, %eax\n" /* an interrupt came in between */
	"	je	4b\n"
	"	add	%rax, 16(%r13)\n"
	"	add	%rbx, 24(%r13)\n"
	"2:	mov	$24, %eax\n" /* sched_yield */
	"	syscall\n"
	"	mov	$500, %ecx\n"
	"3:	pause\n"
	"	loop	3b\n"
	"	fxsave64 (%r12)\n"
	"	test	%r8, %r8\n"
	"	jz	4f\n"
	ALL_YMM("	vextractf128 $1, %ymm\\n, 512+16*\\n(%r12)")
	"	vzeroupper\n"
	"4:	fxrstor64 (%rsp)\n"
	"	mov	%rbp, %rsp\n"
	"	pop	%r13\n"
	"	pop	%r12\n"
	"	pop	%rbp\n"
	"	pop	%rbx\n"
	"	ret\n");
// clang-format on

static struct shared {
	uint64_t rounds, changed, sum_eax, sum_ebx;
} *shared;

static uint64_t leaf, subleaf, rounds, cpus;
static bool avx;

static void fill(struct image *image, uint64_t who, uint64_t round)
{
	uint64_t seed = (who + 1) << 48 | round << 16;

	memset(image, 0, sizeof(*image));
	image->fcw = (uint16_t)(0x27F | ((who + round) & 3) << 10); /* rounding */
	image->ftw = 0xFF;
	image->mxcsr = (uint32_t)(0x1F80 | ((who + round) & 3) << 13);
	for (unsigned int i = 0; i < 8; i++) {
		image->st[i].mantissa = 1ULL << 63 | seed | i;
		image->st[i].exponent = (uint16_t)(0x4000 + i);
	}
	for (unsigned int i = 0; i < 16; i++) {
		image->xmm[i][0] = seed | 0x100 | i;
		image->xmm[i][1] = ~image->xmm[i][0];
		image->high[i][0] = avx ? seed | 0x200 | i : 0;
		image->high[i][1] = avx ? ~image->high[i][0] : 0;
	}
}

static bool same(const struct image *wanted, struct image *seen)
{
	seen->fop = 0; /* not every CPU saves these three */
	seen->fip = seen->fdp = 0;
	seen->mxcsr_mask = 0;
	return !memcmp(wanted, seen, offsetof(struct image, more)) &&
	       !memcmp(wanted->high, seen->high, sizeof(seen->high));
}

static void pin(uint64_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		exit(2);
	}
}

static void hold_for_all_rounds(uint64_t who, bool exiting)
{
	struct exits exits = { exiting ? leaf : 0, subleaf, 0, 0 };
	struct image wanted, seen;
	uint64_t changed = 0;

	pin(who % cpus);
	for (uint64_t round = 0; round < rounds; round++) {
		fill(&wanted, who, round);
		memset(&seen, 0, sizeof(seen));
		hold(&wanted, &seen, &exits, avx);
		changed += !same(&wanted, &seen);
	}
	__atomic_add_fetch(&shared->rounds, rounds, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->changed, changed, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->sum_eax, exits.sum_eax, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->sum_ebx, exits.sum_ebx, __ATOMIC_RELAXED);
}

static void *thread(void *who)
{
	hold_for_all_rounds((uintptr_t)who, true);
	return NULL;
}

static int hold_everywhere(void)
{
	pthread_t threads[2 * cpus];
	int status, bad = 0;

	for (uint64_t who = 2 * cpus; who < 3 * cpus; who++) {
		pid_t pid = fork();

		if (pid < 0) {
			perror("fork");
			return 2;
		}
		if (!pid) {
			hold_for_all_rounds(who, false);
			_exit(0);
		}
	}
	for (uintptr_t who = 0; who < 2 * cpus; who++) {
		if (pthread_create(&threads[who], NULL, thread, (void *)who))
			return 2;
	}
	for (uintptr_t who = 0; who < 2 * cpus; who++)
		pthread_join(threads[who], NULL);
	while (wait(&status) > 0)
		bad |= status;
	printf("%llu %llu %llu %llu\n", (unsigned long long)shared->rounds,
	       (unsigned long long)shared->changed, (unsigned long long)shared->sum_eax,
	       (unsigned long long)shared->sum_ebx);
	return bad || shared->changed;
}

static volatile unsigned int raised, expected;

/* The instruction is executed again, with all exceptions masked. */
static void on_sigfpe(int number, siginfo_t *info, void *context)
{
	struct _libc_fpstate *state = ((ucontext_t *)context)->uc_mcontext.fpregs;

	(void)number;
	(void)info;
	raised |= expected;
	state->cwd = 0x37F;
	state->swd = 0;
	state->mxcsr = 0x1F80;
}

static int faults(void)
{
	static const uint16_t no_mask_fcw = 0x37B; /* division by zero */
	static const uint32_t no_mask_mxcsr = 0x1D80, all_masks = 0x1F80;
	struct sigaction action = { .sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGFPE, &action, NULL)) {
		perror("sigaction");
		return 2;
	}
	expected = 1;
	__asm__ volatile("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\t"
			 "fdiv %%st(1), %%st\n\tfwait\n\tfninit"
			 :
			 : "m"(no_mask_fcw)
			 : "memory");
	expected = 2;
	__asm__ volatile("ldmxcsr %0\n\t"
			 "mov $0x3F800000, %%eax\n\t"
			 "movd %%eax, %%xmm0\n\t"
			 "xorps %%xmm1, %%xmm1\n\t"
			 "divss %%xmm1, %%xmm0\n\t"
			 "ldmxcsr %1"
			 :
			 : "m"(no_mask_mxcsr), "m"(all_masks)
			 : "rax", "xmm0", "xmm1", "memory");
	printf("%u\n", raised);
	return 0;
}

/* OSXSAVE and AVX, and Linux has enabled it. */
static bool has_avx(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c >> 27 & 1) || !(c >> 28 & 1))
		return false;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & 6) == 6;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "faults"))
		return faults();
	if (argc != 5 || strcmp(argv[1], "hold"))
		return 2;
	leaf = strtoul(argv[2], NULL, 0);
	subleaf = strtoul(argv[3], NULL, 0);
	rounds = strtoul(argv[4], NULL, 0);
	cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	avx = has_avx();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	return hold_everywhere();
}
