// SPDX-License-Identifier: GPL-2.0-only
/* Blocks of pages, and small allocations from them: see memory.h. */
#include <abi/layout.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "memory.h"
#include "platform.h"

#define ORDER_2M 9
#define ORDER_128K 5
#define ORDER_64K 4

/* The blocks that small allocations are cut from: the preferred order, and the least one. */
static const struct {
	unsigned int best;
	unsigned int least;
} orders[BF_MEMORY_KINDS] = {
	[BF_MEMORY_DATA] = { ORDER_2M, ORDER_64K },
	[BF_MEMORY_IMAGE] = { ORDER_128K, 0 },
};

static uint64_t order_size(unsigned int order)
{
	return (uint64_t)BF_PAGE_SIZE << order;
}

/* The smallest order that holds size bytes; above BF_OS_MAX_ORDER for what nothing can hold. */
static unsigned int size_order(uint64_t size)
{
	unsigned int order = 0;

	while (order <= BF_OS_MAX_ORDER && order_size(order) < size)
		order++;
	return order;
}

static enum bf_error block_get(struct bf_block *block, unsigned int order)
{
	if (order > BF_OS_MAX_ORDER)
		return BF_ERR_NO_MEMORY;
	block->va = bf_os_alloc_pages(order, &block->spa);
	if (!block->va)
		return BF_ERR_NO_MEMORY;
	block->order = order;
	block->size = order_size(order);
	if (bsl_range_within(block->spa, block->size, 0, MK1_SPA_LIMIT))
		return BF_ERR_OK;
	bf_os_free_pages(block->va, order);
	block->va = NULL;
	return BF_ERR_SPA_TOO_HIGH;
}

void bf_memory_init(struct bf_memory *memory)
{
	*memory = (struct bf_memory){ 0 };
	memory->end = &memory->first;
}

/* A block of at least the order least and at most best, recorded; NULL: see memory->error. */
static struct bf_block *alloc_block(struct bf_memory *memory, enum bf_memory_kind kind,
				    unsigned int best, unsigned int least)
{
	struct bf_block *block = bf_os_alloc(sizeof(*block));
	unsigned int order = best;

	if (!block) {
		memory->error = BF_ERR_NO_MEMORY;
		return NULL;
	}
	memory->error = block_get(block, order);
	while (memory->error == BF_ERR_NO_MEMORY && order > least)
		memory->error = block_get(block, --order);
	if (memory->error) {
		bf_os_free(block);
		return NULL;
	}
	block->kind = kind;
	block->next = NULL;
	*memory->end = block;
	memory->end = &block->next;
	memory->bytes += block->size;
	return block;
}

void *bf_memory_alloc(struct bf_memory *memory, enum bf_memory_kind kind, uint64_t size,
		      uint64_t *spa)
{
	struct bf_block *block = memory->arena[kind];
	uint64_t offset = memory->arena_used[kind];
	unsigned int need = size_order(size);

	if (need > BF_OS_MAX_ORDER) {
		memory->error = BF_ERR_NO_MEMORY;
		return NULL;
	}
	size = (size + BF_PAGE_MASK) & ~(uint64_t)BF_PAGE_MASK;
	if (!block || block->size - offset < size) {
		unsigned int least = need > orders[kind].least ? need : orders[kind].least;
		unsigned int best = need > orders[kind].best ? need : orders[kind].best;

		block = alloc_block(memory, kind, best, least);
		if (!block)
			return NULL;
		offset = 0;
		memory->arena[kind] = block;
	}
	memory->arena_used[kind] = offset + size;
	*spa = block->spa + offset;
	bsl_memset(block->va + offset, 0, size);
	return block->va + offset;
}

enum bf_error bf_memory_fill_pool(struct bf_memory *memory, uint64_t size)
{
	while (size) {
		unsigned int best = size_order(size);
		const struct bf_block *block;

		if (best > ORDER_2M)
			best = ORDER_2M;
		if (best < ORDER_64K)
			best = ORDER_64K;
		block = alloc_block(memory, BF_MEMORY_POOL, best, ORDER_64K);
		if (!block)
			return memory->error;
		size -= block->size < size ? block->size : size;
	}
	return BF_ERR_OK;
}

enum bf_error bf_memory_alloc_region(struct bf_memory *memory, enum bf_memory_kind kind,
				     uint64_t size, struct bf_region *region)
{
	unsigned int order = size_order(size);
	const struct bf_block *block = alloc_block(memory, kind, order, order);

	if (!block)
		return memory->error;
	region->spa = block->spa;
	region->size = block->size;
	return BF_ERR_OK;
}

void bf_memory_take_back(struct bf_memory *memory, uint64_t spa)
{
	struct bf_block **at = &memory->first;
	struct bf_block *block;

	while ((*at)->spa != spa)
		at = &(*at)->next;
	block = *at;
	*at = block->next;
	if (!*at)
		memory->end = at;
	memory->bytes -= block->size;
	bf_os_free_pages(block->va, block->order);
	bf_os_free(block);
}

uint64_t bf_memory_arena_tail(const struct bf_memory *memory, uint64_t *spa)
{
	const struct bf_block *block = memory->arena[BF_MEMORY_DATA];

	if (!block)
		return 0;
	*spa = block->spa + memory->arena_used[BF_MEMORY_DATA];
	return block->size - memory->arena_used[BF_MEMORY_DATA];
}

uint32_t bf_memory_count(const struct bf_memory *memory)
{
	const struct bf_block *block;
	uint32_t count = 0;

	for (block = memory->first; block; block = block->next)
		count++;
	return count;
}

void bf_memory_release(struct bf_memory *memory)
{
	struct bf_block *block = memory->first;

	while (block) {
		struct bf_block *next = block->next;

		bf_os_free_pages(block->va, block->order);
		bf_os_free(block);
		block = next;
	}
	bf_memory_init(memory);
}

enum bf_error bf_block_alloc(struct bf_block *block, uint64_t size)
{
	enum bf_error error;

	*block = (struct bf_block){ 0 };
	error = block_get(block, size_order(size));
	if (!error)
		bsl_memset(block->va, 0, block->size);
	return error;
}

void bf_block_free(struct bf_block *block)
{
	if (block->va && block->unmap)
		block->unmap(block->va);
	else if (block->va)
		bf_os_free_pages(block->va, block->order);
	*block = (struct bf_block){ 0 };
}
