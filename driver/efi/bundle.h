/* SPDX-License-Identifier: GPL-2.0-only */
/* The files within this program: abi/bundle.h. */
#ifndef BF_EFI_BUNDLE_H
#define BF_EFI_BUNDLE_H

#include <abi/bundle.h>

struct efi_bundle {
	const uint8_t *data; /* struct bf_bundle; NULL: this program has none */
	uint32_t nr_files;
};

/*
 * Finds it in this program, of size bytes, as it has been loaded. Returns NULL, or what is wrong
 * with it, as a sentence. That there is none is not wrong.
 */
const char *efi_bundle_open(struct efi_bundle *bundle, const void *program, uint64_t size);

/* false: there is none of that name. */
bool efi_bundle_find(const struct efi_bundle *bundle, const char *name, const void **data,
		     uint64_t *size);

#endif
