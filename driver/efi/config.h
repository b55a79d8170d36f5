/* SPDX-License-Identifier: GPL-2.0-only */
/* bareflank.conf: what to start, and what to boot then. docs/uefi.md describes it. */
#ifndef BF_EFI_CONFIG_H
#define BF_EFI_CONFIG_H

#include <abi/handoff.h>
#include <abi/mk2.h>
#include <abi/types.h>

#include "../core/loader.h"

struct efi_config {
	const char *microkernel; /* names of files */
	const char *exts[BF_MAX_EXTS];
	char args[BF_MAX_EXTS][MK2_ARGS_MAX];
	const char *next; /* NULL: whoever started this program goes on */
	const char *options; /* of next; never NULL */
	bool no_guard; /* a boot that did not come up is tried again */
	struct bf_start start; /* all but the contents of files */
};

/* What is wrong with a file. */
struct efi_config_error {
	uint32_t line; /* from 1 on; 0: it is about the file as a whole */
	const char *sentence;
	const char *word; /* that the sentence is about, or "" */
};

/*
 * Parses size bytes of text, behind which a NUL has room; what *config points to is in there.
 * False: see *error.
 */
bool efi_config_parse(struct efi_config *config, char *text, uint64_t size,
		      struct efi_config_error *error);

#endif
