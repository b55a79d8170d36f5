// SPDX-License-Identifier: GPL-2.0-only
/* The address space of the microkernel, as it relies on it. */
#include "fake_platform.h"
#include "translate.h"

#include <check.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

static uint64_t *see(void *ctx, uint64_t spa)
{
	(void)ctx;
	return bf_os_va(spa);
}

static struct bsl_tables view = { .at = see };

static const uint64_t *translate(uint64_t root, uint64_t va, uint64_t flags)
{
	uint64_t spa, is;

	view.levels = fake.here->cr4 & CR4_LA57 ? 5 : 4;
	ck_assert_msg(translate_va(&view, root, va, &spa, &is), "0x%lx is not mapped", va);
	ck_assert_uint_eq(is, flags);
	return bf_os_va(spa);
}

static void verify_unmapped(uint64_t root, uint64_t va)
{
	uint64_t spa, flags;

	ck_assert_msg(!translate_va(&view, root, va, &spa, &flags), "0x%lx is mapped", va);
}

static bool is_owned(const struct bf_handoff *handoff, uint64_t spa, uint64_t size)
{
	const struct bf_region *owned = bf_os_va(handoff->owned.spa);

	for (uint64_t i = 0; i < handoff->owned.count; i++)
		if (bsl_range_within(spa, size, owned[i].spa, owned[i].size))
			return true;
	return false;
}

/* No entry grants writing and executing or user access; all tables belong to us. */
static void verify_table(const struct bf_handoff *handoff, const uint64_t *table,
			 unsigned int level)
{
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		uint64_t entry = table[i];

		if (!(entry & BSL_PTE_P))
			continue;
		ck_assert(!(entry & (BSL_PTE_U | 0x100)));
		if (level > 1 && !(entry & BSL_PTE_PS)) {
			ck_assert(is_owned(handoff, entry & BSL_PTE_SPA, BF_PAGE_SIZE));
			verify_table(handoff, bf_os_va(entry & BSL_PTE_SPA), level - 1);
		} else {
			ck_assert(!(entry & BSL_PTE_W) || (entry & BSL_PTE_NX));
		}
	}
}

static void verify_lists(uint64_t root, const struct bf_handoff *handoff)
{
	const uint64_t rw = BSL_PTE_W | BSL_PTE_NX;
	const struct bf_region *list = bf_os_va(handoff->owned.spa);

	for (uint64_t i = 0; i + 1 < handoff->owned.count; i++)
		ck_assert_uint_lt(list[i].spa + list[i].size, list[i + 1].spa);
	list = bf_os_va(handoff->page_pool.spa);
	ck_assert_uint_gt(handoff->page_pool.count, 0);
	for (uint64_t i = 0; i < handoff->page_pool.count; i++) {
		ck_assert(is_owned(handoff, list[i].spa, list[i].size));
		translate(root, BF_WINDOW_BASE + list[i].spa, rw);
		translate(root, BF_WINDOW_BASE + list[i].spa + list[i].size - 1, rw);
	}
	ck_assert(is_owned(handoff, handoff->huge_pool.spa, handoff->huge_pool.size));
	translate(root, BF_WINDOW_BASE + handoff->huge_pool.spa, rw);
	ck_assert_uint_eq(handoff->ram.count, 3);
	list = bf_os_va(handoff->ram.spa);
	ck_assert_uint_eq(list[0].spa, 0x1000);
	ck_assert_uint_eq(list[0].size, 0x9E000);
	ck_assert_uint_eq(list[2].size, 0x1000);
	/* shared with Linux, so not owned */
	ck_assert(!is_owned(handoff, handoff->ring.spa, 1));
	ck_assert(!is_owned(handoff, handoff->status.spa, 1));
	translate(root, BF_WINDOW_BASE + handoff->ring.spa, rw);
	translate(root, BF_WINDOW_BASE + handoff->status.spa + handoff->status.size - 1, rw);
	ck_assert_uint_ge(handoff->ended.size, BF_MAX_EXTS * sizeof(struct bf_ended));
	ck_assert(!is_owned(handoff, handoff->ended.spa, 1));
	translate(root, BF_WINDOW_BASE + handoff->ended.spa, rw);
	for (uint64_t i = 0; i < handoff->nr_exts; i++) {
		const struct bf_region *channel = &handoff->channels[i];

		ck_assert(!is_owned(handoff, channel->spa, channel->size));
		translate(root, BF_WINDOW_BASE + channel->spa, rw);
		translate(root, BF_WINDOW_BASE + channel->spa + channel->size - 1, rw);
	}
	translate(root, BF_WINDOW_BASE + handoff->ended.spa + handoff->ended.size - 1, rw);
}

static void verify_area(uint64_t root, const struct bf_pp_handoff *pp)
{
	const uint64_t rw = BSL_PTE_W | BSL_PTE_NX;
	const uint64_t *pt = bf_os_va(pp->area_pt);

	translate(root, BF_PP_DATA + BF_PP_DATA_PAGES * BF_PAGE_SIZE - 1, rw);
	verify_unmapped(root, BF_PP_DATA + BF_PP_DATA_PAGES * BF_PAGE_SIZE);
	verify_unmapped(root, BF_PP_STACK - 1);
	translate(root, BF_PP_STACK, rw);
	translate(root, BF_PP_STACK_TOP - 1, rw);
	verify_unmapped(root, BF_PP_STACK_TOP);
	for (unsigned int i = 0; i < BF_PP_IST_COUNT; i++) {
		uint64_t stack = BF_PP_IST_BASE + i * (uint64_t)BF_PP_IST_STRIDE;

		verify_unmapped(root, stack - 1);
		translate(root, stack, rw);
		verify_unmapped(root, stack + BF_PAGE_SIZE);
	}
	verify_unmapped(root, BF_PP_ABI);
	verify_unmapped(root, BF_PP_TEMP);
	ck_assert(pt[bsl_pt_index(BF_PP_DATA, 1)] & BSL_PTE_P);
}

static void verify_switch(uint64_t root, const struct bf_switch_page *page,
			  const struct bf_pp_handoff *pp)
{
	uint64_t handler = page->idt[4];
	const void *code;

	code = translate(root, (uint64_t)(uintptr_t)page, BSL_PTE_W | BSL_PTE_NX);
	ck_assert_ptr_eq(code, page);
	ck_assert_ptr_eq(code, bf_os_va(pp->switch_page_spa));
	code = translate(root, (uint64_t)(uintptr_t)bf_switch_code, 0);
	ck_assert_ptr_ne(code, bf_switch_code);
	ck_assert_mem_eq(code, bf_switch_code, BF_PAGE_SIZE);
	ck_assert_ptr_eq(code, bf_os_va(pp->switch_code_spa));
	handler = (handler & 0xFFFF) | ((handler >> 32) & 0xFFFF0000) | page->idt[5] << 32;
	ck_assert_uint_eq(handler, (uint64_t)(uintptr_t)bf_switch_nmi);
	ck_assert_uint_eq((page->idt[4] >> 16) & 0xFFFF, BF_SEL_KERNEL_CS);
	ck_assert_uint_eq((page->idt[4] >> 32) & 0xFFFF, 0x8E00);
	ck_assert_uint_eq(page->gdtr.base, (uint64_t)(uintptr_t)page->gdt);
	ck_assert_uint_eq(page->idtr.limit, 3 * 16 - 1);
}

void fake_verify_aspace(const struct bf_switch_page *page, uint64_t cr3, uint64_t entry)
{
	const uint64_t rw = BSL_PTE_W | BSL_PTE_NX;
	const struct bf_pp_handoff *pp = (const void *)translate(cr3, BF_PP_DATA, rw);
	const struct bf_handoff *handoff;
	const struct bf_image_page *pages;

	ck_assert_uint_eq(pp->magic, BF_HANDOFF_MAGIC);
	ck_assert_uint_eq(pp->cpu, fake.here->number);
	ck_assert_uint_eq(pp->cr3, cr3);
	ck_assert_uint_eq(pp->switch_page, (uint64_t)(uintptr_t)page);
	ck_assert_uint_eq(pp->switch_leave, (uint64_t)(uintptr_t)bf_switch_leave);
	handoff = (const void *)translate(cr3, pp->handoff, rw);
	fake.handoff = handoff;
	ck_assert_uint_eq(handoff->magic, BF_HANDOFF_MAGIC);
	ck_assert_uint_eq(handoff->vendor, fake.here->vendor);
	ck_assert_uint_eq(handoff->nr_pps, fake.nr_cpus);
	fake.ended = bf_os_va(handoff->ended.spa);
	fake.here->status = bf_os_va(handoff->status.spa + pp->ppid * (uint64_t)BF_PAGE_SIZE);
	ck_assert(is_owned(handoff, cr3, BF_PAGE_SIZE));
	/* Walking all tables of a thousand CPUs takes minutes. */
	if (pp->ppid >= FAKE_CPUS && pp->ppid + 1 < handoff->nr_pps)
		return;
	verify_table(handoff, bf_os_va(cr3), view.levels);
	verify_lists(cr3, handoff);
	verify_area(cr3, pp);
	verify_switch(cr3, page, pp);
	ck_assert_uint_eq(*(const uint8_t *)translate(cr3, entry, 0), 0x90);
	for (uint64_t i = 0; i < handoff->nr_exts; i++) {
		const struct bf_image *image = &handoff->exts[i];

		verify_unmapped(cr3, image->entry);
		pages = bf_os_va(image->pages.spa);
		for (uint64_t n = 0; n < image->pages.count; n++) {
			uint64_t spa = pages[n].spa & ~(uint64_t)BF_PAGE_MASK;

			ck_assert(is_owned(handoff, spa, BF_PAGE_SIZE));
			verify_unmapped(cr3, BF_WINDOW_BASE + spa);
		}
	}
}
