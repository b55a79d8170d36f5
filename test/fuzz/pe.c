// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of UEFI with files in it, of which the input changes some bytes, and how long it is:
 * bareflank.efi finds files within it only, and bfm adds a section that is one afterwards, or
 * leaves it as it was.
 */
#include "bfm/efi.h"
#include "driver/efi/bundle.h"
#include "fuzz.h"
#include "test/unit/make_pe.h"

#define NAME "file"
#define ADDED ".added"

/* Its sections are in the file where they are in memory. */
struct program {
	struct pe_file pe;
	struct bf_bundle bundle;
	uint8_t content[32];
};

static void make_program(struct program *p)
{
	make_pe(&p->pe);
	p->pe.headers.section_align = PE_ALIGN;
	p->pe.headers.nr_sections = 3;
	p->pe.sections[0].va = PE_ALIGN;
	p->pe.sections[1].va = 2 * PE_ALIGN;
	p->pe.sections[1].memsz = PE_ALIGN;
	p->pe.sections[2] = (struct bsl_pe_section){ .name = BF_BUNDLE_SECTION,
						     .memsz = sizeof(*p) - PE_SIZE,
						     .va = PE_SIZE,
						     .filesz = sizeof(*p) - PE_SIZE,
						     .offset = PE_SIZE };
	p->bundle = (struct bf_bundle){ .magic = BF_BUNDLE_MAGIC,
					.version = BF_BUNDLE_VERSION,
					.nr_files = 2,
					.files = { { NAME, sizeof(p->bundle), 16 },
						   { "2", sizeof(p->bundle) + 16, 16 } } };
	memset(p->content, 0xC0, sizeof(p->content));
}

static void check_bundle(const uint8_t *file, size_t size)
{
	struct efi_bundle bundle;
	const void *data;
	uint64_t bytes;

	if (efi_bundle_open(&bundle, file, size)) {
		FUZZ_CHECK(!bundle.data && !bundle.nr_files, "files that are wrong");
		return;
	}
	FUZZ_CHECK(!bundle.data == !bundle.nr_files, "no files, and %u", bundle.nr_files);
	if (!efi_bundle_find(&bundle, NAME, &data, &bytes))
		return;
	FUZZ_CHECK((const uint8_t *)data >= file && bytes <= size &&
			   (size_t)((const uint8_t *)data - file) <= size - bytes,
		   "a file beyond the program");
	free(fuzz_copy(data, bytes)); /* all of it can be read */
}

/* What a signature covers is all of the file, once. */
static void check_covered(const struct bsl_pe *pe)
{
	uint64_t sum = bsl_pe_headers_of(pe)->headers_size;

	for (uint32_t i = 0; i < pe->nr_sections; i++) {
		const struct bsl_pe_section *s = bsl_pe_section_at(pe, i);

		sum += s->filesz;
		FUZZ_CHECK(!s->filesz || (uint64_t)s->offset + s->filesz <= pe->size,
			   "section %u is beyond the end", i);
	}
	/* But for zeros, where the end of what was there is not aligned. */
	FUZZ_CHECK(sum <= pe->size && pe->size - sum < bsl_pe_headers_of(pe)->file_align,
		   "%llu bytes, and %llu of sections", (unsigned long long)pe->size,
		   (unsigned long long)sum);
}

static void check_added(const struct bsl_pe *old, const uint8_t *file, uint64_t size,
			const char *content, uint64_t bytes)
{
	const struct bsl_pe_section *added;
	struct bsl_pe pe;

	FUZZ_CHECK(!bsl_pe_open(&pe, file, size), "what is written cannot be read");
	added = bsl_pe_find(&pe, ADDED);
	FUZZ_CHECK(added, "no section was added");
	FUZZ_CHECK(added->memsz == bytes && added->filesz >= bytes, "another size");
	FUZZ_CHECK(!memcmp(file + added->offset, content, bytes), "another content");
	FUZZ_CHECK((uint64_t)added->va + added->memsz <= bsl_pe_headers_of(&pe)->image_size,
		   "beyond the image");
	FUZZ_CHECK(pe.nr_sections == old->nr_sections + 1, "%u sections", pe.nr_sections);
	for (uint32_t i = 0; i < old->nr_sections; i++) {
		const struct bsl_pe_section *s = bsl_pe_section_at(old, i);

		FUZZ_CHECK(!memcmp(s, bsl_pe_section_at(&pe, i), sizeof(*s)), "section %u", i);
		FUZZ_CHECK(!s->filesz ||
				   !memcmp(old->data + s->offset, file + s->offset, s->filesz),
			   "what is in section %u", i);
		FUZZ_CHECK((uint64_t)s->va + s->memsz <= added->va, "over section %u", i);
	}
	check_covered(&pe);
}

static void check_add(const uint8_t *before, size_t size, const char *content, uint64_t bytes)
{
	void *file = fuzz_copy(before, size);
	uint64_t new_size = size;
	struct bsl_pe old;

	if (pe_add_section(&file, &new_size, ADDED, content, bytes)) {
		FUZZ_CHECK(new_size == size && !memcmp(file, before, size), "it has changed");
	} else {
		FUZZ_CHECK(!bsl_pe_open(&old, before, size), "what was read cannot be");
		check_added(&old, file, new_size, content, bytes);
	}
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static const char content[600] = "content";
	uint64_t length, bytes;
	struct program program;
	uint8_t *file;

	make_program(&program);
	length = sizeof(program) - fuzz_take(&in, 2) % (sizeof(program) + 1);
	bytes = fuzz_take(&in, 2) % (sizeof(content) + 1);
	while (in.left) {
		size_t at = fuzz_take(&in, 2) % sizeof(program);
		size_t width = (size_t)1 << fuzz_take(&in, 1) % 4;
		uint64_t value = fuzz_take(&in, width);

		if (width > sizeof(program) - at)
			width = sizeof(program) - at;
		memcpy((uint8_t *)&program + at, &value, width);
	}
	file = fuzz_copy(&program, length);
	check_bundle(file, length);
	check_add(file, length, content, bytes);
	free(file);
	return 0;
}
