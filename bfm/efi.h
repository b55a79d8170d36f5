/* SPDX-License-Identifier: GPL-2.0-only */
/* bfm efi: what its files share. docs/uefi.md describes what is installed. */
#ifndef BFM_EFI_H
#define BFM_EFI_H

#include "bfm.h"

/* Below the EFI system partition. */
#define EFI_DIRECTORY "EFI/bareflank"
#define EFI_PROGRAM "bareflank.efi"
#define EFI_CONFIG "bareflank.conf"
#define EFI_MICROKERNEL "microkernel"

#define MAX_NAME 64 /* of a file there, with its NUL */

/* A file to be installed. */
struct piece {
	char name[MAX_NAME];
	void *data; /* from malloc() */
	uint64_t size;
};

#define NR_PIECES (BF_MAX_EXTS + 3) /* microkernel, extensions, configuration, program */

/* --- esp.c: the EFI system partition ---------------------------------------------------------- */

/*
 * Finds the EFI system partition of the machine whose files are below root, which is "" but in
 * tests: where Linux distributions mount it. dir is a buffer of MAX_PATH bytes. false: nowhere.
 */
bool esp_find(const char *root, char *dir);

/*
 * The boot loader of this system there, as the firmware names files: "\EFI\debian\shimx64.efi".
 * loader is a buffer of MAX_PATH bytes. false: none of those that are known.
 */
bool esp_find_loader(const char *root, const char *esp, char *loader);

/* Whether a file that the firmware names so is there. */
bool esp_has(const char *esp, const char *path);

/*
 * Writes a file of a directory so that at any time all of it is there, or what was there before;
 * it is on the disk when this returns. false with errno.
 */
bool esp_write(const char *dir, const char *name, const void *data, size_t size);

/* Removes the files of a directory but one; NULL: all of them. false with errno. */
bool esp_empty(const char *dir, const char *but);

/* Removes a directory and its files; one that is not there is none. false with errno. */
bool esp_remove(const char *dir);

/* --- efi_config.c: bareflank.conf ------------------------------------------------------------- */

/* What is not about the start. */
struct efi_boot {
	const char *next; /* NULL: none */
	const char *options; /* of it; NULL: none */
	bool no_guard;
};

/*
 * Prints what driver/efi/config.c reads. names are those of the extensions' files beside it. false,
 * after a message: the file cannot say this.
 */
bool efi_config_print(FILE *file, const struct start_options *options, char names[][MAX_NAME],
		      const struct efi_boot *boot);

/* --- efi_reader.c: a bareflank.conf that somebody has written --------------------------------- */

struct efi_own;

/*
 * Reads the file as bareflank.efi does. A file that it names, or that is the default, is the one
 * beside it, or else an installed one. Returns EXIT_OK, or says what is wrong. What options and
 * boot point to is in *own, which efi_own_free frees in any case.
 */
int efi_own_read(const char *path, struct start_options *options, struct efi_boot *boot,
		 struct efi_own **own);
void efi_own_free(struct efi_own *own);

/* --- pe.c: programs of UEFI ------------------------------------------------------------------- */

/*
 * Adds a section to the PE file of *size bytes at *data, from malloc(), which may move. What is
 * behind the last section of a file, like symbols, goes. Returns NULL, or what is wrong with the
 * file, as a part of a sentence; the file is then as it was.
 */
const char *pe_add_section(void **data, uint64_t *size, const char *name, const void *content,
			   uint64_t content_size);

/* --- efi_image.c: one program of all ---------------------------------------------------------- */

/*
 * Puts count files into the program, as abi/bundle.h says. Returns EXIT_OK, or says what is wrong.
 */
int efi_image_embed(struct piece *program, const struct piece *files, unsigned int count);

/* Signs it with a key and its certificate, by sbsign. Returns EXIT_OK, or says what is wrong. */
int efi_image_sign(struct piece *program, const char *key, const char *cert);

/* --- boot_entry.c: the firmware's list of what it can boot ------------------------------------ */

#define BOOT_ENTRY_LABEL "Bareflank"

/*
 * Puts an entry for a file of the EFI system partition, which is mounted at esp, before all others,
 * in the place of an older one. option: its command line; NULL: none. Returns EXIT_OK, or says what
 * is wrong.
 */
int boot_entry_add(const char *root, const char *esp, const char *file, const char *option);

/* Removes our entries, if there are any. Returns EXIT_OK, or says what is wrong. */
int boot_entry_remove(void);

/*
 * The number of the first entry in what efibootmgr has printed whose label is ours, or -1. *rest is
 * what comes behind its line.
 */
int boot_entry_next(const char *text, const char **rest);

/* The disk and the number of the partition with a device number; false: it is not on one disk. */
bool boot_entry_disk(const char *root, unsigned int major, unsigned int minor, char *disk,
		     size_t size, unsigned int *partition);

#endif
