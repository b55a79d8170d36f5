// SPDX-License-Identifier: GPL-2.0-only
/* Adds sections to programs of UEFI: see efi.h. */
#include <stdlib.h>
#include <string.h>

#include <bsl/bits.h>
#include <bsl/pe.h>

#include "efi.h"

/* Where something can be added. */
struct end {
	uint64_t file; /* behind all sections */
	uint64_t memory;
	uint64_t first; /* the least offset of a section in the file */
};

/*
 * The data of all sections is in the file, apart from each other, and nothing is between them: a
 * signature covers sections and headers, and who computes it differs about gaps.
 */
static const char *check_sections(const struct bsl_pe *pe, struct end *end)
{
	const struct bsl_pe_headers *h = bsl_pe_headers_of(pe);
	uint64_t sum = h->headers_size;

	*end = (struct end){ h->headers_size, h->headers_size, pe->size };
	for (uint32_t i = 0; i < pe->nr_sections; i++) {
		const struct bsl_pe_section *s = bsl_pe_section_at(pe, i);
		uint64_t bytes = s->memsz > s->filesz ? s->memsz : s->filesz;

		if (s->va + bytes > end->memory)
			end->memory = s->va + bytes;
		if (!s->filesz)
			continue;
		if (!bsl_range_within(s->offset, s->filesz, h->headers_size,
				      pe->size - h->headers_size))
			return "a section is beyond its end";
		for (uint32_t k = 0; k < i; k++) {
			const struct bsl_pe_section *other = bsl_pe_section_at(pe, k);

			if (bsl_ranges_overlap(s->offset, s->filesz, other->offset, other->filesz))
				return "its sections overlap";
		}
		sum += s->filesz;
		if (s->offset < end->first)
			end->first = s->offset;
		if ((uint64_t)s->offset + s->filesz > end->file)
			end->file = (uint64_t)s->offset + s->filesz;
	}
	return sum == end->file ? NULL : "there is something between its sections";
}

/* Room for one more header, where nothing is. */
static bool has_room(const struct bsl_pe *pe, const struct end *end)
{
	uint64_t at = pe->sections_at + pe->nr_sections * sizeof(struct bsl_pe_section);

	if (pe->nr_sections == BSL_PE_MAX_SECTIONS ||
	    !bsl_range_within(at, sizeof(struct bsl_pe_section), 0,
			      bsl_pe_headers_of(pe)->headers_size) ||
	    at + sizeof(struct bsl_pe_section) > end->first)
		return false;
	for (size_t i = 0; i < sizeof(struct bsl_pe_section); i++)
		if (pe->data[at + i])
			return false;
	return true;
}

/* A header for what is to be added; false: it would be beyond what these headers can say. */
static bool make_section(const struct bsl_pe *pe, const struct end *end, const char *name,
			 uint64_t size, struct bsl_pe_section *section)
{
	const struct bsl_pe_headers *h = bsl_pe_headers_of(pe);
	uint64_t offset, filesz, va, last;

	/* All of these are below 2^33, and cannot overflow before they are compared. */
	if (size > UINT32_MAX || !bsl_align_up(end->file, h->file_align, &offset) ||
	    !bsl_align_up(size, h->file_align, &filesz) ||
	    !bsl_align_up(end->memory, h->section_align, &va) ||
	    !bsl_align_up(va + size, h->section_align, &last) || last > UINT32_MAX ||
	    offset + filesz > UINT32_MAX)
		return false;
	*section = (struct bsl_pe_section){ .memsz = (uint32_t)size,
					    .va = (uint32_t)va,
					    .filesz = (uint32_t)filesz,
					    .offset = (uint32_t)offset,
					    .characteristics = BSL_PE_INITIALISED | BSL_PE_READ };
	memcpy(section->name, name, strnlen(name, sizeof(section->name)));
	return true;
}

static void add_header(uint8_t *file, const struct bsl_pe *pe, const struct bsl_pe_section *section)
{
	struct bsl_pe_headers h;
	uint64_t last = 0;

	memcpy(&h, file + pe->headers_at, sizeof(h));
	(void)bsl_align_up((uint64_t)section->va + section->memsz, h.section_align, &last);
	h.image_size = (uint32_t)last;
	h.data_size += section->filesz;
	h.nr_sections++;
	h.symbols = 0;
	h.nr_symbols = 0;
	h.checksum = 0; /* which UEFI does not look at */
	memcpy(file + pe->headers_at, &h, sizeof(h));
	memcpy(file + pe->sections_at + pe->nr_sections * sizeof(*section), section,
	       sizeof(*section));
}

const char *pe_add_section(void **data, uint64_t *size, const char *name, const void *content,
			   uint64_t content_size)
{
	struct bsl_pe_section section;
	const char *wrong;
	struct bsl_pe pe;
	struct end end;
	uint8_t *file;

	wrong = bsl_pe_open(&pe, *data, *size);
	if (wrong)
		return wrong;
	if (bsl_pe_headers_of(&pe)->directories[BSL_PE_CERTIFICATES].size)
		return "it is signed already";
	if (bsl_pe_find(&pe, name))
		return "it has such a section already";
	wrong = check_sections(&pe, &end);
	if (wrong)
		return wrong;
	if (!has_room(&pe, &end))
		return "its headers have no room for a further section";
	if (!make_section(&pe, &end, name, content_size, &section))
		return "it would be too large";
	file = calloc(1, (size_t)section.offset + section.filesz);
	if (!file)
		return "there is not enough memory";
	memcpy(file, *data, end.file);
	if (content_size)
		memcpy(file + section.offset, content, content_size);
	add_header(file, &pe, &section);
	free(*data);
	*data = file;
	*size = (uint64_t)section.offset + section.filesz;
	return NULL;
}
