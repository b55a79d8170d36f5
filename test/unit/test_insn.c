// SPDX-License-Identifier: GPL-2.0-only
/*
 * ext/libext/insn.h: all of the C library's code, and random bytes, against libzydis; accesses and
 * errors by hand; and the instruction at RIP of a VS in memory.
 */
#include <check.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include <abi/hw/vmx.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/libext/insn.h>
#include <ext/libext/memory.h>
#include <ext/linux/linux.h>
#include <test/fuzz/insn_oracle.h>

/* --- against libzydis ------------------------------------------------------------------------- */

static void same(const uint8_t *bytes, size_t avail, enum insn_mode mode, unsigned int *length)
{
	char text[ORACLE_TEXT];
	const char *what = oracle_compare(bytes, avail, mode, text, length);

	ck_assert_msg(!what, "%s: %02x %02x %02x %02x %02x %02x", what, bytes[0], bytes[1],
		      bytes[2], bytes[3], bytes[4], bytes[5]);
}

/* From one instruction to the next: in its code there is nothing else. */
static int sweep(struct dl_phdr_info *info, size_t size, void *data)
{
	unsigned int *instructions = data, length;

	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so"))
		return 0;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uint8_t *code = (const uint8_t *)(info->dlpi_addr + segment->p_vaddr);
		size_t at = 0;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		while (at + INSN_MAX_LENGTH < segment->p_filesz) {
			same(code + at, INSN_MAX_LENGTH, INSN_64, &length);
			*instructions += length != 0;
			at += length ? length : 1;
		}
	}
	return 0;
}

START_TEST(code_of_the_c_library)
{
	unsigned int instructions = 0;

	dl_iterate_phdr(sweep, &instructions);
	ck_assert_uint_gt(instructions, 100000);
}
END_TEST

/* The first bytes lead into each map, so that all are seen as often. */
START_TEST(random_bytes)
{
	static const uint8_t begins[][3] = {
		{ 0x00, 0, 0 },    { 0x0F, 0, 0 }, { 0x0F, 0x38, 0 }, { 0x0F, 0x3A, 0 },
		{ 0xC5, 0, 0 },    { 0xC4, 1, 0 }, { 0xC4, 2, 0 },    { 0xC4, 3, 0 },
		{ 0x62, 1, 4 },    { 0x62, 2, 4 }, { 0x62, 3, 4 },    { 0x62, 5, 4 },
		{ 0x62, 6, 4 },    { 0x8F, 8, 0 }, { 0x8F, 9, 0 },    { 0x8F, 10, 0 },
		{ 0x66, 0, 0 },    { 0x67, 0, 0 }, { 0xF3, 0x0F, 0 }, { 0xF2, 0x0F, 0 },
		{ 0x66, 0x0F, 0 }, { 0x48, 0, 0 }, { 0x66, 0x48, 0 }, { 0x64, 0, 0 },
	};
	uint8_t bytes[INSN_MAX_LENGTH + 1];
	unsigned int length, known = 0;

	srandom(1);
	for (unsigned int i = 0; i < 400000; i++) {
		const uint8_t *begin = begins[i % (sizeof(begins) / sizeof(begins[0]))];
		unsigned int fixed = begin[0] == 0x0F || begin[0] == 0x66 || begin[0] >= 0xF2;

		for (unsigned int b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)(random() >> 7);
		if (begin[0])
			bytes[0] = begin[0];
		if (begin[1])
			bytes[1] = fixed ? begin[1] : (bytes[1] & 0xE0) | begin[1];
		bytes[2] |= begin[2];
		same(bytes, sizeof(bytes), (enum insn_mode)(i / 24 % 3), &length);
		known += length != 0;
	}
	ck_assert_uint_gt(known, 300000);
}
END_TEST

/* --- accesses --------------------------------------------------------------------------------- */

#define R 1
#define W 2
#define L 4

static const struct {
	const char *bytes;
	uint8_t count;
	uint8_t mode;
	uint8_t size; /* 0: none is known */
	uint8_t what;
} accesses[] = {
	{ "\x8B\x00", 2, INSN_64, 4, R }, /* mov (%rax), %eax */
	{ "\x66\x89\x00", 3, INSN_64, 2, W }, /* mov %ax, (%rax) */
	{ "\xC6\x00\x01", 3, INSN_64, 1, W }, /* movb $1, (%rax) */
	{ "\x48\x01\x00", 3, INSN_64, 8, R | W }, /* add %rax, (%rax) */
	{ "\xF0\x01\x00", 3, INSN_32, 4, R | W | L }, /* lock add %eax, (%eax) */
	{ "\x87\x00", 2, INSN_64, 4, R | W | L }, /* xchg, which locks by itself */
	{ "\x39\x00", 2, INSN_64, 4, R }, /* cmp %eax, (%rax) */
	{ "\xF3\xA5", 2, INSN_64, 4, R | W }, /* rep movsl */
	{ "\xF3\x48\xAB", 3, INSN_64, 8, W }, /* rep stos %rax */
	{ "\xFF\x30", 2, INSN_64, 8, R | W }, /* push (%rax) */
	{ "\x0F\x29\x00", 3, INSN_64, 16, W }, /* movaps %xmm0, (%rax) */
	{ "\x8B\xC0", 2, INSN_64, 0, 0 }, /* mov %eax, %eax */
	{ "\x8D\x00", 2, INSN_64, 0, 0 }, /* lea (%rax), %eax */
	{ "\xF0\x89\x00", 3, INSN_64, 0, 0 }, /* #UD */
	{ "\xC5\xF8\x29\x00", 4, INSN_64, 0, 0 }, /* vmovaps, as with all of VEX */
};

START_TEST(access_of_an_instruction)
{
	const char *bytes = accesses[_i].bytes;
	struct insn_access access = { 0 };
	struct ext_insn insn;

	ck_assert_int_eq(ext_insn_decode((const uint8_t *)bytes, accesses[_i].count,
					 (enum insn_mode)accesses[_i].mode, &insn),
			 INSN_OK);
	ck_assert_uint_eq(insn.length, accesses[_i].count);
	ck_assert_int_eq(ext_insn_access(&insn, &access), accesses[_i].size != 0);
	if (!accesses[_i].size)
		return;
	ck_assert_uint_eq(access.size, accesses[_i].size);
	ck_assert_uint_eq((unsigned int)(access.read * R | access.write * W | access.lock * L),
			  accesses[_i].what);
}
END_TEST

/* --- what is no instruction ------------------------------------------------------------------- */

static const struct {
	const char *bytes;
	uint8_t count;
	uint8_t mode;
	uint8_t status;
} errors[] = {
	{ "", 0, INSN_64, INSN_SHORT },
	{ "\x48", 1, INSN_64, INSN_SHORT },
	{ "\x8B\x04", 2, INSN_64, INSN_SHORT },
	{ "\xE8\x00\x00\x00", 4, INSN_64, INSN_SHORT },
	{ "\xC4\xE2", 2, INSN_64, INSN_SHORT },
	{ "fffffffffffffff\x90", 16, INSN_64, INSN_TOO_LONG }, /* 15 prefixes */
	{ "\x06", 1, INSN_64, INSN_UNSUPPORTED }, /* push %es */
	{ "\x06", 1, INSN_32, INSN_OK },
	{ "\xD5\x10\x89\xC0", 4, INSN_64, INSN_UNSUPPORTED }, /* REX2 */
	{ "\x66\xE9\x00\x00\x00\x00", 6, INSN_64, INSN_UNSUPPORTED }, /* AMD: 2 bytes */
	{ "\x66\x48\xE8\x00\x00\x00\x00", 7, INSN_64, INSN_OK },
	{ "\x66\xE9\x00\x00", 4, INSN_32, INSN_OK },
	{ "\x0F\xFF\xC0", 3, INSN_64, INSN_UNSUPPORTED }, /* UD0 */
	{ "\x0F\x04", 2, INSN_64, INSN_UNSUPPORTED },
	{ "\x66\xC5\xF8\x77", 4, INSN_64, INSN_INVALID }, /* a prefix before VEX */
	{ "\x48\xC5\xF8\x77", 4, INSN_64, INSN_INVALID },
	{ "\xC4\xE4\x78\x58\xC0", 5, INSN_64, INSN_UNSUPPORTED }, /* a map there is not */
	{ "\x62\xF1\x78\x48\x58\xC0", 6, INSN_64, INSN_UNSUPPORTED }, /* Xeon Phi's */
};

START_TEST(no_instruction)
{
	struct ext_insn insn;

	ck_assert_int_eq(ext_insn_decode((const uint8_t *)errors[_i].bytes, errors[_i].count,
					 (enum insn_mode)errors[_i].mode, &insn),
			 errors[_i].status);
}
END_TEST

START_TEST(each_status_has_a_sentence)
{
	ck_assert_str_eq(ext_insn_why(INSN_OK), "no error");
	ck_assert_str_eq(ext_insn_why(INSN_SHORT), "more bytes are needed");
	ck_assert_str_eq(ext_insn_why(INSN_UNREADABLE),
			 "there is no memory at RIP that can be read");
	ck_assert_str_eq(ext_insn_why((enum insn_status)(INSN_UNREADABLE + 1)), "unknown status");
}
END_TEST

/* --- Linux's ---------------------------------------------------------------------------------- */

static struct {
	bool amd;
	const char *code;
	size_t count;
	uint64_t reg[EXT_NR_REGS];
	uint64_t cs_attrib, ds_base, gs_base;
} vs;

bool linux_is_on_amd(void)
{
	return vs.amd;
}

uint64_t ext_reg_read(uint64_t vsid, enum ext_reg reg)
{
	ck_assert_uint_eq(vsid, 3);
	return vs.reg[reg];
}

uint64_t vs_get(uint64_t vsid, uint64_t reg)
{
	ck_assert_uint_eq(vsid, 3);
	if (reg == (vs.amd ? MK1_AMD_cs_attrib : MK1_INTEL_cs_attrib))
		return vs.cs_attrib;
	if (reg == (vs.amd ? MK1_AMD_ds_base : MK1_INTEL_ds_base))
		return vs.ds_base;
	ck_assert_uint_eq(reg, vs.amd ? MK1_AMD_gs_base : MK1_INTEL_gs_base);
	return vs.gs_base;
}

enum ext_mem_status ext_mem_code(uint64_t vsid, uint8_t code[EXT_MEM_CODE_MAX], size_t *count)
{
	ck_assert_uint_eq(vsid, 3);
	*count = vs.count;
	memcpy(code, vs.code, vs.count);
	return vs.count ? EXT_MEM_OK : EXT_MEM_NOT_PRESENT;
}

/* Of 64-bit code, 32-bit code in compatibility mode, and 16-bit code; on both vendors. */
static void set_mode(int amd, enum insn_mode mode)
{
	static const uint16_t svm[] = { 0, SEG_ATTRIB_DB, SEG_ATTRIB_L };
	static const uint16_t vmx[] = { 0, VMX_AR_DB, VMX_AR_L };

	memset(&vs, 0, sizeof(vs));
	vs.amd = amd;
	vs.reg[EXT_REG_efer] = EFER_LMA;
	vs.reg[EXT_REG_rip] = 0x401000;
	vs.cs_attrib = amd ? svm[mode] : vmx[mode];
	vs.ds_base = 0xF0000000;
	vs.gs_base = 0xFFFF888000000000;
}

static void set_code(const char *code, size_t count)
{
	vs.code = code;
	vs.count = count;
}

START_TEST(mode_is_that_of_cs)
{
	static const uint8_t lengths[] = { 3, 5, 5 };
	struct ext_insn insn;

	for (unsigned int mode = INSN_16; mode <= INSN_64; mode++) {
		set_mode(_i, (enum insn_mode)mode);
		set_code("\xB8\x01\x02\x03\x04\x90", 6); /* mov $..., %ax or %eax */
		ck_assert_int_eq(ext_insn_at(3, &insn), INSN_OK);
		ck_assert_uint_eq(insn.mode, mode);
		ck_assert_uint_eq(insn.length, lengths[mode]);
	}
	/* Outside of long mode the bit of 64-bit code means nothing. */
	vs.reg[EXT_REG_efer] = 0;
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_OK);
	ck_assert_uint_eq(insn.mode, INSN_16);
}
END_TEST

START_TEST(code_that_is_not_there)
{
	struct ext_insn insn;

	set_mode(_i, INSN_64);
	set_code("", 0);
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_UNREADABLE);
	set_code("\x48\x8B", 2); /* goes on in a page that is not there */
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_UNREADABLE);
	set_code("\x06", 1);
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_UNSUPPORTED);
}
END_TEST

static uint64_t address(const char *code, size_t count)
{
	struct ext_insn insn;
	uint64_t la;

	set_code(code, count);
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_OK);
	ck_assert(ext_insn_address(3, &insn, &la));
	return la;
}

START_TEST(address_of_memory)
{
	struct ext_insn insn;
	uint64_t la;

	set_mode(_i, INSN_64);
	vs.reg[EXT_REG_rbx] = 0xFFFF888000010000;
	vs.reg[EXT_REG_rcx] = 0x10;
	vs.reg[EXT_REG_r9] = 0x1000;
	/* mov -8(%rbx, %rcx, 4), %eax */
	ck_assert_uint_eq(address("\x8B\x44\x8B\xF8", 4), 0xFFFF888000010038);
	/* mov %gs:0x10(%r9), %rax; the base of DS does not count */
	ck_assert_uint_eq(address("\x65\x49\x8B\x41\x10", 5), 0xFFFF888000001010);
	/* mov 0x10(%rip), %eax */
	ck_assert_uint_eq(address("\x8B\x05\x10\x00\x00\x00", 6), 0x401016);
	/* vgatherdps, which has eight */
	set_code("\xC4\xE2\x75\x92\x04\x10", 6);
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_OK);
	ck_assert(!ext_insn_address(3, &insn, &la));
	set_code("\x90", 1);
	ck_assert_int_eq(ext_insn_at(3, &insn), INSN_OK);
	ck_assert(!ext_insn_address(3, &insn, &la));
	set_mode(_i, INSN_32);
	vs.reg[EXT_REG_rbx] = 0xAAAAAAAA20000000;
	/* mov 0x10(%ebx), %eax, at the end of 32 bits */
	ck_assert_uint_eq(address("\x8B\x43\x10", 3), 0x10000010);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("insn");
	TCase *tc = tcase_create("insn");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, code_of_the_c_library);
	tcase_add_test(tc, random_bytes);
	tcase_add_loop_test(tc, access_of_an_instruction, 0,
			    (int)(sizeof(accesses) / sizeof(accesses[0])));
	tcase_add_loop_test(tc, no_instruction, 0, (int)(sizeof(errors) / sizeof(errors[0])));
	tcase_add_test(tc, each_status_has_a_sentence);
	tcase_add_loop_test(tc, mode_is_that_of_cs, 0, 2);
	tcase_add_loop_test(tc, code_that_is_not_there, 0, 2);
	tcase_add_loop_test(tc, address_of_memory, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
