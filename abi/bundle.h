/* SPDX-License-Identifier: MIT */
/*
 * Files within bareflank.efi, in a section of their own, so that its signature covers them: the
 * configuration, and the images that it names. bfm efi image writes it.
 */
#ifndef BF_ABI_BUNDLE_H
#define BF_ABI_BUNDLE_H

#include <abi/types.h>

#define BF_BUNDLE_SECTION ".bundle"
#define BF_BUNDLE_MAGIC 0x656C646E75426642ull /* "BfBundle" */
#define BF_BUNDLE_VERSION 1
#define BF_BUNDLE_FILES 16 /* at most */
#define BF_BUNDLE_NAME 64 /* with its NUL */
#define BF_BUNDLE_ALIGN 16 /* of each file */

struct bf_bundle_file {
	char name[BF_BUNDLE_NAME]; /* zeros behind it */
	uint64_t offset; /* from the beginning of struct bf_bundle */
	uint64_t size;
};

/* At the beginning of the section. */
struct bf_bundle {
	uint64_t magic; /* BF_BUNDLE_MAGIC */
	uint32_t version; /* BF_BUNDLE_VERSION */
	uint32_t nr_files;
	struct bf_bundle_file files[BF_BUNDLE_FILES]; /* nr_files of them; the others are zeros */
};

#endif
