// SPDX-License-Identifier: GPL-2.0-only
/* Addresses and faults in all modes, where this CPU cannot say what is right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <ext/libext/alu.h>

#include "cases.h"
#include "guest.h"

/*
 * One register and one place in memory afterwards; all other registers, and flags but those of
 * arithmetic, are as before.
 */
static const struct example {
	enum insn_mode mode;
	const char *hex;
	const char *log;
	int reg; /* or -1 */
	uint64_t value;
	unsigned int bytes; /* or 0 */
	uint64_t address;
	uint64_t memory;
} examples[] = {
	/* each form of a 16-bit address */
	{ INSN_16, "8B00", "r40120:2", INSN_RAX, 0x8877665544332120, 0, 0, 0 },
	{ INSN_16, "8A01", "r40140:1", INSN_RAX, 0x8877665544332240, 0, 0, 0 },
	{ INSN_16, "8A02", "r30220:1", INSN_RAX, 0x8877665544332220, 0, 0, 0 },
	{ INSN_16, "8A03", "r30240:1", INSN_RAX, 0x8877665544332240, 0, 0, 0 },
	{ INSN_16, "8A04", "r40020:1", INSN_RAX, 0x8877665544332220, 0, 0, 0 },
	{ INSN_16, "8A05", "r40040:1", INSN_RAX, 0x8877665544332240, 0, 0, 0 },
	{ INSN_16, "8A063412", "r41234:1", INSN_RAX, 0x8877665544332234, 0, 0, 0 },
	{ INSN_16, "8A07", "r40100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	{ INSN_16, "8A46FF", "r301ff:1", INSN_RAX, 0x88776655443322FF, 0, 0, 0 },
	{ INSN_16, "8A8702FF", "r40002:1", INSN_RAX, 0x8877665544332202, 0, 0, 0 },
	{ INSN_16, "8A67FE", "r400fe:1", INSN_RAX, 0x887766554433FE11, 0, 0, 0 },
	/* segments: the last prefix counts */
	{ INSN_16, "268A07", "r10100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	{ INSN_16, "2E8A07", "r20100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	{ INSN_16, "368A07", "r30100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	{ INSN_16, "3E8A02", "r40220:1", INSN_RAX, 0x8877665544332220, 0, 0, 0 },
	{ INSN_16, "648A07", "r50100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	{ INSN_16, "64658A07", "r60100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	{ INSN_16, "65648A07", "r50100:1", INSN_RAX, 0x8877665544332200, 0, 0, 0 },
	/* sizes */
	{ INSN_16, "668B07", "r40100:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_16, "678A442410", "r30810:1", INSN_RAX, 0x8877665544332210, 0, 0, 0 },
	{ INSN_16, "66678B0500010000", "r40100:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_16, "8807", "w40100:1", -1, 0, 1, 0x40100, 0x11 },
	{ INSN_16, "C707BBAA", "w40100:2", -1, 0, 2, 0x40100, 0xAABB },
	{ INSN_16, "66C70778563412", "w40100:4", -1, 0, 4, 0x40100, 0x12345678 },
	{ INSN_16, "A10002", "r40200:2", INSN_RAX, 0x8877665544330100, 0, 0, 0 },
	{ INSN_16, "66A30002", "w40200:4", -1, 0, 4, 0x40200, 0x44332211 },
	{ INSN_16, "0FC307", "w40100:4", -1, 0, 4, 0x40100, 0x44332211 },
	/* reading, changing and writing */
	{ INSN_16, "F00001", "r40140:1 x40140:1", -1, 0, 1, 0x40140, 0x51 },
	{ INSN_16, "820712", "r40100:1 w40100:1", -1, 0, 1, 0x40100, 0x12 },
	{ INSN_16, "832FFF", "r40100:2 w40100:2", -1, 0, 2, 0x40100, 0x0101 },
	{ INSN_16, "F617", "r40100:1 w40100:1", -1, 0, 1, 0x40100, 0xFF },
	{ INSN_16, "8607", "r40100:1 x40100:1", INSN_RAX, 0x8877665544332200, 1, 0x40100, 0x11 },
	{ INSN_16, "8F07", "r30800:2 w40100:2", INSN_RSP, 0x802, 2, 0x40100, 0x0100 },
	{ INSN_16, "FF37", "r40100:2 w307fe:2", INSN_RSP, 0x7FE, 2, 0x307FE, 0x0100 },
	/* 32-bit addresses */
	{ INSN_32, "8B03", "r100:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_32, "8B0500020000", "r200:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_32, "8B44B3F0", "r170:4", INSN_RAX, 0x73727170, 0, 0, 0 },
	{ INSN_32, "8A84BD02FFFFFF", "r202:1", INSN_RAX, 0x8877665544332202, 0, 0, 0 },
	{ INSN_32, "8A442B05", "r305:1", INSN_RAX, 0x8877665544332205, 0, 0, 0 },
	{ INSN_32, "8A04B510000000", "r90:1", INSN_RAX, 0x8877665544332290, 0, 0, 0 },
	{ INSN_32, "668B03", "r100:2", INSN_RAX, 0x8877665544330100, 0, 0, 0 },
	{ INSN_32, "678A00", "r120:1", INSN_RAX, 0x8877665544332220, 0, 0, 0 },
	{ INSN_32, "658A4307", "r60107:1", INSN_RAX, 0x8877665544332207, 0, 0, 0 },
	{ INSN_32, "0FB64307", "r107:1", INSN_RAX, 0x07, 0, 0, 0 },
	{ INSN_32, "0FB703", "r100:2", INSN_RAX, 0x0100, 0, 0, 0 },
	{ INSN_32, "0FBE8380000000", "r180:1", INSN_RAX, 0xFFFFFF80, 0, 0, 0 },
	{ INSN_32, "660FBE8380000000", "r180:1", INSN_RAX, 0x887766554433FF80, 0, 0, 0 },
	{ INSN_32, "0FBF83FE000000", "r1fe:2", INSN_RAX, 0xFFFFFFFE, 0, 0, 0 },
	{ INSN_32, "A100020000", "r200:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_32, "C60355", "w100:1", -1, 0, 1, 0x100, 0x55 },
	/* bits: beyond the operand, if their number is in a register */
	{ INSN_32, "0FAB0B", "r100:4 w100:4", -1, 0, 4, 0x100, 0x03020104 },
	{ INSN_32, "0FAB33", "r104:4 w104:4", -1, 0, 4, 0x104, 0x07060505 },
	{ INSN_32, "660FAB33", "r104:2 w104:2", -1, 0, 2, 0x104, 0x0505 },
	{ INSN_32, "0FBA2B21", "r100:4 w100:4", -1, 0, 4, 0x100, 0x03020102 },
	{ INSN_32, "0FBA3B28", "r100:4 w100:4", -1, 0, 4, 0x100, 0x03020000 },
	{ INSN_32, "0FA333", "r104:4", -1, 0, 0, 0, 0 },
	/* the stack: POP uses its pointer after it has been incremented */
	{ INSN_32, "FF33", "r100:4 w7fc:4", INSN_RSP, 0x7FC, 4, 0x7FC, 0x03020100 },
	{ INSN_32, "8F442404", "r800:4 w808:4", INSN_RSP, 0x804, 4, 0x808, 0x03020100 },
	{ INSN_64, "FF33", "r100:8 w7f8:8", INSN_RSP, 0x7F8, 8, 0x7F8, 0x0706050403020100 },
	{ INSN_64, "66FF33", "r100:2 w7fe:2", INSN_RSP, 0x7FE, 2, 0x7FE, 0x0100 },
	{ INSN_64, "678F442404", "r800:8 w80c:8", INSN_RSP, 0x808, 8, 0x80C, 0x0706050403020100 },
	/* 64-bit mode: only FS and GS have bases, prefixes for the others mean nothing */
	{ INSN_64, "488B03", "r100:8", INSN_RAX, 0x0706050403020100, 0, 0, 0 },
	{ INSN_64, "648B03", "r50100:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_64, "642E8B03", "r50100:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_64, "48A10002000000000000", "r200:8", INSN_RAX, 0x0706050403020100, 0, 0, 0 },
	{ INSN_64, "67A100020000", "r200:4", INSN_RAX, 0x03020100, 0, 0, 0 },
	{ INSN_64, "8A0502000000", "r7008:1", INSN_RAX, 0x8877665544332208, 0, 0, 0 },
	{ INSN_64, "678A0502000000", "r7009:1", INSN_RAX, 0x8877665544332209, 0, 0, 0 },
	/* REX counts only in front of the opcode */
	{ INSN_64, "48668B03", "r100:2", INSN_RAX, 0x8877665544330100, 0, 0, 0 },
	{ INSN_64, "408A23", "r100:1", INSN_RSP, 0x800, 0, 0, 0 },
	{ INSN_64, "488163047F563412", "r104:8 w104:8", -1, 0, 8, 0x104, 0x0000000002040404 },
};

START_TEST(example_in_its_mode)
{
	const struct example *x = &examples[_i];
	struct emulate_regs before;

	guest_setup(x->mode);
	before = guest.regs;
	ck_assert_msg(guest_run(x->hex) == EMULATE_DONE, "%s", x->hex);
	ck_assert_msg(!strcmp(guest.log, x->log), "%s: %s, not %s", x->hex, guest.log, x->log);
	for (int i = 0; i < 16; i++) {
		uint64_t expected = i == x->reg ? x->value : before.gpr[i];

		ck_assert_msg(guest.regs.gpr[i] == expected, "%s: register %d: 0x%llx", x->hex, i,
			      (unsigned long long)guest.regs.gpr[i]);
	}
	if (x->bytes)
		ck_assert_msg(guest_memory(x->address, x->bytes) == x->memory, "%s: memory 0x%llx",
			      x->hex, (unsigned long long)guest_memory(x->address, x->bytes));
	ck_assert_uint_eq(guest.regs.rip, before.rip + strlen(x->hex) / 2);
}
END_TEST

/* What only changes flags returns what it was given. */
START_TEST(comparisons_keep_their_operand)
{
	static const enum insn_op ops[] = { INSN_CMP, INSN_TEST, INSN_BT };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint64_t rflags = RFLAGS_FIXED;

		ck_assert_uint_eq(alu_compute(ops[i], 4, 0x80000001, 0, &rflags), 0x80000001);
		ck_assert_uint_ne(rflags, RFLAGS_FIXED);
	}
}
END_TEST

/* --- what is not executed ----------------------------------------------------------------------*/

START_TEST(lock_is_for_changes_of_memory)
{
	static const char *const bad[] = { "F08803", /* MOV */
					   "F00FBE03", /* MOVSX */
					   "F00203", /* memory is the source */
					   "F03803",   "F08403", /* CMP, TEST: no write */
					   "F00FA303", "F00FBA2301", /* BT */
					   "F001C3",   "F0F7D8",       "F087C3",
					   "F00FB1C3", "F00FC1C3",     "F00FBAE801", /* registers */
					   "F0A4",     "F0FF33",       "F08F03",
					   "F00FC303", "F0A100020000", "F004FF" };
	static const char *const good[] = { "F00003",   "F00803",   "F01003",   "F01803",
					    "F02003",   "F02803",   "F03003",   "F0FE03",
					    "F0FE0B",   "F0F613",   "F0F61B",   "F08603",
					    "F00FB003", "F00FC003", "F00FAB0B", "F00FBA2B01",
					    "F00FB30B", "F00FBB0B" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		guest_setup(INSN_32);
		guest_assert_fault(bad[i], VECTOR_UD);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		guest_setup(INSN_32);
		ck_assert_msg(guest_run(good[i]) == EMULATE_DONE, "%s", good[i]);
		ck_assert_msg(strstr(guest.log, " x100:"), "%s: %s", good[i], guest.log);
	}
	guest_setup(INSN_64);
	guest_assert_fault("0FC3C3", VECTOR_UD); /* MOVNTI needs memory */
}
END_TEST

START_TEST(others_are_unsupported)
{
	static const struct {
		enum insn_mode mode;
		const char *hex;
	} others[] = {
		{ INSN_32, "90" },
		{ INSN_32, "0FA2" },
		{ INSN_32, "F627" },
		{ INSN_32, "FF13" },
		{ INSN_32, "FE13" },
		{ INSN_32, "C60B00" },
		{ INSN_32, "8F0B7800" },
		{ INSN_32, "0FBA0301" },
		{ INSN_32, "6303" },
		{ INSN_64, "820312" },
		{ INSN_64, "666303" },
		{ INSN_64, "660FC303" },
		{ INSN_64, "F30FC303" },
		{ INSN_64, "0F6F03" },
		{ INSN_64, "0F10C1" },
		{ INSN_64, "660F7EC0" },
		{ INSN_64, "F20F2803" },
		{ INSN_64, "C4E17928C0" },
		{ INSN_32, "06" },
		{ INSN_32, "4003" },
		{ INSN_32, "27" },
		{ INSN_32, "0F0F03"
			   "9E" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		guest_setup(others[i].mode);
		ck_assert_msg(guest_run(others[i].hex) == EMULATE_UNSUPPORTED, "%s", others[i].hex);
		/* for KVM_EXIT_INTERNAL_ERROR */
		ck_assert_uint_eq(guest.e.avail, strlen(others[i].hex) / 2);
	}
	ck_assert_uint_eq(guest.e.bytes[0], 0x0F);
}
END_TEST

START_TEST(length_is_limited)
{
	static const char insn[] = "488184B30001000044332211";

	for (size_t n = 0; n < strlen(insn) / 2; n++) {
		char part[sizeof(insn)] = "";

		guest_setup(INSN_64);
		memcpy(part, insn, 2 * n);
		ck_assert_msg(guest_begin(part) == EMULATE_SHORT, "%zu bytes", n);
	}
	ck_assert_int_eq(guest_begin(insn), EMULATE_MORE);
	guest_setup(INSN_64);
	ck_assert_int_eq(guest_run("3E3E3E488184B30001000044332211"), EMULATE_DONE);
	guest_setup(INSN_64);
	guest_assert_fault("3E3E3E3E488184B30001000044332211", VECTOR_GP);
	guest_assert_fault("666666666666666666666666666666", VECTOR_GP);
}
END_TEST

/* A data segment, an access at an offset, and whether it is allowed. */
START_TEST(segments_are_checked)
{
	static const struct {
		unsigned int attrib;
		uint32_t limit, offset;
		const char *hex; /* 8A and 8B read a byte or four, 88 and 89 write */
		bool allowed;
	} cases[] = {
		{ DATA, 0xFFF, 0xFFF, "8A03", true },
		{ DATA, 0xFFF, 0x1000, "8A03", false },
		{ DATA, 0xFFF, 0xFFC, "8B03", true },
		{ DATA, 0xFFF, 0xFFD, "8B03", false },
		{ DATA, 0xFFFFFFFF, 0xFFFFFFFD, "8B03", false },
		{ DATA & ~SEG_ATTRIB_P, 0xFFF, 0, "8A03", false },
		{ DATA & ~SEG_ATTRIB_RW, 0xFFF, 0, "8A03", true },
		{ DATA & ~SEG_ATTRIB_RW, 0xFFF, 0, "8803", false },
		{ DATA & ~SEG_ATTRIB_RW, 0xFFF, 0, "0003", false },
		{ DATA & ~SEG_ATTRIB_RW, 0xFFF, 0, "3803", true },
		{ DATA, 0xFFF, 0, "8803", true },
		{ CODE, 0xFFF, 0, "8A03", false },
		{ CODE, 0xFFF, 0, "8803", false },
		{ CODE | SEG_ATTRIB_RW, 0xFFF, 0, "8A03", true },
		{ CODE | SEG_ATTRIB_RW, 0xFFF, 0, "8803", false },
		/* conforming code, whose bit is that of data that expands down */
		{ CODE | SEG_ATTRIB_RW | SEG_ATTRIB_EXPAND_DOWN, 0xFFF, 0, "8A03", true },
		{ DATA | SEG_ATTRIB_EXPAND_DOWN, 0xFFF, 0xFFF, "8A03", false },
		{ DATA | SEG_ATTRIB_EXPAND_DOWN, 0xFFF, 0x1000, "8A03", true },
		{ DATA | SEG_ATTRIB_EXPAND_DOWN, 0xFFF, 0xFFFC, "8903", true },
		{ DATA | SEG_ATTRIB_EXPAND_DOWN, 0xFFF, 0xFFFD, "8903", false },
		{ DATA | SEG_ATTRIB_EXPAND_DOWN | SEG_ATTRIB_DB, 0xFFF, 0xFFFD, "8903", true },
		{ DATA | SEG_ATTRIB_EXPAND_DOWN | SEG_ATTRIB_DB, 0xFFF, 0xFFFFFFFD, "8903", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_setup(INSN_32);
		guest.regs.segment[INSN_DS].attrib = (uint16_t)cases[i].attrib;
		guest.regs.segment[INSN_DS].limit = cases[i].limit;
		guest.regs.gpr[INSN_RBX] = cases[i].offset;
		if (cases[i].allowed)
			ck_assert_msg(guest_run(cases[i].hex) == EMULATE_DONE, "case %zu", i);
		else
			guest_assert_fault(cases[i].hex, VECTOR_GP);
	}
	guest_setup(INSN_32);
	guest.regs.segment[INSN_SS].limit = 0x1FF;
	guest_assert_fault("8A4500", VECTOR_SS);
	guest_assert_fault("FF33", VECTOR_SS);
	guest_assert_fault("8F03", VECTOR_SS);
	ck_assert_int_eq(guest_run("3E8A4500"), EMULATE_DONE);
}
END_TEST

/* There only limits count, whatever the type. */
START_TEST(real_and_virtual_8086_mode_have_no_types)
{
	for (int virtual = 0; virtual < 2; virtual ++) {
		guest_setup(INSN_16);
		guest.regs.cr0 = virtual ? CR0_PE : 0;
		guest.regs.rflags |= virtual ? RFLAGS_VM : 0;
		guest.regs.segment[INSN_CS].attrib = CODE;
		guest.regs.segment[INSN_DS].attrib = 0;
		ck_assert_int_eq(guest_run("2E8807"), EMULATE_DONE);
		ck_assert_int_eq(guest_run("8807"), EMULATE_DONE);
		ck_assert_str_eq(guest.log, "w20100:1 w40100:1");
		*guest.log = 0;
		guest.regs.gpr[INSN_RBX] = 0xFFFF;
		guest_assert_fault("8B07", VECTOR_GP);
		guest.regs.gpr[INSN_RBP] = 0xFFFF;
		guest_assert_fault("8B4600", VECTOR_SS);
		guest.regs.segment[INSN_DS].limit = 0xFFFFFFFF; /* "unreal" mode */
		guest.regs.gpr[INSN_RBX] = 0x20000;
		ck_assert_int_eq(guest_run("678B03"), EMULATE_DONE);
		ck_assert_str_eq(guest.log, "r60000:2");
	}
}
END_TEST

START_TEST(addresses_are_canonical)
{
	static const struct {
		uint64_t rbx;
		const char *hex;
		unsigned int four, five; /* the vector with so many levels, or 0 */
	} cases[] = {
		{ 0x0000800000000000, "8A03", VECTOR_GP, 0 },
		{ 0x00007FFFFFFFFFFF, "8A03", 0, 0 },
		{ 0x00007FFFFFFFFFFD, "8B03", VECTOR_GP, 0 },
		{ 0x00007FFFFFFFFFFC, "8B03", 0, 0 },
		{ 0xFFFF7FFFFFFFFFFF, "8A03", VECTOR_GP, 0 },
		{ 0xFFFF800000000000, "8A03", 0, 0 },
		{ 0x0100000000000000, "8A03", VECTOR_GP, VECTOR_GP },
		{ 0xFF00000000000000, "8A03", VECTOR_GP, 0 },
		{ 0x0000800000000000, "368A03", VECTOR_GP, 0 },
		{ 0x00007FFFFFFF0000, "648A03", VECTOR_GP, 0 },
		{ 0x0000800000000000, "658A03", VECTOR_GP, 0 },
		{ 0x0000800000000000, "8A442300", VECTOR_GP, 0 }, /* RBX and no index */
		{ 0x00007FFFFFFFFFFF, "8A441C00", VECTOR_SS, 0 }, /* RSP + RBX */
		{ 0x00007FFFFFFFFFFF, "8A441D00", VECTOR_SS, 0 }, /* RBP + RBX */
		{ 0x00007FFFFFFFFFFF, "648A441D00", VECTOR_GP, 0 },
		{ 0xFFFFFFFF00007FFF, "678B03", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int five = 0; five < 2; five++) {
			unsigned int vector = five ? cases[i].five : cases[i].four;
			enum emulate_status status;

			guest_setup(INSN_64);
			guest.regs.cr4 |= five ? CR4_LA57 : 0;
			guest.regs.gpr[INSN_RBX] = cases[i].rbx;
			if (vector) {
				guest_assert_fault(cases[i].hex, vector);
				continue;
			}
			/* Where there is no memory, or there is. */
			status = guest_run(cases[i].hex);
			ck_assert_msg(status == EMULATE_UNSUPPORTED || status == EMULATE_DONE,
				      "case %zu", i);
		}
	}
}
END_TEST

START_TEST(alignment_is_checked_in_ring_3)
{
	guest_setup(INSN_32);
	guest.regs.cr0 |= CR0_AM;
	guest.regs.rflags |= RFLAGS_AC;
	guest.regs.cpl = 3;
	guest.regs.gpr[INSN_RBX] = 0x102;
	guest_assert_fault("8B03", VECTOR_AC);
	ck_assert_int_eq(guest_run("668B03"), EMULATE_DONE);
	ck_assert_int_eq(guest_run("8A4301"), EMULATE_DONE);
	guest.regs.cpl = 0;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_DONE);
	guest.regs.cpl = 3;
	guest.regs.cr0 &= ~(uint64_t)CR0_AM;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_DONE);
	guest.regs.cr0 |= CR0_AM;
	guest.regs.rflags &= ~(uint64_t)RFLAGS_AC;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_DONE);
}
END_TEST

static void assert_page_fault(const char *hex, uint64_t rbx, uint64_t cr2, uint32_t error)
{
	guest_setup(INSN_32);
	guest.regs.gpr[INSN_RBX] = rbx;
	guest_assert_fault(hex, VECTOR_PF);
	ck_assert_uint_eq(guest.e.fault.cr2, cr2);
	ck_assert_uint_eq(guest.e.fault.error, error);
}

/* All of it before anything is accessed. */
START_TEST(page_faults)
{
	assert_page_fault("8B03", ABSENT + 8, ABSENT + 8, 0);
	assert_page_fault("8903", READ_ONLY, READ_ONLY, 3);
	assert_page_fault("0103", READ_ONLY, READ_ONLY, 3);
	assert_page_fault("0FB103", READ_ONLY, READ_ONLY, 3);
	assert_page_fault("8B03", ABSENT - 1, ABSENT, 0);
	assert_page_fault("8903", ABSENT - 2, ABSENT, 0);
	assert_page_fault("FF33", ABSENT, ABSENT, 0);
	assert_page_fault("8F03", READ_ONLY, READ_ONLY, 3);
	guest_setup(INSN_32);
	guest.regs.gpr[INSN_RSP] = READ_ONLY + 4;
	guest_assert_fault("FF33", VECTOR_PF);
	guest.regs.gpr[INSN_RDI] = READ_ONLY;
	guest_assert_fault("A5", VECTOR_PF);
	guest.regs.gpr[INSN_RBX] = READ_ONLY;
	ck_assert_int_eq(guest_run("3903"), EMULATE_DONE); /* CMP only reads */
	guest_setup(INSN_32);
	guest.regs.gpr[INSN_RBX] = BROKEN;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_UNSUPPORTED);
	guest.regs.gpr[INSN_RBX] = BROKEN - 2;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_UNSUPPORTED);
	guest.regs.gpr[INSN_RBX] = HOLE;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_UNSUPPORTED);
	ck_assert_int_eq(guest_run("8903"), EMULATE_UNSUPPORTED);
	ck_assert_str_eq(guest.log, "ra3000:4 wa3000:4");
}
END_TEST

START_TEST(compatibility_mode_has_segments)
{
	guest_setup(INSN_32);
	guest.regs.efer = EFER_LMA;
	guest.regs.segment[INSN_DS].base = 0x10000;
	guest.regs.segment[INSN_DS].limit = 0x101;
	ck_assert_int_eq(guest_run("668B03"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r10100:2");
	*guest.log = 0;
	guest_assert_fault("8B03", VECTOR_GP);
	/* Outside of long mode CS.L means nothing. */
	guest.regs.efer = 0;
	guest.regs.segment[INSN_CS].attrib |= SEG_ATTRIB_L;
	guest_assert_fault("8B03", VECTOR_GP);
}
END_TEST

/* --- pages and addresses that wrap -------------------------------------------------------------*/

START_TEST(operands_cross_pages)
{
	guest_setup(INSN_64);
	guest.moved_from = 0x2000;
	guest.moved_to = 0x5000;
	guest.regs.gpr[INSN_RBX] = 0x1FFD;
	ck_assert_int_eq(guest_run("488B03"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r1ffd:3 r5000:5");
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 0x0403020100FFFEFD);
	*guest.log = 0;
	ck_assert_int_eq(guest_run("F0480103"), EMULATE_DONE); /* no atomic step across pages */
	ck_assert_str_eq(guest.log, "r1ffd:3 r5000:5 w1ffd:3 w5000:5");
	ck_assert_uint_eq(guest_memory(0x1FFD, 3), 0xFFFDFA);
	ck_assert_uint_eq(guest_memory(0x5000, 5), 0x0806040201);
}
END_TEST

START_TEST(addresses_wrap_at_4_gib)
{
	guest_setup(INSN_32);
	guest.moved_from = 0xFFFFF000;
	guest.moved_to = 0x5000;
	guest.regs.segment[INSN_DS].base = 0xFFFFFEFE;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r5ffe:2 r0:2");
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 0x0100FFFE);
	guest.regs.rip = 0xFFFFFFFF;
	ck_assert_int_eq(guest_run("8A03"), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.rip, 1);
	/* Below 4 GiB in 64-bit mode there is no end. */
	guest_setup(INSN_64);
	guest.moved_from = 0x100000000;
	guest.moved_to = 0x5000;
	guest.regs.gpr[INSN_RBX] = 0x100000000;
	guest.regs.rip = 0xFFFFFFFF;
	ck_assert_int_eq(guest_run("8A03"), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.rip, 0x100000001);
	ck_assert_str_eq(guest.log, "r5000:1");
}
END_TEST

/* The stack pointer has the size of the stack segment, not of the code. */
START_TEST(stack_size_is_that_of_the_segment)
{
	guest_setup(INSN_32);
	guest.regs.segment[INSN_SS].attrib = DATA;
	guest.regs.gpr[INSN_RSP] = 0xABCD0002;
	ck_assert_int_eq(guest_run("FF33"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r100:4 wfffe:2 w10000:2");
	ck_assert_uint_eq(guest.regs.gpr[INSN_RSP], 0xABCDFFFE);
	guest_setup(INSN_16);
	guest.regs.segment[INSN_SS].attrib |= SEG_ATTRIB_DB;
	guest.regs.segment[INSN_SS].limit = 0xFFFFF;
	guest.regs.gpr[INSN_RSP] = 0xFFFFFFFF00010000;
	ck_assert_int_eq(guest_run("8F07"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r40000:2 w40100:2");
	ck_assert_uint_eq(guest.regs.gpr[INSN_RSP] & 0xFFFFFFFF, 0x00010002);
}
END_TEST

TCase *emulate_cases(void)
{
	TCase *tc = tcase_create("cases");

	tcase_add_loop_test(tc, example_in_its_mode, 0,
			    (int)(sizeof(examples) / sizeof(examples[0])));
	tcase_add_test(tc, comparisons_keep_their_operand);
	tcase_add_test(tc, lock_is_for_changes_of_memory);
	tcase_add_test(tc, others_are_unsupported);
	tcase_add_test(tc, length_is_limited);
	tcase_add_test(tc, segments_are_checked);
	tcase_add_test(tc, real_and_virtual_8086_mode_have_no_types);
	tcase_add_test(tc, addresses_are_canonical);
	tcase_add_test(tc, alignment_is_checked_in_ring_3);
	tcase_add_test(tc, page_faults);
	tcase_add_test(tc, compatibility_mode_has_segments);
	tcase_add_test(tc, operands_cross_pages);
	tcase_add_test(tc, addresses_wrap_at_4_gib);
	tcase_add_test(tc, stack_size_is_that_of_the_segment);
	return tc;
}
