/* SPDX-License-Identifier: GPL-2.0-only */
/* The microkernel and the extensions, from files to pages. */
#ifndef BF_CORE_IMAGE_H
#define BF_CORE_IMAGE_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/types.h>

#include "memory.h"

/*
 * Loads a validated copy of an ELF file, linked into [base, base + length), into memory of kind
 * IMAGE, and lists its pages and copies its thread-local data in memory of kind DATA. Returns an
 * ELF error (*detail: the program header), NO_MEMORY or SPA_TOO_HIGH.
 */
enum bf_error bf_image_load(struct bf_image *image, struct bf_memory *memory, const void *file,
			    uint64_t size, uint64_t base, uint64_t length, uint64_t *detail);

#endif
