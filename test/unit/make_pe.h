/* SPDX-License-Identifier: GPL-2.0-only */
/* A small program of UEFI: headers, code and data. */
#ifndef TEST_MAKE_PE_H
#define TEST_MAKE_PE_H

#include <string.h>

#include <bsl/pe.h>

#define PE_HEADERS_AT 0x58
#define PE_ALIGN 0x200 /* in the file; 0x1000 in memory */
#define PE_SIZE (3 * PE_ALIGN)

struct __attribute__((packed)) pe_file {
	uint16_t magic;
	uint8_t dos[58];
	uint32_t headers_at;
	uint8_t gap[PE_HEADERS_AT - 64];
	struct bsl_pe_headers headers;
	struct bsl_pe_section sections[4]; /* two of them, and room */
	uint8_t code[PE_ALIGN];
	uint8_t data[PE_ALIGN];
};

_Static_assert(sizeof(struct pe_file) == PE_SIZE, "a PE file");

static inline void make_pe(struct pe_file *pe)
{
	memset(pe, 0, sizeof(*pe));
	pe->magic = BSL_PE_DOS_MAGIC;
	pe->headers_at = PE_HEADERS_AT;
	pe->headers = (struct bsl_pe_headers){
		.magic = BSL_PE_MAGIC,
		.machine = BSL_PE_X86_64,
		.nr_sections = 2,
		.optional_size = sizeof(pe->headers) - 24,
		.plus = BSL_PE_PLUS,
		.data_size = PE_ALIGN,
		.entry = 0x1000,
		.section_align = 0x1000,
		.file_align = PE_ALIGN,
		.image_size = 0x5000,
		.headers_size = PE_ALIGN,
		.checksum = 1,
		.subsystem = BSL_PE_EFI_APPLICATION,
		.nr_directories = BSL_PE_NR_DIRECTORIES,
	};
	pe->sections[0] = (struct bsl_pe_section){ .name = ".text",
						   .memsz = 0x100,
						   .va = 0x1000,
						   .filesz = PE_ALIGN,
						   .offset = PE_ALIGN };
	/* more in memory than in the file */
	pe->sections[1] = (struct bsl_pe_section){ .name = ".datarel",
						   .memsz = 0x2300,
						   .va = 0x2000,
						   .filesz = PE_ALIGN,
						   .offset = 2 * PE_ALIGN };
	memset(pe->code, 0x90, sizeof(pe->code));
	memset(pe->data, 0xDA, sizeof(pe->data));
}

#endif
