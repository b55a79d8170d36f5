// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "microkernel/svm/decode.h"

#define MODES(bit16, bit32, bit64) { (bit16), (bit32), (bit64) }
#define ALL(n) MODES(n, n, n)

struct example {
	const char *hex;
	unsigned int length[3]; /* by enum decode_mode; 0: none */
};

/* Everything that can exit, and every rule of the format that decides a length. */
static const struct example examples[] = {
	/* what the hypervisor meets */
	{ "0FA2", ALL(2) }, /* CPUID */
	{ "0F08", ALL(2) }, /* INVD */
	{ "0F09", ALL(2) }, /* WBINVD */
	{ "F30F09", ALL(3) }, /* WBNOINVD */
	{ "0F01D1", ALL(3) }, /* XSETBV */
	{ "0F01D0", ALL(3) }, /* XGETBV */
	{ "0F32", ALL(2) }, /* RDMSR */
	{ "0F30", ALL(2) }, /* WRMSR */
	{ "0F31", ALL(2) }, /* RDTSC */
	{ "0F01F9", ALL(3) }, /* RDTSCP */
	{ "0F33", ALL(2) }, /* RDPMC */
	{ "0F01D8", ALL(3) }, /* VMRUN */
	{ "0F01D9", ALL(3) }, /* VMMCALL */
	{ "0F01DA", ALL(3) }, /* VMLOAD */
	{ "0F01DB", ALL(3) }, /* VMSAVE */
	{ "0F01DC", ALL(3) }, /* STGI */
	{ "0F01DD", ALL(3) }, /* CLGI */
	{ "0F01DE", ALL(3) }, /* SKINIT */
	{ "0F01DF", ALL(3) }, /* INVLPGA */
	{ "0F01C1", ALL(3) }, /* VMCALL */
	{ "0F01C8", ALL(3) }, /* MONITOR */
	{ "0F01C9", ALL(3) }, /* MWAIT */
	{ "0F01FA", ALL(3) }, /* MONITORX */
	{ "0F01FB", ALL(3) }, /* MWAITX */
	{ "0F01FD", ALL(3) }, /* RDPRU */
	{ "0F01FE", ALL(3) }, /* INVLPGB */
	{ "F4", ALL(1) }, /* HLT */
	{ "F390", ALL(2) }, /* PAUSE */
	{ "0F20C0", ALL(3) }, /* MOV eax, cr0 */
	{ "0F22D8", ALL(3) }, /* MOV cr3, eax */
	{ "440F22C0", MODES(1, 1, 4) }, /* MOV cr8, rax */
	{ "F00F20C0", ALL(4) }, /* MOV eax, cr8 in AMD's other way */
	{ "0F2004", ALL(3) }, /* mod is ignored: no SIB */
	{ "0F2385", ALL(3) }, /* MOV dr0, ... no displacement either */
	{ "0F21F8", ALL(3) }, /* MOV eax, dr7 */
	{ "0F06", ALL(2) }, /* CLTS */
	{ "0F01E0", ALL(3) }, /* SMSW eax */
	{ "0F01F0", ALL(3) }, /* LMSW ax */
	{ "0F0138", ALL(3) }, /* INVLPG [rax] */
	{ "0F017C2408", MODES(4, 5, 5) }, /* INVLPG [rsp + 8] */
	{ "0F01F8", ALL(3) }, /* SWAPGS */
	{ "0F011D00000000", MODES(3, 7, 7) }, /* LIDT [disp32] */
	{ "0F0116AABB", MODES(5, 3, 3) }, /* LGDT */
	{ "0F01942411223344", MODES(5, 8, 8) }, /* LGDT [rsp + disp32] */
	{ "0F00D8", ALL(3) }, /* LTR ax */
	{ "0F00D0", ALL(3) }, /* LLDT ax */
	{ "0F00C8", ALL(3) }, /* STR eax */
	{ "9C", ALL(1) }, /* PUSHF */
	{ "9D", ALL(1) }, /* POPF */
	{ "669D", ALL(2) },
	{ "CF", ALL(1) }, /* IRET */
	{ "48CF", MODES(1, 1, 2) },
	{ "CC", ALL(1) }, /* INT3 */
	{ "CD80", ALL(2) }, /* INT n */
	{ "F1", ALL(1) }, /* INT1 */
	{ "CE", MODES(1, 1, 0) }, /* INTO */
	{ "0F05", ALL(2) }, /* SYSCALL */
	{ "480F07", MODES(1, 1, 3) }, /* SYSRET */
	{ "0FAA", ALL(2) }, /* RSM */
	{ "0F0B", ALL(2) }, /* UD2 */
	{ "660F388210", ALL(5) }, /* INVPCID */
	{ "0FC7F0", ALL(3) }, /* RDRAND */
	{ "660FC733", ALL(4) }, /* VMCLEAR */
	{ "F30FC733", ALL(4) }, /* VMXON */
	{ "0FC733", ALL(3) }, /* VMPTRLD */
	{ "0F78C3", ALL(3) }, /* VMREAD */
	{ "0F79C3", ALL(3) }, /* VMWRITE */
	{ "660F388010", ALL(5) }, /* INVEPT */
	{ "E460", ALL(2) }, /* IN al, imm8 */
	{ "E5FF", ALL(2) },
	{ "E680", ALL(2) }, /* OUT imm8, al */
	{ "66E780", ALL(3) },
	{ "EC", ALL(1) }, /* IN al, dx */
	{ "66ED", ALL(2) },
	{ "EF", ALL(1) }, /* OUT dx, eax */
	{ "F36C", ALL(2) }, /* REP INSB */
	{ "F3666F", ALL(3) }, /* REP OUTSW */
	{ "2E67F3486E", MODES(4, 4, 5) }, /* every prefix at once */
	/* redundant prefixes, in any number and order */
	{ "660FA2", ALL(3) },
	{ "F2F3662E3E640FA2", ALL(8) },
	{ "67660F32", ALL(4) },
	{ "480FA2", MODES(1, 1, 3) },
	{ "4048660F01D1", MODES(1, 1, 6) },
	{ "66666666666666666666666666F4", ALL(14) },
	{ "6666666666666666666666666666F4", ALL(15) },
	{ "666666666666666666666666666666F4", ALL(0) }, /* 16 bytes: #GP */
	{ "36363636363636363636363636360FA2", ALL(0) },
	/* immediates */
	{ "B811223344", MODES(3, 5, 5) },
	{ "66B811223344", MODES(6, 4, 4) },
	{ "48B81122334455667788", MODES(1, 1, 10) },
	{ "6648B81122334455667788", MODES(2, 2, 11) }, /* REX.W beats 66 */
	{ "4866B81122334455667788", MODES(1, 1, 5) }, /* and is void before 66 */
	{ "48C7C011223344", MODES(1, 1, 7) },
	{ "A1112233445566778899", MODES(3, 5, 9) }, /* moffs */
	{ "67A1112233445566778899", MODES(6, 4, 6) },
	{ "C8112233", ALL(4) }, /* ENTER */
	{ "C21122", ALL(3) },
	{ "CA1122", ALL(3) },
	{ "F6C011", ALL(3) }, /* TEST al, imm8 */
	{ "F6C811", ALL(3) }, /* /1 as well */
	{ "F6D0", ALL(2) }, /* NOT al */
	{ "F7C011223344", MODES(4, 6, 6) },
	{ "66F7C011223344", MODES(7, 5, 5) },
	{ "F7D8", ALL(2) },
	{ "6811223344", MODES(3, 5, 5) },
	{ "6A11", ALL(2) },
	{ "69C011223344", MODES(4, 6, 6) },
	{ "6BC011", ALL(3) },
	{ "9A112233445566", MODES(5, 7, 0) }, /* far call */
	{ "66EA112233445566", MODES(8, 6, 0) },
	{ "D40A", MODES(2, 2, 0) },
	{ "06", MODES(1, 1, 0) },
	{ "60", MODES(1, 1, 0) },
	{ "8200112233", MODES(3, 3, 0) },
	/* branches */
	{ "EB00", ALL(2) },
	{ "E811223344", MODES(3, 5, 5) },
	{ "66E911223344", MODES(6, 4, 4) },
	{ "0F8411223344", MODES(4, 6, 6) },
	{ "660F8411223344", MODES(7, 5, 5) },
	{ "E2FE", ALL(2) },
	/* addressing */
	{ "8B00", ALL(2) },
	{ "8B4011", ALL(3) },
	{ "8B8011223344", MODES(4, 6, 6) },
	{ "8B0511223344", MODES(2, 6, 6) },
	{ "8B061122", MODES(4, 2, 2) },
	{ "8B0425AABBCCDD", MODES(2, 7, 7) },
	{ "8B0424", MODES(2, 3, 3) },
	{ "678B061122", MODES(3, 5, 3) },
	{ "678B0425AABBCCDD", MODES(8, 3, 8) },
	{ "C704241122334455", MODES(4, 7, 7) },
	/* VEX, EVEX, XOP and what they are in 32-bit code */
	{ "C5F877", ALL(3) }, /* VZEROUPPER */
	{ "C5F8AE5424F0", MODES(5, 6, 6) }, /* VLDMXCSR */
	{ "C5F8C6C111", ALL(5) }, /* VSHUFPS */
	{ "C4E27918C0", ALL(5) }, /* VBROADCASTSS */
	{ "C4E37918C001", ALL(6) }, /* VINSERTF128 */
	{ "C50411", MODES(2, 3, 0) }, /* LDS, but VEX in 64-bit code: not enough bytes */
	{ "6200", MODES(2, 2, 0) }, /* BOUND */
	{ "62F17C48100424", MODES(6, 7, 7) }, /* VMOVUPS zmm */
	{ "62F37D4825C0FF", ALL(7) }, /* VPTERNLOGD */
	{ "8FE87885C0", ALL(0) }, /* XOP map 8 without its immediate */
	{ "8FE87885C011", ALL(6) },
	{ "8FE97812C0", ALL(5) }, /* LLWPCB */
	{ "8FEA7810C011223344", ALL(9) }, /* BEXTR */
	{ "8F00", ALL(2) }, /* POP [rax] */
	/* 3DNow!, the three-byte maps, two immediates */
	{ "0F0FC10D", ALL(4) },
	{ "0F3800C1", ALL(4) },
	{ "660F3A0FC111", ALL(6) },
	{ "660F78C01122", ALL(6) }, /* EXTRQ */
	{ "F20F78C11122", ALL(6) }, /* INSERTQ */
	/* no such opcode */
	{ "0F04", ALL(0) },
	{ "0F24C0", ALL(0) },
};

static size_t from_hex(const char *hex, uint8_t *bytes)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char digits[] = { hex[2 * i], hex[2 * i + 1], 0 };

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return n;
}

/* Decodes from a copy whose end ASan watches. */
static unsigned int decode(const uint8_t *bytes, size_t n, enum decode_mode mode)
{
	uint8_t *copy = malloc(n ? n : 1);
	unsigned int length;

	memcpy(copy, bytes, n);
	length = decode_length(copy, n, mode);
	free(copy);
	return length;
}

START_TEST(example_in_all_modes)
{
	const struct example *e = &examples[_i];
	uint8_t bytes[32];
	size_t n = from_hex(e->hex, bytes);

	for (unsigned int mode = DECODE_16; mode <= DECODE_64; mode++) {
		unsigned int got = decode(bytes, n, mode);

		ck_assert_msg(got == e->length[mode], "%s in mode %u: %u, not %u", e->hex, mode,
			      got, e->length[mode]);
		/* Cut anywhere before its end it has no length. */
		for (unsigned int cut = 0; cut < got; cut++)
			ck_assert_msg(decode(bytes, cut, mode) == 0, "%s cut to %u", e->hex, cut);
	}
}
END_TEST

START_TEST(prefixes_are_counted)
{
	static const struct {
		const char *hex;
		unsigned int prefixes[3]; /* by enum decode_mode */
	} cases[] = { { "0fa2", { 0, 0, 0 } },
		      { "662e0fa2", { 2, 2, 2 } },
		      { "66480fa2", { 1, 1, 2 } }, /* DEC EAX outside of 64-bit mode */
		      { "f3f2f0646526363e67", { 9, 9, 9 } }, /* nothing after them */
		      { "", { 0, 0, 0 } } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[32];
		size_t n = from_hex(cases[i].hex, bytes);

		for (unsigned int mode = DECODE_16; mode <= DECODE_64; mode++)
			ck_assert_uint_eq(decode_prefixes(bytes, n, mode), cases[i].prefixes[mode]);
	}
}
END_TEST

START_TEST(random_bytes_stay_in_bounds)
{
	uint8_t bytes[16];

	srand(1);
	for (int i = 0; i < 200000; i++) {
		size_t n = (size_t)rand() % sizeof(bytes);
		enum decode_mode mode = (enum decode_mode)(rand() % 3);

		for (size_t k = 0; k < n; k++)
			bytes[k] = (uint8_t)rand();
		ck_assert_uint_le(decode(bytes, n, mode), n < 15 ? n : 15);
	}
}
END_TEST

#define MAX_BYTES 32

/* Reads one line of `objdump -d -w`: "  addr:\tb0 b1 ... \tmnemonic operands". */
static size_t parse_line(const char *line, uint8_t *bytes, const char **mnemonic)
{
	const char *p = strchr(line, '\t');
	size_t n = 0;

	if (!p)
		return 0;
	for (p++; n < MAX_BYTES && isxdigit((unsigned char)*p); n++) {
		bytes[n] = (uint8_t)strtoul(p, NULL, 16);
		p += 3;
	}
	*mnemonic = strchr(p, '\t');
	return *mnemonic ? n : 0;
}

/* Whether every word of text is a prefix, which objdump shows before what makes no sense. */
static bool only_prefixes(const char *text)
{
	static const char *const prefixes[] = { "data16", "data32", "addr16", "addr32", "lock",
						"rep",    "repz",   "repnz",  "cs",     "ds",
						"es",     "ss",     "fs",     "gs" };
	char word[32];
	int length;

	while (sscanf(text, " %31s%n", word, &length) == 1) {
		bool found = !strncmp(word, "rex", 3);

		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
			found |= !strcmp(word, prefixes[i]);
		if (!found)
			return false;
		text += length;
	}
	return true;
}

/*
 * Lines that do not show one instruction; FWAIT, an instruction of its own, taken for a prefix of
 * the next; the test registers, which left with the 486.
 */
static bool is_odd(const uint8_t *bytes, size_t n, const char *mnemonic)
{
	if (strstr(mnemonic, "(bad)") || strstr(mnemonic, ".byte") || strstr(mnemonic, "%tr"))
		return true;
	if (n > 1 && memchr(bytes, 0x9B, n - 1))
		return true;
	return n > 15 || only_prefixes(mnemonic);
}

/* Compares every line that command prints, and returns how many there were. */
static unsigned long compare(const char *command, enum decode_mode mode)
{
	FILE *objdump = popen(command, "r");
	unsigned long compared = 0;
	uint8_t bytes[MAX_BYTES];
	const char *mnemonic;
	char line[512];

	ck_assert_ptr_nonnull(objdump);
	while (fgets(line, sizeof(line), objdump)) {
		size_t n = parse_line(line, bytes, &mnemonic);
		unsigned int got;

		if (!n || is_odd(bytes, n, mnemonic))
			continue;
		got = decode_length(bytes, n, mode);
		ck_assert_msg(got == n, "mode %u: %u for %s", mode, got, line);
		compared++;
	}
	ck_assert_int_eq(pclose(objdump), 0);
	return compared;
}

START_TEST(agrees_with_objdump_on_libc)
{
	ck_assert_uint_gt(
		compare("objdump -d -w -- \"$(ldd /bin/sh | awk '/libc\\.so/ {print $3}')\"",
			DECODE_64),
		100000);
}
END_TEST

START_TEST(agrees_with_objdump_on_random_bytes)
{
	static const char *const machines[] = { "i8086", "i386", "i386:x86-64" };
	static const uint8_t frequent[] = { 0x0F, 0x66, 0x67, 0x48, 0xF2,
					    0xF3, 0xC4, 0xC5, 0x62, 0x8F };
	char path[] = "/tmp/test_decode.XXXXXX";
	char command[128];
	FILE *file = fdopen(mkstemp(path), "w");

	ck_assert_ptr_nonnull(file);
	srand(1);
	for (int i = 0; i < 500000; i++)
		fputc(rand() % 4 ? rand() : frequent[(size_t)rand() % sizeof(frequent)], file);
	ck_assert_int_eq(fclose(file), 0);
	for (unsigned int mode = DECODE_16; mode <= DECODE_64; mode++) {
		snprintf(command, sizeof(command), "objdump -D -w -b binary -m %s %s",
			 machines[mode], path);
		ck_assert_uint_gt(compare(command, (enum decode_mode)mode), 50000);
	}
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *tc = tcase_create("decode");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, example_in_all_modes, 0,
			    (int)(sizeof(examples) / sizeof(examples[0])));
	tcase_add_test(tc, prefixes_are_counted);
	tcase_add_test(tc, random_bytes_stay_in_bounds);
	tcase_add_test(tc, agrees_with_objdump_on_libc);
	tcase_add_test(tc, agrees_with_objdump_on_random_bytes);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
