// SPDX-License-Identifier: GPL-2.0-only
/* Images that bfm must take or refuse; the loader's own check is held against it. */
#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsl/elf.h>

#include "bfm/bfm.h"

enum { TEXT, RODATA, DATA, TLS, STACK, NR_SEGMENTS };

#define NR_SECTIONS 3
#define TEXT_SIZE 0x100
#define TEXT_OFFSET 0x1000
#define RODATA_OFFSET 0x2000
#define RODATA_SIZE 0x80
#define BASE MK1_EXT_CODE_BASE

/* A whole image: sections last, so that a file cut anywhere lacks something. */
struct file {
	Elf64_Ehdr header;
	Elf64_Phdr segments[NR_SEGMENTS];
	uint8_t pad0[TEXT_OFFSET - sizeof(Elf64_Ehdr) - NR_SEGMENTS * sizeof(Elf64_Phdr)];
	uint8_t text[RODATA_OFFSET - TEXT_OFFSET];
	uint8_t rodata[RODATA_SIZE];
	Elf64_Shdr sections[NR_SECTIONS];
};

static Elf64_Phdr segment(uint32_t type, uint32_t flags, uint64_t offset, uint64_t va,
			  uint64_t filesz, uint64_t memsz)
{
	return (Elf64_Phdr){ .p_type = type,
			     .p_flags = flags,
			     .p_offset = offset,
			     .p_vaddr = va,
			     .p_paddr = va,
			     .p_filesz = filesz,
			     .p_memsz = memsz,
			     .p_align = 0x1000 };
}

static void make_valid(struct file *file)
{
	memset(file, 0, sizeof(*file));
	memcpy(file->header.e_ident, ELFMAG, SELFMAG);
	file->header.e_ident[EI_CLASS] = ELFCLASS64;
	file->header.e_ident[EI_DATA] = ELFDATA2LSB;
	file->header.e_ident[EI_VERSION] = EV_CURRENT;
	file->header.e_type = ET_EXEC;
	file->header.e_machine = EM_X86_64;
	file->header.e_version = EV_CURRENT;
	file->header.e_entry = BASE + 0x10;
	file->header.e_phoff = offsetof(struct file, segments);
	file->header.e_shoff = offsetof(struct file, sections);
	file->header.e_ehsize = sizeof(Elf64_Ehdr);
	file->header.e_phentsize = sizeof(Elf64_Phdr);
	file->header.e_phnum = NR_SEGMENTS;
	file->header.e_shentsize = sizeof(Elf64_Shdr);
	file->header.e_shnum = NR_SECTIONS;
	file->segments[TEXT] =
		segment(PT_LOAD, PF_R | PF_X, TEXT_OFFSET, BASE, TEXT_SIZE, TEXT_SIZE);
	file->segments[RODATA] =
		segment(PT_LOAD, PF_R, RODATA_OFFSET, BASE + 0x1000, RODATA_SIZE, RODATA_SIZE);
	file->segments[DATA] = segment(PT_LOAD, PF_R | PF_W, 0, BASE + 0x2000, 0, 0x3000);
	file->segments[TLS] = segment(PT_TLS, PF_R, RODATA_OFFSET, BASE + 0x1000, 0x20, 0x100);
	file->segments[STACK] = segment(PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0);
	file->sections[1].sh_type = SHT_PROGBITS;
	file->sections[1].sh_flags = SHF_ALLOC;
	file->sections[1].sh_addr = BASE;
	file->sections[1].sh_offset = TEXT_OFFSET;
	file->sections[1].sh_size = TEXT_SIZE;
	file->sections[2].sh_type = SHT_PROGBITS;
	file->sections[2].sh_flags = SHF_ALLOC;
	file->sections[2].sh_addr = BASE + 0x1000;
	file->sections[2].sh_offset = RODATA_OFFSET;
	file->sections[2].sh_size = 0x30;
}

/* Checks a copy whose end ASan watches, and that the detail is a string of its own. */
static enum bf_error check(const void *data, size_t size, enum image_kind kind)
{
	void *copy = malloc(size ? size : 1);
	char *detail = malloc(160);
	enum bf_error error;

	memcpy(copy, data, size);
	memset(detail, 'x', 160);
	error = image_check(copy, size, kind, detail, 160);
	ck_assert_uint_lt(strnlen(detail, 160), 160);
	ck_assert(error != BF_ERR_OK || !*detail);
	ck_assert_int_eq(memcmp(copy, data, size), 0);
	free(detail);
	free(copy);
	return error;
}

START_TEST(takes_a_valid_image)
{
	struct file file;

	make_valid(&file);
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_EXTENSION), BF_ERR_OK);
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_MICROKERNEL), BF_ERR_ELF_RANGE);
	for (int i = TEXT; i <= TLS; i++)
		file.segments[i].p_vaddr += BF_MK_BASE - BASE;
	file.header.e_entry += BF_MK_BASE - BASE;
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_MICROKERNEL), BF_ERR_OK);
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_EXTENSION), BF_ERR_ELF_RANGE);
}
END_TEST

START_TEST(takes_what_the_abi_allows)
{
	struct file file;

	/* No sections; the last page of the range; two segments with the same rights in a page. */
	make_valid(&file);
	file.header.e_shoff = 0;
	file.header.e_shnum = 0;
	file.segments[DATA].p_memsz = MK1_EXT_CODE_SIZE - 0x2000;
	file.segments[RODATA].p_flags = PF_R | PF_X;
	file.segments[RODATA].p_vaddr = BASE + TEXT_SIZE;
	file.segments[TLS].p_vaddr = BASE + TEXT_SIZE;
	file.segments[TLS].p_memsz = BF_PAGE_SIZE;
	ck_assert_int_eq(check(&file, offsetof(struct file, sections), IMAGE_EXTENSION), BF_ERR_OK);
	/* TLS data at an address of its own; a segment of nothing but zeros, beyond the file. */
	make_valid(&file);
	file.segments[TLS].p_vaddr = UINT64_MAX;
	file.segments[DATA].p_filesz = 0;
	file.segments[DATA].p_offset = sizeof(struct file) + 1;
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_EXTENSION), BF_ERR_OK);
	/* Relocations that are a linker's notes. */
	make_valid(&file);
	file.sections[2].sh_type = SHT_RELA;
	file.sections[2].sh_flags = 0;
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_EXTENSION), BF_ERR_OK);
}
END_TEST

#define FIELD(member, number, wanted) \
	{ #member " = " #number, offsetof(struct file, member), \
	  sizeof(((struct file *)0)->member), (uint64_t)(number), BF_ERR_ELF_##wanted }

/* One wrong field, and the answer. */
static const struct {
	const char *name;
	size_t offset;
	size_t size;
	uint64_t value;
	enum bf_error error;
} hostile[] = {
	FIELD(header.e_ident[0], 0, MAGIC),
	FIELD(header.e_ident[EI_CLASS], ELFCLASS32, CLASS),
	FIELD(header.e_ident[EI_DATA], ELFDATA2MSB, CLASS),
	FIELD(header.e_ident[EI_VERSION], 9, CLASS),
	FIELD(header.e_type, ET_DYN, TYPE),
	FIELD(header.e_type, ET_REL, TYPE),
	FIELD(header.e_machine, EM_AARCH64, MACHINE),
	FIELD(header.e_phnum, 0, NO_SEGMENTS),
	FIELD(header.e_phnum, PN_XNUM, PHDRS),
	FIELD(header.e_phnum, 1000, PHDRS),
	FIELD(header.e_phentsize, 55, PHDRS),
	FIELD(header.e_phentsize, 0, PHDRS),
	FIELD(header.e_phoff, UINT64_MAX, TRUNCATED),
	FIELD(header.e_phoff, UINT64_MAX - 8, TRUNCATED),
	FIELD(header.e_phoff, sizeof(struct file), TRUNCATED),
	FIELD(header.e_shoff, UINT64_MAX - 8, TRUNCATED),
	FIELD(header.e_shoff, sizeof(struct file), TRUNCATED),
	FIELD(header.e_shnum, 0xFEFF, TRUNCATED),
	FIELD(header.e_entry, BASE - 1, ENTRY),
	FIELD(header.e_entry, 0, ENTRY),
	FIELD(header.e_entry, BASE + TEXT_SIZE, ENTRY),
	FIELD(header.e_entry, BASE + 0x1000, ENTRY), /* in a segment that is not executable */
	FIELD(header.e_entry, UINT64_MAX, ENTRY),
	FIELD(segments[TEXT].p_flags, PF_R | PF_W | PF_X, WX),
	FIELD(segments[DATA].p_flags, PF_W | PF_X, WX),
	FIELD(segments[TEXT].p_flags, PF_R, ENTRY),
	FIELD(segments[TEXT].p_type, PT_NOTE, ENTRY),
	FIELD(segments[STACK].p_type, PT_INTERP, INTERP),
	FIELD(segments[STACK].p_type, PT_DYNAMIC, RELOC),
	FIELD(segments[STACK].p_type, PT_TLS, TLS), /* the second one */
	FIELD(segments[TEXT].p_offset, UINT64_MAX, TRUNCATED),
	FIELD(segments[TEXT].p_offset, sizeof(struct file) - TEXT_SIZE + 1, TRUNCATED),
	FIELD(segments[TEXT].p_offset, UINT64_MAX - TEXT_SIZE + 1, TRUNCATED),
	FIELD(segments[TEXT].p_filesz, TEXT_SIZE + 1, PHDRS),
	FIELD(segments[TEXT].p_filesz, UINT64_MAX, PHDRS),
	FIELD(segments[TEXT].p_memsz, TEXT_SIZE - 1, PHDRS),
	FIELD(segments[TEXT].p_memsz, UINT64_MAX, RANGE),
	FIELD(segments[DATA].p_memsz, MK1_EXT_CODE_SIZE - 0x2000 + 1, RANGE),
	FIELD(segments[DATA].p_memsz, UINT64_MAX - BASE, RANGE),
	FIELD(segments[TEXT].p_vaddr, BASE - 1, RANGE),
	FIELD(segments[TEXT].p_vaddr, 0, RANGE),
	FIELD(segments[TEXT].p_vaddr, UINT64_MAX, RANGE),
	FIELD(segments[DATA].p_vaddr, BASE + MK1_EXT_CODE_SIZE, RANGE),
	FIELD(segments[RODATA].p_vaddr, BASE, OVERLAP),
	FIELD(segments[RODATA].p_vaddr, BASE + TEXT_SIZE, OVERLAP), /* one page, other rights */
	FIELD(segments[TEXT].p_memsz, 0x1001, OVERLAP),
	FIELD(segments[RODATA].p_vaddr, BASE + 0x6000, OVERLAP), /* not ascending */
	FIELD(segments[TLS].p_memsz, BF_PAGE_SIZE + 1, TLS),
	FIELD(segments[TLS].p_memsz, UINT64_MAX, TLS),
	FIELD(segments[TLS].p_memsz, 0x1F, TLS),
	FIELD(segments[TLS].p_filesz, 0x101, TLS),
	FIELD(segments[TLS].p_offset, UINT64_MAX, TRUNCATED),
	FIELD(sections[2].sh_type, SHT_RELA, RELOC),
	FIELD(sections[1].sh_type, SHT_REL, RELOC)
};

START_TEST(refuses_a_hostile_field)
{
	struct file file;
	enum bf_error error;

	make_valid(&file);
	/* Little endian: the low bytes of the value come first. */
	memcpy((char *)&file + hostile[_i].offset, &hostile[_i].value, hostile[_i].size);
	error = check(&file, sizeof(file), IMAGE_EXTENSION);
	ck_assert_msg(error == hostile[_i].error, "%s: %d, not %d", hostile[_i].name, error,
		      hostile[_i].error);
}
END_TEST

START_TEST(refuses_a_file_cut_anywhere)
{
	struct file file;
	enum bf_error error;

	make_valid(&file);
	for (size_t size = 0; size < sizeof(file); size++) {
		error = check(&file, size, IMAGE_EXTENSION);
		ck_assert_msg(error == BF_ERR_ELF_TRUNCATED, "%zu bytes: %d", size, error);
	}
}
END_TEST

START_TEST(refuses_other_files)
{
	static uint8_t big[MK1_EXT_CODE_SIZE + 1];
	static const char archive[] =
		"!<arch>\nnot an image, but libelf would open it               `\n";
	struct file file;

	ck_assert_int_eq(check(archive, sizeof(archive), IMAGE_EXTENSION), BF_ERR_ELF_MAGIC);
	make_valid(&file);
	memcpy(big, &file, sizeof(file));
	ck_assert_int_eq(check(big, sizeof(big), IMAGE_EXTENSION), BF_ERR_ELF_TOO_LARGE);
	ck_assert_int_eq(check(big, sizeof(big) - 1, IMAGE_EXTENSION), BF_ERR_OK);
	for (int i = 0; i < NR_SEGMENTS; i++)
		file.segments[i].p_type = PT_NOTE;
	ck_assert_int_eq(check(&file, sizeof(file), IMAGE_EXTENSION), BF_ERR_ELF_NO_SEGMENTS);
}
END_TEST

/* Values that tend to break arithmetic. */
static uint64_t nasty_number(void)
{
	static const uint64_t numbers[] = { 0,
					    1,
					    0x7F,
					    0xFF,
					    0x1000,
					    0xFFF,
					    0xFFFF,
					    INT32_MAX,
					    UINT32_MAX,
					    INT64_MAX,
					    (uint64_t)1 << 63,
					    UINT64_MAX,
					    BASE,
					    BASE + 0x1000,
					    BASE + MK1_EXT_CODE_SIZE,
					    sizeof(struct file) };
	uint64_t number = numbers[(size_t)rand() % (sizeof(numbers) / sizeof(numbers[0]))];

	return number + (uint64_t)(rand() % 3) - 1;
}

static void mutate(struct file *file)
{
	/* Most of it hits the headers; the rest of the image is not looked at. */
	const size_t headers = offsetof(struct file, pad0);
	uint8_t *bytes = (uint8_t *)file;
	uint64_t number = nasty_number();
	size_t width = (size_t)1 << (rand() % 4);
	size_t at = (size_t)rand() % (rand() % 8 ? headers - 8 : sizeof(*file) - 8);

	if (rand() % 2)
		memcpy(bytes + at / width * width, &number, width);
	else
		bytes[at] ^= (uint8_t)(1 << rand() % 8);
}

START_TEST(survives_mutations_and_agrees_with_the_loader)
{
	unsigned int taken = 0;

	srand(1);
	for (int i = 0; i < 100000; i++) {
		size_t size = rand() % 4 ? sizeof(struct file) :
					   (size_t)rand() % sizeof(struct file);
		enum bf_error here, there;
		struct bsl_elf elf;
		struct file file;
		uint64_t detail;

		make_valid(&file);
		for (int n = rand() % 4; n >= 0; n--)
			mutate(&file);
		here = check(&file, size, IMAGE_EXTENSION);
		there = bsl_elf_open(&elf, &file, size, BASE, MK1_EXT_CODE_SIZE, &detail);
		/* What passes here passes there; bfm alone looks at sections. */
		if (here == BF_ERR_OK)
			ck_assert_msg(there == BF_ERR_OK, "round %d: the loader says %d", i, there);
		if (there == BF_ERR_OK)
			ck_assert_msg(here == BF_ERR_OK || here == BF_ERR_ELF_TRUNCATED ||
					      here == BF_ERR_ELF_RELOC || here == BF_ERR_ELF_TLS ||
					      here == BF_ERR_ELF_MAGIC || here == BF_ERR_ELF_PHDRS,
				      "round %d: bfm says %d", i, here);
		taken += here == BF_ERR_OK;
	}
	/* A loop that only ever refuses would test little. */
	ck_assert_uint_gt(taken, 1000);
}
END_TEST

START_TEST(loads_files)
{
	char path[] = "/tmp/test_bfm_image.XXXXXX";
	struct bf_file loaded = { 0 };
	int fd = mkstemp(path);
	struct file file;

	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	make_valid(&file);
	ck_assert_int_eq(write(fd, &file, sizeof(file)), sizeof(file));
	ck_assert_int_eq(image_load("test", path, IMAGE_EXTENSION, &loaded), EXIT_OK);
	ck_assert_uint_eq(loaded.size, sizeof(file));
	ck_assert_mem_eq((void *)(uintptr_t)loaded.data, &file, sizeof(file));
	free((void *)(uintptr_t)loaded.data);
	ck_assert_int_eq(image_load("test", path, IMAGE_MICROKERNEL, &loaded), EXIT_BAD_IMAGE);
	ck_assert_int_eq(ftruncate(fd, 0x7FFFFFFFFFF), 0);
	ck_assert_int_eq(image_load("test", path, IMAGE_EXTENSION, &loaded), EXIT_BAD_IMAGE);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(image_load("test", path, IMAGE_EXTENSION, &loaded), EXIT_BAD_IMAGE);
	ck_assert_int_eq(image_load("test", "/tmp", IMAGE_EXTENSION, &loaded), EXIT_BAD_IMAGE);
	ck_assert_int_eq(image_load("test", "/dev/zero", IMAGE_EXTENSION, &loaded), EXIT_BAD_IMAGE);
	ck_assert_int_eq(image_load("test", "/nonexistent", IMAGE_EXTENSION, &loaded),
			 EXIT_BAD_IMAGE);
	close(fd);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bfm_image");
	TCase *tc = tcase_create("bfm_image");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, takes_a_valid_image);
	tcase_add_test(tc, takes_what_the_abi_allows);
	tcase_add_loop_test(tc, refuses_a_hostile_field, 0,
			    (int)(sizeof(hostile) / sizeof(hostile[0])));
	tcase_add_test(tc, refuses_a_file_cut_anywhere);
	tcase_add_test(tc, refuses_other_files);
	tcase_add_test(tc, survives_mutations_and_agrees_with_the_loader);
	tcase_add_test(tc, loads_files);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
