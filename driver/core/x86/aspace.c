// SPDX-License-Identifier: GPL-2.0-only
/*
 * The microkernel's address spaces, one per PP (docs/memory-map.md).
 *
 * The common part (image, window) is built once; the PML4 of each PP points to the same lower
 * tables. The PP's own part is its area, and at their Linux addresses the switch code (our copy of
 * it, so that Linux cannot change what runs in root mode) and its switch page. Nothing is user
 * accessible, global, or both writable and executable.
 *
 * Where Linux runs with 5 levels, so does root mode, since CR4.LA57 cannot change in long mode. Our
 * addresses have 48 bits. They lie at both ends of the PML5, whose first and last entry lead to the
 * same PML4: its lower half is used through the one, its upper half through the other. Only the
 * switch page, at its Linux address, may be elsewhere.
 *
 * The window shows all data memory, page tables included, so it comes last: bf_aspace_finish.
 */
#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "../loader.h"
#include "../platform.h"
#include "cpu.h"
#include "hw.h"

#define DATA (BSL_PTE_W | BSL_PTE_NX)
#define CODE 0

static uint64_t alloc_table(void *memory)
{
	uint64_t spa;

	return bf_memory_alloc(memory, BF_MEMORY_DATA, BF_PAGE_SIZE, &spa) ? spa : BSL_NO_TABLE;
}

static uint64_t *see_table(void *memory, uint64_t spa)
{
	(void)memory;
	return bf_os_va(spa);
}

#define BRANCH (BSL_PTE_P | BSL_PTE_W | BSL_PTE_A)

static bool has_5_levels(const struct bf_loader *loader)
{
	return loader->features.registers[BF_REGISTER_CR4] & CR4_LA57;
}

/* The PML4 with our addresses below what is, or will be, in CR3. */
static uint64_t *pml4_of(const struct bf_pp *pp)
{
	uint64_t *root = bf_os_va(pp->root);

	return has_5_levels(pp->loader) ? bf_os_va(root[0] & BSL_PTE_SPA) : root;
}

static enum bf_error map(struct bf_loader *loader, uint64_t root, uint64_t va, uint64_t spa,
			 uint64_t size, uint64_t flags)
{
	const struct bsl_tables tables = {
		.alloc = alloc_table,
		.at = see_table,
		.ctx = &loader->memory,
		.branch = BRANCH,
		.levels = root != loader->common && has_5_levels(loader) ? 5 : 4,
	};
	enum bf_error error = bsl_pt_map_range(&tables, root, va, spa, size, flags);

	/* A lack of memory may have a more precise reason. */
	return error == BF_ERR_NO_MEMORY && loader->memory.error ? loader->memory.error : error;
}

static enum bf_error new_root(struct bf_loader *loader, uint64_t *root)
{
	*root = alloc_table(&loader->memory);
	return *root == BSL_NO_TABLE ? loader->memory.error : BF_ERR_OK;
}

/* Takes a copy of the switch code, and maps the microkernel's image. */
enum bf_error bf_aspace_init(struct bf_loader *loader, const struct bf_image *microkernel)
{
	const struct bf_image_page *pages = bf_os_va(microkernel->pages.spa);
	struct bf_memory *memory = &loader->memory;
	enum bf_error error;
	uint64_t i;
	void *code;

	code = bf_memory_alloc(memory, BF_MEMORY_IMAGE, BF_PAGE_SIZE, &loader->switch_spa);
	if (!code)
		return memory->error;
	bsl_memcpy(code, bf_switch_code, BF_PAGE_SIZE);
	error = new_root(loader, &loader->common);
	for (i = 0; !error && i < microkernel->pages.count; i++) {
		uint64_t flags = pages[i].spa & BF_PAGE_W ? BSL_PTE_W : 0;

		if (!(pages[i].spa & BF_PAGE_X))
			flags |= BSL_PTE_NX;
		error = map(loader, loader->common, pages[i].va,
			    pages[i].spa & ~(uint64_t)BF_PAGE_MASK, BF_PAGE_SIZE, flags);
	}
	return error;
}

/* Allocates size bytes and maps them at va; *at is our own pointer to them. */
static enum bf_error map_new(struct bf_pp *pp, uint64_t va, uint64_t size, void **at)
{
	struct bf_memory *memory = &pp->loader->memory;
	uint64_t spa;

	*at = bf_memory_alloc(memory, BF_MEMORY_DATA, size, &spa);
	if (!*at)
		return memory->error;
	return map(pp->loader, pp->root, va, spa, size, DATA);
}

static void fill_pp_handoff(struct bf_pp *pp, struct bf_pp_handoff *handoff)
{
	const uint64_t *pml4 = pml4_of(pp);
	const uint64_t *pdpt = bf_os_va(pml4[bsl_pt_index(BF_PP_BASE, 4)] & BSL_PTE_SPA);
	const uint64_t *pd = bf_os_va(pdpt[bsl_pt_index(BF_PP_BASE, 3)] & BSL_PTE_SPA);

	handoff->magic = BF_HANDOFF_MAGIC;
	handoff->ppid = pp->ppid;
	handoff->cpu = pp->cpu;
	handoff->handoff = BF_WINDOW_BASE + pp->loader->handoff_spa;
	handoff->cr3 = pp->root;
	handoff->area_pt = pd[bsl_pt_index(BF_PP_BASE, 2)] & BSL_PTE_SPA;
	handoff->switch_page = (uint64_t)(uintptr_t)pp->switch_page;
	handoff->switch_leave = (uint64_t)(uintptr_t)bf_switch_leave;
	handoff->switch_page_spa = pp->switch_page_spa;
	handoff->switch_code_spa = pp->loader->switch_spa;
	handoff->trace = pp->trace.spa;
}

static enum bf_error new_pp_root(struct bf_pp *pp)
{
	uint64_t *pml5;
	uint64_t pml4;
	enum bf_error error = new_root(pp->loader, &pp->root);

	if (error || !has_5_levels(pp->loader))
		return error;
	error = new_root(pp->loader, &pml4);
	if (error)
		return error;
	pml5 = bf_os_va(pp->root);
	pml5[0] = pml4 | BRANCH;
	pml5[BSL_PT_ENTRIES - 1] = pml4 | BRANCH;
	return BF_ERR_OK;
}

/* Builds what is the PP's own: area, stacks, switch code, switch page. */
enum bf_error bf_aspace_init_pp(struct bf_pp *pp)
{
	struct bf_memory *memory = &pp->loader->memory;
	enum bf_error error;
	unsigned int i;
	void *data;
	void *stack;

	error = new_pp_root(pp);
	if (!error)
		error = map_new(pp, BF_PP_DATA, BF_PP_DATA_PAGES * BF_PAGE_SIZE, &data);
	if (!error)
		error = map_new(pp, BF_PP_STACK, BF_PP_STACK_PAGES * BF_PAGE_SIZE, &stack);
	for (i = 0; !error && i < BF_PP_IST_COUNT; i++)
		error = map_new(pp, BF_PP_IST_BASE + i * (uint64_t)BF_PP_IST_STRIDE, BF_PAGE_SIZE,
				&stack);
	if (error)
		return error;
	error = map(pp->loader, pp->root, (uint64_t)(uintptr_t)bf_switch_code,
		    pp->loader->switch_spa, BF_PAGE_SIZE, CODE);
	if (error)
		return error;
	pp->switch_page =
		bf_memory_alloc(memory, BF_MEMORY_DATA, BF_PAGE_SIZE, &pp->switch_page_spa);
	if (!pp->switch_page)
		return memory->error;
	error = map(pp->loader, pp->root, (uint64_t)(uintptr_t)pp->switch_page, pp->switch_page_spa,
		    BF_PAGE_SIZE, DATA);
	if (error)
		return error;
	bf_cpu_init_switch_page(pp->switch_page);
	fill_pp_handoff(pp, data);
	return BF_ERR_OK;
}

static enum bf_error map_window(struct bf_loader *loader, const struct bf_block *block)
{
	return map(loader, loader->common, BF_WINDOW_BASE + block->spa, block->spa, block->size,
		   DATA);
}

/*
 * Maps the window and gives every PP the common part. The tables of the window may take further
 * blocks, which this very walk then reaches.
 */
enum bf_error bf_aspace_finish(struct bf_loader *loader)
{
	const uint64_t *common = bf_os_va(loader->common);
	const struct bf_block *block;
	enum bf_error error;
	uint32_t i, slot;

	error = map_window(loader, &loader->ring);
	if (!error)
		error = map_window(loader, &loader->status);
	if (!error)
		error = map_window(loader, &loader->ended);
	for (i = 0; !error && i < loader->nr_pps; i++)
		error = map_window(loader, &loader->pps[i].trace);
	for (i = 0; !error && i < loader->handoff->nr_exts; i++)
		error = map_window(loader, &loader->channels[i]);
	for (block = loader->memory.first; !error && block; block = block->next)
		if (block->kind != BF_MEMORY_IMAGE)
			error = map_window(loader, block);
	for (i = 0; !error && i < loader->nr_pps; i++) {
		uint64_t *pml4 = pml4_of(&loader->pps[i]);

		for (slot = 0; slot < BSL_PT_ENTRIES; slot++) {
			if (!common[slot])
				continue;
			if (pml4[slot])
				return BF_ERR_BAD_REQUEST;
			pml4[slot] = common[slot];
		}
	}
	return error;
}
