// SPDX-License-Identifier: MIT
/* Validates the headers of PE executables: see pe.h. */
#include <bsl/bits.h>
#include <bsl/pe.h>
#include <bsl/string.h>

#define DOS_HEADER_SIZE 64
#define DOS_PE_AT 60 /* where in it the offset of the others is */

BF_STATIC_ASSERT(sizeof(struct bsl_pe_headers) == 24 + 112 + 128, "PE headers");
BF_STATIC_ASSERT(sizeof(struct bsl_pe_section) == 40, "PE section header");

const struct bsl_pe_section *bsl_pe_section_at(const struct bsl_pe *pe, uint32_t index)
{
	return (const void *)&pe->data[pe->sections_at + index * sizeof(struct bsl_pe_section)];
}

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

static const char *check_headers(const struct bsl_pe_headers *h)
{
	if (h->magic != BSL_PE_MAGIC)
		return "it has no PE header";
	if (h->machine != BSL_PE_X86_64 || h->plus != BSL_PE_PLUS)
		return "it is not for x86-64";
	if (h->subsystem != BSL_PE_EFI_APPLICATION)
		return "it is no UEFI application";
	/* What is behind them would be elsewhere with fewer directories. */
	if (h->nr_directories != BSL_PE_NR_DIRECTORIES)
		return "it has another number of data directories";
	if (h->optional_size < sizeof(*h) - __builtin_offsetof(struct bsl_pe_headers, plus))
		return "its optional header is too small";
	if (!is_power_of_two(h->section_align) || !is_power_of_two(h->file_align) ||
	    h->file_align > h->section_align || h->file_align > BSL_PE_MAX_FILE_ALIGN)
		return "its sections are not aligned to powers of two that there are";
	if (!h->nr_sections || h->nr_sections > BSL_PE_MAX_SECTIONS)
		return "it has no sections, or too many";
	return NULL;
}

const char *bsl_pe_open(struct bsl_pe *pe, const void *data, uint64_t size)
{
	const struct bsl_pe_headers *h;
	const char *wrong;
	uint16_t magic;
	uint32_t at;

	pe->data = data;
	pe->size = size;
	if (size < DOS_HEADER_SIZE)
		return "it is cut short";
	bsl_memcpy(&magic, data, sizeof(magic));
	if (magic != BSL_PE_DOS_MAGIC)
		return "it is no PE file";
	bsl_memcpy(&at, &pe->data[DOS_PE_AT], sizeof(at));
	pe->headers_at = at;
	if (!bsl_range_within(at, sizeof(*h), 0, size))
		return "it is cut short";
	h = bsl_pe_headers_of(pe);
	wrong = check_headers(h);
	if (wrong)
		return wrong;
	pe->nr_sections = h->nr_sections;
	pe->sections_at = at + __builtin_offsetof(struct bsl_pe_headers, plus) + h->optional_size;
	if (!bsl_range_within(h->headers_size, 0, 0, size) ||
	    !bsl_range_within(pe->sections_at, pe->nr_sections * sizeof(struct bsl_pe_section), 0,
			      h->headers_size))
		return "its section headers are beyond its headers";
	return NULL;
}

static bool has_name(const struct bsl_pe_section *section, const char *name)
{
	size_t length = bsl_strlen(name);

	return length <= sizeof(section->name) && !bsl_memcmp(section->name, name, length) &&
	       (length == sizeof(section->name) || !section->name[length]);
}

const struct bsl_pe_section *bsl_pe_find(const struct bsl_pe *pe, const char *name)
{
	uint32_t i;

	for (i = 0; i < pe->nr_sections; i++)
		if (has_name(bsl_pe_section_at(pe, i), name))
			return bsl_pe_section_at(pe, i);
	return NULL;
}
