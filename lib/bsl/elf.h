/* SPDX-License-Identifier: MIT */
/*
 * ELF64 executables (System V ABI, "Program Loading"; ELF-64 Object File Format 1.5): everything is
 * validated once, before anything is loaded. The file is not trusted.
 */
#ifndef BSL_ELF_H
#define BSL_ELF_H

#include <abi/errors.h>
#include <abi/types.h>

#define BSL_ELF_MAX_SIZE 0x800000
#define BSL_ELF_MAX_PHDRS 64

/* Rights of a segment, as in p_flags. */
#define BSL_ELF_X 0x1
#define BSL_ELF_W 0x2
#define BSL_ELF_R 0x4

struct bsl_elf {
	const uint8_t *data;
	uint64_t size;
	uint64_t phoff;
	uint32_t nr_phdrs;
	uint64_t entry;
	const uint8_t *tls_data; /* the PT_TLS segment; its sizes are 0 where there is none */
	uint64_t tls_filesz;
	uint64_t tls_memsz;
};

struct bsl_elf_segment {
	uint64_t va;
	uint64_t memsz; /* bytes in memory, not 0 */
	uint64_t filesz; /* the first of them, which come from data; the rest is zero */
	const uint8_t *data;
	uint32_t flags; /* BSL_ELF_* */
};

/*
 * Validates an executable of size bytes at data, whose loadable segments must lie in [base, base +
 * length). data must stay as it is while *elf is used. Returns BF_ERR_OK or a BF_ERR_ELF_* error;
 * *detail is the number of the program header it is about.
 */
enum bf_error bsl_elf_open(struct bsl_elf *elf, const void *data, uint64_t size, uint64_t base,
			   uint64_t length, uint64_t *detail);

/*
 * The loadable segments of a validated image, ascending by address. *index is 0 for the first call
 * and then left alone. Returns false after the last one.
 */
bool bsl_elf_next(const struct bsl_elf *elf, uint32_t *index, struct bsl_elf_segment *segment);

#endif
