// SPDX-License-Identifier: GPL-2.0-only
/* The loader's verdict on image files: what it accepts, and every way of being refused. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#include <abi/layout.h>
#include <bsl/elf.h>

#include "make_elf.h"

#define BASE MK1_EXT_CODE_BASE

static struct elf_file file;
static struct bsl_elf elf;
static uint64_t detail;

static void setup(void)
{
	make_elf(&file, BASE);
}

/* In a block of exactly this size, so that the sanitizer sees any read beyond it. */
static enum bf_error open_bytes(size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	enum bf_error error;

	memcpy(copy, &file, size < sizeof(file) ? size : sizeof(file));
	error = bsl_elf_open(&elf, copy, size, BASE, MK1_EXT_CODE_SIZE, &detail);
	free(copy);
	return error;
}

static enum bf_error open_file(void)
{
	return open_bytes(sizeof(file));
}

START_TEST(accepts)
{
	struct bsl_elf_segment segment;
	uint32_t index = 0;

	ck_assert_int_eq(bsl_elf_open(&elf, &file, sizeof(file), BASE, MK1_EXT_CODE_SIZE, &detail),
			 BF_ERR_OK);
	ck_assert_uint_eq(elf.entry, BASE + 0x410);
	ck_assert_ptr_eq(elf.tls_data, (uint8_t *)&file + 0x800);
	ck_assert_uint_eq(elf.tls_filesz, 0x20);
	ck_assert_uint_eq(elf.tls_memsz, 0x40);
	ck_assert(bsl_elf_next(&elf, &index, &segment));
	ck_assert_uint_eq(segment.va, BASE + 0x400);
	ck_assert_uint_eq(segment.flags, BSL_ELF_R | BSL_ELF_X);
	ck_assert_ptr_eq(segment.data, (uint8_t *)&file + 0x400);
	ck_assert(bsl_elf_next(&elf, &index, &segment));
	ck_assert(bsl_elf_next(&elf, &index, &segment));
	ck_assert_uint_eq(segment.memsz, ELF_DATA_MEMSZ);
	ck_assert_uint_eq(segment.filesz, ELF_DATA_SIZE);
	ck_assert(!bsl_elf_next(&elf, &index, &segment));
}
END_TEST

START_TEST(accepts_variants)
{
	/* no TLS; TLS without data, wherever it says it is; a stack header; an empty segment */
	file.phdrs[ELF_TLS].p_type = PT_GNU_STACK;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	ck_assert_uint_eq(elf.tls_memsz, 0);
	elf_segment(&file, ELF_TLS, PT_TLS, PF_R, 0, 0x1234, 0, 0x1000);
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	ck_assert_uint_eq(elf.tls_memsz, 0x1000);
	elf_segment(&file, ELF_RODATA, PT_LOAD, PF_R, 0, 0, 0, 0);
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	/* no bytes in the file, wherever the file says they are */
	file.phdrs[ELF_RODATA].p_offset = UINT64_MAX;
	file.phdrs[ELF_DATA].p_offset = sizeof(file) + 1;
	file.phdrs[ELF_DATA].p_filesz = 0;
	file.phdrs[ELF_TLS].p_offset = sizeof(file) + 1;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	/* TLS data at the address of nothing, or of something else */
	setup();
	file.phdrs[ELF_TLS].p_vaddr = 0x40;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	file.phdrs[ELF_TLS].p_vaddr = BASE + 0x2A00;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	setup();
	elf_segment(&file, ELF_RODATA, PT_LOAD, PF_R, 0, 0, 0, 0);
	file.phdrs[ELF_TLS].p_filesz = 0;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	/* two segments with the same rights may share a page */
	setup();
	elf_segment(&file, ELF_RODATA, PT_LOAD, PF_R | PF_X, 0x800, BASE + 0x800, 0x100, 0x100);
	file.phdrs[ELF_TLS].p_type = PT_NULL;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
}
END_TEST

START_TEST(refuses_truncation)
{
	size_t size;

	for (size = 0; size < 0xA00 + ELF_DATA_SIZE; size++)
		ck_assert_int_ne(open_bytes(size), BF_ERR_OK);
	ck_assert_int_eq(open_bytes(3), BF_ERR_ELF_MAGIC);
	ck_assert_int_eq(open_bytes(63), BF_ERR_ELF_TRUNCATED);
	ck_assert_int_eq(open_bytes(100), BF_ERR_ELF_TRUNCATED);
	ck_assert_int_eq(open_bytes(0xA50), BF_ERR_ELF_TRUNCATED);
	ck_assert_uint_eq(detail, ELF_DATA);
}
END_TEST

START_TEST(refuses_headers)
{
	file.header.e_ident[0] = 0;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_MAGIC);
	setup();
	file.header.e_ident[EI_CLASS] = ELFCLASS32;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_CLASS);
	setup();
	file.header.e_ident[EI_DATA] = ELFDATA2MSB;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_CLASS);
	setup();
	file.header.e_machine = EM_AARCH64;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_MACHINE);
	setup();
	file.header.e_type = ET_DYN;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TYPE);
	setup();
	file.header.e_phnum = 0;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_NO_SEGMENTS);
	setup();
	file.header.e_phnum = 0xFFFF;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_PHDRS);
	setup();
	file.header.e_phentsize = 32;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_PHDRS);
	setup();
	file.header.e_phoff = UINT64_MAX - 8;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TRUNCATED);
	setup();
	file.header.e_phoff = sizeof(file) - 8;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TRUNCATED);
	ck_assert_int_eq(
		bsl_elf_open(&elf, &file, BSL_ELF_MAX_SIZE + 1, BASE, MK1_EXT_CODE_SIZE, &detail),
		BF_ERR_ELF_TOO_LARGE);
}
END_TEST

START_TEST(refuses_types)
{
	file.phdrs[ELF_TLS].p_type = PT_INTERP;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_INTERP);
	file.phdrs[ELF_TLS].p_type = PT_DYNAMIC;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_RELOC);
	ck_assert_uint_eq(detail, ELF_TLS);
}
END_TEST

START_TEST(refuses_segments)
{
	Elf64_Phdr *data = &file.phdrs[ELF_DATA];

	data->p_flags |= PF_X;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_WX);
	setup();
	data->p_filesz = data->p_memsz + 1;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_PHDRS);
	setup();
	data->p_offset = UINT64_MAX;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TRUNCATED);
	setup();
	data->p_filesz = UINT64_MAX;
	data->p_memsz = UINT64_MAX;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TRUNCATED);
	setup();
	data->p_vaddr = BASE - 1;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_RANGE);
	setup();
	data->p_memsz = MK1_EXT_CODE_SIZE;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_RANGE);
	setup();
	data->p_memsz = UINT64_MAX;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_RANGE);
	setup();
	data->p_memsz = MK1_EXT_CODE_SIZE - 0x2A00;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	data->p_memsz++;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_RANGE);
}
END_TEST

START_TEST(refuses_neighbours)
{
	/* overlapping, descending, sharing a page with other rights */
	file.phdrs[ELF_RODATA].p_vaddr = BASE + 0x600;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_OVERLAP);
	ck_assert_uint_eq(detail, ELF_RODATA);
	setup();
	file.phdrs[ELF_RODATA].p_vaddr = BASE + 0x8000;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_OVERLAP);
	setup();
	file.phdrs[ELF_DATA].p_vaddr = BASE + 0x1C00;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_OVERLAP);
	/* the last byte of a page counts, the first of the next does not */
	setup();
	file.phdrs[ELF_RODATA].p_memsz = 0x800;
	file.phdrs[ELF_DATA].p_vaddr = BASE + 0x2000;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	file.phdrs[ELF_RODATA].p_vaddr++;
	file.phdrs[ELF_RODATA].p_memsz--;
	file.phdrs[ELF_TLS].p_type = PT_NULL;
	ck_assert_int_eq(open_file(), BF_ERR_OK);
	file.phdrs[ELF_RODATA].p_memsz++;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_OVERLAP);
}
END_TEST

START_TEST(refuses_entry)
{
	file.header.e_entry = BASE + 0x3FF;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_ENTRY);
	file.header.e_entry = BASE + 0x400 + ELF_TEXT_SIZE;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_ENTRY);
	file.header.e_entry = BASE + 0x1800;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_ENTRY);
	file.header.e_entry = 0;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_ENTRY);
	file.header.e_phnum = 0;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_NO_SEGMENTS);
	setup();
	file.phdrs[0].p_type = file.phdrs[1].p_type = file.phdrs[2].p_type = PT_NOTE;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_NO_SEGMENTS);
}
END_TEST

START_TEST(refuses_tls)
{
	Elf64_Phdr *tls = &file.phdrs[ELF_TLS];

	tls->p_memsz = 0x1001;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TLS);
	setup();
	tls->p_memsz = 0x10;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TLS);
	setup();
	tls->p_offset = sizeof(file) - 0x10;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TRUNCATED);
	setup();
	file.phdrs[ELF_RODATA] = *tls;
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TLS);
	setup();
	tls->p_filesz = tls->p_memsz = 0; /* the second of two, although the first is empty */
	elf_segment(&file, ELF_RODATA, PT_TLS, PF_R, 0x800, BASE + 0x1800, 0x20, 0x40);
	ck_assert_int_eq(open_file(), BF_ERR_ELF_TLS);
}
END_TEST

/* Any byte of the headers may be anything: no crash, and what is accepted can be walked. */
START_TEST(survives_noise)
{
	uint32_t random = 12345;
	int round;

	for (round = 0; round < 100000; round++) {
		struct bsl_elf_segment segment;
		uint32_t index = 0;
		int changes;

		setup();
		for (changes = 0; changes < 3; changes++) {
			random = random * 1664525 + 1013904223;
			((uint8_t *)&file)[(random >> 8) % 288] = (uint8_t)(random >> 24);
		}
		if (bsl_elf_open(&elf, &file, sizeof(file), BASE, MK1_EXT_CODE_SIZE, &detail))
			continue;
		while (bsl_elf_next(&elf, &index, &segment)) {
			ck_assert(!segment.filesz || segment.data >= (uint8_t *)&file);
			ck_assert(!segment.filesz ||
				  segment.data + segment.filesz <= (uint8_t *)(&file + 1));
			ck_assert(segment.va >= BASE);
			ck_assert(segment.va + segment.memsz <= BASE + MK1_EXT_CODE_SIZE);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf");
	TCase *tests = tcase_create("open");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, accepts);
	tcase_add_test(tests, accepts_variants);
	tcase_add_test(tests, refuses_truncation);
	tcase_add_test(tests, refuses_headers);
	tcase_add_test(tests, refuses_types);
	tcase_add_test(tests, refuses_segments);
	tcase_add_test(tests, refuses_neighbours);
	tcase_add_test(tests, refuses_entry);
	tcase_add_test(tests, refuses_tls);
	tcase_add_test(tests, survives_noise);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
