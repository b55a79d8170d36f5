// SPDX-License-Identifier: GPL-2.0-only
/*
 * An extension that switches the FPU's state between guests, from the document of Mk#1 alone and
 * with none of the project's headers: on each CPU Linux and two guests, which take turns. Ring 3
 * saves and restores x87, SSE and all else that XSAVE knows; the guests look whether they find what
 * they left. What is done is in EAX of a CPUID of Linux's:
 *
 *   SWITCH   ECX bits 15:0 times a guest runs, bits 31:16 the mode; EAX how often one did, EBX how
 *            often one found something else than it had left
 *   FAULTS   exceptions of the FPU, in ring 3: EAX bit 0 #MF, bit 1 #XM
 *   VERDICT  EAX things looked at, EBX of these wrong, ECX line of the first, EDX turns of guests
 */
#include <stdbool.h>
#include <stdint.h>

#define SWITCH 0x4000F0F0
#define FAULTS 0x4000F0F1
#define VERDICT 0x4000F00D

/* How the state is switched, and with which XCR0 the second guest runs. */
enum mode {
	MODE_XSAVE, /* both have Linux's XCR0 */
	MODE_FXSAVE, /* the guests leave AVX alone */
	MODE_NO_AVX, /* as MODE_XSAVE, but the second guest has x87 and SSE only */
};

#define MAX_PPS 64
#define PAGE 4096ull

#define CALL(op, index) (0x6642ull << 48 | (uint64_t)(op) << 16 | (index))

/* --- Mk#1's calls ----------------------------------------------------------------------------- */

static uint64_t call(uint64_t rax, uint64_t reg0, uint64_t reg1, uint64_t reg2, uint64_t reg3,
		     uint64_t *out0, uint64_t *out1)
{
	register uint64_t r10 __asm__("r10") = reg3;

	__asm__ volatile("syscall"
			 : "+a"(rax), "+D"(reg0), "+S"(reg1)
			 : "d"(reg2), "r"(r10)
			 : "rcx", "r11", "memory");
	if (out0)
		*out0 = reg0;
	if (out1)
		*out1 = reg1;
	return rax;
}

_Noreturn static void mk_exit(void)
{
	call(CALL(0, 0), 0, 0, 0, 0, 0, 0);
	__builtin_trap();
}

static void mk_print(const char *text, uint64_t length, uint64_t value)
{
	call(CALL(2, 6), (uint64_t)text, length, 0, 0, 0, 0);
	call(CALL(2, 0), value, 0, 0, 0, 0, 0);
}
#define PRINT(text, value) mk_print(text, sizeof(text) - 1, value)

static uint64_t mk_create(uint64_t rax, uint64_t of, uint64_t pp)
{
	uint64_t id;

	if (call(rax, 0, of, pp, 0, &id, 0)) {
		PRINT("fpu: no object ", rax);
		mk_exit();
	}
	return id;
}

static void mk_alloc(uint64_t bytes, uint64_t *va, uint64_t *spa)
{
	if (call(CALL(8, 2), 0, bytes, 0, 0, va, spa)) {
		PRINT("fpu: no memory ", bytes);
		mk_exit();
	}
}

static void mk_write(uint64_t vs, uint64_t reg, uint64_t value)
{
	if (call(CALL(6, 4), 0, vs, reg, value, 0, 0)) {
		PRINT("fpu: cannot write register ", reg);
		mk_exit();
	}
}

static uint64_t mk_read(uint64_t vs, uint64_t reg)
{
	uint64_t value;

	if (call(CALL(6, 3), 0, vs, reg, 0, &value, 0)) {
		PRINT("fpu: cannot read register ", reg);
		mk_exit();
	}
	return value;
}

/* --- this PP ---------------------------------------------------------------------------------- */

enum { GUEST_A, GUEST_B, LINUX, NR_RUNNERS };

/* Who runs on a PP: two guests and Linux. */
struct runner {
	uint64_t vm, vp, vs;
	uint8_t *area; /* the FPU's state while another one runs */
	uint64_t va, spa; /* a guest's memory */
};

static struct pp {
	struct runner runners[NR_RUNNERS];
	uint8_t *spare; /* another area */
	unsigned int current;
	unsigned int mode;
	unsigned int stopped; /* the guest that an interrupt for Linux stopped, or LINUX: none */
	uint32_t left; /* turns */
	uint32_t turns, bad; /* of this SWITCH */
	uint32_t all_turns;
	uint32_t checks, failures, first_line;
	volatile uint64_t vector; /* of the last fault */
} pps[MAX_PPS];

static bool amd, has_xsave;
static uint64_t area_size, msr_bitmap;

#define NO_MODE 0xFF
#define AGAIN 0xFFFFFFFF /* the answer to a SWITCH that is not done yet */

static struct pp *this_pp(void)
{
	uint16_t id;

	__asm__ volatile("mov %%fs:0xFF8, %0" : "=r"(id));
	if (id >= MAX_PPS)
		mk_exit();
	return &pps[id];
}

static uint64_t word(uint64_t offset)
{
	uint64_t value;

	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(offset) : "memory");
	return value;
}

static void set_word(uint64_t offset, uint64_t value)
{
	__asm__ volatile("mov %0, %%fs:(%1)" : : "r"(value), "r"(offset) : "memory");
}

static void check(bool ok, uint32_t line)
{
	struct pp *pp = this_pp();

	pp->checks++;
	if (ok)
		return;
	if (!pp->failures++)
		pp->first_line = line;
	PRINT("fpu: failed in line ", line);
}
#define CHECK(ok) check(ok, __LINE__)

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
			 : "a"(leaf), "c"(subleaf));
}

/* Ring 3 has the XCR0 of the active VS. */
static uint64_t xgetbv(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

/* --- the FPU's state -------------------------------------------------------------------------- */

static void save(uint8_t *area, bool fx)
{
	if (fx)
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	else
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

static void restore(const uint8_t *area, bool fx)
{
	if (fx)
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
	else
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
}

static bool is_fx(const struct pp *pp)
{
	return !has_xsave || pp->mode == MODE_FXSAVE;
}

/* As after FNINIT, in both formats: all other components in their initial state. */
static void reset_area(uint8_t *area)
{
	for (uint64_t i = 0; i < area_size; i++)
		area[i] = 0;
	*(uint16_t *)area = 0x37F; /* FCW */
	*(uint32_t *)(area + 24) = 0x1F80; /* MXCSR */
}

static void make_area(uint8_t **area)
{
	uint64_t va, spa;

	mk_alloc(area_size, &va, &spa);
	*area = (uint8_t *)va;
	reset_area(*area);
}

/* --- guests ----------------------------------------------------------------------------------- */

/* A guest's memory by pages, guest-physical and virtual from 0 on; behind it its nested table. */
enum { PML4, PDPT, PD, PT, CODE, DATA, NESTED, NR_PAGES = NESTED + 4 };

/* In DATA: what the registers are to hold, as FXSAVE has it, and then the upper halves of YMM. */
#define WANTED_HIGH 0x200
/*
 * The guests' program: loads its registers, exits with TS set, looks at the registers, and goes on
 * with other values. R14: whether to use AVX; R15: DATA, where 0x400 further on is what was found.
 * FOP, FIP and FDP, which not every CPU saves, and MXCSR_MASK do not count.
 */
#define GOOD 0x600D
#define BAD 0xBAD
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
// clang-format off
#define ALL_YMM(insn) \
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n" insn "\n.endr\n"

__asm__(".pushsection .rodata\n"
	"guest_begin:\n"
	"	fxrstor64 (%r15)\n"
	"	test	%r14d, %r14d\n"
	"	jz	1f\n"
	ALL_YMM("	vinsertf128 $1, 0x200+16*\\n(%r15), %ymm\\n, %ymm\\n")
	"1:	mov	$" TEXT(GOOD) ", %r12d\n"
	"2:	mov	%cr0, %rax\n"
	"	or	$8, %eax\n"
	"	mov	%rax, %cr0\n"
	"	mov	%r12d, %eax\n"
	"	cpuid\n"
	"	clts\n"
	"	fxsave64 0x400(%r15)\n"
	"	movw	$0, 0x406(%r15)\n"
	"	movq	$0, 0x408(%r15)\n"
	"	movq	$0, 0x410(%r15)\n"
	"	movl	$0, 0x41C(%r15)\n"
	"	mov	$416/8, %ecx\n"
	"	test	%r14d, %r14d\n"
	"	jz	3f\n"
	ALL_YMM("	vextractf128 $1, %ymm\\n, 0x600+16*\\n(%r15)")
	"	mov	$0x300/8, %ecx\n"
	"3:	mov	$" TEXT(BAD) ", %r12d\n"
	"	mov	%r15, %rsi\n"
	"	lea	0x400(%r15), %rdi\n"
	"	repe cmpsq\n"
	"	jne	2b\n"
	"	xorw	$0x400, (%r15)\n" /* rounding of x87 */
	"	xorl	$0x2000, 24(%r15)\n" /* and of SSE */
	"	lea	32(%r15), %rdi\n"
	"	mov	$8, %ecx\n"
	"4:	addl	$0x1234567, (%rdi)\n" /* ST0 to ST7; not the integer bit */
	"	add	$16, %rdi\n"
	"	loop	4b\n"
	"	mov	$32, %ecx\n"
	"5:	addl	$0x2345678, (%rdi)\n" /* XMM0 to XMM15 */
	"	addl	$0x3456789, 0x200-160(%rdi)\n"
	"	add	$8, %rdi\n"
	"	loop	5b\n"
	"	jmp	guest_begin\n"
	"guest_end:\n"
	".popsection");
// clang-format on

extern const uint8_t guest_begin[], guest_end[];

static uint64_t *page_of(const struct runner *guest, unsigned int page)
{
	return (uint64_t *)(guest->va + page * PAGE);
}

/* Identity, in both kinds of tables; the leaf of an EPT says write-back. */
static void make_tables(const struct runner *guest)
{
	for (unsigned int i = 0; i < 3; i++) {
		*page_of(guest, PML4 + i) = (PML4 + i + 1) * PAGE | 7;
		*page_of(guest, NESTED + i) = (guest->spa + (NESTED + i + 1) * PAGE) | 7;
	}
	for (unsigned int page = 0; page < NESTED; page++) {
		page_of(guest, PT)[page] = page * PAGE | 7;
		page_of(guest, NESTED + 3)[page] = (guest->spa + page * PAGE) | (amd ? 7 : 0x37);
	}
}

struct value {
	uint64_t amd, intel; /* register numbers; 0: not on this vendor */
	uint64_t amd_value, intel_value;
};

static void write_all(uint64_t vs, const struct value *values, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (amd ? values[i].amd : values[i].intel)
			mk_write(vs, amd ? values[i].amd : values[i].intel,
				 amd ? values[i].amd_value : values[i].intel_value);
	}
}

/* 64-bit mode, ring 0, flat, with OSFXSR and OSXMMEXCPT, and OSXSAVE where the CPU has it. */
static void write_state(const struct runner *guest, unsigned int which)
{
	const uint64_t cr4 = 0x620 | (has_xsave ? 0x40000 : 0), nested = guest->spa + NESTED * PAGE;
	const struct value values[] = { { 28, 0, 2 + which, 0 }, /* ASID */
					{ 20, 0, 1 << 18, 0 }, /* intercepts: CPUID */
					{ 21, 0, 3, 0 }, /* VMRUN, VMMCALL */
					{ 36, 0, 1, 0 }, /* nested paging */
					{ 40, 0, nested, 0 },
					{ 0, 89, 0, 1 << 1 }, /* EPT */
					{ 0, 49, 0, nested | 0x1E },
					{ 90, 66, 0x500, 0x500 }, /* EFER */
					{ 92, 138, PML4 * PAGE, PML4 * PAGE },
					{ 91, 139, cr4, cr4 },
					{ 94, 150, 0x400, 0x400 }, /* DR7 */
					{ 96, 153, 2, 2 }, /* RFLAGS */
					{ 98, 151, (DATA + 1) * PAGE, (DATA + 1) * PAGE }, /* RSP */
					{ 53, 0, 8, 0 },
					{ 0, 27, 0, 8 }, /* CS */
					{ 54, 111, 0xA9B, 0xA09B },
					{ 55, 101, 0xFFFFFFFF, 0xFFFFFFFF },
					{ 57, 28, 0x10, 0x10 }, /* SS */
					{ 58, 112, 0xC93, 0xC093 },
					{ 59, 102, 0xFFFFFFFF, 0xFFFFFFFF },
					{ 50, 110, 0,
					  0x10000 }, /* ES, DS, FS, GS, LDTR: unusable */
					{ 62, 113, 0, 0x10000 },
					{ 66, 114, 0, 0x10000 },
					{ 70, 115, 0, 0x10000 },
					{ 78, 116, 0, 0x10000 },
					{ 86, 117, 0x8B, 0x8B }, /* TR */
					{ 87, 107, 0x67, 0x67 } };

	if (!amd) /* secondary controls */
		mk_write(guest->vs, 75, mk_read(guest->vs, 75) | 1u << 31);
	write_all(guest->vs, values, sizeof(values) / sizeof(values[0]));
}

static void make_guest(struct runner *guest, unsigned int which, uint64_t ppid)
{
	guest->vm = mk_create(CALL(4, 0), 0, 0);
	guest->vp = mk_create(CALL(5, 0), guest->vm, 0);
	guest->vs = mk_create(CALL(6, 0), guest->vp, ppid);
	mk_alloc(NR_PAGES * PAGE, &guest->va, &guest->spa);
	make_tables(guest);
	for (unsigned int i = 0; i < (unsigned int)(guest_end - guest_begin); i++)
		((uint8_t *)page_of(guest, CODE))[i] = guest_begin[i];
	make_area(&guest->area);
	write_state(guest, which);
}

/* The guest begins anew, with values that no other guest on any PP has. */
static void begin_guest(struct pp *pp, unsigned int which, uint64_t xcr0)
{
	struct runner *guest = &pp->runners[which];
	uint64_t *data = page_of(guest, DATA), seed = guest->vs << 32 | 0x5EED0000;
	bool avx = pp->mode != MODE_FXSAVE && has_xsave && (xcr0 & 6) == 6;
	const struct value values[] = {
		{ 97, 152, CODE * PAGE, CODE * PAGE }, /* RIP */
		{ 93, 137, 0x80000031, 0x80000031 }, /* CR0: without TS, with which it exits */
		{ 13, 14, avx, avx }, /* R14 */
		{ 14, 15, DATA * PAGE, DATA * PAGE }, /* R15 */
	};

	for (unsigned int i = 0; i < PAGE / 8; i++)
		data[i] = 0;
	data[0] = 0xFFull << 32 | 0x27F | (which + 1ull) << 10; /* FCW: rounding; FTW: all in use */
	data[3] = 0x1F80 | (which + 1ull) << 13; /* MXCSR: rounding */
	for (unsigned int i = 0; i < 8; i++) {
		data[4 + 2 * i] = 1ull << 63 | seed | i;
		data[5 + 2 * i] = 0x3FFF + i;
	}
	for (unsigned int i = 0; i < 32; i++) {
		data[20 + i] = seed | 0x100 | i;
		data[WANTED_HIGH / 8 + i] = seed | 0x200 | i;
	}
	reset_area(guest->area);
	write_all(guest->vs, values, sizeof(values) / sizeof(values[0]));
	if (has_xsave)
		mk_write(guest->vs, amd ? 120 : 162, xcr0);
}

static void begin_guests(struct pp *pp, unsigned int mode)
{
	uint64_t xcr0 = mk_read(pp->runners[LINUX].vs, amd ? 120 : 162);

	if (!pp->runners[GUEST_A].va) {
		uint64_t ppid = (uint64_t)(pp - pps);

		make_guest(&pp->runners[GUEST_A], GUEST_A, ppid);
		make_guest(&pp->runners[GUEST_B], GUEST_B, ppid);
	}
	pp->mode = mode;
	pp->stopped = LINUX;
	begin_guest(pp, GUEST_A, xcr0);
	begin_guest(pp, GUEST_B, mode == MODE_NO_AVX ? xcr0 & 3 : xcr0);
}

/* --- turns ------------------------------------------------------------------------------------ */

static void run(void)
{
	call(CALL(6, 6), 0, 0, 0, 0, 0, 0);
	mk_exit();
}

static void run_next(void)
{
	call(CALL(6, 8), 0, 0, 0, 0, 0, 0);
	mk_exit();
}

/* From the one that is active, which goes on behind its CPUID later. */
static void change_to(struct pp *pp, unsigned int next)
{
	const struct runner *to = &pp->runners[next];

	save(pp->runners[pp->current].area, is_fx(pp));
	CHECK(!call(CALL(6, 13), 0, to->vm, to->vp, to->vs, 0, 0));
	pp->current = next;
	if (has_xsave)
		CHECK(xgetbv() == mk_read(to->vs, amd ? 120 : 162));
	restore(to->area, is_fx(pp));
}

static void on_switch(struct pp *pp, uint32_t command)
{
	if (pp->mode != command >> 16)
		begin_guests(pp, command >> 16);
	if (pp->stopped == LINUX) {
		pp->left = command & 0xFFFF;
		pp->turns = 0;
		pp->bad = 0;
		change_to(pp, GUEST_A);
	} else {
		change_to(pp, pp->stopped);
		pp->stopped = LINUX;
	}
	run();
}

/* Linux is to take it, and asks again then. The guest goes on where it is. */
static void on_interrupt(struct pp *pp)
{
	const struct runner *self = &pp->runners[LINUX];

	pp->stopped = pp->current;
	pp->current = LINUX;
	save(pp->runners[pp->stopped].area, is_fx(pp));
	CHECK(!call(CALL(6, 12), 0, self->vm, self->vp, self->vs, 0, 0));
	restore(self->area, is_fx(pp));
	set_word(0x800, AGAIN);
	run();
}

static void on_guest(struct pp *pp)
{
	uint64_t found = word(0x800);

	CHECK(found == GOOD || found == BAD);
	CHECK(found == GOOD);
	if (found != GOOD)
		pp->bad++;
	pp->turns++;
	pp->all_turns++;
	if (pp->turns < pp->left) {
		change_to(pp, pp->current == GUEST_A ? GUEST_B : GUEST_A);
		run();
	}
	change_to(pp, LINUX);
	set_word(0x800, pp->turns);
	set_word(0x808, pp->bad);
	run();
}

/* --- faults ----------------------------------------------------------------------------------- */

/* In between, the registers are Linux's again: the fail callback has restored them. */
static void on_faults(struct pp *pp)
{
	static const uint16_t no_mask_fcw = 0x37B; /* division by zero */
	static const uint32_t no_mask_mxcsr = 0x1D80;
	uint8_t *area = pp->runners[LINUX].area;
	uint64_t seen = 0;

	save(area, is_fx(pp));
	pp->vector = 0;
	__asm__ volatile("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdiv %%st(1), %%st"
			 :
			 : "m"(no_mask_fcw));
	/* An exception that is pending only comes with an instruction that waits. */
	save(pp->spare, true);
	if (has_xsave)
		save(pp->spare, false);
	restore(pp->spare, is_fx(pp));
	CHECK(!pp->vector);
	__asm__ volatile("fwait");
	if (pp->vector == 16)
		seen |= 1;
	else
		CHECK(!pp->vector);
	pp->vector = 0;
	__asm__ volatile("ldmxcsr %0\n\t"
			 "mov $0x3F800000, %%eax\n\t"
			 "movd %%eax, %%xmm0\n\t"
			 "xorps %%xmm1, %%xmm1\n\t"
			 "divss %%xmm1, %%xmm0"
			 :
			 : "m"(no_mask_mxcsr)
			 : "rax");
	if (pp->vector == 19)
		seen |= 2;
	else
		CHECK(!pp->vector);
	restore(area, is_fx(pp));
	set_word(0x800, seen);
	run_next();
}

/* --- callbacks -------------------------------------------------------------------------------- */

static void on_cpuid(struct pp *pp)
{
	uint32_t leaf = (uint32_t)word(0x800), command = (uint32_t)word(0x810), regs[4];
	const struct runner *self = &pp->runners[LINUX];

	if (leaf == SWITCH)
		on_switch(pp, command);
	if (leaf == FAULTS)
		on_faults(pp);
	if (leaf == 0x400000FF && command == 0xBF000000) {
		set_word(0x800, 0);
		call(CALL(6, 13), 0, self->vm, self->vp, self->vs, 0, 0);
		call(CALL(6, 9), 0, self->vs, 0, 0, 0, 0);
		mk_exit();
	}
	cpuid(leaf, command, regs);
	if (leaf == 1)
		regs[2] &= ~(1u << 5); /* VMX */
	if (leaf == 0x80000001)
		regs[2] &= ~(1u << 2); /* SVM */
	if (leaf == 0x400000FF)
		regs[0] = command - 0xBF000001 > 1;
	if (leaf == VERDICT) {
		regs[0] = pp->checks;
		regs[1] = pp->failures;
		regs[2] = pp->first_line;
		regs[3] = pp->all_turns;
	}
	for (unsigned int i = 0; i < 4; i++)
		set_word(0x800 + i * 8, regs[i]); /* RAX, RBX, RCX, RDX */
	run_next();
}

__attribute__((used, noreturn)) static void on_vmexit(uint64_t vs, uint64_t reason)
{
	struct pp *pp = this_pp();

	CHECK(vs == pp->runners[pp->current].vs);
	if (reason == (amd ? 0x72 : 10)) {
		if (pp->current == LINUX)
			on_cpuid(pp);
		on_guest(pp);
	}
	if (reason == (amd ? 0x60 : 1) && pp->current != LINUX)
		on_interrupt(pp);
	PRINT("fpu: an exit that it knows nothing of: ", reason);
	mk_exit();
}

/* #MF, #XM: again, with the registers of Linux, which masks all exceptions. */
__attribute__((used, noreturn)) static void on_fail(uint64_t error_and_vector)
{
	struct pp *pp = this_pp();

	pp->vector = (uint32_t)error_and_vector;
	if (pp->vector != 16 && pp->vector != 19) {
		PRINT("fpu: a fault: ", error_and_vector);
		mk_exit();
	}
	restore(pp->runners[LINUX].area, is_fx(pp));
	call(CALL(0, 2), 0, 0, 0, 0, 0, 0);
	mk_exit();
}

/* What is wanted of a control, as far as the capability MSR allows, and what it demands. */
static void set_control(uint64_t vs, uint64_t reg, uint64_t msr, uint64_t wanted)
{
	uint64_t may;

	if (call(CALL(7, 0), 0, msr, 0, 0, &may, 0))
		mk_exit();
	mk_write(vs, reg, (wanted | (may & 0xFFFFFFFF)) & may >> 32);
}

static void set_root(uint64_t vs)
{
	if (amd) {
		mk_write(vs, 28, 1); /* ASID */
		mk_write(vs, 20, 1 << 18); /* CPUID */
		mk_write(vs, 21, 3); /* VMRUN, VMMCALL */
		return;
	}
	mk_write(vs, 23, vs + 1); /* VPID */
	set_control(vs, 74, 0x48D, 0);
	set_control(vs, 75, 0x48E, 1u << 28 | 1u << 31);
	set_control(vs, 89, 0x48B, 1 << 3 | 1 << 5 | 1 << 12 | 1 << 20);
	set_control(vs, 80, 0x48F, 1 << 2 | 1 << 9 | 0xF << 18);
	set_control(vs, 83, 0x490, 1 << 2 | 1 << 9 | 3 << 14);
	mk_write(vs, 38, msr_bitmap);
}

__attribute__((used, noreturn)) static void on_bootstrap(uint64_t ppid)
{
	struct pp *pp = this_pp();
	struct runner *self = &pp->runners[LINUX];

	pp->current = LINUX;
	pp->mode = NO_MODE;
	if (!self->area) {
		make_area(&self->area);
		make_area(&pp->spare);
	}
	/* The registers are Linux's from the first callback on. */
	save(self->area, !has_xsave);
	restore(pp->spare, !has_xsave);
	restore(self->area, !has_xsave);
	self->vp = mk_create(CALL(5, 0), 0, 0);
	self->vs = mk_create(CALL(6, 0), self->vp, ppid);
	if (call(CALL(6, 2), 0, self->vs, 0, 0, 0, 0))
		mk_exit();
	set_root(self->vs);
	call(CALL(6, 5), 0, 0, self->vp, self->vs, 0, 0);
	mk_exit();
}

extern const uint8_t bootstrap_entry[], vmexit_entry[], fail_entry[];

__attribute__((used, noreturn)) static void on_start(uint64_t version)
{
	uint32_t regs[4];
	uint64_t va;

	cpuid(0, 0, regs);
	amd = regs[1] == 0x68747541 || regs[1] == 0x6F677948;
	cpuid(1, 0, regs);
	has_xsave = regs[2] >> 26 & 1;
	area_size = PAGE;
	if (has_xsave) {
		cpuid(0xD, 0, regs);
		area_size = (regs[2] + PAGE - 1) & ~(PAGE - 1);
	}
	if (!(version & 2) || call(CALL(1, 0), 0x31236642, 0, 0, 0, 0, 0) ||
	    call(CALL(3, 0), 0, (uint64_t)bootstrap_entry, 0, 0, 0, 0) ||
	    call(CALL(3, 1), 0, (uint64_t)vmexit_entry, 0, 0, 0, 0) ||
	    call(CALL(3, 2), 0, (uint64_t)fail_entry, 0, 0, 0, 0) ||
	    call(CALL(8, 0), 0, 0, 0, 0, &va, &msr_bitmap))
		mk_exit();
	call(CALL(0, 1), 0, 0, 0, 0, 0, 0);
	mk_exit();
}

/* The stack is as before a CALL. */
#define ENTRY(name, function) \
	__asm__(".pushsection .text\n\t.globl " #name "\n" #name ":\n\t" \
		"call " #function "\n\tud2\n" \
		".popsection")
ENTRY(_start, on_start);
ENTRY(bootstrap_entry, on_bootstrap);
ENTRY(vmexit_entry, on_vmexit);
ENTRY(fail_entry, on_fail);
