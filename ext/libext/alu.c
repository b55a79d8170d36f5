// SPDX-License-Identifier: MIT
/* Arithmetic and logic: see alu.h. Flags: SDM vol. 1 §3.4.3.1. */
#include <abi/hw/x86.h>
#include <bsl/bits.h>
#include <ext/libext/alu.h>

#define STATUS_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t flag_if(bool condition, uint64_t flag)
{
	return condition ? flag : 0;
}

/*
 * All status flags of a result. Bit n of carries is the carry, or borrow, out of bit n; bit n of
 * overflows says whether a result of n + 1 bits has the wrong sign.
 */
static void set_flags(unsigned int size, uint64_t result, uint64_t carries, uint64_t overflows,
		      uint64_t *rflags)
{
	uint64_t sign = BSL_BIT(8 * size - 1);

	*rflags &= ~(uint64_t)STATUS_FLAGS;
	*rflags |= flag_if(carries & sign, RFLAGS_CF) | flag_if(carries & 8, RFLAGS_AF) |
		   flag_if(overflows & sign, RFLAGS_OF) | flag_if(result & sign, RFLAGS_SF) |
		   flag_if(!result, RFLAGS_ZF) |
		   flag_if(!__builtin_parity((unsigned int)result & 0xFF), RFLAGS_PF);
}

static uint64_t add(unsigned int size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *rflags)
{
	uint64_t sum = (a + b + carry) & bsl_mask(8 * size);

	set_flags(size, sum, (a & b) | ((a | b) & ~sum), (a ^ sum) & (b ^ sum), rflags);
	return sum;
}

static uint64_t subtract(unsigned int size, uint64_t a, uint64_t b, uint64_t borrow,
			 uint64_t *rflags)
{
	uint64_t difference = (a - b - borrow) & bsl_mask(8 * size);

	set_flags(size, difference, (~a & b) | ((~a | b) & difference), (a ^ b) & (a ^ difference),
		  rflags);
	return difference;
}

static uint64_t logic(unsigned int size, uint64_t result, uint64_t *rflags)
{
	set_flags(size, result, 0, 0, rflags);
	return result;
}

/* INC and DEC leave CF alone. */
static uint64_t keep_carry(uint64_t before, uint64_t result, uint64_t *rflags)
{
	*rflags = (*rflags & ~(uint64_t)RFLAGS_CF) | (before & RFLAGS_CF);
	return result;
}

uint64_t alu_compute(enum insn_op op, unsigned int size, uint64_t dst, uint64_t src,
		     uint64_t *rflags)
{
	uint64_t before = *rflags, carry = before & RFLAGS_CF;
	uint64_t bit = BSL_BIT(src & (8 * size - 1));

	switch (op) {
	case INSN_ADD:
		return add(size, dst, src, 0, rflags);
	case INSN_ADC:
		return add(size, dst, src, carry, rflags);
	case INSN_SUB:
		return subtract(size, dst, src, 0, rflags);
	case INSN_SBB:
		return subtract(size, dst, src, carry, rflags);
	case INSN_CMP:
		subtract(size, dst, src, 0, rflags);
		return dst;
	case INSN_OR:
		return logic(size, dst | src, rflags);
	case INSN_AND:
		return logic(size, dst & src, rflags);
	case INSN_XOR:
		return logic(size, dst ^ src, rflags);
	case INSN_TEST:
		logic(size, dst & src, rflags);
		return dst;
	case INSN_INC:
		return keep_carry(before, add(size, dst, 1, 0, rflags), rflags);
	case INSN_DEC:
		return keep_carry(before, subtract(size, dst, 1, 0, rflags), rflags);
	case INSN_NEG:
		return subtract(size, 0, dst, 0, rflags);
	case INSN_NOT:
		return ~dst & bsl_mask(8 * size);
	default:
		break;
	}
	*rflags = (before & ~(uint64_t)RFLAGS_CF) | flag_if(dst & bit, RFLAGS_CF);
	switch (op) {
	case INSN_BTS:
		return dst | bit;
	case INSN_BTR:
		return dst & ~bit;
	case INSN_BTC:
		return dst ^ bit;
	default:
		return dst;
	}
}
