// SPDX-License-Identifier: GPL-2.0-only
#include "mem/owner.h"

#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "lock.h"
#include "mem/mem.h"

/*
 * A tree like that of a page table, by physical address. An entry is 0, a record about all that it
 * spans, or a table with the number of entries in it that are not 0.
 */
#define IS_TABLE 0x1ULL
#define ONE_ENTRY (1ULL << 52)
#define ENTRIES(entry) ((entry) >> 52)

/*
 * A record: who, and how many mappings. What is shared has no VM. That it has been taken counts as
 * a mapping.
 */
#define IS_RECORD 0x2ULL
#define IS_SHARED 0x4ULL
#define IS_TAKEN 0x8ULL
#define VMID_SHIFT 8
#define WHO 0xFFFFFFULL
#define ONE_MAPPING (1ULL << 24)
#define MAPPINGS(entry) ((entry) >> 24)

#define TOP 5 /* the level of an entry that spans all addresses */

static struct mk_lock lock = MK_LOCK(LOCK_OWNERS);
static uint64_t top;
static bool closed; /* nobody is to have what has been taken */

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & BSL_PTE_SPA);
}

static uint64_t *child_of(uint64_t entry, unsigned int level, uint64_t spa)
{
	return &table_of(entry)[bsl_pt_index(spa, level - 1)];
}

/* Whether all of the entry may be who's. */
static bool allows(uint64_t entry, uint64_t who)
{
	bool allowed = true;

	if (!entry)
		return true;
	if (!(entry & IS_TABLE))
		return (entry & WHO & ~IS_TAKEN) == who && !(entry & IS_TAKEN && closed);
	for (unsigned int i = 0; allowed && i < BSL_PT_ENTRIES; i++)
		allowed = allows(table_of(entry)[i], who);
	return allowed;
}

/* The smallest entry that spans all of the page, or more. */
static uint64_t covering(uint64_t spa, unsigned int level)
{
	uint64_t entry = top;

	for (unsigned int l = TOP; l > level && entry & IS_TABLE; l--)
		entry = *child_of(entry, l, spa);
	return entry;
}

/* What was true of all of it is true of each part. */
static bool make_table(uint64_t *entry)
{
	uint64_t spa = pool_alloc();
	uint64_t *table;

	if (spa == MK_NO_PAGE)
		return false;
	table = phys_to_virt(spa);
	for (unsigned int i = 0; *entry && i < BSL_PT_ENTRIES; i++)
		table[i] = *entry;
	*entry = spa | IS_TABLE | (*entry ? BSL_PT_ENTRIES * ONE_ENTRY : 0);
	return true;
}

/* An entry in this table may have come or gone. */
static void count_entry(uint64_t *table, bool before, bool now)
{
	*table += now * ONE_ENTRY - before * ONE_ENTRY;
	if (!ENTRIES(*table)) {
		pool_free(*table & BSL_PTE_SPA);
		*table = 0;
	}
}

static void add_all(uint64_t *entry, uint64_t who)
{
	if (!(*entry & IS_TABLE)) {
		*entry = (*entry ? *entry : who) + ONE_MAPPING;
		return;
	}
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++)
		add_all(&table_of(*entry)[i], who);
	*entry = (*entry & (ONE_ENTRY - 1)) | BSL_PT_ENTRIES * ONE_ENTRY;
}

/* false: no memory. What runs out of it does so before anything is counted. */
static bool add(uint64_t *entry, unsigned int l, uint64_t spa, unsigned int level, uint64_t who)
{
	uint64_t *child;
	bool before, ok;

	if (l == level) {
		add_all(entry, who);
		return true;
	}
	if (!(*entry & IS_TABLE) && !make_table(entry))
		return false;
	child = child_of(*entry, l, spa);
	before = *child;
	ok = add(child, l - 1, spa, level, who);
	count_entry(entry, before, *child);
	return ok;
}

static void drop_all(uint64_t *entry)
{
	if (!(*entry & IS_TABLE)) {
		*entry -= ONE_MAPPING;
		if (!MAPPINGS(*entry))
			*entry = 0;
		return;
	}
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		uint64_t *child = &table_of(*entry)[i];

		drop_all(child);
		count_entry(entry, true, *child);
	}
}

static void drop(uint64_t *entry, unsigned int l, uint64_t spa, unsigned int level)
{
	uint64_t *child;

	if (l == level) {
		drop_all(entry);
		return;
	}
	child = child_of(*entry, l, spa);
	drop(child, l - 1, spa, level);
	count_entry(entry, true, *child);
}

uint64_t owner_add(uint64_t spa, unsigned int level, uint16_t vmid, bool shared)
{
	uint64_t who = IS_RECORD | (shared ? IS_SHARED : (uint64_t)vmid << VMID_SHIFT);
	uint64_t status = MK1_SUCCESS;

	mk_lock(&lock);
	if (!allows(covering(spa, level), who))
		status = MK1_INVALID_PERM_DENIED;
	else if (!add(&top, TOP, spa, level, who))
		status = MK2_FAILURE_NO_MEMORY;
	mk_unlock(&lock);
	return status;
}

void owner_remove(uint64_t spa, unsigned int level)
{
	mk_lock(&lock);
	drop(&top, TOP, spa, level);
	mk_unlock(&lock);
}

/* --- what has been taken ---------------------------------------------------------------------- */

static uint64_t who_is(uint16_t vmid)
{
	return IS_RECORD | (uint64_t)vmid << VMID_SHIFT;
}

/* The piece of [spa, spa + left) that is taken, and freed, at once: its level. */
static unsigned int level_at(uint64_t spa, uint64_t left)
{
	return bsl_is_aligned(spa, BSL_LEVEL_SIZE(2)) && left >= BSL_LEVEL_SIZE(2) ? 2 : 1;
}

/* Up to end, from where it has begun. */
static void free_pieces(uint64_t spa, uint64_t size, uint64_t end)
{
	unsigned int level;

	for (uint64_t off = 0; off < end; off += BSL_LEVEL_SIZE(level)) {
		level = level_at(spa + off, size - off);
		drop(&top, TOP, spa + off, level);
	}
}

static uint64_t take_piece(uint64_t spa, unsigned int level, uint64_t who)
{
	if (covering(spa, level))
		return MK1_INVALID_PERM_DENIED;
	return add(&top, TOP, spa, level, who) ? MK1_SUCCESS : MK2_FAILURE_NO_MEMORY;
}

uint64_t owner_take(uint64_t spa, uint64_t size, uint16_t vmid)
{
	uint64_t status = MK1_SUCCESS, off = 0;

	mk_lock(&lock);
	if (closed && vmid != MK1_INVALID_ID)
		status = MK1_INVALID_PERM_DENIED;
	while (status == MK1_SUCCESS && off < size) {
		unsigned int level = level_at(spa + off, size - off);

		status = take_piece(spa + off, level, who_is(vmid) | IS_TAKEN);
		if (status == MK1_SUCCESS)
			off += BSL_LEVEL_SIZE(level);
	}
	if (status != MK1_SUCCESS)
		free_pieces(spa, size, off);
	mk_unlock(&lock);
	return status;
}

void owner_free(uint64_t spa, uint64_t size)
{
	mk_lock(&lock);
	free_pieces(spa, size, size);
	mk_unlock(&lock);
}

/* The record or the gap that spa is in, and the address behind it. */
static uint64_t *find(uint64_t spa, uint64_t *next)
{
	unsigned int level = TOP;
	uint64_t *entry = &top;

	ASSERT_LOCKED(&lock);
	for (; *entry & IS_TABLE; level--)
		entry = child_of(*entry, level, spa);
	*next = bsl_align_down(spa, BSL_LEVEL_SIZE(level)) + BSL_LEVEL_SIZE(level);
	return entry;
}

/* No record is to lie on both sides of spa. false: no memory. */
static bool split_at(uint64_t spa)
{
	uint64_t *entry = &top;

	for (unsigned int level = TOP; *entry && !bsl_is_aligned(spa, BSL_LEVEL_SIZE(level));
	     level--) {
		if (!(*entry & IS_TABLE) && !make_table(entry))
			return false;
		entry = child_of(*entry, level, spa);
	}
	return true;
}

static uint64_t may_pass(uint64_t spa, uint64_t end, uint64_t from)
{
	uint64_t status = MK1_SUCCESS;

	for (uint64_t at = spa, next; at < end; at = next) {
		uint64_t entry = *find(at, &next);

		if ((entry & WHO) != (from | IS_TAKEN))
			return MK1_INVALID_PERM_DENIED;
		if (MAPPINGS(entry) > 1)
			status = MK2_FAILURE_BUSY;
	}
	return status;
}

uint64_t owner_pass(uint64_t spa, uint64_t size, uint16_t from, uint16_t to)
{
	uint64_t status, end = spa + size;

	mk_lock(&lock);
	status = may_pass(spa, end, who_is(from));
	if (status == MK1_SUCCESS && (!split_at(spa) || !split_at(end)))
		status = MK2_FAILURE_NO_MEMORY;
	for (uint64_t at = spa, next; status == MK1_SUCCESS && at < end; at = next) {
		uint64_t *entry = find(at, &next);

		*entry = (*entry & ~WHO) | who_is(to) | IS_TAKEN;
	}
	mk_unlock(&lock);
	return status;
}

bool owner_has_taken(uint64_t spa, uint64_t size)
{
	bool taken = false;

	mk_lock(&lock);
	for (uint64_t at = spa, next; !taken && at < spa + size; at = next)
		taken = *find(at, &next) & IS_TAKEN;
	mk_unlock(&lock);
	return taken;
}

bool owner_next(uint16_t vmid, uint64_t at, uint64_t *spa, uint64_t *size)
{
	const uint64_t who = who_is(vmid) | IS_TAKEN;
	uint64_t next;

	mk_lock(&lock);
	*size = 0;
	for (; at < BSL_LEVEL_SIZE(TOP); at = next) {
		bool found = (*find(at, &next) & WHO) == who;

		if (*size && !found)
			break;
		if (found && !*size)
			*spa = at;
		*size += found ? next - at : 0;
	}
	mk_unlock(&lock);
	return *size;
}

void owner_close(void)
{
	mk_lock(&lock);
	closed = true;
	mk_unlock(&lock);
}
