// SPDX-License-Identifier: GPL-2.0-only
/* Programs of UEFI: their headers, what bfm adds, and what bareflank.efi finds in itself. */
#include <check.h>
#include <stdlib.h>

#include "bfm/efi.h"
#include "driver/efi/bundle.h"
#include "make_pe.h"

static struct pe_file pe;

static void reset(void)
{
	make_pe(&pe);
}

/* A copy of exactly its size, so that sanitizers see what is beyond. */
static void *copy_of(const void *data, size_t size)
{
	void *copy = malloc(size ? size : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, size);
	return copy;
}

static void assert_open(size_t size, const char *wrong)
{
	void *copy = copy_of(&pe, size);
	struct bsl_pe opened;
	const char *said = bsl_pe_open(&opened, copy, size);

	if (wrong)
		ck_assert_msg(said && strstr(said, wrong), "%s: %s", wrong, said ? said : "");
	else
		ck_assert_msg(!said, "%s", said);
	free(copy);
	reset();
}

START_TEST(reads_headers)
{
	struct bsl_pe opened;

	ck_assert_ptr_null(bsl_pe_open(&opened, &pe, sizeof(pe)));
	ck_assert_uint_eq(opened.nr_sections, 2);
	ck_assert_ptr_eq(bsl_pe_find(&opened, ".text"), &pe.sections[0]);
	ck_assert_ptr_eq(bsl_pe_find(&opened, ".datarel"), &pe.sections[1]);
	ck_assert_ptr_null(bsl_pe_find(&opened, ".tex"));
	ck_assert_ptr_null(bsl_pe_find(&opened, ".text2"));
	ck_assert_ptr_null(bsl_pe_find(&opened, ".datarel2"));
	assert_open(PE_ALIGN, NULL); /* what is behind the headers is not looked at */
}
END_TEST

START_TEST(refuses_headers)
{
	for (size_t size = 0; size < PE_ALIGN; size++) {
		void *copy = copy_of(&pe, size);
		struct bsl_pe opened;

		ck_assert_ptr_nonnull(bsl_pe_open(&opened, copy, size));
		free(copy);
	}
	pe.magic++;
	assert_open(PE_SIZE, "no PE file");
	pe.headers_at = UINT32_MAX;
	assert_open(PE_SIZE, "cut short");
	pe.headers_at = PE_SIZE - sizeof(pe.headers) + 1;
	assert_open(PE_SIZE, "cut short");
	pe.headers.magic++;
	assert_open(PE_SIZE, "no PE header");
	pe.headers.machine = 0xAA64;
	assert_open(PE_SIZE, "not for x86-64");
	pe.headers.plus = 0x10B;
	assert_open(PE_SIZE, "not for x86-64");
	pe.headers.subsystem = 3;
	assert_open(PE_SIZE, "no UEFI application");
	pe.headers.nr_directories = 15;
	assert_open(PE_SIZE, "data directories");
	pe.headers.optional_size--;
	assert_open(PE_SIZE, "too small");
	pe.headers.optional_size = UINT16_MAX;
	assert_open(PE_SIZE, "beyond its headers");
	pe.headers.section_align = 0;
	assert_open(PE_SIZE, "powers of two");
	pe.headers.file_align = 0x300;
	assert_open(PE_SIZE, "powers of two");
	pe.headers.file_align = 0x2000;
	assert_open(PE_SIZE, "powers of two");
	pe.headers.section_align = pe.headers.file_align = 0x20000;
	assert_open(PE_SIZE, "powers of two");
	pe.headers.nr_sections = 0;
	assert_open(PE_SIZE, "no sections");
	pe.headers.nr_sections = BSL_PE_MAX_SECTIONS + 1;
	assert_open(PE_SIZE, "too many");
	pe.headers.nr_sections = 5;
	assert_open(PE_SIZE, "beyond its headers");
	pe.headers.headers_size = PE_SIZE + 1;
	assert_open(PE_SIZE, "beyond its headers");
	pe.headers.headers_size = UINT32_MAX;
	assert_open(PE_SIZE, "beyond its headers");
}
END_TEST

/* --- a further section ------------------------------------------------------------------------ */

static const char *add(size_t size, const char *name, size_t content_size, void **file,
		       uint64_t *file_size)
{
	void *content = calloc(1, content_size ? content_size : 1);
	const char *wrong;

	ck_assert_ptr_nonnull(content);
	memset(content, 0xC0, content_size);
	*file = copy_of(&pe, size);
	*file_size = size;
	wrong = pe_add_section(file, file_size, name, content, content_size);
	free(content);
	return wrong;
}

static void assert_refused(size_t size, const char *wrong)
{
	const char *said;
	uint64_t file_size;
	void *file;

	said = add(size, ".new", 16, &file, &file_size);
	ck_assert_msg(said && strstr(said, wrong), "%s: %s", wrong, said ? said : "");
	ck_assert_uint_eq(file_size, size);
	ck_assert(!memcmp(file, &pe, size));
	free(file);
	reset();
}

START_TEST(adds_a_section)
{
	const struct pe_file *new;
	uint64_t size;
	void *file;

	pe.headers.symbols = PE_SIZE;
	pe.headers.nr_symbols = 7;
	ck_assert_ptr_null(add(PE_SIZE, ".new", PE_ALIGN + 1, &file, &size));
	ck_assert_uint_eq(size, PE_SIZE + 2 * PE_ALIGN);
	new = file;
	ck_assert_uint_eq(new->headers.nr_sections, 3);
	ck_assert_uint_eq(new->headers.image_size, 0x6000);
	ck_assert_uint_eq(new->headers.data_size, 3 * PE_ALIGN);
	ck_assert_uint_eq(new->headers.checksum, 0);
	ck_assert_uint_eq(new->headers.symbols, 0);
	ck_assert_uint_eq(new->headers.nr_symbols, 0);
	ck_assert_str_eq(new->sections[2].name, ".new");
	ck_assert_uint_eq(new->sections[2].va, 0x5000);
	ck_assert_uint_eq(new->sections[2].memsz, PE_ALIGN + 1);
	ck_assert_uint_eq(new->sections[2].offset, PE_SIZE);
	ck_assert_uint_eq(new->sections[2].filesz, 2 * PE_ALIGN);
	ck_assert_uint_eq(new->sections[2].characteristics, 0x40000040);
	ck_assert(!memcmp(new->code, pe.code, 2 * PE_ALIGN));
	for (size_t i = PE_SIZE; i < size; i++)
		ck_assert_uint_eq(((uint8_t *)file)[i], i <= PE_SIZE + PE_ALIGN ? 0xC0 : 0);
	/* The next one comes behind it. */
	ck_assert_ptr_null(pe_add_section(&file, &size, ".empty", NULL, 0));
	new = file;
	ck_assert_uint_eq(new->headers.nr_sections, 4);
	ck_assert_uint_eq(new->sections[3].va, 0x6000);
	ck_assert_uint_eq(size, PE_SIZE + 2 * PE_ALIGN);
	/* And there is no room for yet another one. */
	ck_assert_str_eq(pe_add_section(&file, &size, ".more", NULL, 0),
			 "its headers have no room for a further section");
	free(file);
}
END_TEST

START_TEST(cuts_what_is_behind)
{
	uint8_t longer[PE_SIZE + 100];
	uint64_t size = sizeof(longer);
	void *file;

	memcpy(longer, &pe, PE_SIZE);
	memset(longer + PE_SIZE, 0xEE, 100);
	file = copy_of(longer, sizeof(longer));
	ck_assert_ptr_null(pe_add_section(&file, &size, ".new", "x", 1));
	ck_assert_uint_eq(size, PE_SIZE + PE_ALIGN);
	ck_assert(!memcmp((uint8_t *)file + PE_SIZE, "x\0\0", 3));
	free(file);
}
END_TEST

START_TEST(refuses_to_add)
{
	void *file;
	uint64_t size;

	assert_refused(100, "cut short");
	pe.headers.directories[BSL_PE_CERTIFICATES].size = 8;
	assert_refused(PE_SIZE, "signed already");
	strcpy(pe.sections[0].name, ".new");
	assert_refused(PE_SIZE, "such a section already");
	assert_refused(PE_SIZE - 1, "beyond its end");
	pe.sections[1].offset = UINT32_MAX;
	assert_refused(PE_SIZE, "beyond its end");
	pe.sections[1].offset = 0;
	assert_refused(PE_SIZE, "beyond its end");
	pe.sections[1].filesz = UINT32_MAX;
	assert_refused(PE_SIZE, "beyond its end");
	pe.sections[1].offset = PE_ALIGN + 0x100;
	assert_refused(PE_SIZE, "overlap");
	pe.sections[0].filesz = 0;
	assert_refused(PE_SIZE, "something between its sections");
	pe.headers.headers_size = PE_ALIGN - 8;
	assert_refused(PE_SIZE, "something between its sections");
	pe.sections[2].characteristics = 1;
	assert_refused(PE_SIZE, "no room");
	pe.sections[1].memsz = UINT32_MAX;
	assert_refused(PE_SIZE, "too large");
	pe.sections[1].va = UINT32_MAX;
	assert_refused(PE_SIZE, "too large");
	pe.headers.section_align = 0x80000000;
	pe.sections[1].va = 0x80000000;
	assert_refused(PE_SIZE, "too large");
	/* All of them without data in the file is no reason. */
	pe.sections[0].filesz = pe.sections[1].filesz = 0;
	ck_assert_ptr_null(add(PE_SIZE, ".new", 1, &file, &size));
	ck_assert_uint_eq(size, 2 * PE_ALIGN);
	free(file);
}
END_TEST

/* --- the files within ------------------------------------------------------------------------- */

#define FILE_1 "configuration"
#define FILE_2 "image"

struct two_files {
	struct bf_bundle bundle;
	char first[16];
	char second[16];
};

static struct two_files two_files(void)
{
	struct two_files files = {
		.bundle = { .magic = BF_BUNDLE_MAGIC,
			    .version = BF_BUNDLE_VERSION,
			    .nr_files = 2,
			    .files = { { FILE_1, sizeof(files.bundle), 3 },
				       { FILE_2, sizeof(files.bundle) + 16, 16 } } },
		.first = "abc",
		.second = "0123456789ABCDEF"
	};

	return files;
}

/* A program with them as it is loaded: sections are at their addresses. */
static uint8_t *load(const void *section, size_t size, uint64_t *image_size)
{
	uint64_t file_size = PE_SIZE;
	void *file = copy_of(&pe, PE_SIZE);
	struct bsl_pe opened;
	uint8_t *image;

	ck_assert_ptr_null(pe_add_section(&file, &file_size, BF_BUNDLE_SECTION, section, size));
	ck_assert_ptr_null(bsl_pe_open(&opened, file, file_size));
	/* Cut where the section ends, though a loader makes whole pages of it. */
	*image_size = bsl_pe_section_at(&opened, 2)->va + size;
	image = calloc(1, *image_size);
	ck_assert_ptr_nonnull(image);
	memcpy(image, file, PE_ALIGN);
	for (uint32_t i = 0; i < opened.nr_sections; i++) {
		const struct bsl_pe_section *s = bsl_pe_section_at(&opened, i);

		memcpy(image + s->va, opened.data + s->offset,
		       s->memsz < s->filesz ? s->memsz : s->filesz);
	}
	free(file);
	return image;
}

START_TEST(finds_files)
{
	const struct two_files files = two_files();
	struct efi_bundle bundle;
	uint64_t size, found;
	uint8_t *image = load(&files, sizeof(files), &size);
	const void *data;

	ck_assert_ptr_null(efi_bundle_open(&bundle, image, size));
	ck_assert_uint_eq(bundle.nr_files, 2);
	ck_assert(efi_bundle_find(&bundle, FILE_1, &data, &found));
	ck_assert_uint_eq(found, 3);
	ck_assert(!memcmp(data, "abc", 3));
	ck_assert(efi_bundle_find(&bundle, FILE_2, &data, &found));
	ck_assert_uint_eq(found, 16);
	ck_assert(!memcmp(data, files.second, 16));
	ck_assert(!efi_bundle_find(&bundle, "imag", &data, &found));
	ck_assert(!efi_bundle_find(&bundle, "image2", &data, &found));
	ck_assert(!efi_bundle_find(&bundle, "", &data, &found));
	ck_assert(!efi_bundle_find(&bundle,
				   "a-name-that-is-longer-than-any-that-can-be-here-and-then-some-"
				   "characters",
				   &data, &found));
	free(image);
	/* Without that section there is none, which is not wrong. */
	ck_assert_ptr_null(efi_bundle_open(&bundle, &pe, sizeof(pe)));
	ck_assert_ptr_null(bundle.data);
	ck_assert(!efi_bundle_find(&bundle, FILE_1, &data, &found));
	pe.magic = 0;
	ck_assert_ptr_nonnull(efi_bundle_open(&bundle, &pe, sizeof(pe)));
	ck_assert_ptr_null(bundle.data);
}
END_TEST

static void assert_bundle(const struct two_files *files, size_t size, const char *wrong)
{
	struct efi_bundle bundle;
	uint64_t image_size;
	uint8_t *image = load(files, size, &image_size);
	const char *said = efi_bundle_open(&bundle, image, image_size);

	ck_assert_msg(said && strstr(said, wrong), "%s: %s", wrong, said ? said : "");
	ck_assert_ptr_null(bundle.data);
	free(image);
}

#define WRONG(change, wrong) \
	do { \
		struct two_files files = two_files(); \
		struct bf_bundle_file *second = &files.bundle.files[1]; \
		change; \
		(void)second; \
		assert_bundle(&files, sizeof(files), wrong); \
	} while (0)

START_TEST(refuses_files)
{
	const struct two_files good = two_files();

	for (size_t size = 0; size < sizeof(good.bundle); size += 8)
		assert_bundle(&good, size, "cut short");
	for (size_t size = sizeof(good.bundle); size < sizeof(good); size++)
		assert_bundle(&good, size, "not where it should be");
	WRONG(files.bundle.magic++, "another version");
	WRONG(files.bundle.version++, "another version");
	WRONG(files.bundle.nr_files = 0, "none, or too many");
	WRONG(files.bundle.nr_files = BF_BUNDLE_FILES + 1, "none, or too many");
	WRONG(files.bundle.nr_files = 3, "not where it should be");
	WRONG(second->name[0] = '\0', "not where it should be");
	WRONG(memset(second->name, 'x', BF_BUNDLE_NAME), "not where it should be");
	WRONG(second->offset++, "not where it should be");
	WRONG(second->offset = 0, "not where it should be");
	WRONG(second->offset += 16, "not where it should be");
	WRONG(second->offset = -16ULL, "not where it should be");
	WRONG(second->size++, "not where it should be");
	WRONG(second->size = UINT64_MAX, "not where it should be");
}
END_TEST

/* The header of the section says that it is where the image is not. */
START_TEST(refuses_a_section)
{
	const struct two_files files = two_files();
	struct efi_bundle bundle;
	uint64_t size;
	uint8_t *image = load(&files, sizeof(files), &size);
	struct bsl_pe_section *section = &((struct pe_file *)(void *)image)->sections[2];
	const struct bsl_pe_section good = *section;

	ck_assert_ptr_nonnull(efi_bundle_open(&bundle, image, size - 1));
	section->va = UINT32_MAX;
	ck_assert_ptr_nonnull(efi_bundle_open(&bundle, image, size));
	*section = good;
	section->memsz = UINT32_MAX;
	ck_assert_ptr_nonnull(efi_bundle_open(&bundle, image, size));
	*section = good;
	section->filesz = 0; /* what a loader fills with zeros */
	ck_assert_ptr_nonnull(efi_bundle_open(&bundle, image, size));
	*section = good;
	ck_assert_ptr_null(efi_bundle_open(&bundle, image, size));
	free(image);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pe");
	TCase *tc = tcase_create("pe");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, reset, NULL);
	tcase_add_test(tc, reads_headers);
	tcase_add_test(tc, refuses_headers);
	tcase_add_test(tc, adds_a_section);
	tcase_add_test(tc, cuts_what_is_behind);
	tcase_add_test(tc, refuses_to_add);
	tcase_add_test(tc, finds_files);
	tcase_add_test(tc, refuses_files);
	tcase_add_test(tc, refuses_a_section);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
