/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All memory of a hypervisor is allocated and recorded here, so that hiding it from Linux, mapping
 * it and freeing it are walks over one list.
 */
#ifndef BF_CORE_MEMORY_H
#define BF_CORE_MEMORY_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/types.h>

enum bf_memory_kind {
	BF_MEMORY_DATA, /* tables, lists, stacks: in the window */
	BF_MEMORY_POOL, /* handed to the microkernel, not zeroed: in the window */
	BF_MEMORY_HUGE, /* the same, in one piece */
	BF_MEMORY_IMAGE, /* code and data of images: mapped at its link address only */
	BF_MEMORY_KINDS
};

/* A block of pages from the operating system. */
struct bf_block {
	struct bf_block *next;
	uint8_t *va;
	uint64_t spa;
	uint64_t size;
	unsigned int order;
	enum bf_memory_kind kind;
	void (*unmap)(void *va); /* it is none of the system's memory: adopt.c; or NULL */
};

struct bf_memory {
	struct bf_block *first; /* in the order of their allocation */
	struct bf_block **end;
	struct bf_block *arena[BF_MEMORY_KINDS]; /* the block that small allocations are cut from */
	uint64_t arena_used[BF_MEMORY_KINDS]; /* bytes of it that are in use */
	uint64_t bytes; /* in all blocks */
	enum bf_error error; /* why the last allocation failed */
};

void bf_memory_init(struct bf_memory *memory);

/*
 * size bytes (rounded up to pages), zeroed, page aligned, physically contiguous. NULL: see
 * memory->error (NO_MEMORY, SPA_TOO_HIGH).
 */
void *bf_memory_alloc(struct bf_memory *memory, enum bf_memory_kind kind, uint64_t size,
		      uint64_t *spa);

/* size bytes or a little more of kind POOL in blocks of 2 MiB down to 64 KiB. */
enum bf_error bf_memory_fill_pool(struct bf_memory *memory, uint64_t size);

/* One block of at least size bytes, not zeroed. *region receives its address and rounded size. */
enum bf_error bf_memory_alloc_region(struct bf_memory *memory, enum bf_memory_kind kind,
				     uint64_t size, struct bf_region *region);

/* Gives the block at spa back, whose memory has not been put to use. */
void bf_memory_take_back(struct bf_memory *memory, uint64_t spa);

/* The unused rest of the block that DATA is cut from, until the next allocation. */
uint64_t bf_memory_arena_tail(const struct bf_memory *memory, uint64_t *spa);

uint32_t bf_memory_count(const struct bf_memory *memory);

/* Frees everything; *memory is as after bf_memory_init. */
void bf_memory_release(struct bf_memory *memory);

/* A zeroed block outside of any struct bf_memory: memory that is shared with Linux. */
enum bf_error bf_block_alloc(struct bf_block *block, uint64_t size);
void bf_block_free(struct bf_block *block); /* or unmaps it */

#endif
