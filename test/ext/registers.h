/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules for registers: each tests one register of a VS that never ran, which a caller puts back as
 * it was. Used by registers.c and the two tables of expectations.
 */
#ifndef TEST_EXT_REGISTERS_H
#define TEST_EXT_REGISTERS_H

#include <ext/linux/cpuid.h>

#include "test/ext/lib/call.h"

enum access { RO, RW, GPR, LIVE };

struct reg {
	uint64_t number;
	const char *name;
	uint64_t where;
	unsigned int bytes;
	enum access access;
	void (*rule)(const struct reg *reg);
	bool optional; /* not every CPU has it, or KVM's VMCS does not */
};

/* An expectation: the rule, for a register that every CPU has, or that some lack. */
#define ALWAYS(rule) rule, false
#define OPTIONAL(rule) rule, true

static uint64_t reg_vsid; /* the VS that the rules are about */

static inline uint64_t reg_mask(const struct reg *reg)
{
	return reg->bytes < 8 ? (1ULL << 8 * reg->bytes) - 1 : ~0ULL;
}

/* Writes value, and reads what it becomes. */
static inline void accepts_as(const struct reg *reg, uint64_t value, uint64_t becomes)
{
	uint64_t now;

	GIVES(MK1_SUCCESS, MK1_HANDLE, reg_vsid, reg->number, value);
	now = read_reg(reg_vsid, reg->number);
	if (!VERIFY(now == becomes))
		ext_print("verify: 0x%llx became 0x%llx\n", (unsigned long long)value,
			  (unsigned long long)now);
}

static inline void accepts(const struct reg *reg, uint64_t value)
{
	accepts_as(reg, value, value);
}

/* Cannot write value; nothing changes. */
static inline void refuses(const struct reg *reg, uint64_t value)
{
	uint64_t before = read_reg(reg_vsid, reg->number);

	if (!GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, reg_vsid, reg->number, value))
		ext_print("verify: value 0x%llx\n", (unsigned long long)value);
	VERIFY(read_reg(reg_vsid, reg->number) == before);
}

/* What is wider than the register. */
static inline void refuses_wider(const struct reg *reg)
{
	for (unsigned int bit = 8 * reg->bytes; bit < 64; bit++)
		refuses(reg, 1ULL << bit);
}

/* Every value of its width, exactly; bits of forced are always 1. */
static inline void any_value(const struct reg *reg, uint64_t forced)
{
	static const uint64_t values[] = { 0,
					   ~0ULL,
					   0x5555555555555555,
					   0xAAAAAAAAAAAAAAAA,
					   1,
					   0x8000800080008080,
					   0x123456789ABCDEF0 };

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		accepts_as(reg, values[i] & reg_mask(reg), (values[i] | forced) & reg_mask(reg));
	refuses_wider(reg);
}

static inline void plain(const struct reg *reg)
{
	any_value(reg, 0);
}

/* The CPU's own report. */
static inline void read_only(const struct reg *reg)
{
	refuses(reg, 0);
	refuses(reg, read_reg(reg_vsid, reg->number));
	refuses(reg, ~0ULL);
	refuses_wider(reg);
}

/* A feature that is never on. */
static inline void zero(const struct reg *reg)
{
	accepts(reg, 0);
	for (unsigned int bit = 0; bit < 64; bit++)
		refuses(reg, 1ULL << bit);
	refuses(reg, ~0ULL);
}

static inline void low_32_bits(const struct reg *reg)
{
	accepts(reg, 0xFFFFFFFF);
	accepts(reg, 0x5555AAAA);
	accepts(reg, 0);
	for (unsigned int bit = 32; bit < 64; bit++)
		refuses(reg, 1ULL << bit);
}

static inline void canonical(const struct reg *reg)
{
	static const uint64_t good[] = { 0, 1, 0x7FFFFFFFFFFF, 0xFFFF800000000000, ~0ULL };
	static const uint64_t bad[] = { 0x800000000000, 1ULL << 48, 1ULL << 63,
					0xFFFF7FFFFFFFFFFF };

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		accepts(reg, good[i]);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(reg, bad[i]);
}

/*
 * What the CPU does not take is held, too, until the VS is to become active; x87 state is always
 * on.
 */
static inline void extended_state(const struct reg *reg)
{
	any_value(reg, 1);
	accepts_as(reg, 2, 3);
	accepts_as(reg, 1ULL << 63, 1ULL << 63 | 1);
}

/* Whether what is read of it can be written. */
static inline bool can_be_put_back(const struct reg *reg)
{
	return reg->access != RO;
}

#endif
