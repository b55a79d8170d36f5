/* SPDX-License-Identifier: MIT */
/*
 * A heap over the microkernel's page and huge pools, for blocks of any size, on all PPs. The C++
 * runtime's malloc and Rust's allocator are this one.
 *
 * It grows by pages for small blocks and by pieces of the huge pool (bfm start --huge) for those of
 * more than a page, and never shrinks: the microkernel's calls that free memory wait for other PPs.
 */
#ifndef LIBEXT_HEAP_H
#define LIBEXT_HEAP_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EXT_HEAP_ALIGN 16 /* of every block, in bytes */

/*
 * size bytes, with any content; 0 is taken for 1. align is a power of two. NULL: the pools have no
 * more, or align is none.
 */
void *ext_alloc(size_t size);
void *ext_alloc_aligned(size_t align, size_t size);

/*
 * Another size for a block, which may move; the content stays as far as both sizes reach, the
 * alignment does so only up to EXT_HEAP_ALIGN. block may be NULL. NULL: the block is what it was.
 */
void *ext_realloc(void *block, size_t size);

/* How many bytes the block has, at least as many as were asked for. */
size_t ext_alloc_size(const void *block);

/*
 * Gives a block back. NULL does nothing. What is no block, or has been given back, ends the
 * extension's run on this PP, after a message.
 */
void ext_free(void *block);

#ifdef __cplusplus
}
#endif

#endif
