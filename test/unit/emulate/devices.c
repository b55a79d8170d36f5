// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that wait for devices, and those that repeat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <ext/guests/insn_io.h>

#include "cases.h"
#include "guest.h"

static void assert_pending(bool write, uint64_t gpa, unsigned int bytes, uint64_t data)
{
	ck_assert(guest.e.mmio.write == write);
	ck_assert_uint_eq(guest.e.mmio.gpa, gpa);
	ck_assert_uint_eq(guest.e.mmio.bytes, bytes);
	ck_assert_uint_eq(guest.e.mmio.data, data);
}

START_TEST(device_is_read_once)
{
	struct emulate_regs before;

	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RBX] = DEVICE;
	before = guest.regs;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_PENDING);
	assert_pending(false, DEVICE, 4, 0);
	ck_assert_mem_eq(&guest.regs, &before, sizeof(before));
	guest.e.mmio.data = 0xFFFFFFFFCAFEF00D; /* the rest does not count */
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 0xCAFEF00D);
	ck_assert_uint_eq(guest.regs.rip, before.rip + 2);
	ck_assert_str_eq(guest.log, "r80000:4");
}
END_TEST

START_TEST(device_is_written_once)
{
	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RBX] = DEVICE + 8;
	ck_assert_int_eq(guest_run("488903"), EMULATE_PENDING);
	assert_pending(true, DEVICE + 8, 8, 0x8877665544332211);
	ck_assert_uint_eq(guest.regs.rip, 0x7000);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.rip, 0x7003);
	ck_assert_str_eq(guest.log, "w80008:8");
	ck_assert_int_eq(guest_run("8803"), EMULATE_PENDING);
	assert_pending(true, DEVICE + 8, 1, 0x11);
}
END_TEST

START_TEST(device_is_read_and_written)
{
	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RBX] = DEVICE;
	ck_assert_int_eq(guest_run("F00103"), EMULATE_PENDING);
	guest.e.mmio.data = 0xF0000000;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_PENDING);
	assert_pending(true, DEVICE, 4, 0x34332211);
	ck_assert_uint_eq(guest.regs.rflags, RFLAGS_FIXED);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert(guest.regs.rflags & RFLAGS_CF);
	ck_assert_str_eq(guest.log, "r80000:4 x80000:4");
	/* What is not equal is written back. */
	ck_assert_int_eq(guest_run("0FB11B"), EMULATE_PENDING);
	guest.e.mmio.data = 5;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_PENDING);
	assert_pending(true, DEVICE, 4, 5);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 5);
}
END_TEST

/* From memory into the device, within one operand and the other way. */
START_TEST(operands_end_in_a_device)
{
	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RBX] = DEVICE - 3;
	ck_assert_int_eq(guest_run("488B03"), EMULATE_PENDING);
	assert_pending(false, DEVICE, 5, 0);
	guest.e.mmio.data = 0x0102030405;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 0x0102030405FFFEFD);
	ck_assert_int_eq(guest_run("488903"), EMULATE_PENDING);
	assert_pending(true, DEVICE, 5, 0x0102030405);
	ck_assert_uint_eq(guest_memory(DEVICE - 3, 3), 0xFFFEFD);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	guest.regs.gpr[INSN_RBX] = DEVICE_END - 1;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_PENDING);
	assert_pending(false, DEVICE_END - 1, 1, 0);
	guest.e.mmio.data = 0xAA;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 0x020100AA);
	/* Two pages of it: two answers. */
	guest.regs.gpr[INSN_RBX] = DEVICE + PAGE - 2;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_PENDING);
	guest.e.mmio.data = 0x2211;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_PENDING);
	assert_pending(false, DEVICE + PAGE, 2, 0);
	guest.e.mmio.data = 0x4433;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RAX], 0x44332211);
}
END_TEST

/* An access that cannot be done leaves nothing behind that a next run would take for an answer. */
START_TEST(failures_leave_no_answer_due)
{
	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RBX] = HOLE;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_UNSUPPORTED);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_UNSUPPORTED);
	ck_assert_str_eq(guest.log, "ra3000:4 ra3000:4");
}
END_TEST

/* Sixteen bytes in two parts at least, as a device sees at most eight. */
START_TEST(sse_registers_are_moved)
{
	uint8_t expected[16];

	guest_setup(INSN_64);
	ck_assert_int_eq(guest_run("0F1003"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r100:8 r108:8");
	ck_assert_mem_eq(guest.xmm[0], guest.memory + 0x100, 16);
	*guest.log = 0;
	ck_assert_int_eq(guest_run("F2440F1003"), EMULATE_DONE); /* the upper half is cleared */
	ck_assert_str_eq(guest.log, "r100:8");
	memset(expected, 0, sizeof(expected));
	memcpy(expected, guest.memory + 0x100, 8);
	ck_assert_mem_eq(guest.xmm[8], expected, 16);
	*guest.log = 0;
	guest.regs.gpr[INSN_RBX] = 0x1FFD;
	ck_assert_int_eq(guest_run("F30F7F0B"), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "w1ffd:3 w2000:8 w2008:5");
	ck_assert_mem_eq(guest.memory + 0x1FFD, guest.xmm[1], 16);
	ck_assert_uint_eq(guest.memory[0x200D], 0x0D);
	*guest.log = 0;
	guest.regs.gpr[INSN_RBX] = DEVICE;
	ck_assert_int_eq(guest_run("660F6F03"), EMULATE_PENDING);
	assert_pending(false, DEVICE, 8, 0);
	guest.e.mmio.data = 0x1122334455667788;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_PENDING);
	assert_pending(false, DEVICE + 8, 8, 0);
	ck_assert_mem_eq(guest.xmm[0], guest.memory + 0x100, 16);
	guest.e.mmio.data = 0x99AABBCCDDEEFF00;
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	memcpy(expected, "\x88\x77\x66\x55\x44\x33\x22\x11\x00\xFF\xEE\xDD\xCC\xBB\xAA\x99", 16);
	ck_assert_mem_eq(guest.xmm[0], expected, 16);
	ck_assert_int_eq(guest_run("660FE703"), EMULATE_PENDING);
	assert_pending(true, DEVICE, 8, 0x1122334455667788);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_PENDING);
	assert_pending(true, DEVICE + 8, 8, 0x99AABBCCDDEEFF00);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
}
END_TEST

START_TEST(sse_has_exceptions_of_its_own)
{
	static const struct {
		uint64_t cr0, cr4;
		unsigned int vector;
	} cases[] = {
		{ 0, 0, VECTOR_UD },
		{ CR0_EM, CR4_OSFXSR, VECTOR_UD },
		{ CR0_EM | CR0_TS, CR4_OSFXSR, VECTOR_UD },
		{ CR0_TS, CR4_OSFXSR, VECTOR_NM },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_setup(INSN_32);
		guest.regs.cr0 |= cases[i].cr0;
		guest.regs.cr4 = cases[i].cr4;
		guest_assert_fault("0F1003", cases[i].vector);
		guest_assert_fault("0F1103", cases[i].vector);
		ck_assert_int_eq(guest_run("8B03"), EMULATE_DONE);
	}
	guest_setup(INSN_32);
	guest.regs.gpr[INSN_RBX] = guest.regs.gpr[INSN_RBP] = 0x108;
	guest_assert_fault("0F2803", VECTOR_GP);
	guest_assert_fault("0F284500", VECTOR_GP);
	ck_assert_int_eq(guest_run("0F1003"), EMULATE_DONE);
	/* Alignment checks are for smaller operands. */
	guest.regs.cr0 |= CR0_AM;
	guest.regs.rflags |= RFLAGS_AC;
	guest.regs.cpl = 3;
	guest.regs.gpr[INSN_RBX] = 0x104;
	ck_assert_int_eq(guest_run("0F1003"), EMULATE_DONE);
	*guest.log = 0;
	guest_assert_fault("F20F1003", VECTOR_AC);
	guest.has_no_sse = true;
	ck_assert_int_eq(guest_run("0F1003"), EMULATE_UNSUPPORTED);
	ck_assert_int_eq(guest_run("8B03"), EMULATE_DONE);
}
END_TEST

START_TEST(locked_instructions_see_other_cpus)
{
	guest_setup(INSN_64);
	guest.changes = true;
	ck_assert_int_eq(guest_run("F00003"), EMULATE_RETRY);
	ck_assert_uint_eq(guest_memory(0x100, 1), 1);
	ck_assert_uint_eq(guest.regs.rip, 0x7000);
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_uint_eq(guest_memory(0x100, 1), 0x12);
	ck_assert_str_eq(guest.log, "r100:1 x100:1 r100:1 x100:1");
}
END_TEST

START_TEST(page_tables_may_change)
{
	guest_setup(INSN_64);
	guest.moves = true;
	ck_assert_int_eq(guest_run("8903"), EMULATE_RETRY);
	ck_assert_str_eq(guest.log, "");
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "w100:4");
}
END_TEST

/* --- string instructions -----------------------------------------------------------------------*/

START_TEST(strings_advance_their_registers)
{
	static const struct {
		enum insn_mode mode;
		const char *hex;
		uint64_t flags, rsi, rdi;
		const char *log;
	} cases[] = {
		{ INSN_16, "A4", 0, 0x21, 0x41, "r40020:1 w10040:1" },
		{ INSN_16, "A5", 0, 0x22, 0x42, "r40020:2 w10040:2" },
		{ INSN_16, "66A5", RFLAGS_DF, 0x1C, 0x3C, "r40020:4 w10040:4" },
		{ INSN_16, "64A4", 0, 0x21, 0x41, "r50020:1 w10040:1" },
		{ INSN_16, "26AA", 0, 0x20, 0x41, "w10040:1" },
		{ INSN_16, "67AB", 0, 0x20, 0x42, "w10040:2" },
		{ INSN_16, "2EAD", 0, 0x22, 0x40, "r20020:2" },
		{ INSN_32, "A5", RFLAGS_DF, 0x1C, 0x3C, "r20:4 w40:4" },
		{ INSN_32, "65AC", 0, 0x21, 0x40, "r60020:1" },
		{ INSN_64, "48A5", 0, 0x28, 0x48, "r20:8 w40:8" },
		{ INSN_64, "48AB", RFLAGS_DF, 0x20, 0x38, "w40:8" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_setup(cases[i].mode);
		guest.regs.rflags |= cases[i].flags;
		ck_assert_msg(guest_run(cases[i].hex) == EMULATE_DONE, "%s", cases[i].hex);
		ck_assert_str_eq(guest.log, cases[i].log);
		ck_assert_uint_eq(guest.regs.gpr[INSN_RSI], cases[i].rsi);
		ck_assert_uint_eq(guest.regs.gpr[INSN_RDI], cases[i].rdi);
		ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 0x99AABBCC00000002);
	}
	/* An index of 16 bits wraps, and the rest of the register stays. */
	guest_setup(INSN_16);
	guest.regs.gpr[INSN_RSI] = 0x1234FFFF;
	ck_assert_int_eq(guest_run("AC"), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RSI], 0x12340000);
	ck_assert_str_eq(guest.log, "r4ffff:1");
}
END_TEST

/* Which register counts depends on the address size. */
START_TEST(counts_have_the_address_size)
{
	static const struct {
		enum insn_mode mode;
		const char *hex;
		uint64_t rcx, after;
		unsigned int iterations;
	} cases[] = {
		{ INSN_16, "F3AA", 0xFFFF0003, 0xFFFF0000, 3 },
		{ INSN_16, "F2AA", 0xFFFF0001, 0xFFFF0000, 1 },
		{ INSN_16, "F3AA", 0xFFFF0000, 0xFFFF0000, 0 },
		{ INSN_16, "67F3AA", 0x00000002, 0x00000000, 2 },
		{ INSN_32, "F3AA", 0xFFFFFFFF00000002, 0, 2 },
		{ INSN_32, "67F3AA", 0x00010002, 0x00010000, 2 },
		{ INSN_64, "67F3AA", 0xFFFFFFFF00000002, 0, 2 },
		{ INSN_64, "67F3AA", 0xFFFFFFFF00000000, 0xFFFFFFFF00000000, 0 },
		{ INSN_64, "F3AA", 2, 0, 2 },
		{ INSN_64, "F3AA", 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_setup(cases[i].mode);
		guest.regs.gpr[INSN_RCX] = cases[i].rcx;
		ck_assert_int_eq(guest_begin(cases[i].hex), EMULATE_MORE);
		ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_DONE);
		ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], cases[i].after);
		ck_assert_uint_eq(guest.regs.gpr[INSN_RDI], 0x40 + cases[i].iterations);
		ck_assert_uint_eq(guest.regs.rip, 0x7000 + strlen(cases[i].hex) / 2);
	}
}
END_TEST

/* Between iterations the registers are such that the guest could go on by itself. */
START_TEST(repetition_stops_and_goes_on)
{
	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RCX] = 5;
	guest.regs.rflags |= RFLAGS_CF;
	ck_assert_int_eq(guest_begin("F3A4"), EMULATE_MORE);
	ck_assert_int_eq(emulate_run(&guest.e, 2), EMULATE_MORE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 3);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RSI], 0x22);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RDI], 0x42);
	ck_assert_uint_eq(guest.regs.rip, 0x7000);
	ck_assert_uint_eq(guest.regs.rflags, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_RF);
	ck_assert_int_eq(emulate_run(&guest.e, 2), EMULATE_MORE);
	ck_assert_int_eq(emulate_run(&guest.e, 2), EMULATE_DONE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 0);
	ck_assert_uint_eq(guest.regs.rip, 0x7002);
	ck_assert_uint_eq(guest.regs.rflags, RFLAGS_FIXED | RFLAGS_CF);
	ck_assert_uint_eq(guest_memory(0x40, 5), 0x2423222120);
	ck_assert_uint_eq(guest_memory(0x45, 1), 0x45);
	/* A debugger steps through iterations. */
	guest.regs.gpr[INSN_RCX] = 2;
	guest.regs.rflags |= RFLAGS_TF;
	ck_assert_int_eq(guest_begin("F3AA"), EMULATE_MORE);
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_MORE);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 1);
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_DONE);
}
END_TEST

START_TEST(repetition_waits_for_devices)
{
	guest_setup(INSN_32);
	guest.regs.gpr[INSN_RCX] = 2;
	guest.regs.gpr[INSN_RSI] = DEVICE;
	ck_assert_int_eq(guest_begin("F3A5"), EMULATE_MORE);
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_PENDING);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 2);
	guest.e.mmio.data = 0x11111111;
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_PENDING);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 1);
	assert_pending(false, DEVICE + 4, 4, 0);
	guest.e.mmio.data = 0x22222222;
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_DONE);
	ck_assert_uint_eq(guest_memory(0x40, 8), 0x2222222211111111);
	ck_assert_str_eq(guest.log, "r80000:4 w40:4 r80004:4 w44:4");
	/* From one device register to another. */
	*guest.log = 0;
	guest.regs.gpr[INSN_RCX] = 1;
	guest.regs.gpr[INSN_RDI] = DEVICE;
	ck_assert_int_eq(guest_run("F3A5"), EMULATE_PENDING);
	guest.e.mmio.data = 0x33333333;
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_PENDING);
	assert_pending(true, DEVICE, 4, 0x33333333);
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_DONE);
	ck_assert_str_eq(guest.log, "r80008:4 w80000:4");
}
END_TEST

/* Whoever asks the device needs to wait for it only if something is left to be done. */
START_TEST(last_write_is_told_apart)
{
	guest_setup(INSN_64);
	guest.regs.gpr[INSN_RBX] = DEVICE;
	ck_assert_int_eq(guest_run("8B03"), EMULATE_PENDING); /* a read */
	ck_assert(!emulate_ends_with_write(&guest.e));
	ck_assert_int_eq(guest_run("8903"), EMULATE_PENDING);
	ck_assert(emulate_ends_with_write(&guest.e));
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_DONE);
	ck_assert_int_eq(guest_run("0F1103"), EMULATE_PENDING); /* two halves */
	ck_assert(!emulate_ends_with_write(&guest.e));
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_PENDING);
	ck_assert(emulate_ends_with_write(&guest.e));
	guest.regs.gpr[INSN_RDI] = DEVICE;
	guest.regs.gpr[INSN_RCX] = 2;
	ck_assert_int_eq(guest_run("F3AB"), EMULATE_PENDING);
	ck_assert(emulate_ends_with_write(&guest.e) && !emulate_between_iterations(&guest.e));
	ck_assert_int_eq(emulate_run(&guest.e, 1), EMULATE_MORE);
	ck_assert(emulate_between_iterations(&guest.e));
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 1);
}
END_TEST

/* INS and OUTS in other terms: opcode, REX.W, prefixes. */
START_TEST(string_io_is_replaced)
{
	static const struct {
		uint8_t bytes[8], then[8];
		size_t avail;
		bool code_64, replaced;
	} io[] = {
		{ { 0x6C }, { 0xAA }, 1, false, true },
		{ { 0x6D }, { 0xAB }, 1, true, true },
		{ { 0x6E }, { 0xAC }, 1, false, true },
		{ { 0xF3, 0x66, 0x6F }, { 0xF3, 0x66, 0xAD }, 3, true, true },
		{ { 0x2E, 0x67, 0x6E }, { 0x2E, 0x67, 0xAC }, 3, false, true },
		{ { 0xF3, 0x48, 0x6D }, { 0xF3, 0x40, 0xAB }, 3, true, true },
		{ { 0x66, 0x48, 0x6D }, { 0x3E, 0x40, 0xAB }, 3, true, true },
		/* REX counts right before the opcode, and in 64-bit mode. */
		{ { 0x48, 0xF3, 0x6D }, { 0x48, 0xF3, 0xAB }, 3, true, true },
		{ { 0x48, 0x6D }, { 0x48, 0x6D }, 2, false, false },
		{ { 0xF3 }, { 0xF3 }, 1, true, false },
		{ { 0xF0, 0x6C }, { 0xF0, 0x6C }, 2, true, false },
		{ { 0xEC }, { 0xEC }, 1, true, false },
		{ { 0x66, 0x66, 0x66 }, { 0x66, 0x66, 0x66 }, 3, false, false },
		{ { 0 }, { 0 }, 0, false, false },
	};

	for (size_t i = 0; i < sizeof(io) / sizeof(io[0]); i++) {
		uint8_t bytes[8];

		memcpy(bytes, io[i].bytes, sizeof(bytes));
		ck_assert_msg(insn_io_replace(bytes, io[i].avail, io[i].code_64) == io[i].replaced,
			      "case %zu", i);
		ck_assert_mem_eq(bytes, io[i].then, sizeof(bytes));
	}
}
END_TEST

START_TEST(string_io_comes_in_pages)
{
	ck_assert_uint_eq(insn_io_count(0x1000, 1, 100, 256), 100);
	ck_assert_uint_eq(insn_io_count(0x1000, 1, 1000, 256), 256);
	ck_assert_uint_eq(insn_io_count(0x1000, 4, 1000, 256), 64);
	ck_assert_uint_eq(insn_io_count(0x1FFC, 2, 1000, 256), 2);
	ck_assert_uint_eq(insn_io_count(0x1FFF, 2, 1000, 256), 1); /* over the end */
	ck_assert_uint_eq(insn_io_count(0x1000, 2, ~0ull, 256), 128);
}
END_TEST

/* A fault in the middle leaves the iterations before it done. */
START_TEST(repetition_faults)
{
	guest_setup(INSN_32);
	guest.regs.gpr[INSN_RCX] = 4;
	guest.regs.gpr[INSN_RDI] = ABSENT - 2;
	ck_assert_int_eq(guest_begin("F3AA"), EMULATE_MORE);
	ck_assert_int_eq(emulate_run(&guest.e, 100), EMULATE_FAULT);
	ck_assert_uint_eq(guest.e.fault.vector, VECTOR_PF);
	ck_assert_uint_eq(guest.e.fault.cr2, ABSENT);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RCX], 2);
	ck_assert_uint_eq(guest.regs.gpr[INSN_RDI], ABSENT);
	ck_assert_uint_eq(guest.regs.rip, 0x7000);
}
END_TEST

TCase *emulate_device_cases(void)
{
	TCase *tc = tcase_create("devices");

	tcase_add_test(tc, device_is_read_once);
	tcase_add_test(tc, device_is_written_once);
	tcase_add_test(tc, device_is_read_and_written);
	tcase_add_test(tc, operands_end_in_a_device);
	tcase_add_test(tc, failures_leave_no_answer_due);
	tcase_add_test(tc, sse_registers_are_moved);
	tcase_add_test(tc, sse_has_exceptions_of_its_own);
	tcase_add_test(tc, locked_instructions_see_other_cpus);
	tcase_add_test(tc, page_tables_may_change);
	tcase_add_test(tc, strings_advance_their_registers);
	tcase_add_test(tc, counts_have_the_address_size);
	tcase_add_test(tc, repetition_stops_and_goes_on);
	tcase_add_test(tc, repetition_waits_for_devices);
	tcase_add_test(tc, last_write_is_told_apart);
	tcase_add_test(tc, string_io_is_replaced);
	tcase_add_test(tc, string_io_comes_in_pages);
	tcase_add_test(tc, repetition_faults);
	return tc;
}
