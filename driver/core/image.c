// SPDX-License-Identifier: GPL-2.0-only
/* Loads ELF images into pages: see image.h. */
#include <abi/layout.h>
#include <bsl/bits.h>
#include <bsl/elf.h>
#include <bsl/string.h>

#include "image.h"
#include "platform.h"

static uint64_t first_page(const struct bsl_elf_segment *segment)
{
	return bsl_align_down(segment->va, BF_PAGE_SIZE);
}

static uint64_t last_page(const struct bsl_elf_segment *segment)
{
	return bsl_align_down(segment->va + segment->memsz - 1, BF_PAGE_SIZE);
}

/* Two segments may share a page (with the same rights), so pages are counted as they ascend. */
static uint64_t count_pages(const struct bsl_elf *elf)
{
	struct bsl_elf_segment segment;
	uint64_t count = 0;
	uint64_t next = 0; /* the first page that is not counted yet */
	uint32_t index = 0;

	while (bsl_elf_next(elf, &index, &segment)) {
		uint64_t first = first_page(&segment);
		uint64_t end = last_page(&segment) + BF_PAGE_SIZE;

		if (first < next)
			first = next;
		count += (end - first) / BF_PAGE_SIZE;
		next = end;
	}
	return count;
}

/* Copies what the file has for the page at va; the rest stays zero. */
static void fill_page(uint8_t *page, uint64_t va, const struct bsl_elf_segment *segment)
{
	uint64_t start = va > segment->va ? va : segment->va;
	uint64_t end = segment->va + segment->filesz;

	if (end > va + BF_PAGE_SIZE)
		end = va + BF_PAGE_SIZE;
	if (start < end)
		bsl_memcpy(page + (start - va), segment->data + (start - segment->va), end - start);
}

static enum bf_error load_segment(const struct bsl_elf_segment *segment, struct bf_memory *memory,
				  struct bf_image_page *pages, uint64_t *count)
{
	uint64_t rights = (segment->flags & BSL_ELF_W ? BF_PAGE_W : 0) |
			  (segment->flags & BSL_ELF_X ? BF_PAGE_X : 0);
	uint64_t va;

	for (va = first_page(segment); va <= last_page(segment); va += BF_PAGE_SIZE) {
		uint64_t spa;
		uint8_t *page;

		if (*count && pages[*count - 1].va == va) {
			page = bf_os_va(pages[*count - 1].spa & ~(uint64_t)BF_PAGE_MASK);
		} else {
			page = bf_memory_alloc(memory, BF_MEMORY_IMAGE, BF_PAGE_SIZE, &spa);
			if (!page)
				return memory->error;
			pages[*count].va = va;
			pages[*count].spa = spa | rights;
			(*count)++;
		}
		fill_page(page, va, segment);
	}
	return BF_ERR_OK;
}

/* A page at whose end the initial thread-local data lies. */
static enum bf_error load_tls(const struct bsl_elf *elf, struct bf_memory *memory, uint64_t *spa)
{
	uint8_t *page;

	if (!elf->tls_filesz)
		return BF_ERR_OK;
	page = bf_memory_alloc(memory, BF_MEMORY_DATA, BF_PAGE_SIZE, spa);
	if (!page)
		return memory->error;
	bsl_memcpy(page + BF_PAGE_SIZE - elf->tls_memsz, elf->tls_data, elf->tls_filesz);
	return BF_ERR_OK;
}

enum bf_error bf_image_load(struct bf_image *image, struct bf_memory *memory, const void *file,
			    uint64_t size, uint64_t base, uint64_t length, uint64_t *detail)
{
	struct bsl_elf_segment segment;
	struct bf_image_page *pages;
	struct bsl_elf elf;
	enum bf_error error;
	uint32_t index = 0;

	bsl_memset(image, 0, sizeof(*image));
	error = bsl_elf_open(&elf, file, size, base, length, detail);
	if (error)
		return error;
	image->entry = elf.entry;
	error = load_tls(&elf, memory, &image->tls_spa);
	if (error)
		return error;
	pages = bf_memory_alloc(memory, BF_MEMORY_DATA, count_pages(&elf) * sizeof(*pages),
				&image->pages.spa);
	if (!pages)
		return memory->error;
	while (!error && bsl_elf_next(&elf, &index, &segment))
		error = load_segment(&segment, memory, pages, &image->pages.count);
	return error;
}
