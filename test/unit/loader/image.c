// SPDX-License-Identifier: GPL-2.0-only
/* image.c: the microkernel and the extensions, where they are loaded. */
#include "loader.h"

START_TEST(refuses_images)
{
	start.exts[0].size = 100;
	assert_fails(BF_ERR_ELF_TRUNCATED, 0, 0);
	ck_assert_uint_eq(loader.failure.image, 1);
	start.exts[0].size = sizeof(ext);
	microkernel.phdrs[ELF_DATA].p_flags |= PF_X;
	assert_fails(BF_ERR_ELF_WX, 0, ELF_DATA);
	ck_assert_uint_eq(loader.failure.image, 0);
}
END_TEST

/* Another release's microkernel is not entered at all: its stacks lie elsewhere. */
START_TEST(refuses_another_microkernel)
{
	Elf64_Phdr *text = &microkernel.phdrs[ELF_TEXT];

	mk_head->version++;
	assert_fails(BF_ERR_MK_VERSION, 0,
		     BF_VERSION_DETAIL(BF_HANDOFF_VERSION + 1, BF_HANDOFF_VERSION));
	mk_head->version--;
	mk_head->magic++;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
	mk_head->magic--;
	text->p_filesz = text->p_memsz = sizeof(*mk_head) - 1;
	microkernel.header.e_entry = BF_MK_BASE;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
	text->p_vaddr += 8;
	microkernel.header.e_entry = text->p_vaddr;
	assert_fails(BF_ERR_MK_VERSION, 0, 0);
}
END_TEST

START_TEST(loads_images)
{
	const struct bf_image *image;
	const struct bf_image_page *pages;
	const uint8_t *page;

	memset((uint8_t *)&ext + 0xA00, 0x77, ELF_DATA_SIZE);
	/* text and rodata on one page, with the same rights */
	elf_segment(&ext, ELF_RODATA, PT_LOAD, PF_R | PF_X, 0x800, MK1_EXT_CODE_BASE + 0xF00, 0x200,
		    0x200);
	ext.phdrs[ELF_TLS].p_vaddr = MK1_EXT_CODE_BASE + 0x2A00; /* the data's */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_show_handoff();
	image = &fake.handoff->exts[0];
	ck_assert_uint_eq(image->entry, MK1_EXT_CODE_BASE + 0x410);
	page = bf_os_va(image->tls_spa);
	ck_assert_uint_eq(page[0xFBF], 0);
	ck_assert_uint_eq(page[0xFC0], 0x90);
	ck_assert_uint_eq(page[0xFDF], 0x90);
	ck_assert_uint_eq(page[0xFE0], 0);
	ck_assert_uint_eq(image->pages.count, 2 + 4);
	pages = bf_os_va(image->pages.spa);
	ck_assert_uint_eq(pages[0].va, MK1_EXT_CODE_BASE);
	ck_assert_uint_eq(pages[0].spa & BF_PAGE_MASK, BF_PAGE_X);
	ck_assert_uint_eq(pages[1].va, MK1_EXT_CODE_BASE + 0x1000);
	ck_assert_uint_eq(pages[2].spa & BF_PAGE_MASK, BF_PAGE_W);
	page = bf_os_va(pages[0].spa & ~0xFFFULL);
	ck_assert_uint_eq(page[0x3FF], 0);
	ck_assert_uint_eq(page[0x400], 0x90);
	ck_assert_uint_eq(page[0x700], 0);
	ck_assert_uint_eq(page[0xFFF], 0x90);
	page = bf_os_va(pages[2].spa & ~0xFFFULL);
	ck_assert_uint_eq(page[0x9FF], 0);
	ck_assert_uint_eq(page[0xA00], 0x77);
	ck_assert_uint_eq(page[0xB00], 0);
	ck_assert_uint_eq(pages[5].va, MK1_EXT_CODE_BASE + 0x5000);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

TCase *image_tests(void)
{
	TCase *tc = loader_case("image");

	tcase_add_test(tc, refuses_images);
	tcase_add_test(tc, refuses_another_microkernel);
	tcase_add_test(tc, loads_images);
	return tc;
}
