/* SPDX-License-Identifier: MIT */
/*
 * Executables of UEFI: PE32+ for x86-64 (Microsoft's PE format specification, revision 11), as a
 * file or as loaded in memory. Their headers are the same, and all of them are validated once.
 * Neither is trusted.
 */
#ifndef BSL_PE_H
#define BSL_PE_H

#include <abi/types.h>

#define BSL_PE_MAX_SECTIONS 96
#define BSL_PE_MAX_FILE_ALIGN 0x10000

#define BSL_PE_DOS_MAGIC 0x5A4D /* "MZ" */
#define BSL_PE_MAGIC 0x4550 /* "PE\0\0" */
#define BSL_PE_X86_64 0x8664
#define BSL_PE_PLUS 0x20B
#define BSL_PE_EFI_APPLICATION 10

/* Characteristics of a section. */
#define BSL_PE_INITIALISED 0x40
#define BSL_PE_READ 0x40000000U

#define BSL_PE_CERTIFICATES 4 /* in directories: where signatures are */
#define BSL_PE_NR_DIRECTORIES 16

struct __attribute__((packed)) bsl_pe_headers {
	uint32_t magic;
	uint16_t machine;
	uint16_t nr_sections;
	uint32_t time;
	uint32_t symbols;
	uint32_t nr_symbols;
	uint16_t optional_size; /* of all from here to the sections */
	uint16_t characteristics;
	/* the "optional" header */
	uint16_t plus;
	uint16_t linker;
	uint32_t code_size;
	uint32_t data_size;
	uint32_t bss_size;
	uint32_t entry;
	uint32_t code_base;
	uint64_t image_base;
	uint32_t section_align;
	uint32_t file_align;
	uint16_t versions[6];
	uint32_t reserved;
	uint32_t image_size;
	uint32_t headers_size;
	uint32_t checksum;
	uint16_t subsystem;
	uint16_t dll;
	uint64_t stack[2];
	uint64_t heap[2];
	uint32_t flags;
	uint32_t nr_directories; /* that there are here */
	struct __attribute__((packed)) bsl_pe_directory {
		uint32_t at;
		uint32_t size;
	} directories[BSL_PE_NR_DIRECTORIES];
};

struct __attribute__((packed)) bsl_pe_section {
	char name[8]; /* no NUL behind eight characters */
	uint32_t memsz;
	uint32_t va; /* from the beginning of the image */
	uint32_t filesz; /* a multiple of the alignment of files; what is beyond memsz is none */
	uint32_t offset; /* in the file */
	uint32_t relocations[2];
	uint32_t counts;
	uint32_t characteristics;
};

struct bsl_pe {
	const uint8_t *data;
	uint64_t size;
	uint64_t headers_at; /* struct bsl_pe_headers */
	uint64_t sections_at; /* an array of struct bsl_pe_section */
	uint32_t nr_sections;
};

/*
 * Validates the headers of size bytes at data, which must stay as they are while *pe is used.
 * Returns NULL, or what is wrong, as a part of a sentence.
 */
const char *bsl_pe_open(struct bsl_pe *pe, const void *data, uint64_t size);

/* They are within data, which may be at any address. */
static inline const struct bsl_pe_headers *bsl_pe_headers_of(const struct bsl_pe *pe)
{
	const void *headers = &pe->data[pe->headers_at];

	return (const struct bsl_pe_headers *)headers;
}

/* index: less than nr_sections. */
const struct bsl_pe_section *bsl_pe_section_at(const struct bsl_pe *pe, uint32_t index);

/* The first section of that name, of at most eight characters; NULL: there is none. */
const struct bsl_pe_section *bsl_pe_find(const struct bsl_pe *pe, const char *name);

#endif
