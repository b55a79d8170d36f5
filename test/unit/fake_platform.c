// SPDX-License-Identifier: GPL-2.0-only
/* The operating system: memory, the CPUs that there are, and who runs. */
#include "fake_platform.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <abi/layout.h>
#include <bsl/bits.h>

#define MAX_BLOCKS 4096

struct fake fake;

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
	fake.nr_cpus = count;
	for (unsigned int i = 0; i < count; i++) {
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
	fake.free_memory = 256 << 20;
	next_spa = 0;
	fake_set_cpus(FAKE_CPUS);
	fake.here = &fake.cpus[0];
}

struct fake_cpu *fake_cpu(uint32_t number)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
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

void fake_stand_on(struct fake_cpu *cpu)
{
	fake.here = cpu;
	show_or_hide(cpu->guest);
}

bool fake_call_fails(void)
{
	return ++fake.calls == fake.fail_at;
}

/* --- the operating system --------------------------------------------------------------------- */

void *bf_os_alloc_pages(unsigned int order, uint64_t *spa)
{
	uint64_t size = (uint64_t)BF_PAGE_SIZE << order;
	unsigned int i;

	if (fake_call_fails() || order > fake.max_order)
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
	for (unsigned int i = 0; i < nr_blocks; i++)
		if (blocks[i].va && bsl_range_within(spa, 1, blocks[i].spa, blocks[i].size))
			return blocks[i].va + (spa - blocks[i].spa);
	ck_abort_msg("no memory at SPA 0x%lx", spa);
}

void *bf_os_map(uint64_t spa, uint64_t size)
{
	(void)size;
	if (fake_call_fails())
		return NULL;
	fake.mappings++;
	return bf_os_va(spa);
}

void bf_os_unmap(void *va)
{
	ck_assert_ptr_nonnull(va);
	fake.mappings--;
}

uint64_t bf_os_apic_id(uint32_t cpu)
{
	return FAKE_APIC_ID(cpu);
}

bool bf_os_cpu_of(uint64_t apic_id, uint32_t *cpu, bool *online)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		if (FAKE_APIC_ID(fake.cpus[i].number) != apic_id)
			continue;
		*cpu = fake.cpus[i].number;
		*online = fake.cpus[i].online;
		return true;
	}
	return false;
}

void *bf_os_alloc(size_t size)
{
	if (fake_call_fails())
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
	if (!fake_cpu(cpu)->guest && fake_call_fails())
		return BF_ERR_HOTPLUG;
	fake_stand_on(fake_cpu(cpu));
	fn(arg);
	fake_stand_on(before);
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

	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		if (everywhere.ended[i] || fake.cpus[i].late != late)
			continue;
		any = true;
		everywhere.turn = i;
		fake_stand_on(&fake.cpus[i]);
		ck_assert_int_eq(swapcontext(&everywhere.caller, &everywhere.on[i]), 0);
	}
	return any;
}

/* One after the other, as they come to it. */
static void run_without_lost(void (*fn)(void *arg, uint32_t cpu, uint32_t count), void *arg)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		if (!fake.cpus[i].online || fake.cpus[i].lost)
			continue;
		fake_stand_on(&fake.cpus[i]);
		fn(arg, fake.cpus[i].number, 1);
	}
}

enum bf_error bf_os_on_all(void (*fn)(void *arg, uint32_t cpu, uint32_t count), void *arg,
			   uint64_t patience_ns, uint32_t *stuck)
{
	struct fake_cpu *before = fake.here;

	ck_assert_uint_ge(patience_ns, 1000000000);
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		if (fake.cpus[i].silent && !fake.cpus[i].lost) {
			*stuck = fake.cpus[i].number;
			return BF_ERR_CPU_STUCK;
		}
	}
	if (fake.any_lost) {
		run_without_lost(fn, arg);
		fake_stand_on(before);
		return BF_ERR_OK;
	}
	if (fake.before_all)
		fake.before_all();
	everywhere.stacks = malloc(fake.nr_cpus * (size_t)STACK_SIZE);
	everywhere.fn = fn;
	everywhere.arg = arg;
	everywhere.count = 0;
	everywhere.active = true;
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
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
	if (fake.after_all)
		fake.after_all();
	fake_stand_on(before);
	return BF_ERR_OK;
}

void bf_os_lose_cpu(uint32_t cpu)
{
	fake_cpu(cpu)->lost = true;
	fake.any_lost = true;
}

void bf_os_hide_status(void)
{
	ck_assert(!fake.status_hidden);
	fake.status_hidden = true;
}

void bf_os_show_status(void)
{
	ck_assert(fake.status_hidden);
	fake.status_hidden = false;
}

/* Time passes for all CPUs together, at about 4 GHz. */
static uint64_t cycles;

void bf_hw_pause(void)
{
	cycles += 0x1000000;
	if (!everywhere.active) /* it waits for a CPU that is offline */
		return;
	ck_assert_int_eq(swapcontext(&everywhere.on[everywhere.turn], &everywhere.caller), 0);
}

uint64_t bf_hw_cycles(void)
{
	return cycles += ((uint64_t)1 << 30) / fake.nr_cpus;
}

void bf_os_mark_virt(enum bf_vendor vendor, bool in_use)
{
	ck_assert_int_eq(vendor, fake.here->vendor);
	ck_assert(!fake.here->guest || in_use);
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
	return fake.free_memory;
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

uint32_t bf_os_tsc_khz(void)
{
	return 4000000;
}

void bf_os_watch(struct bf_loader *loader)
{
	(void)loader;
	fake.watched = true;
}

void bf_os_send_nmi(uint32_t cpu)
{
	ck_assert_ptr_ne(fake_cpu(cpu), fake.here);
	fake_cpu(cpu)->nmis++;
}

static bool leaves_offline(struct fake_cpu *c)
{
	ck_assert_uint_eq(c->status->leaving, 1);
	if (c->behaviour == FAKE_STUCK)
		return false;
	c->status->state = BF_PP_BARE;
	return true;
}

static void is_bare(struct fake_cpu *c)
{
	c->guest = false;
	if (c->hides) {
		c->vendor = c->hides;
		c->hides = BF_VENDOR_NONE;
	}
}

static bool is_on_intel(const struct fake_cpu *c)
{
	return c->vendor == BF_VENDOR_INTEL || c->hides == BF_VENDOR_INTEL;
}

/* For guests that wait for it only: it would start a bare CPU. */
void bf_os_send_startup(uint64_t apic_id)
{
	struct fake_cpu *c;

	ck_assert(!fake.here->guest && !fake.here->hides);
	if (apic_id < FAKE_APIC_ID(0))
		return;
	c = fake_cpu((uint32_t)apic_id - FAKE_APIC_ID(0));
	ck_assert(!c->online && is_on_intel(c) && c->awaits_ipi);
	if (leaves_offline(c)) {
		c->awaits_ipi = false;
		is_bare(c);
	}
}

/* Of a CPU that the system is about to start: the microkernel has its guest wait. */
void bf_os_send_nmi_offline(uint64_t apic_id)
{
	struct fake_cpu *c = fake_cpu((uint32_t)apic_id - FAKE_APIC_ID(0));

	ck_assert(!c->online && c->guest && is_on_intel(c));
	c->wakes++;
	ck_assert_uint_eq(c->status->starting, 1);
	if (c->behaviour == FAKE_STUCK)
		return;
	c->status->starting = 0;
	c->status->awaits_ipi = 1;
}

/* On AMD it resets the CPU. On Intel a guest leaves by it, if it is to, and the next one does. */
void bf_os_send_init(uint64_t apic_id)
{
	struct fake_cpu *c;

	ck_assert(!fake.here->guest && !fake.here->hides);
	if (apic_id < FAKE_APIC_ID(0)) {
		fake.stranger_inits++;
		fake.stranger->state = BF_PP_BARE;
		return;
	}
	c = fake_cpu((uint32_t)apic_id - FAKE_APIC_ID(0));
	ck_assert(!c->online);
	c->inits++;
	if ((c->guest || c->hides) && is_on_intel(c) && (c->awaits_ipi || !leaves_offline(c)))
		return;
	is_bare(c);
}

void bf_os_pass_nmi(void)
{
	ck_assert(!fake.here->guest);
	fake.here->passed++;
}
