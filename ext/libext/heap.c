// SPDX-License-Identifier: MIT
/*
 * Blocks of up to SMALL bytes are kept by their size once they are free, to be had again at once.
 * All others are in one list, sorted by address, in which neighbours become one.
 */
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/libext/heap.h>
#include <ext/libext/libext.h>

#define PAGE 0x1000ULL
#define SMALL 1024ULL
#define GROWTH 0x10000ULL /* bytes taken from the huge pool at a time, at least */
#define LARGEST (1ULL << 40)

/* What precedes the bytes that the caller gets. */
struct block {
	uint64_t size; /* in bytes, with this header; a multiple of EXT_HEAP_ALIGN */
	struct block *next; /* of a free one; in_use() otherwise */
};

#define HEADER sizeof(struct block)
#define SMALLEST (2 * HEADER)

BF_STATIC_ASSERT(HEADER == EXT_HEAP_ALIGN, "blocks follow each other");

static struct bsl_spinlock lock;
static struct block *small[SMALL / EXT_HEAP_ALIGN + 1]; /* by size */
static struct block *sorted;

/*
 * Without an order: where the CPUs of an emulated machine are more than its host's, a PP that waits
 * for its turn would have to be running when it comes.
 */
static void lock_heap(void)
{
	while (!bsl_spin_trylock(&lock))
		__builtin_ia32_pause();
}

/* Marks a block as one that was given out; nothing lies there. */
static struct block *in_use(const struct block *b)
{
	return (struct block *)((uint64_t)b ^ 0xA110CA7ED0000001);
}

static void insert(struct block *b)
{
	struct block **link = &sorted;
	struct block *before = NULL;

	while (*link && *link < b) {
		before = *link;
		link = &before->next;
	}
	b->next = *link;
	*link = b;
	if (b->next && (uint64_t)b + b->size == (uint64_t)b->next) {
		b->size += b->next->size;
		b->next = b->next->next;
	}
	if (before && (uint64_t)before + before->size == (uint64_t)b) {
		before->size += b->size;
		before->next = b->next;
	}
}

static void keep(struct block *b)
{
	if (b->size > SMALL) {
		insert(b);
		return;
	}
	b->next = small[b->size / EXT_HEAP_ALIGN];
	small[b->size / EXT_HEAP_ALIGN] = b;
}

/* The first of the sorted ones that is large enough; what is too much of it stays. */
static struct block *take_sorted(uint64_t size)
{
	for (struct block **link = &sorted; *link; link = &(*link)->next) {
		struct block *b = *link;

		if (b->size < size)
			continue;
		if (b->size - size < SMALLEST) {
			*link = b->next;
			return b;
		}
		b->size -= size;
		b = (struct block *)((uint64_t)b + b->size);
		b->size = size;
		return b;
	}
	return NULL;
}

static struct block *take(uint64_t size)
{
	struct block *b = size <= SMALL ? small[size / EXT_HEAP_ALIGN] : NULL;

	if (!b)
		return take_sorted(size);
	small[size / EXT_HEAP_ALIGN] = b->next;
	return b;
}

/* Memory for one more block of this size, and what comes with it. */
static uint64_t grow_open(uint64_t size)
{
	uint64_t bytes = PAGE, va = 0, spa, status;

	if (size <= PAGE) {
		status = mk1_mem_alloc_page(MK1_HANDLE, &va, &spa);
	} else {
		bytes = size > GROWTH ? (size + PAGE - 1) & ~(PAGE - 1) : GROWTH;
		status = mk1_mem_alloc_huge(MK1_HANDLE, bytes, &va, &spa);
	}
	if (status == MK1_SUCCESS) {
		((struct block *)va)->size = bytes;
		insert((struct block *)va);
	}
	return status;
}

/* Before ext_start has opened the handle, as in constructors of C++, it is open just for this. */
static bool grow(uint64_t size)
{
	uint64_t status = grow_open(size), handle;

	if (status == MK1_FAILURE_INVALID_HANDLE &&
	    mk1_handle_open_handle(MK1_SPEC_ID, &handle) == MK1_SUCCESS) {
		status = grow_open(size);
		mk1_handle_close_handle(handle);
	}
	return status == MK1_SUCCESS;
}

/* With its header and rounded up; 0: no pool has as much. */
static uint64_t whole_size(size_t size)
{
	if (size > LARGEST)
		return 0;
	size = (size + HEADER + EXT_HEAP_ALIGN - 1) & ~(size_t)(EXT_HEAP_ALIGN - 1);
	return size < SMALLEST ? SMALLEST : size;
}

static struct block *get(uint64_t size)
{
	struct block *b = take(size);

	return b || !grow(size) ? b : take(size);
}

void *ext_alloc(size_t size)
{
	return ext_alloc_aligned(EXT_HEAP_ALIGN, size);
}

/* The part of b that begins before an aligned address; there is room for a block in it, or none. */
static struct block *align_block(struct block *b, size_t align)
{
	uint64_t at = (uint64_t)b + HEADER, aligned = (at + align - 1) & ~(align - 1);
	struct block *part;

	if (aligned == at)
		return b;
	if (aligned - at < SMALLEST)
		aligned += align;
	part = (struct block *)(aligned - HEADER);
	part->size = b->size - (aligned - at);
	b->size = aligned - at;
	keep(b);
	return part;
}

void *ext_alloc_aligned(size_t align, size_t size)
{
	uint64_t whole = whole_size(size);
	struct block *b;

	if (!align || align & (align - 1) || !whole || align > LARGEST)
		return NULL;
	lock_heap();
	if (align <= EXT_HEAP_ALIGN) {
		b = get(whole);
	} else {
		b = get(whole + align + SMALLEST);
		if (b)
			b = align_block(b, align);
	}
	if (b)
		b->next = in_use(b);
	bsl_spin_unlock(&lock);
	return b ? b + 1 : NULL;
}

/* Of a block that was given out. */
static struct block *block_of(const void *bytes)
{
	struct block *b = (struct block *)((uint64_t)bytes - HEADER);

	if ((uint64_t)bytes % EXT_HEAP_ALIGN || b->next != in_use(b)) {
		ext_print("ext_free: 0x%llx is no block of the heap\n",
			  (unsigned long long)(uint64_t)bytes);
		ext_exit();
	}
	return b;
}

size_t ext_alloc_size(const void *block)
{
	return block_of(block)->size - HEADER;
}

void *ext_realloc(void *block, size_t size)
{
	size_t old = block ? ext_alloc_size(block) : 0;
	void *bytes;

	if (block && size <= old && size >= old / 2)
		return block;
	bytes = ext_alloc(size);
	if (bytes && block) {
		bsl_memcpy(bytes, block, size < old ? size : old);
		ext_free(block);
	}
	return bytes;
}

void ext_free(void *block)
{
	struct block *b;

	if (!block)
		return;
	b = block_of(block);
	lock_heap();
	keep(b);
	bsl_spin_unlock(&lock);
}
