// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables under any sequence of mappings: each is there as a whole or was refused, nothing
 * that was mapped before changes, and nothing else appears. The model is a list of what was mapped.
 */
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "fuzz.h"

#define MAX_TABLES 600
#define MAX_RANGES 64
#define PAGE 0x1000ULL

struct range {
	uint64_t va;
	uint64_t spa;
	uint64_t size;
	uint64_t flags;
};

static _Alignas(4096) uint64_t memory[MAX_TABLES][BSL_PT_ENTRIES];
static size_t used, limit;

static uint64_t alloc(void *ctx)
{
	(void)ctx;
	if (used == limit)
		return BSL_NO_TABLE;
	memset(memory[used], 0, sizeof(memory[0]));
	return ++used * PAGE;
}

static uint64_t *at(void *ctx, uint64_t spa)
{
	(void)ctx;
	FUZZ_CHECK(spa && spa % PAGE == 0 && spa / PAGE <= used, "no table at 0x%llx",
		   (unsigned long long)spa);
	return memory[spa / PAGE - 1];
}

static bool overlap(const struct range *a, const struct range *b)
{
	return a->va - b->va < b->size || b->va - a->va < a->size;
}

static void expect(const struct bsl_tables *tables, uint64_t root, const struct range *r,
		   uint64_t offset)
{
	uint64_t entry = 0, page;
	unsigned int level = bsl_pt_walk(tables, root, r->va + offset, BSL_PTE_P, &entry);

	FUZZ_CHECK(level == 1 || level == 2, "0x%llx + 0x%llx is not mapped",
		   (unsigned long long)r->va, (unsigned long long)offset);
	page = bsl_align_down(entry & BSL_PTE_SPA, BSL_LEVEL_SIZE(level)) +
	       (r->va + offset) % BSL_LEVEL_SIZE(level);
	FUZZ_CHECK(page == r->spa + offset, "0x%llx is mapped to 0x%llx",
		   (unsigned long long)(r->va + offset), (unsigned long long)page);
	FUZZ_CHECK((entry & (BSL_PTE_W | BSL_PTE_U | BSL_PTE_NX)) == r->flags, "other rights");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t flags[] = { 0, BSL_PTE_W, BSL_PTE_U, BSL_PTE_NX };
	static const uint64_t bases[] = { 0,
					  0x328000000000,
					  0x7FFFFFE00000,
					  0xFFFF800000000000,
					  0xFFFFFFFFFFE00000,
					  0x00FFFFFFFFE00000 };
	struct range ranges[MAX_RANGES];
	struct fuzz_input in = { data, size };
	uint64_t options = fuzz_take(&in, 1);
	struct bsl_tables tables = { .alloc = alloc,
				     .at = at,
				     .branch = BSL_PTE_P | BSL_PTE_W | BSL_PTE_U,
				     .levels = options & 1 ? 5 : 4 };
	size_t nr = 0;
	uint64_t root;

	used = 0;
	limit = options & 2 ? MAX_TABLES : 16;
	root = alloc(NULL);
	while (in.left && nr < MAX_RANGES) {
		struct range *r = &ranges[nr];
		uint64_t shape = fuzz_take(&in, 1);
		enum bf_error error;
		bool clash = false;

		/* Mostly whole pages near each other; sometimes what no caller should give. */
		r->va = bases[shape % 6] + fuzz_take(&in, 2) * PAGE;
		r->spa = fuzz_take(&in, 2) * PAGE;
		r->size = (fuzz_take(&in, 2) % 1100 + 1) * PAGE;
		r->flags = flags[fuzz_take(&in, 1) % 4];
		if (shape & 0x80)
			r->va += fuzz_take(&in, 8);
		if (shape & 0x40)
			r->size ^= fuzz_take(&in, 8);
		if (shape & 0x20)
			r->spa ^= fuzz_take(&in, 8);
		error = bsl_pt_map_range(&tables, root, r->va, r->spa, r->size, r->flags);
		for (size_t i = 0; i < nr; i++)
			clash |= overlap(r, &ranges[i]);
		FUZZ_CHECK(error == BF_ERR_OK || error == BF_ERR_BAD_REQUEST ||
				   error == BF_ERR_NO_MEMORY,
			   "error %d", error);
		FUZZ_CHECK(error != BF_ERR_NO_MEMORY || used == limit, "there is memory");
		if (error == BF_ERR_NO_MEMORY)
			break;
		if (error == BF_ERR_OK) {
			FUZZ_CHECK(!clash, "mapped twice");
			FUZZ_CHECK(r->va % PAGE == 0 && r->spa % PAGE == 0 && r->size % PAGE == 0,
				   "no whole pages");
			expect(&tables, root, r, 0);
			expect(&tables, root, r, r->size / 2 / PAGE * PAGE);
			expect(&tables, root, r, r->size - PAGE);
			nr++;
		}
	}
	for (size_t i = 0; i < nr; i++) {
		expect(&tables, root, &ranges[i], 0);
		expect(&tables, root, &ranges[i], ranges[i].size - PAGE);
	}
	return 0;
}
