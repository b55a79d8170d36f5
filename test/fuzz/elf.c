// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any file as an image. The module's parser keeps its promises about what it lets pass; bfm's, on
 * libelf, has the same verdict; and the loader makes of it what the program headers say.
 */
#include <abi/layout.h>
#include <bsl/elf.h>
#include <elf.h>

#include "bfm/bfm.h"
#include "driver/core/image.h"
#include "driver/core/platform.h"
#include "fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* --- the system below the loader: one piece of memory, which begins anew with each input ------ */

#define FIRST_SPA 0x100000

static _Alignas(0x200000) uint8_t memory_of_system[64 << 20];
static size_t taken;

void *bf_os_alloc_pages(unsigned int order, uint64_t *spa)
{
	size_t size = (size_t)BF_PAGE_SIZE << order;
	uint8_t *pages = memory_of_system + taken;

	if (size > sizeof(memory_of_system) - taken)
		return NULL;
	taken += size;
	memset(pages, 0, size);
	*spa = (uint64_t)(pages - memory_of_system) + FIRST_SPA;
	return pages;
}

void bf_os_free_pages(void *va, unsigned int order)
{
	(void)va;
	(void)order;
}

void *bf_os_va(uint64_t spa)
{
	FUZZ_CHECK(spa >= FIRST_SPA && spa - FIRST_SPA < taken, "no page at 0x%llx",
		   (unsigned long long)spa);
	return memory_of_system + (spa - FIRST_SPA);
}

void *bf_os_alloc(size_t size)
{
	return calloc(1, size);
}

void bf_os_free(void *memory)
{
	free(memory);
}

/* --- what must hold --------------------------------------------------------------------------- */

static void check_segments(const struct bsl_elf *elf, const uint8_t *file, size_t size)
{
	uint64_t end = MK1_EXT_CODE_BASE;
	struct bsl_elf_segment s;
	bool entry = false;
	uint32_t index = 0;

	while (bsl_elf_next(elf, &index, &s)) {
		FUZZ_CHECK(s.memsz && s.filesz <= s.memsz, "sizes");
		FUZZ_CHECK(s.va >= end, "not ascending, or overlapping");
		end = s.va + s.memsz;
		FUZZ_CHECK(end > s.va && end <= MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE, "range");
		FUZZ_CHECK(!s.filesz || (s.data >= file && s.data + s.filesz <= file + size),
			   "data beyond the file");
		FUZZ_CHECK((s.flags & (BSL_ELF_W | BSL_ELF_X)) != (BSL_ELF_W | BSL_ELF_X), "W+X");
		entry |= s.flags & BSL_ELF_X && elf->entry - s.va < s.memsz;
	}
	FUZZ_CHECK(entry, "no code at the entry point");
}

/* The byte that the image has at va, by its segments. */
static uint8_t byte_at(const struct bsl_elf *elf, uint64_t va)
{
	struct bsl_elf_segment s;
	uint32_t index = 0;

	while (bsl_elf_next(elf, &index, &s))
		if (va - s.va < s.filesz)
			return s.data[va - s.va];
	return 0;
}

static void check_load(const struct bsl_elf *elf, const uint8_t *file, size_t size)
{
	const struct bf_image_page *pages;
	struct bf_memory memory;
	struct bf_image image;
	uint64_t detail;

	bf_memory_init(&memory);
	FUZZ_CHECK(bf_image_load(&image, &memory, file, size, MK1_EXT_CODE_BASE, MK1_EXT_CODE_SIZE,
				 &detail) == BF_ERR_OK,
		   "an image that is good is not loaded");
	FUZZ_CHECK(image.entry == elf->entry, "entry");
	pages = bf_os_va(image.pages.spa);
	for (uint64_t i = 0; i < image.pages.count; i++) {
		const uint8_t *page = bf_os_va(pages[i].spa & ~(uint64_t)BF_PAGE_MASK);

		FUZZ_CHECK(!i || pages[i].va > pages[i - 1].va, "pages do not ascend");
		/* Where parts of a page come from changes at few places: a sample finds them. */
		for (uint64_t offset = 0; offset < BF_PAGE_SIZE; offset += 61)
			FUZZ_CHECK(page[offset] == byte_at(elf, pages[i].va + offset),
				   "another byte at 0x%llx",
				   (unsigned long long)(pages[i].va + offset));
	}
	bf_memory_release(&memory);
}

/* bfm's verdict on the file, or on what the module looks at: what is not section headers. */
static enum bf_error check_by_bfm(const uint8_t *data, size_t size, bool sections, char *sentence,
				  size_t length)
{
	uint8_t *file = fuzz_copy(data, size);
	enum bf_error verdict;
	Elf64_Ehdr header;

	if (!sections && size >= sizeof(header)) {
		memcpy(&header, file, sizeof(header));
		header.e_shoff = 0;
		header.e_shnum = 0;
		header.e_shentsize = 0;
		header.e_shstrndx = 0;
		memcpy(file, &header, sizeof(header));
	}
	verdict = image_check(file, size, IMAGE_EXTENSION, sentence, length);
	free(file);
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = fuzz_copy(data, size);
	struct bsl_elf_segment s;
	uint64_t detail, bytes = 0;
	enum bf_error error, verdict;
	char sentence[160];
	struct bsl_elf elf;
	uint32_t index = 0;

	taken = 0;
	error = bsl_elf_open(&elf, file, size, MK1_EXT_CODE_BASE, MK1_EXT_CODE_SIZE, &detail);
	verdict = check_by_bfm(data, size, true, sentence, sizeof(sentence));
	FUZZ_CHECK(!error || verdict, "bfm lets pass what the module refuses: %d (0x%llx)", error,
		   (unsigned long long)detail);
	if (error)
		goto out;
	verdict = check_by_bfm(data, size, false, sentence, sizeof(sentence));
	FUZZ_CHECK(!verdict, "bfm refuses what the module lets pass: %d (%s)", verdict, sentence);
	check_segments(&elf, file, size);
	while (bsl_elf_next(&elf, &index, &s))
		bytes += s.memsz;
	if (bytes < 1 << 20) /* more takes time and finds nothing */
		check_load(&elf, file, size);
out:
	free(file);
	return 0;
}

/*
 * Random bytes rarely make a header that is only a little wrong: half of the mutations set one
 * field of the headers to a value that matters, or near to another field's.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   3,
					   4,
					   7,
					   8,
					   63,
					   64,
					   65,
					   0xFFF,
					   0x1000,
					   0x1001,
					   MK1_EXT_CODE_BASE,
					   MK1_EXT_CODE_BASE + 0x1000,
					   MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE,
					   0x7FFFFFFF,
					   0xFFFFFFFF,
					   1ULL << 63,
					   UINT64_MAX };
	size_t headers = sizeof(Elf64_Ehdr) + 8 * sizeof(Elf64_Phdr), at, width;
	uint64_t value;

	if (size < headers || seed & 1)
		return LLVMFuzzerMutate(data, size, max);
	seed >>= 1;
	width = (size_t)1 << (1 + seed % 3);
	seed /= 3;
	at = seed % (headers / width) * width;
	seed /= 17;
	value = values[seed % (sizeof(values) / sizeof(values[0]))];
	if (seed & 0x100) { /* the neighbour's, or a little off */
		memcpy(&value, data + (at + 8) % (headers - 8), 8);
		value += seed >> 9 & 3;
	}
	memcpy(data + at, &value, width);
	return size;
}
