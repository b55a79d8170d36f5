// SPDX-License-Identifier: GPL-2.0-only
/* A guest for the emulator: see guest.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include <abi/hw/x86.h>

#include "guest.h"

struct test_guest guest;

static void note(const char *format, ...)
{
	size_t length = strlen(guest.log);
	va_list args;

	va_start(args, format);
	vsnprintf(guest.log + length, sizeof(guest.log) - length, format, args);
	va_end(args);
}

static enum emulate_access translate(void *ctx, uint64_t la, bool write, uint64_t *gpa,
				     uint32_t *error)
{
	uint64_t page = la & ~(PAGE - 1);

	ck_assert_ptr_eq(ctx, &guest);
	if (page == ABSENT || (page == READ_ONLY && write)) {
		*error = page == ABSENT ? 0 : 3;
		return EMULATE_ACCESS_FAULT;
	}
	if (guest.moves) {
		guest.moves = false;
		return EMULATE_ACCESS_CHANGED;
	}
	if (page == guest.moved_from)
		page = guest.moved_to;
	if (page == BROKEN || page >= MEMORY_SIZE)
		return EMULATE_ACCESS_UNSUPPORTED;
	*gpa = page + la % PAGE;
	return EMULATE_ACCESS_DONE;
}

static enum emulate_access outcome(char kind, uint64_t gpa, unsigned int bytes)
{
	bool device = gpa >= DEVICE && gpa < DEVICE_END;

	ck_assert(bytes >= 1 && bytes <= 8 && gpa % PAGE + bytes <= PAGE);
	note("%s%c%llx:%u", *guest.log ? " " : "", kind, (unsigned long long)gpa, bytes);
	if ((gpa & ~(PAGE - 1)) == HOLE)
		return EMULATE_ACCESS_UNSUPPORTED;
	return device ? EMULATE_ACCESS_PENDING : EMULATE_ACCESS_DONE;
}

static enum emulate_access read_guest(void *ctx, uint64_t gpa, void *data, unsigned int bytes)
{
	enum emulate_access access = outcome('r', gpa, bytes);

	ck_assert_ptr_eq(ctx, &guest);
	if (access == EMULATE_ACCESS_DONE)
		memcpy(data, guest.memory + gpa, bytes);
	return access;
}

static enum emulate_access write_guest(void *ctx, uint64_t gpa, const void *data,
				       unsigned int bytes, const void *expected)
{
	enum emulate_access access = outcome(expected ? 'x' : 'w', gpa, bytes);

	ck_assert_ptr_eq(ctx, &guest);
	if (access != EMULATE_ACCESS_DONE)
		return access;
	if (expected && guest.changes) {
		guest.changes = false;
		guest.memory[gpa]++;
	}
	if (expected && memcmp(guest.memory + gpa, expected, bytes))
		return EMULATE_ACCESS_CHANGED;
	memcpy(guest.memory + gpa, data, bytes);
	return EMULATE_ACCESS_DONE;
}

static void read_xmm(void *ctx, unsigned int reg, void *data)
{
	ck_assert_ptr_eq(ctx, &guest);
	memcpy(data, guest.xmm[reg], sizeof(guest.xmm[reg]));
}

static void write_xmm(void *ctx, unsigned int reg, const void *data)
{
	ck_assert_ptr_eq(ctx, &guest);
	memcpy(guest.xmm[reg], data, sizeof(guest.xmm[reg]));
}

static const struct emulate_ops ops = { translate, read_guest, write_guest, read_xmm, write_xmm };
static const struct emulate_ops ops_without_sse = { translate, read_guest, write_guest, NULL,
						    NULL };

void guest_setup(enum insn_mode mode)
{
	static const uint64_t gpr[16] = {
		[INSN_RAX] = 0x8877665544332211,
		[INSN_RCX] = 0x99AABBCC00000002,
		[INSN_RDX] = 0x0102030405060708,
		[INSN_RBX] = 0x100,
		[INSN_RSP] = 0x800,
		[INSN_RBP] = 0x200,
		[INSN_RSI] = 0x20,
		[INSN_RDI] = 0x40,
	};

	memset(&guest, 0, sizeof(guest));
	guest.moved_from = 1; /* no page */
	memcpy(guest.regs.gpr, gpr, sizeof(gpr));
	guest.regs.rip = 0x7000;
	guest.regs.rflags = RFLAGS_FIXED;
	guest.regs.cr4 = CR4_OSFXSR;
	for (unsigned int i = 0; i < INSN_NR_SEGMENTS; i++) {
		struct bf_segment *s = &guest.regs.segment[i];

		s->attrib = DATA | (mode == INSN_16 ? 0 : SEG_ATTRIB_DB);
		s->limit = mode == INSN_16 ? 0xFFFF : 0xFFFFFFFF;
		s->base = mode == INSN_16 || i >= INSN_FS ? (i + 1) * 0x10000 : 0;
	}
	memset(guest.xmm, 0xEE, sizeof(guest.xmm));
	for (size_t i = 0; i < MEMORY_SIZE; i++)
		guest.memory[i] = (uint8_t)i;
	if (mode == INSN_16)
		return;
	guest.regs.cr0 = CR0_PE;
	guest.regs.segment[INSN_CS].attrib = CODE | SEG_ATTRIB_DB;
	if (mode == INSN_64) {
		guest.regs.segment[INSN_CS].attrib = CODE | SEG_ATTRIB_L;
		guest.regs.efer = EFER_LMA;
	}
}

enum emulate_status guest_begin(const char *hex)
{
	uint8_t bytes[INSN_MAX_LENGTH + 1];
	unsigned int n = 0;

	for (; hex[2 * n]; n++) {
		unsigned int byte;

		ck_assert_int_eq(sscanf(hex + 2 * n, "%2x", &byte), 1);
		bytes[n] = (uint8_t)byte;
	}
	return emulate_begin(&guest.e, &guest.regs, guest.has_no_sse ? &ops_without_sse : &ops,
			     &guest, bytes, n);
}

enum emulate_status guest_run(const char *hex)
{
	enum emulate_status status = guest_begin(hex);

	while (status == EMULATE_MORE)
		status = emulate_run(&guest.e, 1);
	return status;
}

uint64_t guest_memory(uint64_t address, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, guest.memory + address, bytes);
	return value;
}

void guest_assert_fault(const char *hex, unsigned int vector)
{
	struct emulate_regs before = guest.regs;
	enum emulate_status status = guest_run(hex);

	ck_assert_msg(status == EMULATE_FAULT, "%s: status %d", hex, status);
	ck_assert_msg(guest.e.fault.vector == vector, "%s: vector %u", hex, guest.e.fault.vector);
	ck_assert_msg(vector == VECTOR_PF || !guest.e.fault.error, "%s: error code", hex);
	ck_assert_msg(!*guest.log, "%s: %s", hex, guest.log);
	ck_assert_mem_eq(&guest.regs, &before, sizeof(before));
}
