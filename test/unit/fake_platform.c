/* SPDX-License-Identifier: GPL-2.0-only */
#include "fake_platform.h"
#include "translate.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/layout.h>
#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#define MAX_BLOCKS 4096

struct fake fake;
const uint8_t bf_switch_code[BF_PAGE_SIZE] __attribute__((aligned(BF_PAGE_SIZE))) = { 0xF3, 0x0F };

static struct {
	uint8_t *va;
	uint64_t spa;
	uint64_t size;
	unsigned int order;
} blocks[MAX_BLOCKS];
static unsigned int nr_blocks; /* entries that have ever been in use */
static uint64_t next_spa;
static struct bf_handoff hidden;
static bool is_hidden;

void fake_set_cpus(unsigned int count)
{
	unsigned int i;

	fake.nr_cpus = count;
	for (i = 0; i < count; i++) {
		struct fake_cpu *cpu = &fake.cpus[i];

		cpu->number = 2 * i + 1; /* neither from 0 nor contiguous */
		cpu->online = true;
		cpu->vendor = BF_VENDOR_AMD;
		cpu->max_leaf = 0x21;
		cpu->cr0 = 0x80050033;
		cpu->cr3 = 0x1000;
		cpu->cr4 = 0x6F0;
		cpu->efer = 0xD01;
		cpu->feature_control = 5;
		cpu->vmx_procbased2 = 0xFFULL << 32;
	}
}

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	is_hidden = false;
	fake.max_order = BF_OS_MAX_ORDER;
	fake.spa_base = 0x100000;
	next_spa = 0;
	fake_set_cpus(FAKE_CPUS);
	fake.here = &fake.cpus[0];
}

struct fake_cpu *fake_cpu(uint32_t number)
{
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++)
		if (fake.cpus[i].number == number)
			return &fake.cpus[i];
	return NULL;
}

/* Where nested paging hides the hypervisor's memory, a guest reads zeros. */
static void show_or_hide(bool hide)
{
	struct bf_handoff *handoff = (struct bf_handoff *)(uintptr_t)fake.handoff;

	if (!handoff || hide == is_hidden)
		return;
	if (hide)
		hidden = *handoff;
	*handoff = hide ? (struct bf_handoff){ 0 } : hidden;
	is_hidden = hide;
}

void fake_show_handoff(void)
{
	show_or_hide(false);
}

static void stand_on(struct fake_cpu *cpu)
{
	fake.here = cpu;
	show_or_hide(cpu->guest);
}

static bool fails(void)
{
	return ++fake.calls == fake.fail_at;
}

/* --- the operating system --------------------------------------------------------------------- */

void *bf_os_alloc_pages(unsigned int order, uint64_t *spa)
{
	uint64_t size = (uint64_t)BF_PAGE_SIZE << order;
	unsigned int i;

	if (fails() || order > fake.max_order)
		return NULL;
	for (i = 0; i < nr_blocks && blocks[i].va; i++)
		;
	ck_assert_uint_lt(i, MAX_BLOCKS);
	if (i == nr_blocks)
		nr_blocks++;
	blocks[i].va = aligned_alloc(size, size);
	ck_assert_ptr_nonnull(blocks[i].va);
	memset(blocks[i].va, 0xA5, size);
	blocks[i].order = order;
	blocks[i].size = size;
	next_spa = (next_spa + size - 1) & ~(size - 1);
	blocks[i].spa = fake.spa_base + next_spa;
	/* A gap now and then, so that some blocks are neighbours and some are not. */
	next_spa += size + (i % 3 ? 0 : BF_PAGE_SIZE);
	fake.allocations++;
	*spa = blocks[i].spa;
	return blocks[i].va;
}

void bf_os_free_pages(void *va, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < nr_blocks && blocks[i].va != va; i++)
		;
	ck_assert_uint_lt(i, nr_blocks);
	ck_assert_uint_eq(blocks[i].order, order);
	if (fake.handoff && (uintptr_t)fake.handoff - (uintptr_t)va < blocks[i].size) {
		fake.handoff = NULL;
		is_hidden = false;
	}
	free(va);
	blocks[i].va = NULL;
	fake.allocations--;
}

void *bf_os_va(uint64_t spa)
{
	unsigned int i;

	for (i = 0; i < nr_blocks; i++)
		if (blocks[i].va && bsl_range_within(spa, 1, blocks[i].spa, blocks[i].size))
			return blocks[i].va + (spa - blocks[i].spa);
	ck_abort_msg("no memory at SPA 0x%lx", spa);
}

void *bf_os_alloc(size_t size)
{
	if (fails())
		return NULL;
	fake.allocations++;
	return calloc(1, size);
}

void bf_os_free(void *memory)
{
	if (memory)
		fake.allocations--;
	free(memory);
}

uint32_t bf_os_cpus(uint32_t *cpus, uint32_t max, uint32_t *online)
{
	uint32_t count = 0;
	unsigned int pass, i;

	*online = 0;
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < fake.nr_cpus; i++) {
			if (fake.cpus[i].online != (pass == 0))
				continue;
			if (count < max)
				cpus[count] = fake.cpus[i].number;
			count++;
		}
		if (!pass)
			*online = count;
	}
	return count;
}

enum bf_error bf_os_on_cpu(uint32_t cpu, void (*fn)(void *), void *arg)
{
	struct fake_cpu *before = fake.here;

	ck_assert_ptr_nonnull(fake_cpu(cpu));
	if (!fake_cpu(cpu)->online)
		return BF_ERR_HOTPLUG;
	/* Only a CPU that is no guest may fail to be reached: nobody could take it back then. */
	if (!fake_cpu(cpu)->guest && fails())
		return BF_ERR_HOTPLUG;
	stand_on(fake_cpu(cpu));
	fn(arg);
	stand_on(before);
	return BF_ERR_OK;
}

/*
 * --- all CPUs at once: each has a stack of its own, and they take turns where they wait ---------
 */

#define STACK_SIZE 0x40000

static struct {
	ucontext_t caller;
	ucontext_t on[FAKE_MAX_CPUS];
	bool ended[FAKE_MAX_CPUS];
	uint8_t *stacks;
	unsigned int turn;
	bool active;
	void (*fn)(void *arg, uint32_t cpu, uint32_t count);
	void *arg;
	uint32_t count;
	unsigned int rounds;
} everywhere;

static void run_on_turn(void)
{
	unsigned int i = everywhere.turn;

	everywhere.fn(everywhere.arg, fake.cpus[i].number, everywhere.count);
	everywhere.ended[i] = true;
}

#define LATE_ROUNDS 1000

/*
 * One turn of each CPU that has not ended; whoever is late only has one when all others have ended.
 */
static bool take_turns(bool late)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < fake.nr_cpus; i++) {
		if (everywhere.ended[i] || fake.cpus[i].late != late)
			continue;
		any = true;
		everywhere.turn = i;
		stand_on(&fake.cpus[i]);
		ck_assert_int_eq(swapcontext(&everywhere.caller, &everywhere.on[i]), 0);
	}
	return any;
}

void bf_os_on_all(void (*fn)(void *arg, uint32_t cpu, uint32_t count), void *arg)
{
	struct fake_cpu *before = fake.here;
	unsigned int i;

	if (fake.before_all)
		fake.before_all();
	everywhere.stacks = malloc(fake.nr_cpus * (size_t)STACK_SIZE);
	everywhere.fn = fn;
	everywhere.arg = arg;
	everywhere.count = 0;
	everywhere.active = true;
	for (i = 0; i < fake.nr_cpus; i++) {
		ucontext_t *on = &everywhere.on[i];

		everywhere.ended[i] = !fake.cpus[i].online;
		everywhere.count += fake.cpus[i].online;
		ck_assert_int_eq(getcontext(on), 0);
		on->uc_stack.ss_sp = everywhere.stacks + i * (size_t)STACK_SIZE;
		on->uc_stack.ss_size = STACK_SIZE;
		on->uc_link = &everywhere.caller;
		makecontext(on, run_on_turn, 0);
	}
	while (take_turns(false) || take_turns(true)) {
		/* Some wait without a bound. */
		if (++everywhere.rounds % LATE_ROUNDS == 0)
			take_turns(true);
	}
	everywhere.active = false;
	free(everywhere.stacks);
	stand_on(before);
}

/* Time passes for all CPUs together, at about 4 GHz. */
static uint64_t cycles;

void bf_hw_pause(void)
{
	ck_assert(everywhere.active);
	cycles += 0x1000000;
	ck_assert_int_eq(swapcontext(&everywhere.on[everywhere.turn], &everywhere.caller), 0);
}

uint64_t bf_hw_cycles(void)
{
	return cycles += ((uint64_t)1 << 30) / fake.nr_cpus;
}

void bf_os_mark_virt(enum bf_vendor vendor, bool in_use)
{
	ck_assert_int_eq(vendor, fake.here->vendor);
	ck_assert(!fake.here->guest);
	fake.here->marked = in_use;
}

void bf_os_ram(bool (*fn)(void *arg, uint64_t spa, uint64_t size), void *arg)
{
	if (fn(arg, 0x1000, 0x9EC00) && fn(arg, 0xA0010, 0x100) && fn(arg, 0x100000, 0x1FF00000))
		fn(arg, 0x40000000, 0x1000);
}

uint64_t bf_os_memory_end(void)
{
	return fake.memory_end;
}

uint64_t bf_os_free_memory(void)
{
	return 256 << 20;
}

bool bf_os_locked_down(void)
{
	return fake.locked_down;
}

uint64_t bf_os_now_ns(void)
{
	cycles += 4000;
	return cycles / 4;
}

void bf_os_send_nmi(uint32_t cpu)
{
	ck_assert_ptr_ne(fake_cpu(cpu), fake.here);
	fake_cpu(cpu)->nmis++;
}

void fake_set_msr(struct fake_cpu *cpu, uint32_t msr, uint64_t value)
{
	struct fake_msr *entry = cpu->msrs;

	while (entry->number && entry->number != msr)
		entry++;
	ck_assert_int_lt(entry - cpu->msrs, sizeof(cpu->msrs) / sizeof(cpu->msrs[0]));
	*entry = (struct fake_msr){ msr, value };
}

void fake_set_cpuid(struct fake_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t reg,
		    uint32_t bits)
{
	struct fake_cpuid *entry = cpu->cpuid;

	while (entry->bits)
		entry++;
	ck_assert_int_lt(entry - cpu->cpuid, sizeof(cpu->cpuid) / sizeof(cpu->cpuid[0]));
	*entry = (struct fake_cpuid){ leaf, subleaf, reg, bits };
}

static bool is_set(uint32_t msr, uint64_t *value)
{
	const struct fake_msr *entry = fake.here->msrs;

	for (; entry < fake.here->msrs + 8 && entry->number; entry++) {
		if (entry->number == msr) {
			*value = entry->value;
			return true;
		}
	}
	return false;
}

/* Of what abi/features.h reads, nothing is switched on. */
static bool is_feature(uint32_t msr)
{
#define IS_FEATURE(number, name, text, register_msr) || msr == (register_msr)
	return false BF_FEATURE_REGISTERS(IS_FEATURE);
}

bool bf_os_rdmsr(uint32_t msr, uint64_t *value)
{
	*value = 0;
	if (is_set(msr, value))
		return true;
	if (msr == MSR_FEATURE_CONTROL)
		*value = fake.here->feature_control;
	else if ((msr >= MSR_VMX_PINBASED_CTLS && msr <= MSR_VMX_ENTRY_CTLS) ||
		 (msr >= MSR_VMX_TRUE_PINBASED_CTLS && msr <= MSR_VMX_TRUE_ENTRY_CTLS))
		*value = 0xFFFFFFFFULL << 32;
	else if (msr == MSR_VMX_CR0_FIXED1 || msr == MSR_VMX_CR4_FIXED1)
		*value = ~0ULL;
	else if (msr == MSR_VMX_PROCBASED_CTLS2)
		*value = fake.here->vmx_procbased2;
	else if (msr == MSR_EFER)
		*value = fake.here->efer;
	else if (msr == MSR_VM_CR)
		*value = fake.here->vm_cr;
	else if (msr == MSR_DEBUGCTL)
		return false;
	else if (!is_feature(msr))
		*value = msr;
	return true;
}

bool bf_os_wrmsr(uint32_t msr, uint64_t value)
{
	if (!value) {
		ck_assert_uint_lt(fake.here->nr_stopped, 4);
		fake.here->stopped[fake.here->nr_stopped++] = msr;
		return true;
	}
	ck_assert_uint_eq(msr, MSR_FEATURE_CONTROL);
	if (fails())
		return false;
	fake.here->feature_control = value;
	return true;
}

bool bf_os_hypercall(enum bf_vendor vendor, uint64_t *rax)
{
	ck_assert_int_eq(vendor, fake.here->vendor);
	ck_assert_uint_eq(*rax, BF_HYPERCALL_STOP);
	if (!fake.here->guest) {
		*rax = (uint64_t)-1000; /* as KVM answers what it does not know */
		return fake.outer_answers;
	}
	if (fake.here->behaviour == FAKE_STUCK)
		return true;
	*rax = BF_HYPERCALL_STOPPED;
	fake.here->status->exits++;
	fake.here->guest = false;
	if (fake.here->status->state == BF_PP_FAILED)
		fake.here->status->fallback = 0;
	else
		fake.here->status->state = BF_PP_BARE;
	return true;
}

/* --- the machine ------------------------------------------------------------------------------ */

/*
 * An extension that loops: two NMIs and what the driver says in the status end it. false: the
 * watchdog is off, and in a real machine it would loop for ever.
 */
static bool loops_until_fetched(struct fake_cpu *cpu)
{
	cpu->nmis = 0;
	for (unsigned int i = 0; i < 3000; i++) {
		bf_hw_pause();
		if (cpu->nmis >= 2 && cpu->status->overdue == cpu->status->exits + 1)
			return true;
	}
	return false;
}

void bf_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	struct fake_cpu *cpu = fake.here;
	const struct fake_cpuid *entry;

	memset(regs, 0, 4 * sizeof(*regs));
	if (cpu->guest && cpu->behaviour != FAKE_NO_EXIT && cpu->behaviour != FAKE_SILENT) {
		cpu->status->exits++;
		if (leaf == MK1_CPUID_LEAF && subleaf == MK1_CPUID_STOP &&
		    cpu->behaviour == FAKE_WORKS && cpu->status->state == BF_PP_GUEST) {
			cpu->guest = false;
			cpu->status->state = BF_PP_BARE;
		}
		if (leaf == MK1_CPUID_LEAF && cpu->behaviour == FAKE_LOOPS_STOP &&
		    loops_until_fetched(cpu))
			fake_fail(cpu, BF_ERR_EXT_OVERDUE, BF_CALLBACK_VMEXIT);
	}
	if (leaf == 0)
		regs[0] = cpu->max_leaf;
	else if (leaf == 0x80000000)
		regs[0] = 0x80000000 + 0x1F;
	else if (leaf == 1)
		regs[2] = (cpu->vendor == BF_VENDOR_INTEL ? CPUID_1_ECX_VMX : 0) | cpu->leaf1_ecx |
			  (fake.outer[0][0] ? CPUID_1_ECX_HYPERVISOR : 0);
	else if (leaf >= 0x40000000 && leaf < 0x40000200 && fake.outer[leaf >> 8 & 1][0]) {
		if (leaf & 0xFF)
			regs[0] = fake.outer_features;
		else
			memcpy(&regs[1], fake.outer[leaf >> 8 & 1], 12);
	} else if (leaf == 7 && !subleaf) {
		regs[1] = cpu->leaf7_ebx;
		regs[2] = cpu->leaf7_ecx;
		regs[3] = cpu->leaf7_edx;
	} else if (leaf == 0xA) {
		regs[0] = cpu->leaf_a_eax;
	} else if (leaf == 0x80000001)
		regs[2] = cpu->vendor == BF_VENDOR_AMD ? 4 : 0;
	else if (leaf == 0x80000008)
		regs[1] = cpu->ext_ebx;
	else if (leaf == 0x8000000A)
		regs[3] = 1;
	else if (leaf == 0x8000001F) {
		regs[0] = 1;
		regs[1] = 47;
	}
	for (entry = cpu->cpuid; entry < cpu->cpuid + 10 && entry->bits; entry++)
		if (entry->leaf == leaf && entry->subleaf == subleaf)
			regs[entry->reg] |= entry->bits;
}

uint64_t bf_hw_cr0(void)
{
	return fake.here->cr0;
}

uint64_t bf_hw_cr3(void)
{
	return fake.here->cr3;
}

uint64_t bf_hw_cr4(void)
{
	return fake.here->cr4;
}

uint64_t bf_hw_xcr0(void)
{
	ck_assert(fake.here->cr4 & CR4_OSXSAVE);
	return fake.here->xcr0;
}

/* Null, ring-0 code, data, a 64-bit TSS (16 bytes, busy) with all address bits, an LDT, nothing. */
static const uint64_t gdt[] = { 0,
				0,
				0x00AF9B000000FFFF,
				0x00CF93000000FFFF,
				0x89008B345678206F,
				0x00000000FFFFFE12,
				0x0000820000000007,
				0,
				0x0000720000000FFF };
static uint64_t gdt_with_ldt[sizeof(gdt) / sizeof(gdt[0])];
static const uint64_t ldt[] = { 0x0040F31234567ABC };

void bf_hw_registers(struct bf_cpu_state *state)
{
	uint64_t base = (uint64_t)(uintptr_t)ldt;

	memcpy(gdt_with_ldt, gdt, sizeof(gdt));
	gdt_with_ldt[6] |= (base & 0xFFFFFF) << 16 | (base & 0xFF000000) << 32;
	gdt_with_ldt[7] = base >> 32;
	state->cr0 = bf_hw_cr0();
	state->cr3 = bf_hw_cr3();
	state->cr4 = bf_hw_cr4();
	state->gdtr.limit = sizeof(gdt) - 1;
	state->gdtr.base = (uint64_t)(uintptr_t)gdt_with_ldt;
	state->cs.selector = 0x10;
	state->ss.selector = 0x18;
	state->tr.selector = 0x20;
	state->ldtr.selector = 0x30;
	state->ds.selector = 0x7; /* the LDT's first */
	state->es.selector = 0xF; /* beyond the LDT */
	state->fs.selector = 0x40; /* not present */
	state->gs.selector = 0x48; /* beyond the GDT */
}

uint64_t bf_switch_enter(struct bf_switch_page *page, uint64_t cr3, uint64_t entry)
{
	struct fake_cpu *cpu = fake.here;

	fake_verify_aspace(page, cr3, entry);
	ck_assert(cpu->marked);
	cpu->entries++;
	if (cpu->behaviour == FAKE_FAILS_LAUNCH) {
		cpu->status->state = BF_PP_FAILED;
		cpu->status->error = BF_ERR_EXT_FAULT;
		cpu->status->detail = 14;
		return BF_ERR_EXT_FAULT;
	}
	if (cpu->behaviour == FAKE_LOOPS_LAUNCH && loops_until_fetched(cpu)) {
		cpu->status->state = BF_PP_FAILED;
		cpu->status->error = BF_ERR_EXT_OVERDUE;
		cpu->status->detail = BF_CALLBACK_BOOTSTRAP;
		return BF_ERR_EXT_OVERDUE;
	}
	cpu->guest = cpu->behaviour != FAKE_PROMOTES;
	if (cpu->guest && cpu->behaviour != FAKE_SILENT)
		cpu->status->state = BF_PP_GUEST;
	stand_on(cpu);
	return 0;
}

void bf_switch_leave(struct bf_switch_page *page)
{
	ck_abort_msg("left the page at %p", (void *)page);
}

void bf_switch_nmi(void)
{
	ck_abort_msg("NMI");
}

void fake_fail(struct fake_cpu *cpu, enum bf_error error, uint64_t detail)
{
	cpu->status->error = error;
	cpu->status->detail = detail;
	cpu->status->fallback = 1;
	cpu->status->state = BF_PP_FAILED;
}

/* --- what the microkernel relies on ----------------------------------------------------------- */

static uint64_t *see(void *ctx, uint64_t spa)
{
	(void)ctx;
	return bf_os_va(spa);
}

static struct bsl_tables view = { .at = see };

static const uint64_t *translate(uint64_t root, uint64_t va, uint64_t flags)
{
	uint64_t spa, is;

	view.levels = fake.here->cr4 & CR4_LA57 ? 5 : 4;
	ck_assert_msg(translate_va(&view, root, va, &spa, &is), "0x%lx is not mapped", va);
	ck_assert_uint_eq(is, flags);
	return bf_os_va(spa);
}

static void verify_unmapped(uint64_t root, uint64_t va)
{
	uint64_t spa, flags;

	ck_assert_msg(!translate_va(&view, root, va, &spa, &flags), "0x%lx is mapped", va);
}

static bool is_owned(const struct bf_handoff *handoff, uint64_t spa, uint64_t size)
{
	const struct bf_region *owned = bf_os_va(handoff->owned.spa);
	uint64_t i;

	for (i = 0; i < handoff->owned.count; i++)
		if (bsl_range_within(spa, size, owned[i].spa, owned[i].size))
			return true;
	return false;
}

/* No entry grants writing and executing or user access; all tables belong to us. */
static void verify_table(const struct bf_handoff *handoff, const uint64_t *table,
			 unsigned int level)
{
	unsigned int i;

	for (i = 0; i < BSL_PT_ENTRIES; i++) {
		uint64_t entry = table[i];

		if (!(entry & BSL_PTE_P))
			continue;
		ck_assert(!(entry & (BSL_PTE_U | 0x100)));
		if (level > 1 && !(entry & BSL_PTE_PS)) {
			ck_assert(is_owned(handoff, entry & BSL_PTE_SPA, BF_PAGE_SIZE));
			verify_table(handoff, bf_os_va(entry & BSL_PTE_SPA), level - 1);
		} else {
			ck_assert(!(entry & BSL_PTE_W) || (entry & BSL_PTE_NX));
		}
	}
}

static void verify_lists(uint64_t root, const struct bf_handoff *handoff)
{
	const uint64_t rw = BSL_PTE_W | BSL_PTE_NX;
	const struct bf_region *list = bf_os_va(handoff->owned.spa);
	uint64_t i;

	for (i = 0; i + 1 < handoff->owned.count; i++)
		ck_assert_uint_lt(list[i].spa + list[i].size, list[i + 1].spa);
	list = bf_os_va(handoff->page_pool.spa);
	ck_assert_uint_gt(handoff->page_pool.count, 0);
	for (i = 0; i < handoff->page_pool.count; i++) {
		ck_assert(is_owned(handoff, list[i].spa, list[i].size));
		translate(root, BF_WINDOW_BASE + list[i].spa, rw);
		translate(root, BF_WINDOW_BASE + list[i].spa + list[i].size - 1, rw);
	}
	ck_assert(is_owned(handoff, handoff->huge_pool.spa, handoff->huge_pool.size));
	translate(root, BF_WINDOW_BASE + handoff->huge_pool.spa, rw);
	ck_assert_uint_eq(handoff->ram.count, 3);
	list = bf_os_va(handoff->ram.spa);
	ck_assert_uint_eq(list[0].spa, 0x1000);
	ck_assert_uint_eq(list[0].size, 0x9E000);
	ck_assert_uint_eq(list[2].size, 0x1000);
	/* shared with Linux, so not owned */
	ck_assert(!is_owned(handoff, handoff->ring.spa, 1));
	ck_assert(!is_owned(handoff, handoff->status.spa, 1));
	translate(root, BF_WINDOW_BASE + handoff->ring.spa, rw);
	translate(root, BF_WINDOW_BASE + handoff->status.spa + handoff->status.size - 1, rw);
}

static void verify_area(uint64_t root, const struct bf_pp_handoff *pp)
{
	const uint64_t rw = BSL_PTE_W | BSL_PTE_NX;
	const uint64_t *pt = bf_os_va(pp->area_pt);
	unsigned int i;

	translate(root, BF_PP_DATA + BF_PP_DATA_PAGES * BF_PAGE_SIZE - 1, rw);
	verify_unmapped(root, BF_PP_DATA + BF_PP_DATA_PAGES * BF_PAGE_SIZE);
	verify_unmapped(root, BF_PP_STACK - 1);
	translate(root, BF_PP_STACK, rw);
	translate(root, BF_PP_STACK_TOP - 1, rw);
	verify_unmapped(root, BF_PP_STACK_TOP);
	for (i = 0; i < BF_PP_IST_COUNT; i++) {
		uint64_t stack = BF_PP_IST_BASE + i * (uint64_t)BF_PP_IST_STRIDE;

		verify_unmapped(root, stack - 1);
		translate(root, stack, rw);
		verify_unmapped(root, stack + BF_PAGE_SIZE);
	}
	verify_unmapped(root, BF_PP_ABI);
	verify_unmapped(root, BF_PP_TEMP);
	ck_assert(pt[bsl_pt_index(BF_PP_DATA, 1)] & BSL_PTE_P);
}

static void verify_switch(uint64_t root, const struct bf_switch_page *page)
{
	uint64_t handler = page->idt[4];
	const void *code;

	code = translate(root, (uint64_t)(uintptr_t)page, BSL_PTE_W | BSL_PTE_NX);
	ck_assert_ptr_eq(code, page);
	code = translate(root, (uint64_t)(uintptr_t)bf_switch_code, 0);
	ck_assert_ptr_ne(code, bf_switch_code);
	ck_assert_mem_eq(code, bf_switch_code, BF_PAGE_SIZE);
	handler = (handler & 0xFFFF) | ((handler >> 32) & 0xFFFF0000) | page->idt[5] << 32;
	ck_assert_uint_eq(handler, (uint64_t)(uintptr_t)bf_switch_nmi);
	ck_assert_uint_eq((page->idt[4] >> 16) & 0xFFFF, BF_SEL_KERNEL_CS);
	ck_assert_uint_eq((page->idt[4] >> 32) & 0xFFFF, 0x8E00);
	ck_assert_uint_eq(page->gdtr.base, (uint64_t)(uintptr_t)page->gdt);
	ck_assert_uint_eq(page->idtr.limit, 3 * 16 - 1);
}

void fake_verify_aspace(const struct bf_switch_page *page, uint64_t cr3, uint64_t entry)
{
	const uint64_t rw = BSL_PTE_W | BSL_PTE_NX;
	const struct bf_pp_handoff *pp = (const void *)translate(cr3, BF_PP_DATA, rw);
	const struct bf_handoff *handoff;
	const struct bf_image_page *pages;
	uint64_t i;

	ck_assert_uint_eq(pp->magic, BF_HANDOFF_MAGIC);
	ck_assert_uint_eq(pp->cpu, fake.here->number);
	ck_assert_uint_eq(pp->cr3, cr3);
	ck_assert_uint_eq(pp->switch_page, (uint64_t)(uintptr_t)page);
	ck_assert_uint_eq(pp->switch_leave, (uint64_t)(uintptr_t)bf_switch_leave);
	handoff = (const void *)translate(cr3, pp->handoff, rw);
	fake.handoff = handoff;
	ck_assert_uint_eq(handoff->magic, BF_HANDOFF_MAGIC);
	ck_assert_uint_eq(handoff->vendor, fake.here->vendor);
	ck_assert_uint_eq(handoff->nr_pps, fake.nr_cpus);
	fake.here->status = bf_os_va(handoff->status.spa + pp->ppid * (uint64_t)BF_PAGE_SIZE);
	ck_assert(is_owned(handoff, cr3, BF_PAGE_SIZE));
	/* Walking all tables of a thousand CPUs takes minutes. */
	if (pp->ppid >= FAKE_CPUS && pp->ppid + 1 < handoff->nr_pps)
		return;
	verify_table(handoff, bf_os_va(cr3), view.levels);
	verify_lists(cr3, handoff);
	verify_area(cr3, pp);
	verify_switch(cr3, page);
	ck_assert_uint_eq(*(const uint8_t *)translate(cr3, entry, 0), 0x90);
	for (i = 0; i < handoff->nr_exts; i++) {
		const struct bf_image *image = &handoff->exts[i];
		uint64_t n;

		verify_unmapped(cr3, image->entry);
		pages = bf_os_va(image->pages.spa);
		for (n = 0; n < image->pages.count; n++) {
			uint64_t spa = pages[n].spa & ~(uint64_t)BF_PAGE_MASK;

			ck_assert(is_owned(handoff, spa, BF_PAGE_SIZE));
			verify_unmapped(cr3, BF_WINDOW_BASE + spa);
		}
	}
}
