// SPDX-License-Identifier: GPL-2.0-only
/*
 * An extension as somebody else would write it, from the document of Mk#1 alone, with a guest on
 * every PP that does nothing but loop. A process on that CPU asks for it by CPUID leaf LOOP, with
 * what kind of guest in ECX, and the guest runs in its time: each exit for Linux lets Linux run,
 * and when it is the process's turn again its CPUID is executed again. So the process can be
 * killed. What was seen is in leaf SEEN.
 *
 * Leaf REFUSED runs a guest that the CPU refuses, mends it, and runs it until its first exit.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define LOOP 0x4000F100
/*
 * EAX exits for Linux, EBX other exits, ECX the reason of the first of these, EDX how far the guest
 * got in its loop
 */
#define SEEN 0x4000F101
/* ECX a REFUSED_ below; EAX checks that did not hold, EBX line of the first, ECX checks */
#define REFUSED 0x4000F102

/*
 * Kinds of guests that loop: interrupts off and nothing asked for; on; off; with a high CR8 in
 * addition. Off is STI and CLI in turn, between which nothing is taken, or IF never set.
 */
enum { PLAIN, INTERRUPTS_ON, INTERRUPTS_OFF, HIGH_CR8, NEVER_ON };
#define STUBBORN 0x100 /* beside it: the guest goes on a few times before Linux does */
#define NR_STUBBORN 3

enum {
	REFUSED_STATE, /* once, and then mended */
	REFUSED_CONTROLS, /* the same; on Intel VMLAUNCH itself fails */
	REFUSED_TWICE /* not mended: the PP fails */
};

void bf_exit(void) __attribute__((noreturn));
void bf_wait(void) __attribute__((noreturn));
u64 bf_open_handle(u32 spec, u64 *handle);
u64 bf_debug_out(u64 a, u64 b);
u64 bf_write_str(const char *text, u64 length);
u64 bf_register_bootstrap(u64 handle, void (*)(void));
u64 bf_register_vmexit(u64 handle, void (*)(void));
u64 bf_create_vp(u64 handle, u16 vmid, u64 *vpid);
u64 bf_create_vm(u64 handle, u64 *vmid);
u64 bf_create_vs(u64 handle, u16 vpid, u16 ppid, u64 *vsid);
u64 bf_init_as_root(u64 handle, u16 vsid);
u64 bf_read(u64 handle, u16 vsid, u64 reg, u64 *value);
u64 bf_write(u64 handle, u16 vsid, u64 reg, u64 value);
u64 bf_run(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_run_current(u64 handle);
u64 bf_advance_ip_and_run_current(u64 handle);
u64 bf_promote(u64 handle, u16 vsid);
u64 bf_set_active(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_advance_ip_and_set_active(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_rdmsr(u64 handle, u32 msr, u64 *value);
u64 bf_alloc_page(u64 handle, u64 *va, u64 *spa);
void bootstrap_entry(void);
void vmexit_entry(void);

struct guest {
	u16 vsid, vpid, vmid;
	u32 kind;
	u64 page[5], spa[5]; /* four tables and the code */
	u64 before[128]; /* registers */
};

#define MAX_PPS 8

/* calls.S has the first two members. */
struct per_pp {
	u64 raw, entry[20];
	u64 for_linux, others, first_other, stubborn, checks, failures, first_line;
	u16 linux_vsid, linux_vpid;
	struct guest *guest; /* that runs */
	int refusals;
};

_Thread_local struct per_pp per_pp;
static struct guest loopers[MAX_PPS], invalids[MAX_PPS];
static u64 bitmap_spa;
static int amd;

static u16 id(u64 offset)
{
	u16 value;

	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

static u64 word(u64 offset)
{
	u64 value;

	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

static void set_word(u64 offset, u64 value)
{
	__asm__ volatile("mov %0, %%fs:(%1)" : : "r"(value), "r"(offset) : "memory");
}

#define RAX 0x800
#define RBX 0x808
#define RCX 0x810
#define RDX 0x818
#define R15 0x870
#define THIS_VM id(0xFF2)
#define THIS_VP id(0xFF4)
#define THIS_VS id(0xFF6)
#define THIS_PP id(0xFF8)

static void check(int ok, u64 line)
{
	per_pp.checks++;
	if (ok)
		return;
	if (!per_pp.failures++)
		per_pp.first_line = line;
	bf_write_str("foreign: failed in line ", 24);
	bf_debug_out(line, THIS_PP);
}
#define CHECK(...) check((__VA_ARGS__), __LINE__)

/* Numbers of registers: AMD's, Intel's. */
struct reg {
	u16 amd, intel;
};
#define R(a, i) ((struct reg){ a, i })
#define CR0 R(93, 137)
#define CR3 R(92, 138)
#define CR4 R(91, 139)
#define CR8 R(115, 157)
#define EFER R(90, 66)
#define RFLAGS R(96, 153)
#define RIP R(97, 152)
#define INTEL_PIN 74
#define INTEL_PRIMARY 75
#define INTEL_SECONDARY 89
#define INTEL_EXIT 80
#define INTEL_ENTRY 83
#define INTEL_VPID 23
#define INTEL_BITMAP 38
#define INTEL_LINK 63
#define INTEL_ERROR 92
#define INTEL_REASON 93
#define AMD_ASID 28
#define AMD_INTERCEPT1 20
#define AMD_INTERCEPT2 21
#define AMD_INTERRUPT 30
#define AMD_EVENTINJ 39

static u64 get(u16 vs, struct reg r)
{
	u64 value = 0;

	CHECK(bf_read(0, vs, amd ? r.amd : r.intel, &value) == 0);
	return value;
}

static void set(u16 vs, struct reg r, u64 value)
{
	CHECK(bf_write(0, vs, amd ? r.amd : r.intel, value) == 0);
}

/* wanted, as far as the capability MSR allows, and what it demands */
static void set_control(u16 vs, u64 which, u32 msr, u64 wanted)
{
	u64 may = 0;

	CHECK(bf_rdmsr(0, msr, &may) == 0);
	CHECK(bf_write(0, vs, which, (wanted | (may & 0xFFFFFFFF)) & may >> 32) == 0);
}

static void set_intel(u16 vs, u64 pin, u64 primary, u64 secondary)
{
	CHECK(bf_write(0, vs, INTEL_LINK, ~0UL) == 0);
	set_control(vs, INTEL_PIN, 0x48D, pin);
	set_control(vs, INTEL_PRIMARY, 0x48E, primary);
	set_control(vs, INTEL_SECONDARY, 0x48B, secondary);
	set_control(vs, INTEL_EXIT, 0x48F, 1 << 2 | 1 << 9 | 0xF << 18);
	set_control(vs, INTEL_ENTRY, 0x490, 1 << 2 | 1 << 9 | 3 << 14);
}

/* --- the guest -------------------------------------------------------------------------------- */

/* 64-bit mode, ring 0, flat, one page, at linear address 0. */
static void set_state(struct guest *g)
{
	static const struct {
		struct reg reg;
		u64 amd, intel;
	} values[] = { { EFER, 0x500, 0x500 },
		       { CR0, 0x80000031, 0x80000031 },
		       { CR4, 0x20, 0x2020 },
		       { R(94, 150), 0x400, 0x400 },
		       { RIP, 0, 0 },
		       { R(98, 151), 0x1000, 0x1000 },
		       { R(53, 27), 8, 8 },
		       { R(54, 111), 0xA9B, 0xA09B },
		       { R(55, 101), ~0U, ~0U },
		       { R(57, 28), 16, 16 },
		       { R(58, 112), 0xC93, 0xC093 },
		       { R(59, 102), ~0U, ~0U },
		       { R(50, 110), 0, 0x10000 },
		       { R(62, 113), 0, 0x10000 },
		       { R(66, 114), 0, 0x10000 },
		       { R(70, 115), 0, 0x10000 },
		       { R(78, 116), 0, 0x10000 },
		       { R(86, 117), 0x8B, 0x8B },
		       { R(87, 107), 0x67, 0x67 } };

	for (u64 i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		set(g->vsid, values[i].reg, amd ? values[i].amd : values[i].intel);
	set(g->vsid, CR3, g->spa[0]);
	set(g->vsid, RFLAGS, 2);
}

static void set_controls(struct guest *g)
{
	int asked = g->kind == INTERRUPTS_ON || g->kind == INTERRUPTS_OFF;

	if (amd) {
		CHECK(bf_write(0, g->vsid, AMD_ASID, 2) == 0);
		CHECK(bf_write(0, g->vsid, AMD_INTERCEPT1, 1UL << 18 | 1UL << 31 | (u64)asked) ==
		      0);
		CHECK(bf_write(0, g->vsid, AMD_INTERCEPT2, 3) == 0);
		CHECK(bf_write(0, g->vsid, AMD_INTERRUPT, (u64)asked << 24) == 0);
	} else {
		set_intel(g->vsid, (u64)asked, 1UL << 28 | 1UL << 31, 0);
	}
}

/* mov %rax, %cr8; jmp *%rbx; 1: sti; cli; inc %r15; jmp 1b; 2: inc %r15; jmp 2b */
static const u8 loop_code[] = { 0x44, 0x0F, 0x22, 0xC0, 0xFF, 0xE3, 0xFB, 0xFA, 0x49,
				0xFF, 0xC7, 0xEB, 0xF9, 0x49, 0xFF, 0xC7, 0xEB, 0xFB };
#define LOOP_STI_CLI 6
#define LOOP_PLAIN 13

static void set_kind(struct guest *g, u32 kind)
{
	int plain = kind == INTERRUPTS_ON || kind == NEVER_ON;

	g->kind = kind;
	set(g->vsid, RIP, 0);
	set(g->vsid, RFLAGS, kind == INTERRUPTS_ON ? 0x202 : 2);
	set(g->vsid, R(14, 15), 0);
	set(g->vsid, R(99, 1), kind == HIGH_CR8 ? 15 : 0);
	set(g->vsid, R(1, 2), plain ? LOOP_PLAIN : LOOP_STI_CLI);
	set_controls(g);
}

static void make_guest(struct guest *g, const u8 *code, u64 size)
{
	u64 vpid, vsid, vmid;

	CHECK(bf_create_vm(0, &vmid) == 0);
	CHECK(bf_create_vp(0, (u16)vmid, &vpid) == 0);
	CHECK(bf_create_vs(0, (u16)vpid, THIS_PP, &vsid) == 0);
	g->vmid = (u16)vmid;
	g->vpid = (u16)vpid;
	g->vsid = (u16)vsid;
	for (int i = 0; i < 5; i++)
		CHECK(bf_alloc_page(0, &g->page[i], &g->spa[i]) == 0);
	for (int i = 0; i < 4; i++)
		*(u64 *)g->page[i] = g->spa[i + 1] | 3;
	for (u64 i = 0; i < size; i++)
		((volatile u8 *)g->page[4])[i] = code[i];
	set_state(g);
}

static const u8 cpuid_code[] = { 0x0F, 0xA2 };

__attribute__((noreturn)) static void to_linux(void)
{
	CHECK(bf_run(0, 0, per_pp.linux_vpid, per_pp.linux_vsid) == 0);
	bf_exit();
}

/* Linux goes on behind its CPUID. */
__attribute__((noreturn)) static void answer_linux(void)
{
	CHECK(bf_set_active(0, 0, per_pp.linux_vpid, per_pp.linux_vsid) == 0);
	set_word(RAX, per_pp.failures);
	set_word(RBX, per_pp.first_line);
	set_word(RCX, per_pp.checks);
	bf_advance_ip_and_run_current(0);
	bf_exit();
}

__attribute__((noreturn)) static void run_guest(struct guest *g)
{
	per_pp.guest = g;
	CHECK(bf_run(0, g->vmid, g->vpid, g->vsid) == 0);
	bf_exit();
}

/* --- a guest that loops ----------------------------------------------------------------------- */

static void loop(u32 kind)
{
	struct guest *g = &loopers[THIS_PP];

	if (!g->vmid)
		make_guest(g, loop_code, sizeof(loop_code));
	if (g->kind != (kind & 0xFF) || !per_pp.for_linux)
		set_kind(g, kind & 0xFF);
	per_pp.stubborn = kind & STUBBORN ? NR_STUBBORN : 0;
	run_guest(g);
}

__attribute__((noreturn)) static void on_loop_exit(u64 reason)
{
	struct guest *g = per_pp.guest;

	if (reason != (amd ? 0x60 : 1)) {
		if (!per_pp.others++)
			per_pp.first_other = reason;
		to_linux();
	}
	per_pp.for_linux++;
	if (get(g->vsid, R(14, 15)))
		CHECK(get(g->vsid, CR8) == (g->kind == HIGH_CR8 ? 15 : 0));
	/* Until Linux runs, the guest hardly does. */
	if (per_pp.stubborn) {
		per_pp.stubborn--;
		run_guest(g);
	}
	to_linux();
}

static void answer_seen(void)
{
	u64 rounds = 0;

	if (loopers[THIS_PP].vmid)
		rounds = get(loopers[THIS_PP].vsid, R(14, 15));
	set_word(RAX, per_pp.for_linux);
	set_word(RBX, per_pp.others + per_pp.failures);
	set_word(RCX, per_pp.others ? per_pp.first_other : per_pp.first_line);
	set_word(RDX, rounds >> 32 ? ~0U : rounds);
	per_pp.for_linux = 0;
}

/* --- a guest that the CPU refuses ------------------------------------------------------------- */

/* Those of which a refused entry might tell, or spoil, something: not what an exit reports. */
static int is_state(u64 r)
{
	if (amd)
		return r < 32 || (r > 35 && r != 42 && r != 44);
	return r < 92 || (r > 99 && (r < 131 || r > 136));
}

#define NR_REGS (amd ? 121 : 163)

static void remember(struct guest *g)
{
	for (u64 r = 1, i = 0; r < (u64)NR_REGS; r++) {
		u64 value = 0;

		if (is_state(r) && bf_read(0, g->vsid, r, &value) == 0)
			g->before[i++ & 127] ^= value * (r | 1);
	}
}

static int is_as_before(struct guest *g)
{
	u64 old[128];
	int same = 1;

	for (int i = 0; i < 128; i++) {
		old[i] = g->before[i];
		g->before[i] = 0;
	}
	remember(g);
	for (int i = 0; i < 128; i++) {
		if (g->before[i] != old[i]) {
			bf_debug_out((u64)i, g->before[i] ^ old[i]);
			same = 0;
		}
		g->before[i] = 0;
	}
	return same;
}

static void refused(u32 what)
{
	struct guest *g = &invalids[THIS_PP];

	if (!g->vmid)
		make_guest(g, cpuid_code, sizeof(cpuid_code));
	set_kind(g, PLAIN);
	g->kind = what;
	set(g->vsid, R(14, 15), 0x1515);
	set(g->vsid, R(99, 1), 0xAAAA);
	if (what == REFUSED_CONTROLS && amd)
		CHECK(bf_write(0, g->vsid, AMD_EVENTINJ, 0x80000730) == 0);
	else if (what == REFUSED_CONTROLS)
		set_control(g->vsid, INTEL_SECONDARY, 0x48B, 1 << 5);
	else if (amd)
		set(g->vsid, CR0, 0xA0000031); /* NW without CD */
	else
		set(g->vsid, RFLAGS, 0);
	remember(g);
	per_pp.refusals = 0;
	run_guest(g);
}

static void mend(struct guest *g)
{
	if (g->kind == REFUSED_CONTROLS && amd)
		CHECK(bf_write(0, g->vsid, AMD_EVENTINJ, 0) == 0);
	else if (g->kind == REFUSED_CONTROLS)
		CHECK(bf_write(0, g->vsid, INTEL_VPID, 7) == 0);
	else if (amd)
		set(g->vsid, CR0, 0x80000031);
	else
		set(g->vsid, RFLAGS, 2);
}

__attribute__((noreturn)) static void on_refused_exit(u64 reason)
{
	struct guest *g = per_pp.guest;
	u64 value;

	if (reason == (amd ? 0x60 : 1))
		to_linux(); /* which asks again */
	CHECK(THIS_VS == g->vsid && THIS_VP == g->vpid && THIS_VM == g->vmid);
	CHECK(word(RAX) == 0xAAAA && word(R15) == 0x1515);
	if (per_pp.refusals++ == 0) {
		CHECK(reason == (amd ? ~0UL : 0x80000021));
		CHECK(bf_read(0, g->vsid, amd ? 32 : INTEL_REASON, &value) == 0 && value == reason);
		/* Reading a register that the CPU lacks is an error of its own. */
		if (!amd && g->kind == REFUSED_CONTROLS)
			CHECK(bf_read(0, g->vsid, INTEL_ERROR, &value) == 0 && value == 7);
		CHECK(is_as_before(g));
		if (g->kind == REFUSED_TWICE)
			bf_run_current(0);
		mend(g);
		bf_run_current(0);
		bf_exit();
	}
	CHECK(reason == (amd ? 0x72 : 10));
	CHECK(get(g->vsid, RIP) == 0);
	answer_linux();
}

/* --- exits of Linux --------------------------------------------------------------------------- */

__attribute__((noreturn)) static void on_cpuid(u16 vs)
{
	u32 leaf = (u32)word(RAX), c = (u32)word(RCX), a, b, d;

	if (leaf == 0x400000FF && c == 0xBF000000) {
		set_word(RAX, 0);
		CHECK(bf_advance_ip_and_set_active(0, THIS_VM, THIS_VP, vs) == 0);
		bf_promote(0, vs);
		bf_exit();
	}
	if (leaf == LOOP)
		loop(c);
	if (leaf == REFUSED)
		refused(c);
	if (leaf == SEEN) {
		answer_seen();
	} else {
		__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(c));
		set_word(RAX, a);
		set_word(RBX, b);
		set_word(RCX, leaf == 1 ? c & ~(1U << 5) : leaf == 0x80000001 ? c & ~(1U << 2) : c);
		set_word(RDX, d);
	}
	bf_advance_ip_and_run_current(0);
	bf_exit();
}

__attribute__((noreturn)) void on_vmexit(u16 vs, u64 reason)
{
	if (vs != per_pp.linux_vsid && per_pp.guest == &loopers[THIS_PP])
		on_loop_exit(reason);
	if (vs != per_pp.linux_vsid)
		on_refused_exit(reason);
	if (reason == (amd ? 0x72 : 10))
		on_cpuid(vs);
	bf_write_str("foreign: an exit that it knows nothing of\n", 42);
	bf_debug_out(reason, vs);
	bf_exit();
}

__attribute__((noreturn)) void on_bootstrap(u16 pp)
{
	u64 vp, vs;

	CHECK(bf_create_vp(0, 0, &vp) == 0);
	CHECK(bf_create_vs(0, (u16)vp, pp, &vs) == 0);
	CHECK(bf_init_as_root(0, (u16)vs) == 0);
	per_pp.linux_vpid = (u16)vp;
	per_pp.linux_vsid = (u16)vs;
	if (amd) {
		CHECK(bf_write(0, (u16)vs, AMD_ASID, 1) == 0);
		CHECK(bf_write(0, (u16)vs, AMD_INTERCEPT1, 1 << 18) == 0);
		CHECK(bf_write(0, (u16)vs, AMD_INTERCEPT2, 3) == 0);
	} else {
		CHECK(bf_write(0, (u16)vs, INTEL_VPID, vs + 1) == 0);
		set_intel((u16)vs, 0, 1UL << 28 | 1UL << 31, 1 << 3 | 1 << 5 | 1 << 12 | 1 << 20);
		CHECK(bf_write(0, (u16)vs, INTEL_BITMAP, bitmap_spa) == 0);
	}
	bf_run(0, 0, (u16)vp, (u16)vs);
	bf_exit();
}

__attribute__((noreturn)) void on_fail(void)
{
	bf_exit();
}

__attribute__((noreturn)) void on_start(u32 version)
{
	u32 a = 0, b, c = 0, d;
	u64 handle, va;

	(void)version;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	amd = b == 0x68747541 || b == 0x6F677948;
	CHECK(bf_open_handle(0x31236642, &handle) == 0);
	CHECK(bf_alloc_page(0, &va, &bitmap_spa) == 0);
	CHECK(bf_register_bootstrap(0, bootstrap_entry) == 0);
	CHECK(bf_register_vmexit(0, vmexit_entry) == 0);
	bf_wait();
}
