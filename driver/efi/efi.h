/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this front share. UEFI's own names are those of gnu-efi's headers. */
#ifndef BF_EFI_H
#define BF_EFI_H

#include <efi.h>
#include <efilib.h>

#include <abi/errors.h>
#include <abi/types.h>

/* --- cpus.c ----------------------------------------------------------------------------------- */

/*
 * Finds the CPUs and measures their clock. Returns NULL, or why not, as a sentence for the console.
 */
const char *efi_cpus_init(void);

uint32_t efi_cpus_online(void);

/* --- memory.c --------------------------------------------------------------------------------- */

/*
 * Notes which RAM the machine has. Called before anything is allocated for the hypervisor, whose
 * memory is RAM, too. false: out of memory.
 */
bool efi_memory_init(void);

/* --- file.c ----------------------------------------------------------------------------------- */

struct efi_file {
	void *data; /* with a NUL behind it */
	uint64_t size;
};

/* The directory that this program was loaded from, with its volume. */
struct efi_directory {
	EFI_HANDLE device;
	EFI_FILE_PROTOCOL *root; /* of the volume */
	CHAR16 *path; /* "\EFI\bareflank\" */
};

/* Returns NULL, or why there is none, as a sentence. */
const char *efi_directory_open(struct efi_directory *directory, EFI_LOADED_IMAGE *self);

/*
 * The path of a file as efi_file_read takes its name, for bf_os_free. NULL: it is too long, or
 * there is no memory.
 */
CHAR16 *efi_file_path(const struct efi_directory *directory, const char *name);

/*
 * Reads a file of at most limit bytes: of that directory, or one whose name begins with "\".
 * Slashes count as backslashes. EFI_NOT_FOUND, EFI_BUFFER_TOO_SMALL: it is larger, or another error
 * of the firmware's.
 */
EFI_STATUS efi_file_read(const struct efi_directory *directory, const char *name, uint64_t limit,
			 struct efi_file *file);

/* --- guard.c ---------------------------------------------------------------------------------- */

/*
 * This boot is tried. Returns NULL, or why it is not, as a sentence: one that did not come up, of
 * which nobody has said since that it may be tried again (bfm efi retry).
 */
const char *efi_guard_try(void);

/* The start has failed, which bfm status is to show; not what efi_guard_try has returned. */
void efi_guard_failed(const char *reason);

/* --- next.c ----------------------------------------------------------------------------------- */

/*
 * Loads and starts another program of the same volume, with options as its command line. Returns
 * when that does, or cannot be had; *sentence then says why, and is NULL otherwise.
 */
EFI_STATUS efi_start_next(const struct efi_directory *directory, EFI_HANDLE self, const char *name,
			  const char *options, const char **sentence);

#endif
