// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which makes random system calls of Mk#1 and Mk#2: some in _start and in
 * each bootstrap, and a batch in every exit of a CPUID with EAX = FUZZ_LEAF and ECX = BATCH. The
 * seed is written into the image after the word FUZZ-SEED, in eight digits, by
 * test/kselftest/syscalls.sh.
 *
 * After each call: the status is one of the call's (abi/mk1.h, abi/mk2.h), what is no output has
 * kept its value, and outputs have too if it failed. MEASURE counts what the pools hold, and
 * compares with the first time; before that, CLEAN on every CPU gives back all that there is.
 *
 * Left out is what ends a callback, and what an extension must not do to Linux: see is_harmful.
 */
#include <abi/layout.h>
#include <abi/mk1_msrs.h>
#include <abi/mk2.h>
#include <ext/libext/mk2_sys.h>

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/pools.h"
#include "test/ext/lib/verify.h"

#define FUZZ_LEAF 0x4000F022
#define FUZZ_BATCH 0 /* EAX of the answer: calls made */
#define FUZZ_CLEAN 1
#define FUZZ_MEASURE 2

#define BATCH 50 /* on CPUs that a busy host shares out, these can take a second */
#define CALLS_AT_START 4000
#define CALLS_AT_BOOTSTRAP 200
#define MAX_REPORTS 8 /* the first calls that went wrong */

#define MAX_PPS 8
#define MAX_OBJECTS 1024
#define MAX_PAGES 65536
#define PRIVATE_PAGES 8
#define OWN_VSS 8
#define MAX_VIEWED 0x1000000 /* in views, which keep their tables */
#define MAX_DIRTY 0x2000000 /* bytes, of which the bitmap takes 1 KiB */

/* The root VM's tables stay: this much of its direct map is used, and has them from MEASURE on. */
#define ROOT_DIRECT_SIZE 0x2000000
#define SIZE_2M 0x200000

#define FLAGS_TRIED \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_DF | RFLAGS_OF | \
	 RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

static const volatile char plan[] = "FUZZ-SEED:00000001";

/* --- the calls ------------------------------------------------------------------------------- */

/* What an argument is, by its name in abi/mk1.h and abi/mk2.h. */
enum kind {
	KIND_VALUE,
	KIND_HANDLE,
	KIND_VMID,
	KIND_VPID,
	KIND_VSID,
	KIND_PPID,
	KIND_REG,
	KIND_SPA,
	KIND_VA,
	KIND_BYTES,
	KIND_MSR,
	KIND_SPEC,
	KIND_CODE,
	KIND_TEXT,
	KIND_GPA,
	KIND_SIZE,
	KIND_FLAGS,
	KIND_GENERATION,
	KIND_VIEW,
	KIND_COUNT,
	NR_KINDS
};

static const char *const kind_names[NR_KINDS] = {
	[KIND_VALUE] = "value", [KIND_HANDLE] = "h",    [KIND_VMID] = "vmid",
	[KIND_VPID] = "vpid",   [KIND_VSID] = "vsid",   [KIND_PPID] = "ppid",
	[KIND_REG] = "reg",     [KIND_SPA] = "spa",     [KIND_VA] = "va",
	[KIND_BYTES] = "bytes", [KIND_MSR] = "msr",     [KIND_SPEC] = "spec_id",
	[KIND_CODE] = "fn",     [KIND_TEXT] = "str",    [KIND_GPA] = "gpa",
	[KIND_SIZE] = "size",   [KIND_FLAGS] = "flags", [KIND_GENERATION] = "generation",
	[KIND_VIEW] = "view",   [KIND_COUNT] = "count"
};

/* The tokens of a call's errors, and the status that each stands for. */
static const struct {
	const char *token;
	uint64_t status;
} error_names[] = {
	{ "UNKNOWN", MK1_FAILURE_UNKNOWN },
	{ "HANDLE", MK1_FAILURE_INVALID_HANDLE },
	{ "UNSUPPORTED", MK1_FAILURE_UNSUPPORTED },
	{ "DENIED", MK1_INVALID_PERM_DENIED },
	{ "REG0", MK1_INVALID_INPUT_REG(0) },
	{ "REG1", MK1_INVALID_INPUT_REG(1) },
	{ "REG2", MK1_INVALID_INPUT_REG(2) },
	{ "REG3", MK1_INVALID_INPUT_REG(3) },
	{ "REG4", MK1_INVALID_INPUT_REG(4) },
	{ "REG5", MK1_INVALID_INPUT_REG(5) },
	{ "NO_MEMORY", MK2_FAILURE_NO_MEMORY },
	{ "EXISTS", MK2_FAILURE_EXISTS },
	{ "LIST", MK2_FAILURE_LIST },
	{ "BUSY", MK2_FAILURE_BUSY },
	{ "ENDED", MK2_FAILURE_ENDED },
};
#define NR_ERROR_NAMES (sizeof(error_names) / sizeof(error_names[0]))

struct call {
	uint64_t rax;
	unsigned int inputs, outputs;
	const char *name, *arguments, *errors;
};

#define CALL1(op, idx, name, in, out, args, results, errors) \
	{ MK1_RAX(MK1_OP_##op, idx), in, out, #name, args, errors },
#define CALL2(op, idx, name, in, out, args, results, errors) \
	{ MK2_RAX(MK2_OP_##op, idx), in, out, #name, args, errors },
static const struct call calls[] = { MK1_SYSCALLS(CALL1) MK2_SYSCALLS(CALL2) };
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

enum call_number {
#define NUMBER(op, idx, name, in, out, args, results, errors) CALL_##name,
	MK1_SYSCALLS(NUMBER) MK2_SYSCALLS(NUMBER)
};

static bool is_mk2(const struct call *call)
{
	return call->rax >> 48 == MK2_MAGIC;
}

static uint64_t handle_of(const struct call *call)
{
	return is_mk2(call) ? MK2_HANDLE : MK1_HANDLE;
}

/* Whether the word that text begins with, up to end, is this one. */
static bool word_is(const char *text, char end, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return !*word && (*text == end || !*text);
}

static const char *next_word(const char *text)
{
	while (*text && *text != ' ')
		text++;
	return *text ? text + 1 : text;
}

static enum kind kind_of(const struct call *call, unsigned int argument)
{
	const char *text = call->arguments;

	while (argument--)
		text = next_word(text);
	for (unsigned int kind = 0; kind < NR_KINDS; kind++) {
		if (word_is(text, ':', kind_names[kind]))
			return (enum kind)kind;
	}
	return KIND_VALUE;
}

static bool may_answer(const struct call *call, uint64_t status)
{
	if (status == MK1_SUCCESS)
		return true;
	for (const char *text = call->errors; *text; text = next_word(text)) {
		for (unsigned int i = 0; i < NR_ERROR_NAMES; i++) {
			if (word_is(text, ' ', error_names[i].token) &&
			    status == error_names[i].status)
				return true;
		}
	}
	return false;
}

/* --- one call with all its registers ---------------------------------------------------------- */

enum { RDI, RSI, RDX, R10, R8, R9, RBX, RBP, R12, R13, R14, R15, NR_KEPT };

struct registers {
	uint64_t rax;
	uint64_t rflags;
	uint64_t kept[NR_KEPT]; /* the call keeps all of them but its outputs */
};

static void execute(struct registers *r)
{
	__asm__ volatile("push %%rbp\n\t"
			 "push %%rax\n\t"
			 "push 8(%%rax)\n\t"
			 "mov 16(%%rax), %%rdi\n\t"
			 "mov 24(%%rax), %%rsi\n\t"
			 "mov 32(%%rax), %%rdx\n\t"
			 "mov 40(%%rax), %%r10\n\t"
			 "mov 48(%%rax), %%r8\n\t"
			 "mov 56(%%rax), %%r9\n\t"
			 "mov 64(%%rax), %%rbx\n\t"
			 "mov 72(%%rax), %%rbp\n\t"
			 "mov 80(%%rax), %%r12\n\t"
			 "mov 88(%%rax), %%r13\n\t"
			 "mov 96(%%rax), %%r14\n\t"
			 "mov 104(%%rax), %%r15\n\t"
			 "mov (%%rax), %%rax\n\t"
			 "popfq\n\t"
			 "syscall\n\t"
			 "pushfq\n\t"
			 "xchg 8(%%rsp), %%rax\n\t"
			 "mov %%rdi, 16(%%rax)\n\t"
			 "mov %%rsi, 24(%%rax)\n\t"
			 "mov %%rdx, 32(%%rax)\n\t"
			 "mov %%r10, 40(%%rax)\n\t"
			 "mov %%r8, 48(%%rax)\n\t"
			 "mov %%r9, 56(%%rax)\n\t"
			 "mov %%rbx, 64(%%rax)\n\t"
			 "mov %%rbp, 72(%%rax)\n\t"
			 "mov %%r12, 80(%%rax)\n\t"
			 "mov %%r13, 88(%%rax)\n\t"
			 "mov %%r14, 96(%%rax)\n\t"
			 "mov %%r15, 104(%%rax)\n\t"
			 "pop 8(%%rax)\n\t"
			 "pop (%%rax)\n\t"
			 "pop %%rbp\n\t"
			 "push %1\n\t"
			 "popfq"
			 : "+a"(r)
			 : "i"(RFLAGS_FIXED)
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "cc", "memory");
}

/* --- state ----------------------------------------------------------------------------------- */

enum phase { IN_START, IN_BOOTSTRAP, IN_VMEXIT };

/*
 * One page of eight is given back by the PP that got it, and its content is therefore certain. All
 * others, and their addresses when they are given back, are everybody's.
 */
struct private_page {
	uint64_t va;
	uint64_t pattern;
};

static bool is_private(uint64_t va)
{
	return !(va >> BF_PAGE_SHIFT & 7);
}

static struct pp_state {
	uint64_t random;
	uint64_t calls;
	uint16_t root_vpid, root_vsid; /* valid from the first exit on */
	bool launched;
	struct private_page pages[PRIVATE_PAGES];
	uint16_t vss[OWN_VSS]; /* some of those that were created for it */
	/* Written to by calls: a list of registers, a bitmap, an area of XSAVE, or arguments. */
	struct mk2_list_entry list[MK2_ARGS_MAX / sizeof(struct mk2_list_entry) + 1];
} __attribute__((aligned(64))) pps[MAX_PPS];

/* Every address that was handed out and may have been given back since, by whichever PP. */
static uint64_t handed_out[MAX_PAGES];
static uint32_t nr_handed_out;

/* Printed by MEASURE, because what is printed at once is soon overwritten. */
static struct report {
	unsigned int ppid;
	uint64_t call;
	const char *name, *what;
	struct registers before, after;
} reports[MAX_REPORTS];
static uint32_t nr_reports;

static uint64_t pages_lost; /* a PP did not forget them in time: docs/failures.md */

struct measure {
	uint64_t vms, vps, vss, pages, huge_blocks, huge_largest;
};
static struct measure first_measure;
static bool measured;

static struct pp_state *this_pp(void)
{
	return &pps[mk1_tls_ppid()];
}

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = this_pp()->random += 0x9E3779B97F4A7C15;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t limit)
{
	return next_random() % limit;
}

static void check(bool ok, const char *what, const char *name, const struct registers *before,
		  const struct registers *after)
{
	uint32_t n;

	__atomic_add_fetch(ok ? &verify_passed : &verify_failed, 1, __ATOMIC_RELAXED);
	if (ok)
		return;
	n = __atomic_fetch_add(&nr_reports, 1, __ATOMIC_RELAXED);
	if (n < MAX_REPORTS)
		reports[n] = (struct report){ mk1_tls_ppid(), this_pp()->calls, name,
					      what,           *before,          *after };
}

static void expect(bool ok, const char *what)
{
	static const struct registers none;

	check(ok, what, "no single call", &none, &none);
}

#define EXPECT(condition) expect(condition, #condition)

static void print_reports(void)
{
	for (uint32_t i = 0; i < nr_reports && i < MAX_REPORTS; i++) {
		const struct report *r = &reports[i];

		ext_print("fuzz: PP %u, call %llu, %s: %s\n", r->ppid, (unsigned long long)r->call,
			  r->name, r->what);
		if (!r->before.rax)
			continue;
		ext_print("fuzz:   rax 0x%llx -> 0x%llx, flags 0x%llx -> 0x%llx\n",
			  (unsigned long long)r->before.rax, (unsigned long long)r->after.rax,
			  (unsigned long long)r->before.rflags,
			  (unsigned long long)r->after.rflags);
		for (unsigned int reg = 0; reg < NR_KEPT; reg++)
			ext_print("fuzz:   0x%llx -> 0x%llx\n",
				  (unsigned long long)r->before.kept[reg],
				  (unsigned long long)r->after.kept[reg]);
	}
}

/* --- values ---------------------------------------------------------------------------------- */

static uint64_t an_address(void)
{
	uint32_t n = __atomic_load_n(&nr_handed_out, __ATOMIC_RELAXED);

	switch (below(8)) {
	case 0:
		return (uint64_t)&execute + below(64);
	case 1:
		return (uint64_t)__builtin_frame_address(0);
	case 2:
		return (uint64_t)plan;
	case 3:
		return MK1_DIRECT_MAP_BASE + (below(0x10000) << BF_PAGE_SHIFT);
	case 4: /* below 1 MiB, where Linux gives no pages away */
		return MK1_PAGE_POOL_BASE + (below(0x100) << BF_PAGE_SHIFT) + below(2);
	default:
		/* One of the last ones that were handed out. */
		return n ? handed_out[n - 1 - below(n < 64 ? n : 64)] : 0;
	}
}

static uint64_t any_value(void)
{
	static const uint64_t corners[] = { 0,
					    1,
					    0xFFFF,
					    0xFFFFFFFF,
					    0x7FFFFFFFFFFF,
					    0x800000000000,
					    0xFFFF800000000000,
					    0x8000000000000000,
					    UINT64_MAX,
					    UINT64_MAX - 0xFFF,
					    MK1_SPA_LIMIT,
					    MK1_DIRECT_MAP_BASE + MK1_DIRECT_MAP_SIZE,
					    MK1_PAGE_POOL_BASE + MK1_SPA_LIMIT,
					    MK1_EXT_CODE_BASE - 1,
					    MK1_EXT_STACK_BASE,
					    MK1_EXT_TLS_BASE,
					    BF_WINDOW_BASE,
					    BF_MK_BASE,
					    BF_PP_DATA };

	switch (below(6)) {
	case 0:
		return below(20);
	case 1:
		return corners[below(sizeof(corners) / sizeof(corners[0]))];
	case 2:
		return next_random() & (MK1_SPA_LIMIT - 1) & ~(uint64_t)BF_PAGE_MASK;
	case 3:
		return an_address();
	case 4:
		return (uint64_t)1 << below(64);
	default:
		return next_random();
	}
}

static uint64_t an_id(uint64_t active, uint64_t few, uint64_t many)
{
	uint64_t id;

	switch (below(8)) {
	case 0:
		id = below(many);
		break;
	case 1:
		id = MK1_INVALID_ID;
		break;
	case 2:
		id = active;
		break;
	default:
		id = below(few);
		break;
	}
	/* What is above the low 16 bits does not count. */
	return below(4) ? id : id | next_random() << 16;
}

static uint64_t an_msr(void)
{
	static const uint64_t some[] = { 0x10,       0x1B,       0x3A,       0x174,      0x1D9,
					 0x200,      0x277,      0x2FF,      0x480,      0x493,
					 0x494,      0xDA0,      0xC0000080, 0xC0000082, 0xC0000100,
					 0xC0000102, 0xC0000104, 0xC0010114, 0xC0010117 };
	uint64_t msr = below(2) ? some[below(sizeof(some) / sizeof(some[0]))] :
				  (uint32_t)next_random();

	return below(4) ? msr : msr | next_random() << 32;
}

/* Few pages, so that calls meet each other's: some of each size. */
static uint64_t a_gpa(void)
{
	static const unsigned int shifts[] = { 12, 12, 21, 30 };

	return below(4) << shifts[below(4)];
}

static uint64_t a_size(void)
{
	static const unsigned int shifts[] = { 12, 12, 12, 21, 30 };

	return (1 + below(8)) << shifts[below(5)];
}

static uint64_t some_flags(void)
{
	static const uint64_t sizes[] = { MK2_NESTED_4K, MK2_NESTED_4K, MK2_NESTED_2M,
					  MK2_NESTED_1G };
	static const uint64_t types[] = { MK2_NESTED_WB, MK2_NESTED_WB, MK2_NESTED_UC,
					  MK2_NESTED_WT };

	return (MK2_NESTED_R | below(16)) | types[below(4)] | sizes[below(4)];
}

/* Entries for a list; in one of four, none that there is not. */
static void fill_list(void)
{
	struct mk2_list_entry *list = this_pp()->list;
	bool all_good = !below(4);

	for (unsigned int i = 0; i < MK2_LIST_MAX; i++) {
		list[i].reg = all_good ? below(16) : below(170);
		list[i].value = any_value();
	}
}

/* Its size is one of two: that of x87 and SSE, and what the CPU says, which is rarely met. */
static bool is_of_area(const struct call *call)
{
	return call == &calls[CALL_vs_xsave_read] || call == &calls[CALL_vs_xsave_write];
}

static uint64_t value_of(const struct call *call, enum kind kind)
{
	if (!below(6) && kind != KIND_HANDLE)
		return any_value();
	switch (kind) {
	case KIND_HANDLE:
		return below(40) ? handle_of(call) : any_value();
	case KIND_GPA:
		return a_gpa();
	case KIND_SIZE:
		if (call == &calls[CALL_ext_args] || call == &calls[CALL_ext_emit])
			return below(MK2_ARGS_MAX + 3);
		return is_of_area(call) ? (uint64_t)MK2_XSAVE_LEGACY << below(3) : a_size();
	case KIND_FLAGS:
		return some_flags();
	case KIND_GENERATION:
		return below(16);
	case KIND_VIEW:
		return below(MK2_VIEWS + 2);
	case KIND_COUNT:
		return below(MK2_LIST_MAX + 3);
	case KIND_VMID:
		return an_id(mk1_tls_vmid(), 20, 0x10000);
	case KIND_VPID:
		return an_id(mk1_tls_vpid(), 40, 0x10000);
	case KIND_VSID:
		if (below(2))
			return this_pp()->vss[below(OWN_VSS)];
		return an_id(mk1_tls_vsid(), 40, 0x10000);
	case KIND_PPID:
		return an_id(mk1_tls_ppid(), MAX_PPS, 0x10000);
	case KIND_REG:
		return below(170);
	case KIND_SPA:
		return below(ROOT_DIRECT_SIZE * 2) & ~(uint64_t)BF_PAGE_MASK;
	case KIND_VA:
		if (is_mk2(call) && below(4))
			return (uint64_t)this_pp()->list + (below(16) ? 0 : below(16));
		return an_address();
	case KIND_TEXT:
		return an_address();
	case KIND_BYTES:
		return ((uint64_t)BF_PAGE_SIZE << below(12)) - below(3);
	case KIND_MSR:
		return an_msr();
	case KIND_SPEC:
		return below(2) ? MK1_SPEC_ID : MK2_SPEC_ID;
	case KIND_CODE:
		return MK1_EXT_CODE_BASE + below(0x10000);
	default:
		return any_value();
	}
}

/* --- what is not done ------------------------------------------------------------------------ */

static bool is_root_vs(uint64_t vsid)
{
	for (unsigned int i = 0; i < MAX_PPS; i++) {
		if (pps[i].launched && pps[i].root_vsid == (uint16_t)vsid)
			return true;
	}
	return false;
}

/* The three ids name objects that may be there, so that the call might succeed. */
static bool may_name_vs(const uint64_t *reg)
{
	return (uint16_t)reg[1] < MAX_OBJECTS && (uint16_t)reg[2] < MAX_OBJECTS &&
	       (uint16_t)reg[3] < MAX_OBJECTS;
}

/* What wrmsr lets through is Linux's: its memory types, its number of the CPU. */
static bool is_written(uint64_t msr)
{
#define IS_R(number, first, last)
#define IS_RW(number, first, last) \
	|| ((uint32_t)(number) >= (first) && (uint32_t)(number) <= (last))
#define IS_WRITTEN(first, last, rights, what) IS_##rights(msr, first, last)
	return false MK1_MSRS(IS_WRITTEN);
}

/* A call would write to memory that is not there for it: of others, or of Linux. */
static bool is_others(uint64_t va)
{
	const struct pp_state *pp = this_pp();

	return va < (uint64_t)1 << 47 && !(va % 8) && va != (uint64_t)pp->list &&
	       va != (uint64_t)pp->list + 8;
}

/* The same of arguments, of any size and at any address: an odd one is no reason to refuse them. */
static bool are_others(uint64_t va, uint64_t size)
{
	uint64_t begin = (uint64_t)this_pp()->list, end = begin + sizeof(this_pp()->list);

	return va < (uint64_t)1 << 47 && size && size <= MK2_ARGS_MAX &&
	       (va < begin || va + size > end);
}

static bool may_be_given(uint64_t spa, uint64_t size)
{
	return size && size <= MK2_DONATION_MAX_BYTES && !((spa | size) & BF_PAGE_MASK);
}

/*
 * Ends a callback, changes Linux, or takes from it what it needs. Root VSs are destroyed by nobody
 * but their own PP, where they are active; another VS is active for a while only here.
 */
static bool is_harmful(enum call_number number, const uint64_t *reg, enum phase phase)
{
	bool handle_is_good = reg[0] == handle_of(&calls[number]);

	switch (number) {
	case CALL_control_exit:
	case CALL_control_wait:
	case CALL_control_again:
		return true;
	case CALL_handle_close_handle:
		return reg[0] == MK1_HANDLE || reg[0] == MK2_HANDLE;
	case CALL_vs_run_current:
	case CALL_vs_advance_ip_and_run_current:
		return handle_is_good;
	case CALL_callback_register_bootstrap:
	case CALL_callback_register_vmexit:
	case CALL_callback_register_fail:
		return handle_is_good && phase == IN_START;
	case CALL_vs_run:
	case CALL_vs_advance_ip_and_run:
		return handle_is_good && may_name_vs(reg);
	case CALL_vs_advance_ip_and_set_active:
		return handle_is_good && mk1_tls_vsid() != MK1_INVALID_ID && may_name_vs(reg);
	case CALL_vs_promote:
	case CALL_vs_write:
		return handle_is_good && is_root_vs(reg[1]);
	case CALL_vs_init_as_root:
		return handle_is_good && phase != IN_VMEXIT && (uint16_t)reg[1] < MAX_OBJECTS;
	case CALL_vs_destroy_vs:
		return handle_is_good && is_root_vs(reg[1]) && (uint16_t)reg[1] != mk1_tls_vsid();
	case CALL_vm_map_direct: /* the root VM's tables stay: see ROOT_DIRECT_SIZE */
		return handle_is_good && !(uint16_t)reg[1] && reg[2] >= ROOT_DIRECT_SIZE;
	case CALL_intrinsic_wrmsr:
		return handle_is_good && is_written(reg[1]);
	case CALL_vs_write_list:
		return handle_is_good && is_root_vs(reg[1]);
	case CALL_vs_read_list:
	case CALL_vs_xsave_read:
		return handle_is_good && is_others(reg[2]);
	case CALL_ext_args:
		return handle_is_good && are_others(reg[1], reg[2]);
	case CALL_vm_nested_dirty:
		return handle_is_good && (is_others(reg[4]) || reg[3] > MAX_DIRTY);
	case CALL_vs_view:
		return handle_is_good && reg[2] && is_root_vs(reg[1]);
	case CALL_vm_view_set: /* its tables stay */
	case CALL_vm_view_show:
		return handle_is_good && reg[2] >= MAX_VIEWED;
	case CALL_mem_donate:
		return handle_is_good && may_be_given(reg[1], reg[2]);
	case CALL_vm_own:
		return handle_is_good && may_be_given(reg[2], reg[3]);
	default:
		return false;
	}
}

/* --- calls ----------------------------------------------------------------------------------- */

static void hand_out(uint64_t va)
{
	uint32_t n = __atomic_fetch_add(&nr_handed_out, 1, __ATOMIC_RELAXED);

	handed_out[n % MAX_PAGES] = va;
}

static void free_handed_out(uint64_t va)
{
	/* Others may give the same back meanwhile; each is given back once. */
	if (mk1_mem_free_page(MK1_HANDLE, va) == MK1_FAILURE_UNKNOWN)
		__atomic_add_fetch(&pages_lost, 1, __ATOMIC_RELAXED);
	mk1_mem_free_huge(MK1_HANDLE, va);
}

/* A pool or a table is full: makes room, so that not every call from now on says the same. */
static void make_room(void)
{
	uint32_t n = __atomic_load_n(&nr_handed_out, __ATOMIC_RELAXED);

	for (unsigned int i = 0; n && i < 200; i++)
		free_handed_out(handed_out[below(n < MAX_PAGES ? n : MAX_PAGES)]);
	for (uint64_t id = 0; id < MAX_OBJECTS; id++) {
		if (!is_root_vs(id) && below(2))
			mk1_vs_destroy_vs(MK1_HANDLE, id);
	}
	for (uint64_t id = 0; id < MAX_OBJECTS; id++)
		mk1_vp_destroy_vp(MK1_HANDLE, id);
	for (uint64_t id = 0; id < 16; id++)
		mk1_vm_destroy_vm(MK1_HANDLE, id);
}

static void give_back_private_page(struct private_page *page)
{
	const uint64_t *word = (const uint64_t *)page->va;
	uint64_t status;
	bool same = true;

	for (unsigned int i = 0; i < BF_PAGE_SIZE / sizeof(*word); i++)
		same &= word[i] == page->pattern + i;
	status = mk1_mem_free_page(MK1_HANDLE, page->va);
	if (status == MK1_FAILURE_UNKNOWN)
		__atomic_add_fetch(&pages_lost, 1, __ATOMIC_RELAXED);
	EXPECT(status == MK1_SUCCESS || status == MK1_FAILURE_UNKNOWN);
	EXPECT(same);
	page->va = 0;
}

/* A fresh page that nobody else knows: it is empty, and is to stay as this PP leaves it. */
static void keep_private_page(uint64_t va)
{
	struct private_page *page = &this_pp()->pages[below(PRIVATE_PAGES)];
	uint64_t *word = (uint64_t *)va;
	bool empty = true;

	if (page->va)
		give_back_private_page(page);
	page->va = va;
	page->pattern = next_random();
	for (unsigned int i = 0; i < BF_PAGE_SIZE / sizeof(*word); i++) {
		empty &= !word[i];
		word[i] = page->pattern + i;
	}
	EXPECT(empty);
}

static void take_notice(enum call_number number, const struct registers *before,
			const struct registers *after)
{
	bool done = after->rax == MK1_SUCCESS;

	switch (number) {
	case CALL_mem_alloc_page:
	case CALL_mem_alloc_huge:
		if (done) {
			check(after->kept[RDI] == MK1_PAGE_POOL_BASE + after->kept[RSI],
			      "an address that does not go with its SPA", calls[number].name,
			      before, after);
			if (number == CALL_mem_alloc_page && is_private(after->kept[RDI]))
				keep_private_page(after->kept[RDI]);
			else
				hand_out(after->kept[RDI]);
		}
		break;
	case CALL_mem_free_page:
		if (after->rax == MK1_FAILURE_UNKNOWN)
			__atomic_add_fetch(&pages_lost, 1, __ATOMIC_RELAXED);
		break;
	case CALL_vs_create_vs:
		if (done && (uint16_t)before->kept[RDX] == mk1_tls_ppid())
			this_pp()->vss[below(OWN_VSS)] = (uint16_t)after->kept[RDI];
		break;
	case CALL_vm_map_direct:
		if (done)
			check(after->kept[RDI] == MK1_DIRECT_MAP_BASE + before->kept[RDX],
			      "an address that does not go with its SPA", calls[number].name,
			      before, after);
		break;
	default:
		break;
	}
	if ((after->rax == MK1_FAILURE_UNKNOWN || after->rax == MK2_FAILURE_NO_MEMORY) &&
	    !below(16))
		make_room();
}

/* Most ranges are to be mapped in pages of the size that the flags say. */
static void fit_range(uint64_t *reg)
{
	uint64_t page = (uint64_t)BF_PAGE_SIZE << 9 * (reg[5] / MK2_NESTED_2M & 3);

	reg[2] &= ~(page - 1);
	reg[3] &= ~(page - 1);
	reg[4] = page * (1 + reg[4] % 4);
}

static void choose(const struct call *call, enum call_number number, uint64_t *reg)
{
	for (unsigned int i = 0; i < NR_KEPT; i++)
		reg[i] = i < call->inputs ? value_of(call, kind_of(call, i)) : next_random();
	if (number == CALL_vm_nested_map && below(4))
		fit_range(reg);
	if (number == CALL_vs_read_list || number == CALL_vs_write_list)
		fill_list();
}

static void make_call(enum phase phase)
{
	enum call_number number = (enum call_number)below(NR_CALLS);
	const struct call *call = &calls[number];
	struct registers before, after;
	unsigned int written;
	bool has_output;

	/* Printing is slow, and the ring holds only so much. */
	if (number >= CALL_debug_out && number <= CALL_debug_dump_huge_pool && below(20))
		return;
	before.rax = call->rax;
	before.rflags = RFLAGS_FIXED | (next_random() & FLAGS_TRIED);
	choose(call, number, before.kept);
	if (is_harmful(number, before.kept, phase))
		return;
	after = before;
	execute(&after);
	this_pp()->calls++;
	check(may_answer(call, after.rax), "a status that it does not have", call->name, &before,
	      &after);
	if (after.rax != MK1_FAILURE_INVALID_HANDLE)
		check(number < CALL_callback_register_bootstrap ||
			      before.kept[RDI] == handle_of(call),
		      "a bad handle", call->name, &before, &after);
	has_output = after.rax == MK1_SUCCESS || after.rax == MK2_FAILURE_LIST;
	written = has_output ? call->outputs : 0;
	for (unsigned int i = written; i < NR_KEPT; i++)
		check(after.kept[i] == before.kept[i], "a register has changed", call->name,
		      &before, &after);
	/* QEMU's SYSCALL clears those that are kept by a CPU. */
	check(!(after.rflags & ~before.rflags & FLAGS_TRIED), "flags have changed", call->name,
	      &before, &after);
	take_notice(number, &before, &after);
}

/* No such call: a bad opcode, index, magic, or flags. */
static void make_bad_call(void)
{
	const struct call *call = &calls[below(NR_CALLS)];
	struct registers before, after;

	before.rax = call->rax;
	switch (below(4)) {
	case 0: /* bits of which neither Mk#1 nor Mk#2 has any */
		before.rax ^= (1 + below(0xF)) << 60;
		break;
	case 1:
		before.rax ^= (1 + below(0xFFFF)) << 32;
		break;
	case 2:
		before.rax = is_mk2(call) ? MK2_RAX(MK2_NR_OPS + below(0x10000 - MK2_NR_OPS), 0) :
					    MK1_RAX(MK1_NR_OPS + below(0x10000 - MK1_NR_OPS), 0);
		before.rax |= below(0x10000);
		break;
	default:
		before.rax &= ~(uint64_t)0xFFFF;
		before.rax |= 15 + below(0x10000 - 15);
		break;
	}
	before.rflags = RFLAGS_FIXED;
	for (unsigned int i = 0; i < NR_KEPT; i++)
		before.kept[i] = any_value();
	after = before;
	execute(&after);
	this_pp()->calls++;
	check(after.rax == MK1_FAILURE_UNSUPPORTED, "it is supported", "none", &before, &after);
	for (unsigned int i = 0; i < NR_KEPT; i++)
		check(after.kept[i] == before.kept[i], "a register has changed", "none", &before,
		      &after);
}

/* A register of Linux's VS gets the value that it has. */
static void rewrite_root(void)
{
	uint64_t vsid = this_pp()->root_vsid, reg = below(170), value, again;

	if (mk1_vs_read(MK1_HANDLE, vsid, reg, &value) != MK1_SUCCESS)
		return;
	/* Any write makes the CPU look at everything: the clean bits are 0 then. */
	if (mk1_vs_write(MK1_HANDLE, vsid, reg, value) == MK1_SUCCESS)
		EXPECT(mk1_vs_read(MK1_HANDLE, vsid, reg, &again) == MK1_SUCCESS &&
		       (again == value || reg == MK1_AMD_vmcb_clean_bits));
	this_pp()->calls += 3;
}

static void fuzz(uint64_t count, enum phase phase)
{
	uint64_t end = this_pp()->calls + count;

	while (this_pp()->calls < end) {
		switch (below(32)) {
		case 0:
			make_bad_call();
			break;
		case 1:
			if (phase == IN_VMEXIT)
				rewrite_root();
			break;
		default:
			make_call(phase);
			break;
		}
	}
}

/* A batch ends with Linux's VS active and as it was. */
static void batch(void)
{
	const struct pp_state *pp = this_pp();
	uint64_t gprs[BF_NR_GPRS];
	const volatile uint64_t *now;
	bool same = true;

	__asm__("mov %%fs:0, %0" : "=r"(now));
	now += MK1_TLS_GPRS / sizeof(*now);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		gprs[i] = now[i];
	fuzz(BATCH, IN_VMEXIT);
	EXPECT(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, pp->root_vpid, pp->root_vsid) ==
	       MK1_SUCCESS);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		same &= gprs[i] == now[i];
	EXPECT(same);
}

/* --- the pools ------------------------------------------------------------------------------- */

static void clean(void)
{
	struct pp_state *pp = this_pp();
	uint32_t n = __atomic_load_n(&nr_handed_out, __ATOMIC_RELAXED);

	EXPECT(n <= MAX_PAGES);
	for (uint32_t i = 0; i < n && i < MAX_PAGES; i++)
		free_handed_out(handed_out[i]);
	for (unsigned int i = 0; i < PRIVATE_PAGES; i++) {
		if (pp->pages[i].va)
			give_back_private_page(&pp->pages[i]);
	}
	for (uint64_t id = 0; id < MAX_OBJECTS; id++) {
		if (!is_root_vs(id))
			mk1_vs_destroy_vs(MK1_HANDLE, id);
	}
	for (uint64_t id = 0; id < MAX_OBJECTS; id++)
		mk1_vp_destroy_vp(MK1_HANDLE, id);
	for (uint64_t id = 0; id < 16; id++)
		mk1_vm_destroy_vm(MK1_HANDLE, id);
}

/* Tables and pages of views, which keep them. Not all pages are Linux's: one of 2 MiB will do. */
static void make_views(void)
{
	static uint8_t page[BF_PAGE_SIZE];
	uint64_t generation, shown = 0;

	for (uint64_t view = 1; view <= MK2_VIEWS; view++) {
		for (uint64_t gpa = 0; gpa < MAX_VIEWED; gpa += BF_PAGE_SIZE) {
			if (shown < MK2_VIEW_COPIES &&
			    mk2_vm_view_show(MK2_HANDLE, view, gpa, MK2_NESTED_RWX, (uint64_t)page,
					     &generation) == MK1_SUCCESS)
				shown++;
		}
		for (uint64_t gpa = 0; gpa < MAX_VIEWED; gpa += SIZE_2M) {
			for (uint64_t at = gpa; at < gpa + SIZE_2M; at += BF_PAGE_SIZE) {
				if (mk2_vm_view_set(MK2_HANDLE, view, at, BF_PAGE_SIZE,
						    MK2_NESTED_RWX, &generation) == MK1_SUCCESS)
					break;
			}
			(void)mk2_vm_view_clear(MK2_HANDLE, view, gpa, SIZE_2M, &generation);
		}
	}
}

/* Tables for what is mapped later, once and for all. */
static void make_tables(void)
{
	make_views();
	uint64_t va;

	for (uint64_t spa = 0; spa < ROOT_DIRECT_SIZE; spa += SIZE_2M) {
		for (uint64_t page = spa; page < spa + SIZE_2M; page += BF_PAGE_SIZE) {
			if (mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, page, &va) != MK1_SUCCESS)
				continue;
			EXPECT(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va) == MK1_SUCCESS);
			break;
		}
	}
	count_pages();
	largest_huge();
}

static void measure(void)
{
	struct measure m;

	if (!measured)
		make_tables();
	m.vms = count_vms();
	m.vps = count_vps(MK1_ROOT_VMID);
	m.vss = count_vss(mk1_tls_vpid());
	m.pages = count_pages();
	m.huge_blocks = count_huge_blocks();
	m.huge_largest = largest_huge();
	ext_print("fuzz: room for %llu VMs, %llu VPs, %llu VSs, %llu pages (%llu lost), "
		  "%llu huge blocks, the largest 0x%llx\n",
		  (unsigned long long)m.vms, (unsigned long long)m.vps, (unsigned long long)m.vss,
		  (unsigned long long)m.pages, (unsigned long long)pages_lost,
		  (unsigned long long)m.huge_blocks, (unsigned long long)m.huge_largest);
	if (!measured) {
		first_measure = m;
		measured = true;
		EXPECT(m.vms == 15 && m.vps && m.vss && m.pages && m.huge_blocks && m.huge_largest);
		return;
	}
	if (m.pages != first_measure.pages)
		ext_print("fuzz: %llu pages before\n", (unsigned long long)first_measure.pages);
	EXPECT(m.vms == first_measure.vms);
	EXPECT(m.vps == first_measure.vps);
	EXPECT(m.vss == first_measure.vss);
	EXPECT(m.pages + pages_lost == first_measure.pages);
	EXPECT(m.huge_blocks == first_measure.huge_blocks);
	EXPECT(m.huge_largest == first_measure.huge_largest);
}

/* --- hooks ----------------------------------------------------------------------------------- */

static void sow(uint64_t ppid)
{
	uint64_t seed = 0;

	for (unsigned int i = 10; i < 18; i++)
		seed = seed * 10 + (uint64_t)(plan[i] - '0');
	pps[ppid].random = seed << 8 | ppid;
}

static void open_handle(uint64_t spec, uint64_t handle)
{
	uint64_t opened = MK1_INVALID_HANDLE;

	mk1_handle_close_handle(handle); /* one of the calls may have opened it */
	EXPECT(mk1_handle_open_handle(spec, &opened) == MK1_SUCCESS);
	EXPECT(opened == handle);
}

/* No handle is open yet; that of Mk#1 is closed again for linux_start. */
static int in_start(uint64_t specs)
{
	(void)specs;
	sow(MK1_BOOTSTRAP_PPID);
	fuzz(CALLS_AT_START / 4, IN_START);
	open_handle(MK1_SPEC_ID, MK1_HANDLE);
	open_handle(MK2_SPEC_ID, MK2_HANDLE);
	fuzz(CALLS_AT_START, IN_START);
	clean();
	nr_handed_out = 0; /* what linux_start allocates is not to be given back */
	EXPECT(mk1_handle_close_handle(MK1_HANDLE) == MK1_SUCCESS);
	return 0;
}

static void in_bootstrap(uint64_t ppid)
{
	sow(ppid);
	fuzz(CALLS_AT_BOOTSTRAP, IN_BOOTSTRAP);
	clean();
}

/* Of a recall, which changes nothing of Linux. */
static bool is_interrupt(uint64_t reason)
{
	return linux_is_on_amd() ? (uint32_t)reason == SVM_EXIT_INTR :
				   reason == VMX_EXIT_EXTERNAL_INTERRUPT;
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	struct pp_state *pp = this_pp();

	if (!pp->launched) {
		pp->root_vsid = (uint16_t)vsid;
		pp->root_vpid = mk1_tls_vpid();
		pp->launched = true;
	}
	verify_answer();
	if (is_interrupt(reason)) {
		mk1_vs_run_current(MK1_HANDLE);
		ext_exit();
	}
	if ((uint32_t)mk1_rax() != FUZZ_LEAF)
		return;
	switch ((uint32_t)mk1_rcx()) {
	case FUZZ_BATCH:
		batch();
		break;
	case FUZZ_CLEAN:
		clean();
		break;
	case FUZZ_MEASURE:
		measure();
		print_reports();
		break;
	default:
		break;
	}
	mk1_set_rax(BATCH);
	mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
	ext_exit();
}

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	ext_print("fuzz: PP %u, call %llu: vector %u at 0x%llx\n", (unsigned int)mk1_tls_ppid(),
		  (unsigned long long)this_pp()->calls, (unsigned int)(uint32_t)error_and_vector,
		  (unsigned long long)address);
	ext_exit();
}

const struct ext_hooks ext_hooks = {
	.start = in_start,
	.bootstrap = in_bootstrap,
	.vmexit = in_vmexit,
	.fail = in_fail,
};
