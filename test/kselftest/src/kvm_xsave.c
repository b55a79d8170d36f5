// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm_xsave DEVICE ioctls [kvm]: what KVM's ioctls about x87, SSE, AVX and so on take and refuse,
 * and what a guest's XSETBV does. KVM itself does not find out that it is to raise #UD, where the
 * CPU leaves that to it, as QEMU's does.
 *
 * kvm_xsave DEVICE hold ROUNDS: a guest for each CPU, in a thread that goes to the next CPU each
 * round. Guest and thread have values of their own in all registers that XSAVE knows, AVX-512 and
 * PKRU included where they are there, and in TSC_AUX; each looks at its own when the other has run.
 *
 * kvm_xsave DEVICE features: what of these guests have, as in XCR0; fails if it is nothing.
 *
 * Prints what is not as it should be, and fails then.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/hw/x86.h>

#define RAM_SIZE 0x100000ul
#define CODE 0x1000ul
#define COUNT 0x3000ul /* what guests are told */
#define TABLES 0x10000ul
#define WANTED 0x20000ul /* an area of XSAVE: what the guest loads */
#define SEEN 0x21000ul /* what it has found */
#define STEPS 0x30000ul
#define MAX_CPUS 64

#define LEAST_CR4 (CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define EXCHANGED 0x2E7u /* of what Linux has in XCR0 */

static int device;
static uint64_t features; /* of guests */
static bool has_tsc_aux; /* the same */
static volatile unsigned int wrong;

#define EXPECT(condition) \
	((condition) ? 0 : (wrong++, printf("line %d: %s\n", __LINE__, #condition)))

static void die(const char *what)
{
	printf("cannot go on: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* --- code of guests, in 64-bit mode ----------------------------------------------------------- */

#define GUEST(name, text) \
	__asm__(".pushsection .rodata\n" #name "_begin:\n" text "\n" #name "_end:\n.popsection"); \
	extern const uint8_t name##_begin[], name##_end[]

/*
 * Each step: CR4, XSETBV with these registers; then which exception that was, XCR0, and what CPUID
 * says of it.
 */
GUEST(steps, "mov $0x30000, %esi\n"
	     "1: mov 12(%rsi), %ebx\n mov %rbx, %cr4\n"
	     "mov (%rsi), %ecx\n mov 4(%rsi), %eax\n mov 8(%rsi), %edx\n"
	     "xor %edi, %edi\n xsetbv\n mov %edi, 16(%rsi)\n"
	     "xor %ecx, %ecx\n xor %eax, %eax\n xgetbv\n mov %eax, 20(%rsi)\n"
	     "mov $1, %eax\n xor %ecx, %ecx\n cpuid\n mov %ecx, 24(%rsi)\n"
	     "mov $0xD, %eax\n xor %ecx, %ecx\n cpuid\n mov %ebx, 28(%rsi)\n"
	     "add $32, %rsi\n decl 0x3000\n jnz 1b\n hlt\n"
	     ".org steps_begin + 0x400\n" /* #UD, of an instruction of 3 bytes */
	     "mov $6, %edi\n addq $3, (%rsp)\n iretq\n"
	     ".org steps_begin + 0x420\n" /* #GP */
	     "mov $13, %edi\n add $8, %rsp\n addq $3, (%rsp)\n iretq\n");

struct step {
	uint32_t ecx, eax, edx, cr4;
	uint32_t vector, xcr0, leaf1_ecx, leafd_ebx;
};

/*
 * The words at COUNT: XCR0, CR4, TSC_AUX or 0. Loads the area at WANTED, exits, is interrupted,
 * and stores what there is by then; PKRU and TSC_AUX, as their own instructions read them, behind.
 */
GUEST(hold, "mov 0x3008, %rax\n mov %rax, %cr4\n"
	    "xor %ecx, %ecx\n xor %edx, %edx\n mov 0x3000, %eax\n xsetbv\n"
	    "mov 0x3010, %eax\n test %eax, %eax\n jz 1f\n"
	    "mov $0xC0000103, %ecx\n xor %edx, %edx\n wrmsr\n"
	    "1: mov $-1, %eax\n mov $-1, %edx\n mov $0x20000, %ebx\n xrstor64 (%rbx)\n"
	    "out %al, $0x50\n"
	    "mov $20000, %ecx\n 2: loop 2b\n"
	    "mov $0x2E7, %eax\n xor %edx, %edx\n mov $0x21000, %ebx\n xsave64 (%rbx)\n"
	    "testl $0x400000, 0x3008\n jz 3f\n xor %ecx, %ecx\n rdpkru\n mov %eax, 0x3020\n"
	    "3: cmpl $0, 0x3010\n je 4f\n rdtscp\n mov %ecx, 0x3018\n"
	    "4: hlt\n jmp 1b\n");

/* Stores what the client has set, with the XCR0 that it has set. */
GUEST(store, "mov $-1, %eax\n mov $-1, %edx\n mov $0x21000, %ebx\n xsave64 (%rbx)\n hlt\n");

/* Tells TSC_AUX that the client has set, and sets another one. */
GUEST(aux, "rdtscp\n mov %ecx, 0x3018\n"
	   "mov $0xC0000103, %ecx\n mov $0x6789, %eax\n xor %edx, %edx\n wrmsr\n hlt\n");

/* --- areas ------------------------------------------------------------------------------------ */

struct area {
	uint8_t bytes[4096];
} __attribute__((aligned(64)));

static uint64_t word(const void *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Where a component is, by CPUID; 0 and 1 are seen to apart. */
static void component(unsigned int i, size_t *offset, size_t *size)
{
	unsigned int a, b, c, d;

	__cpuid_count(0xD, i, a, b, c, d);
	*offset = b;
	*size = a;
}

/* Values that only this seed has, in all components of the mask. */
static void fill(struct area *area, uint64_t mask, uint64_t seed)
{
	const uint16_t fcw = (uint16_t)(0x37F | (seed & 3) << 10);
	const uint32_t mxcsr = (uint32_t)(0x1F80 | (seed & 0x3F) | (seed >> 6 & 3) << 13);
	const uint32_t pkru = (uint32_t)(seed * 0x9E3779B1) & ~3u; /* key 0 is the process's own */
	uint64_t value = seed * 0x9E3779B97F4A7C15;

	memset(area, 0, sizeof(*area));
	for (size_t i = 0; i < sizeof(*area); i += 8) {
		value ^= value << 13;
		value ^= value >> 7;
		value ^= value << 17;
		memcpy(area->bytes + i, &value, sizeof(value));
	}
	memset(area->bytes, 0, 32);
	memcpy(area->bytes, &fcw, sizeof(fcw));
	area->bytes[4] = 0xFF; /* no register of x87 is empty */
	memcpy(area->bytes + 24, &mxcsr, sizeof(mxcsr));
	memset(area->bytes + 464, 0, 112);
	memcpy(area->bytes + 512, &mask, sizeof(mask));
	if (mask & XCR0_PKRU) {
		size_t offset, size;

		component(9, &offset, &size);
		memset(area->bytes + offset, 0, size);
		memcpy(area->bytes + offset, &pkru, sizeof(pkru));
	}
}

/*
 * Whether they have the same registers. Not looked at: the addresses and the opcode of x87, which
 * AMD's CPUs restore at times only, and what is reserved.
 */
static bool same(const struct area *a, const struct area *b, uint64_t mask)
{
	if (memcmp(a->bytes, b->bytes, 6) || memcmp(a->bytes + 24, b->bytes + 24, 4))
		return false;
	for (size_t i = 32; i < 160; i += 16) {
		if (memcmp(a->bytes + i, b->bytes + i, 10))
			return false;
	}
	if (memcmp(a->bytes + 160, b->bytes + 160, 256))
		return false;
	for (unsigned int i = 2; i < 63; i++) {
		size_t offset, size;

		if (!(mask >> i & 1))
			continue;
		component(i, &offset, &size);
		if (memcmp(a->bytes + offset, b->bytes + offset, i == 9 ? 4 : size))
			return false;
	}
	return true;
}

/* --- a VM ------------------------------------------------------------------------------------- */

struct guest {
	int vm, vcpu;
	struct kvm_run *run;
	uint8_t *ram;
};

static size_t run_size;

static void put(struct guest *g, uint64_t gpa, uint64_t value)
{
	memcpy(g->ram + gpa, &value, sizeof(value));
}

static void make_guest(struct guest *g)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE };

	g->vm = ioctl(device, KVM_CREATE_VM, 0);
	g->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->vm < 0 || g->ram == MAP_FAILED)
		die("KVM_CREATE_VM");
	region.userspace_addr = (uintptr_t)g->ram;
	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_SET_USER_MEMORY_REGION");
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	if (g->vcpu < 0)
		die("KVM_CREATE_VCPU");
	g->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	if (g->run == MAP_FAILED)
		die("mmap of the vCPU");
}

static void end_guest(struct guest *g)
{
	munmap(g->run, run_size);
	close(g->vcpu);
	close(g->vm);
	munmap(g->ram, RAM_SIZE);
}

struct cpuid_table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[100];
};

static void get_cpuid(struct cpuid_table *table)
{
	table->head.nent = 100;
	if (ioctl(device, KVM_GET_SUPPORTED_CPUID, table))
		die("KVM_GET_SUPPORTED_CPUID");
}

static const struct kvm_cpuid_entry2 *find(const struct cpuid_table *table, uint32_t leaf)
{
	for (uint32_t i = 0; i < table->head.nent; i++) {
		if (table->entries[i].function == leaf && !table->entries[i].index)
			return &table->entries[i];
	}
	return NULL;
}

static struct kvm_segment flat(unsigned int selector, unsigned int type, bool code_64)
{
	return (struct kvm_segment){ .limit = 0xFFFFFFFF,
				     .selector = (uint16_t)selector,
				     .type = (uint8_t)type,
				     .present = 1,
				     .db = !code_64,
				     .s = 1,
				     .l = code_64,
				     .g = 1 };
}

static void put_gate(struct guest *g, unsigned int vector, uint64_t handler)
{
	put(g, 0x6000 + vector * 16, (handler & 0xFFFF) | 8 << 16 | 0x8E0000000000ull);
	put(g, 0x6000 + vector * 16 + 8, 0);
}

static void set_cpuid(struct guest *g)
{
	struct cpuid_table table;

	get_cpuid(&table);
	if (ioctl(g->vcpu, KVM_SET_CPUID2, &table))
		die("KVM_SET_CPUID2");
}

/* 64-bit mode, the first 2 MiB one to one. */
static void begin(struct guest *g, const uint8_t *code, const uint8_t *end, uint64_t cr4)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };
	struct kvm_sregs sregs;

	put(g, TABLES, (TABLES + 0x1000) | 3);
	put(g, TABLES + 0x1000, (TABLES + 0x2000) | 3);
	put(g, TABLES + 0x2000, 0x83);
	put(g, 0x5008, 0x00AF9B000000FFFF);
	put(g, 0x5010, 0x00CF93000000FFFF);
	put_gate(g, 6, CODE + 0x400);
	put_gate(g, 13, CODE + 0x420);
	memcpy(g->ram + CODE, code, (size_t)(end - code));
	if (ioctl(g->vcpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	sregs.cs = flat(8, 11, true);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat(16, 3, false);
	sregs.gdt.base = 0x5000;
	sregs.gdt.limit = 23;
	sregs.idt.base = 0x6000;
	sregs.idt.limit = 0xFFF;
	sregs.cr3 = TABLES;
	sregs.cr4 = cr4;
	sregs.cr0 = 0x80000031;
	sregs.efer = 0x500;
	if (ioctl(g->vcpu, KVM_SET_SREGS, &sregs) || ioctl(g->vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_SREGS");
}

#define BEGIN(g, name, cr4) begin(g, name##_begin, name##_end, cr4)

/* Until it halts. */
static bool run_to_halt(struct guest *g)
{
	while (ioctl(g->vcpu, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			die("KVM_RUN");
	}
	if (g->run->exit_reason != KVM_EXIT_HLT)
		printf("exit reason %u\n", g->run->exit_reason);
	return g->run->exit_reason == KVM_EXIT_HLT;
}

/* --- XSETBV ----------------------------------------------------------------------------------- */

/* What the area of an XCR0 takes. */
static uint32_t size_of(uint64_t xcr0)
{
	uint32_t end = 576;

	for (unsigned int i = 2; i < 63; i++) {
		size_t offset, size;

		component(i, &offset, &size);
		if (xcr0 >> i & 1 && offset + size > end)
			end = (uint32_t)(offset + size);
	}
	return end;
}

static void expect_steps(struct guest *g, struct step *wanted, unsigned int count)
{
	uint32_t xcr0 = 1;

	put(g, COUNT, count);
	memcpy(g->ram + STEPS, wanted, count * sizeof(*wanted));
	BEGIN(g, steps, LEAST_CR4);
	if (EXPECT(run_to_halt(g)))
		return;
	for (unsigned int i = 0; i < count; i++) {
		struct step seen;
		bool on = wanted[i].cr4 & CR4_OSXSAVE;

		memcpy(&seen, g->ram + STEPS + i * sizeof(seen), sizeof(seen));
		if (!wanted[i].vector)
			xcr0 = wanted[i].eax;
		if (seen.vector == wanted[i].vector && (!on || seen.xcr0 == xcr0) &&
		    (seen.leaf1_ecx >> 27 & 1) == on && seen.leafd_ebx == size_of(xcr0))
			continue;
		wrong++;
		printf("step %u: vector %u, XCR0 0x%x, leaf 1 0x%x, area %u\n", i, seen.vector,
		       seen.xcr0, seen.leaf1_ecx, seen.leafd_ebx);
	}
}

static void test_xsetbv(bool raises_ud)
{
	const uint32_t all = (uint32_t)features, on = LEAST_CR4 | CR4_OSXSAVE;
	struct step steps[] = {
		{ 0, 1, 0, on, 0, 0, 0, 0 },
		{ 0, 3, 0, on, 0, 0, 0, 0 },
		{ 0, all, 0, on, 0, 0, 0, 0 },
		{ 0, 0, 0, on, 13, 0, 0, 0 }, /* without x87 */
		{ 0, 2, 0, on, 13, 0, 0, 0 },
		{ 0, 5, 0, on, 13, 0, 0, 0 }, /* AVX without SSE */
		{ 0, 0x27, 0, on, 13, 0, 0, 0 }, /* part of AVX-512 */
		{ 0, 0x20007, 0, on, 13, 0, 0, 0 }, /* part of AMX */
		{ 0, all, 0x80000000, on, 13, 0, 0, 0 },
		{ 1, all, 0, on, 13, 0, 0, 0 }, /* XCR1 */
		{ 0, 1, 0, on, 0, 0, 0, 0 },
		{ 0, all, 0, LEAST_CR4, 6, 0, 0, 0 }, /* without OSXSAVE */
	};
	struct kvm_xcrs xcrs;
	struct guest g;

	make_guest(&g);
	set_cpuid(&g);
	expect_steps(&g, steps, sizeof(steps) / sizeof(steps[0]) - !raises_ud);
	EXPECT(!ioctl(g.vcpu, KVM_GET_XCRS, &xcrs) && xcrs.xcrs[0].value == 1);
	end_guest(&g);
}

/* --- ioctls ----------------------------------------------------------------------------------- */

static bool fails(int result, int error)
{
	return result == -1 && errno == error;
}

static void test_reset(struct guest *g)
{
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_fpu fpu;

	memset(&xcrs, 0xFF, sizeof(xcrs));
	EXPECT(!ioctl(g->vcpu, KVM_GET_XCRS, &xcrs));
	EXPECT(xcrs.nr_xcrs == 1 && !xcrs.flags && !xcrs.xcrs[0].xcr && xcrs.xcrs[0].value == 1);
	EXPECT(!ioctl(g->vcpu, KVM_GET_FPU, &fpu));
	EXPECT(fpu.fcw == 0x37F && !fpu.fsw && !fpu.ftwx);
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE, &xsave));
	EXPECT((xsave.region[0] & 0xFFFF) == 0x37F && xsave.region[6] == 0x1F80);
	EXPECT(fails(ioctl(g->vcpu, KVM_GET_XCRS, NULL), EFAULT));
	EXPECT(fails(ioctl(g->vcpu, KVM_SET_XCRS, NULL), EFAULT));
	EXPECT(fails(ioctl(g->vcpu, KVM_GET_FPU, NULL), EFAULT));
	EXPECT(fails(ioctl(g->vcpu, KVM_SET_FPU, NULL), EFAULT));
	EXPECT(fails(ioctl(g->vcpu, KVM_GET_XSAVE, NULL), EFAULT));
	EXPECT(fails(ioctl(g->vcpu, KVM_SET_XSAVE, NULL), EFAULT));
}

static int set_xcr0(struct guest *g, uint64_t value)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1 };

	xcrs.xcrs[0].value = value;
	return ioctl(g->vcpu, KVM_SET_XCRS, &xcrs);
}

static void test_xcrs(struct guest *g)
{
	static const uint64_t bad[] = { 0, 2, 5, 0x27, 0x20007, 0x201 | 1ull << 40, ~0ull };
	struct kvm_xcrs xcrs = { .nr_xcrs = 17 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(fails(set_xcr0(g, bad[i]), EINVAL));
	EXPECT(fails(ioctl(g->vcpu, KVM_SET_XCRS, &xcrs), EINVAL));
	xcrs.nr_xcrs = 0;
	xcrs.flags = 1;
	EXPECT(fails(ioctl(g->vcpu, KVM_SET_XCRS, &xcrs), EINVAL));
	xcrs.flags = 0;
	EXPECT(!ioctl(g->vcpu, KVM_SET_XCRS, &xcrs));
	EXPECT(!ioctl(g->vcpu, KVM_GET_XCRS, &xcrs) && xcrs.xcrs[0].value == 1);
	EXPECT(!set_xcr0(g, 3));
	EXPECT(!set_xcr0(g, features));
	EXPECT(!ioctl(g->vcpu, KVM_GET_XCRS, &xcrs) && xcrs.xcrs[0].value == features);
}

/* What is set is what the guest stores, and what is got. */
static void test_xsave(struct guest *g)
{
	struct area wanted, got;

	fill(&wanted, features, 0x1234567);
	EXPECT(!ioctl(g->vcpu, KVM_SET_XSAVE, &wanted));
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE, &got));
	EXPECT(same(&wanted, &got, features));
	EXPECT(word(got.bytes + 512) == features);
	memset(g->ram + SEEN, 0, 4096);
	BEGIN(g, store, LEAST_CR4 | CR4_OSXSAVE);
	EXPECT(run_to_halt(g));
	memcpy(&got, g->ram + SEEN, sizeof(got));
	EXPECT(same(&wanted, &got, features));
	memset(&got, 0xFF, sizeof(got));
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE2, &got));
	EXPECT(same(&wanted, &got, features));
	/* without a component in XSTATE_BV, it is as after reset */
	wanted.bytes[512] = 1;
	wanted.bytes[513] = 0;
	EXPECT(!ioctl(g->vcpu, KVM_SET_XSAVE, &wanted));
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE, &got));
	for (unsigned int i = 160; i < 416; i++)
		EXPECT(!got.bytes[i]);
	memset(g->ram + SEEN, 0xFF, 512);
	memset(g->ram + SEEN + 512, 0, 64);
	BEGIN(g, store, LEAST_CR4 | CR4_OSXSAVE);
	EXPECT(run_to_halt(g));
	for (unsigned int i = 160; i < 416; i++)
		EXPECT(!g->ram[SEEN + i]);
	EXPECT(!memcmp(g->ram + SEEN + 32, wanted.bytes + 32, 10));
}

static void test_bad_xsave(struct guest *g)
{
	static const struct {
		size_t offset;
		uint8_t bits;
	} bad[] = {
		{ 27, 0x80 }, /* MXCSR */
		{ 514, 0x02 }, { 519, 0x80 }, /* XSTATE_BV: a tile, and what nobody has */
		{ 520, 0x01 }, { 527, 0x80 }, /* XCOMP_BV */
		{ 528, 0x01 }, { 575, 0x80 }, /* reserved */
	};
	struct area good, area, got;

	fill(&good, features, 0x7654321);
	EXPECT(!ioctl(g->vcpu, KVM_SET_XSAVE, &good));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fill(&area, features, 0x1111111);
		area.bytes[bad[i].offset] |= bad[i].bits;
		if (EXPECT(fails(ioctl(g->vcpu, KVM_SET_XSAVE, &area), EINVAL)))
			printf("byte %zu\n", bad[i].offset);
	}
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE, &got));
	EXPECT(same(&good, &got, features));
}

/* x87 and SSE; MXCSR and the rest stay. */
static void test_fpu(struct guest *g)
{
	struct kvm_fpu fpu, seen;
	struct area before, got;

	fill(&before, features, 0x5555);
	EXPECT(!ioctl(g->vcpu, KVM_SET_XSAVE, &before));
	EXPECT(!ioctl(g->vcpu, KVM_GET_FPU, &fpu));
	EXPECT(!memcmp(fpu.xmm, before.bytes + 160, 256) &&
	       !memcmp(fpu.fpr[0], before.bytes + 32, 10));
	memset(fpu.xmm, 0x3C, sizeof(fpu.xmm));
	fpu.fcw = 0x27F;
	fpu.ftwx = 0x80;
	fpu.mxcsr = 0xFFFFFFFF; /* not looked at */
	EXPECT(!ioctl(g->vcpu, KVM_SET_FPU, &fpu));
	EXPECT(!ioctl(g->vcpu, KVM_GET_FPU, &seen));
	EXPECT(!memcmp(seen.xmm, fpu.xmm, sizeof(fpu.xmm)));
	EXPECT(seen.fcw == 0x27F && seen.ftwx == 0x80);
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE, &got));
	memcpy(before.bytes, got.bytes, 6);
	memset(before.bytes + 160, 0x3C, 256);
	EXPECT(same(&before, &got, features));
}

/* The registers of XSAVE stay, and it stays with them. */
static void test_tsc_aux(struct guest *g)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head = { .nmsrs = 1 }, .entry = { .index = 0xC0000103, .data = 0x12345 } };
	struct area before, got;

	fill(&before, features, 0x7777);
	EXPECT(!ioctl(g->vcpu, KVM_SET_XSAVE, &before));
	EXPECT(ioctl(g->vcpu, KVM_SET_MSRS, &msr) == 1);
	EXPECT(!ioctl(g->vcpu, KVM_GET_XSAVE, &got));
	EXPECT(same(&before, &got, features));
	EXPECT(!ioctl(g->vcpu, KVM_SET_XSAVE, &before));
	msr.entry.data = 0;
	EXPECT(ioctl(g->vcpu, KVM_GET_MSRS, &msr) == 1 && msr.entry.data == 0x12345);
	BEGIN(g, aux, LEAST_CR4);
	EXPECT(run_to_halt(g));
	EXPECT((uint32_t)word(g->ram + COUNT + 0x18) == 0x12345);
	EXPECT(ioctl(g->vcpu, KVM_GET_MSRS, &msr) == 1 && msr.entry.data == 0x6789);
}

static int ioctls(bool of_kvm)
{
	struct guest g;

	EXPECT(ioctl(device, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE) == 1);
	EXPECT(ioctl(device, KVM_CHECK_EXTENSION, KVM_CAP_XCRS) == 1);
	make_guest(&g);
	EXPECT(ioctl(g.vm, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2) == sizeof(struct kvm_xsave));
	test_reset(&g);
	set_cpuid(&g);
	test_xcrs(&g);
	test_xsave(&g);
	test_bad_xsave(&g);
	test_fpu(&g);
	if (has_tsc_aux)
		test_tsc_aux(&g);
	end_guest(&g);
	test_xsetbv(!of_kvm);
	return wrong != 0;
}

/* --- hold ------------------------------------------------------------------------------------- */

static unsigned long rounds;
static long cpus;
static uint64_t own_features; /* of processes */
static bool has_pke;

/*
 * An ioctl with wanted in the registers; seen is what is there afterwards. The caller's own are put
 * back.
 */
static long ioctl_holding(int fd, unsigned long command, const struct area *wanted,
			  struct area *seen)
{
	static __thread struct area own;
	long result;
	const uint32_t mask = (uint32_t)own_features;

	__asm__ volatile("mov %[mask], %%eax\n\txor %%edx, %%edx\n\txsave64 %[own]\n\t"
			 "xrstor64 %[wanted]\n\t"
			 "mov $16, %%eax\n\t" /* ioctl */
			 "syscall\n\t"
			 "mov %%rax, %%rbx\n\t"
			 "mov %[mask], %%eax\n\txor %%edx, %%edx\n\txsave64 %[seen]\n\t"
			 "xrstor64 %[own]\n\t"
			 "mov %%rbx, %%rax"
			 : "=&a"(result), [own] "+m"(own), [seen] "+m"(*seen)
			 : [wanted] "m"(*wanted), [mask] "r"(mask), "D"((long)fd), "S"(command)
			 : "rbx", "rcx", "rdx", "r11", "memory", "cc");
	return result;
}

static uint32_t tsc_aux(void)
{
	uint32_t low, high, aux;

	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	return aux;
}

static void go_to(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

struct holder {
	long number;
	unsigned long held; /* rounds */
	struct guest guest;
	struct area wanted, seen, of_guest, own;
};

/* The guest to its next exit, with registers of this thread's own. */
static bool run_holding(struct holder *h, uint32_t exit_reason, uint64_t seed, long cpu)
{
	long result;

	do {
		fill(&h->own, own_features, seed);
		memset(&h->seen, 0, sizeof(h->seen));
		result = ioctl_holding(h->guest.vcpu, KVM_RUN, &h->own, &h->seen);
		if (!same(&h->own, &h->seen, own_features)) {
			printf("thread %ld, round %lu: its registers have changed\n", h->number,
			       h->held);
			return false;
		}
		if (has_tsc_aux && (tsc_aux() & 0xFFF) != (uint32_t)cpu) {
			printf("thread %ld, round %lu: TSC_AUX is 0x%x on CPU %ld\n", h->number,
			       h->held, tsc_aux(), cpu);
			return false;
		}
	} while (result == -EINTR || result == -EAGAIN);
	if (result || h->guest.run->exit_reason != exit_reason) {
		printf("thread %ld, round %lu: result %ld, exit reason %u\n", h->number, h->held,
		       result, h->guest.run->exit_reason);
		return false;
	}
	return true;
}

static bool guest_has_held(struct holder *h)
{
	const uint8_t *told = h->guest.ram + COUNT;
	size_t offset, size;

	memcpy(&h->of_guest, h->guest.ram + SEEN, sizeof(h->of_guest));
	if (!same(&h->wanted, &h->of_guest, features))
		return false;
	component(9, &offset, &size);
	if (has_pke && memcmp(told + 0x20, h->wanted.bytes + offset, 4))
		return false;
	return !has_tsc_aux || (uint32_t)word(told + 0x18) == (uint32_t)word(told + 0x10);
}

static bool hold_once(struct holder *h)
{
	long cpu = (long)((unsigned long)h->number + h->held) % cpus;
	uint64_t seed = ((uint64_t)h->number + 1) << 32 | (h->held + 1) * 4;

	fill(&h->wanted, features, seed);
	memcpy(h->guest.ram + WANTED, &h->wanted, sizeof(h->wanted));
	memset(h->guest.ram + SEEN, 0, sizeof(h->wanted));
	go_to(cpu);
	if (!run_holding(h, KVM_EXIT_IO, seed + 1, cpu))
		return false;
	cpu = (cpu + 1) % cpus;
	go_to(cpu);
	if (!run_holding(h, KVM_EXIT_HLT, seed + 2, cpu))
		return false;
	if (guest_has_held(h))
		return true;
	printf("guest %ld, round %lu: its registers have changed\n", h->number, h->held);
	return false;
}

static void *hold_thread(void *argument)
{
	struct holder *h = argument;

	make_guest(&h->guest);
	set_cpuid(&h->guest);
	put(&h->guest, COUNT, features);
	put(&h->guest, COUNT + 8, LEAST_CR4 | CR4_OSXSAVE | (has_pke ? CR4_PKE : 0));
	put(&h->guest, COUNT + 16, has_tsc_aux ? 0x1000 + (uint64_t)h->number : 0);
	BEGIN(&h->guest, hold, LEAST_CR4);
	while (h->held < rounds && hold_once(h))
		h->held++;
	end_guest(&h->guest);
	return NULL;
}

static int hold(void)
{
	static struct holder holders[MAX_CPUS];
	pthread_t threads[MAX_CPUS];
	unsigned long held = 0;

	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	for (long i = 0; i < cpus; i++) {
		holders[i].number = i;
		if (pthread_create(&threads[i], NULL, hold_thread, &holders[i]))
			die("pthread_create");
	}
	for (long i = 0; i < cpus; i++) {
		pthread_join(threads[i], NULL);
		held += holders[i].held;
	}
	printf("%lu rounds of %lu\n", held, rounds * (unsigned long)cpus);
	return held != rounds * (unsigned long)cpus;
}

/* --- what there is ---------------------------------------------------------------------------- */

static uint64_t xcr0(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c >> 27 & 1))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

static bool find_features(void)
{
	struct cpuid_table table;
	const struct kvm_cpuid_entry2 *leaf;

	get_cpuid(&table);
	leaf = find(&table, 1);
	if (!leaf || !(leaf->ecx >> 26 & 1))
		return false;
	leaf = find(&table, 0xD);
	features = leaf ? (leaf->eax & EXCHANGED) : 0;
	leaf = find(&table, 7);
	has_pke = features & XCR0_PKRU && leaf && leaf->ecx & 8;
	leaf = find(&table, 0x80000001);
	has_tsc_aux = leaf && leaf->edx >> 27 & 1;
	own_features = xcr0() & EXCHANGED;
	return features && own_features;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(argv[1]);
	run_size = (size_t)ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (!find_features()) {
		printf("guests have no XSAVE\n");
		return 1;
	}
	if (argc == 3 && !strcmp(argv[2], "features")) {
		printf("0x%llx, of the 0x%llx that processes have%s%s\n",
		       (unsigned long long)features, (unsigned long long)own_features,
		       has_pke ? "; PKE" : "", has_tsc_aux ? "; TSC_AUX" : "");
		return 0;
	}
	if (!strcmp(argv[2], "ioctls"))
		return ioctls(argc == 4 && !strcmp(argv[3], "kvm"));
	if (argc != 4 || strcmp(argv[2], "hold"))
		return 2;
	rounds = strtoul(argv[3], NULL, 0);
	return hold();
}
