// SPDX-License-Identifier: GPL-2.0-only
#include "mem/guest_nested.h"

#include <bsl/bits.h>
#include <bsl/paging.h>

#include "mem/mem.h"
#include "mem/owner.h"
#include "mem/tlb.h"
#include "mk.h"
#include "vendor.h"

/* Entries are present if one of these is set: read, write, execute; present, write, user. */
#define PRESENT 0x7ULL

/*
 * Bits that both vendors' CPUs ignore. GONE without a right: a page that was unmapped and is the
 * VM's until a flush; with rights: a table with such pages in it, or below it.
 */
#define GONE BSL_BIT(11)
/* Of a leaf: its memory type as it was asked for, and MK2_NESTED_SHARED. */
#define TYPE_SHIFT 52
#define TYPE_WIDTH 2
#define SHARED BSL_BIT(54)

static unsigned int level_of(uint64_t flags)
{
	return 1 + (unsigned int)bsl_field_get(flags, 8, 2);
}

static uint64_t size_flag(unsigned int level)
{
	return (uint64_t)(level - 1) << 8;
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return entry && (level == 1 || (level < 4 && entry & BSL_PTE_PS));
}

static bool is_mapped(uint64_t entry, unsigned int level)
{
	return is_leaf(entry, level) && entry & PRESENT;
}

static uint64_t spa_of(uint64_t entry, unsigned int level)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): level is 1 to 5 */
	return entry & BSL_PTE_SPA & ~(BSL_LEVEL_SIZE(level) - 1);
}

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & BSL_PTE_SPA);
}

static struct bsl_tables tables_of_guests(void)
{
	return (struct bsl_tables){ .alloc = pool_table_alloc,
				    .at = pool_table_at,
				    .branch = PRESENT,
				    .levels = mk.nested_levels };
}

/*
 * The entry for gpa at the level, or above it one that is no table. Where nothing has ever been
 * mapped there is none.
 */
static uint64_t *lookup(const struct guest_nested *g, uint64_t gpa, unsigned int level,
			unsigned int *at)
{
	uint64_t table = g->root;
	uint64_t *entry;

	ASSERT_LOCKED(&g->lock);
	for (*at = mk.nested_levels;; (*at)--) {
		entry = (uint64_t *)phys_to_virt(table) + bsl_pt_index(gpa, *at);
		if (*at == level || !*entry || is_leaf(*entry, *at))
			return entry;
		table = *entry & BSL_PTE_SPA;
	}
}

static uint64_t rights(uint64_t flags)
{
	const struct guest_bits *b = mk.vendor->guest_bits;

	return b->always | (flags & MK2_NESTED_W ? b->write : 0) |
	       (flags & MK2_NESTED_X ? b->execute : b->no_execute);
}

static uint64_t flags_of(uint64_t entry, unsigned int level)
{
	const struct guest_bits *b = mk.vendor->guest_bits;
	bool executes = (entry & b->execute) == b->execute && !(entry & b->no_execute);

	return MK2_NESTED_R | (entry & b->write ? MK2_NESTED_W : 0) |
	       (executes ? MK2_NESTED_X : 0) | (entry & SHARED ? MK2_NESTED_SHARED : 0) |
	       bsl_field_get(entry, TYPE_SHIFT, TYPE_WIDTH) << 4 | size_flag(level) |
	       (entry & b->accessed ? MK2_NESTED_ACCESSED : 0) |
	       (entry & b->dirty ? MK2_NESTED_DIRTY : 0);
}

/* --- tables that come and go ------------------------------------------------------------------ */

/* false: no memory. */
static bool make_root(struct guest_nested *g)
{
	uint64_t spa;

	ASSERT_LOCKED(&g->lock);
	if (g->root)
		return true;
	spa = pool_alloc();
	if (spa == MK_NO_PAGE)
		return false;
	g->root = spa;
	return true;
}

/* Whether a table, of the level of its entries, has no leaf, nor one that is gone. */
static bool is_empty(const uint64_t *table, unsigned int level)
{
	bool empty = true;

	for (unsigned int i = 0; empty && i < BSL_PT_ENTRIES; i++)
		empty = !table[i] ||
			(!is_leaf(table[i], level) && is_empty(table_of(table[i]), level - 1));
	return empty;
}

/*
 * An empty table, and those below it. A CPU may still look into them: the link to the next one is
 * an entry without rights.
 */
static void unlink_table(struct guest_nested *g, uint64_t *table, unsigned int level)
{
	for (unsigned int i = 0; level > 1 && i < BSL_PT_ENTRIES; i++) {
		if (table[i])
			unlink_table(g, table_of(table[i]), level - 1);
	}
	__atomic_store_n(table, g->unlinked, __ATOMIC_RELAXED);
	g->unlinked = virt_to_phys(table);
}

static void free_unlinked(struct guest_nested *g)
{
	while (g->unlinked) {
		uint64_t spa = g->unlinked;

		g->unlinked = *(const uint64_t *)phys_to_virt(spa);
		pool_free(spa);
	}
}

static void free_tables(uint64_t *table, unsigned int level)
{
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		if (is_leaf(table[i], level))
			owner_remove(spa_of(table[i], level), level);
		else if (table[i])
			free_tables(table_of(table[i]), level - 1);
	}
	pool_free(virt_to_phys(table));
}

/* The pages that are gone from a table, behind a flush. */
static void release_gone(uint64_t *table, unsigned int level)
{
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		if (!(table[i] & GONE))
			continue;
		if (is_leaf(table[i], level)) {
			owner_remove(spa_of(table[i], level), level);
			table[i] = 0;
		} else {
			(void)__atomic_fetch_and(&table[i], ~GONE, __ATOMIC_RELAXED);
			release_gone(table_of(table[i]), level - 1);
		}
	}
}

void guest_nested_init(struct guest_nested *g, uint16_t vmid)
{
	g->lock.rank = LOCK_TABLES;
	g->vmid = vmid;
}

void guest_nested_open(struct guest_nested *g)
{
	g->open = true;
}

bool guest_nested_await(struct guest_nested *g, uint64_t generation, uint64_t *before)
{
	bool open;

	mk_lock(&g->lock);
	open = g->open;
	*before = g->awaited;
	g->awaited = generation;
	mk_unlock(&g->lock);
	return open;
}

/* Nobody runs in a VM that goes. */
static bool runs_nowhere(uint16_t vmid, uint32_t ppid)
{
	(void)vmid;
	(void)ppid;
	return false;
}

bool guest_nested_close(struct guest_nested *g)
{
	bool done;

	mk_lock(&g->lock);
	done = !g->attached || tlb_flush_guests(this_pp(), runs_nowhere, g->vmid);
	if (done) {
		free_unlinked(g);
		if (g->root)
			free_tables(phys_to_virt(g->root), mk.nested_levels);
		g->root = 0;
		g->open = false;
		g->attached = false;
		g->changed = 0;
		g->flushed = 0;
	}
	mk_unlock(&g->lock);
	return done;
}

uint64_t guest_nested_attach(struct guest_nested *g, uint64_t *root)
{
	uint64_t status = MK1_SUCCESS;

	mk_lock(&g->lock);
	if (!g->open)
		status = MK1_INVALID_INPUT_REG(1);
	else if (!make_root(g))
		status = MK2_FAILURE_NO_MEMORY;
	else
		g->attached = true;
	*root = g->root;
	mk_unlock(&g->lock);
	return status;
}

/* --- map -------------------------------------------------------------------------------------- */

/* Whether a PP may still find what has been hidden for the VM. */
static bool awaits(struct guest_nested *g)
{
	if (g->awaited && tlb_have_seen(g->awaited))
		g->awaited = 0;
	return g->awaited;
}

static uint64_t count_mapping(struct guest_nested *g, uint64_t spa, unsigned int level, bool shared)
{
	uint64_t status = owner_add(spa, level, g->vmid, shared);

	if (status == MK1_SUCCESS && awaits(g) && owner_has_taken(spa, BSL_LEVEL_SIZE(level))) {
		owner_remove(spa, level);
		status = MK2_FAILURE_BUSY;
	}
	return status;
}

/* Everything about one page of a map that can fail. */
static uint64_t reserve(struct guest_nested *g, uint64_t gpa, uint64_t spa, uint64_t flags)
{
	const struct bsl_tables tables = tables_of_guests();
	unsigned int level = level_of(flags), at;
	const uint64_t *entry = lookup(g, gpa, level, &at);
	uint64_t attr;

	if (is_leaf(*entry, at) || (*entry && !is_empty(table_of(*entry), level - 1)))
		return MK2_FAILURE_EXISTS;
	if (!mk.vendor->guest_leaf(spa, BSL_LEVEL_SIZE(level), flags, &attr))
		return MK1_FAILURE_UNSUPPORTED;
	if (!bsl_pt_entry(&tables, g->root, gpa, level, true))
		return MK2_FAILURE_NO_MEMORY;
	return count_mapping(g, spa, level, flags & MK2_NESTED_SHARED);
}

static void enter_leaf(struct guest_nested *g, uint64_t gpa, uint64_t spa, uint64_t flags)
{
	unsigned int level = level_of(flags), at;
	uint64_t *entry = lookup(g, gpa, level, &at);
	uint64_t old = *entry, attr;

	(void)mk.vendor->guest_leaf(spa, BSL_LEVEL_SIZE(level), flags, &attr);
	attr |= rights(flags) | (flags & MK2_NESTED_SHARED ? SHARED : 0) |
		bsl_field_get(flags, 4, TYPE_WIDTH) << TYPE_SHIFT;
	__atomic_store_n(entry, spa | attr | (level > 1 ? BSL_PTE_PS : 0), __ATOMIC_RELEASE);
	if (old) {
		unlink_table(g, table_of(old), level - 1);
		g->changed++;
	}
}

/* What fails does so before any entry is written. */
static uint64_t map(struct guest_nested *g, uint64_t gpa, uint64_t spa, uint64_t size,
		    uint64_t flags)
{
	uint64_t step = BSL_LEVEL_SIZE(level_of(flags));
	uint64_t status = MK1_SUCCESS, done = 0;

	if (!g->open)
		return MK1_INVALID_INPUT_REG(1);
	if (!make_root(g))
		return MK2_FAILURE_NO_MEMORY;
	while (done < size) {
		status = reserve(g, gpa + done, spa + done, flags);
		if (status != MK1_SUCCESS)
			break;
		done += step;
	}
	if (status == MK1_SUCCESS) {
		for (uint64_t off = 0; off < size; off += step)
			enter_leaf(g, gpa + off, spa + off, flags);
		return MK1_SUCCESS;
	}
	while (done) {
		done -= step;
		owner_remove(spa + done, level_of(flags));
	}
	return status;
}

uint64_t guest_nested_map(struct guest_nested *g, uint64_t gpa, uint64_t spa, uint64_t size,
			  uint64_t flags)
{
	uint64_t status;

	if (!region_covers(&mk.handoff->ram, spa, size) ||
	    region_overlaps(&mk.handoff->owned, spa, size))
		return MK1_INVALID_PERM_DENIED;
	mk_lock(&g->lock);
	status = map(g, gpa, spa, size, flags);
	mk_unlock(&g->lock);
	return status;
}

/* --- what is mapped --------------------------------------------------------------------------- */

/* The part of a range that one entry spans: from gpa on, what remains of both. */
static uint64_t part_of(uint64_t gpa, uint64_t left, unsigned int level)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): level is 1 to 5 */
	uint64_t size = BSL_LEVEL_SIZE(level);
	uint64_t rest = size - (gpa & (size - 1));

	return rest < left ? rest : left;
}

/* Whether each leaf in the range lies in it as a whole. */
static bool is_whole(struct guest_nested *g, uint64_t gpa, uint64_t size)
{
	unsigned int level;
	bool whole = true;

	for (uint64_t off = 0; whole && off < size; off += part_of(gpa + off, size - off, level)) {
		const uint64_t *entry = lookup(g, gpa + off, 1, &level);

		whole = !is_mapped(*entry, level) ||
			part_of(gpa + off, size - off, level) == BSL_LEVEL_SIZE(level);
	}
	return whole;
}

/* What a call does with each leaf of its range; false: it was so already. */
typedef bool (*change_fn)(struct guest_nested *g, uint64_t gpa, uint64_t *entry, unsigned int level,
			  uint64_t arg);

static uint64_t change(struct guest_nested *g, uint64_t gpa, uint64_t size, change_fn fn,
		       uint64_t arg, uint64_t *generation)
{
	uint64_t status = MK1_INVALID_INPUT_REG(3);
	bool changed = false;
	unsigned int level;

	mk_lock(&g->lock);
	if (!g->root || is_whole(g, gpa, size)) {
		for (uint64_t off = 0; g->root && off < size;
		     off += part_of(gpa + off, size - off, level)) {
			uint64_t *entry = lookup(g, gpa + off, 1, &level);

			if (is_mapped(*entry, level))
				changed |= fn(g, gpa + off, entry, level, arg);
		}
		g->changed += changed;
		*generation = g->changed;
		status = MK1_SUCCESS;
	}
	mk_unlock(&g->lock);
	return status;
}

static bool unmap_leaf(struct guest_nested *g, uint64_t gpa, uint64_t *entry, unsigned int level,
		       uint64_t arg)
{
	uint64_t table = g->root;

	(void)arg;
	__atomic_store_n(entry,
			 (*entry & (level > 1 ? BSL_PTE_PS : 0)) | spa_of(*entry, level) | GONE,
			 __ATOMIC_RELAXED);
	for (unsigned int l = mk.nested_levels; l > level; l--) {
		uint64_t *above = (uint64_t *)phys_to_virt(table) + bsl_pt_index(gpa, l);

		table = __atomic_or_fetch(above, GONE, __ATOMIC_RELAXED) & BSL_PTE_SPA;
	}
	return true;
}

uint64_t guest_nested_unmap(struct guest_nested *g, uint64_t gpa, uint64_t size,
			    uint64_t *generation)
{
	return change(g, gpa, size, unmap_leaf, 0, generation);
}

/* A CPU may set the accessed and the dirty bit at any time. */
static bool protect_leaf(struct guest_nested *g, uint64_t gpa, uint64_t *entry, unsigned int level,
			 uint64_t flags)
{
	const struct guest_bits *b = mk.vendor->guest_bits;
	uint64_t mask = b->always | b->write | b->execute | b->no_execute;
	uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);

	(void)g;
	(void)gpa;
	(void)level;
	while (!__atomic_compare_exchange_n(entry, &old, (old & ~mask) | rights(flags), false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return (old & mask) != rights(flags);
}

uint64_t guest_nested_protect(struct guest_nested *g, uint64_t gpa, uint64_t size, uint64_t flags,
			      uint64_t *generation)
{
	return change(g, gpa, size, protect_leaf, flags, generation);
}

uint64_t guest_nested_query(struct guest_nested *g, uint64_t gpa, uint64_t *spa, uint64_t *flags)
{
	uint64_t status = MK1_INVALID_INPUT_REG(2), entry = 0;
	unsigned int level = 0;

	mk_lock(&g->lock);
	if (g->root)
		entry = *lookup(g, gpa, 1, &level);
	if (is_mapped(entry, level)) {
		*spa = spa_of(entry, level);
		*flags = flags_of(entry, level);
		status = MK1_SUCCESS;
	}
	mk_unlock(&g->lock);
	return status;
}

bool guest_nested_walk(struct guest_nested *g, uint64_t gpa, uint64_t *spa)
{
	uint64_t page, flags;

	if (gpa >> MK2_NESTED_GPA_BITS || guest_nested_query(g, gpa, &page, &flags) != MK1_SUCCESS)
		return false;
	*spa = page | (gpa & (BSL_LEVEL_SIZE(level_of(flags)) - 1));
	return true;
}

/* --- dirty pages ------------------------------------------------------------------------------ */

struct bitmap {
	bool (*put)(uint64_t va, uint64_t word);
	uint64_t va; /* of the word that is being filled */
	uint64_t word;
	unsigned int bits; /* of it */
	bool ok;
};

static void put_word(struct bitmap *b)
{
	b->ok = b->put(b->va, b->word) && b->ok;
	b->va += sizeof(b->word);
	b->word = 0;
	b->bits = 0;
}

static void add_bits(struct bitmap *b, uint64_t pages, bool dirty)
{
	while (pages--) {
		b->word |= (uint64_t)dirty << b->bits++;
		if (b->bits == 64)
			put_word(b);
	}
}

/* Clears the dirty bit of a leaf; returns whether it was set. */
static bool take_dirty(uint64_t *entry)
{
	uint64_t dirty = mk.vendor->guest_bits->dirty;

	return __atomic_fetch_and(entry, ~dirty, __ATOMIC_RELAXED) & dirty;
}

static bool collect(struct guest_nested *g, uint64_t gpa, uint64_t size, struct bitmap *b)
{
	bool changed = false;
	unsigned int level;
	uint64_t part;

	for (uint64_t off = 0; off < size; off += part) {
		uint64_t *entry = lookup(g, gpa + off, 1, &level);
		bool dirty = is_mapped(*entry, level) && take_dirty(entry);

		part = part_of(gpa + off, size - off, level);
		add_bits(b, part >> BF_PAGE_SHIFT, dirty);
		changed |= dirty;
	}
	return changed;
}

uint64_t guest_nested_dirty(struct guest_nested *g, uint64_t gpa, uint64_t size,
			    bool (*put)(uint64_t va, uint64_t word), uint64_t va,
			    uint64_t *generation)
{
	struct bitmap b = { .put = put, .va = va, .ok = true };
	uint64_t status = MK1_INVALID_INPUT_REG(3);

	mk_lock(&g->lock);
	if (!g->root) {
		add_bits(&b, size >> BF_PAGE_SHIFT, false);
		status = MK1_SUCCESS;
	} else if (is_whole(g, gpa, size)) {
		g->changed += collect(g, gpa, size, &b);
		status = MK1_SUCCESS;
	}
	if (b.bits)
		put_word(&b);
	if (!b.ok)
		status = MK1_INVALID_INPUT_REG(4);
	if (status == MK1_SUCCESS)
		*generation = g->changed;
	mk_unlock(&g->lock);
	return status;
}

/* --- flush ------------------------------------------------------------------------------------ */

uint64_t guest_nested_flush(struct guest_nested *g, bool (*runs)(uint16_t vmid, uint32_t ppid),
			    uint64_t generation, uint64_t *flushed)
{
	uint64_t status = MK1_SUCCESS;

	mk_lock(&g->lock);
	if (generation > g->changed) {
		status = MK1_INVALID_INPUT_REG(2);
	} else if (generation > g->flushed) {
		if (g->attached && !tlb_flush_guests(this_pp(), runs, g->vmid)) {
			status = MK1_FAILURE_UNKNOWN;
		} else {
			release_gone(phys_to_virt(g->root), mk.nested_levels);
			free_unlinked(g);
			g->flushed = g->changed;
		}
	}
	if (status == MK1_SUCCESS)
		*flushed = g->flushed;
	mk_unlock(&g->lock);
	return status;
}
