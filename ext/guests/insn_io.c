// SPDX-License-Identifier: MIT
/* INS and OUTS: see insn_io.h. Opcodes: SDM vol. 2 appendix A, APM vol. 3 appendix A. */
#include <abi/mk1_layout.h>
#include <ext/libext/insn.h>
#include <ext/guests/insn_io.h>

#define REX_W 0x8
#define OPERAND_SIZE 0x66 /* prefixes */
#define MEANS_NOTHING 0x3E /* in 64-bit mode */

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2E:
	case 0x36:
	case 0x3E:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xF2:
	case 0xF3:
		return true;
	default:
		return false;
	}
}

bool insn_io_replace(uint8_t *bytes, size_t avail, bool code_64)
{
	/* 6C INSB, 6D INSW and INSD, 6E OUTSB, 6F OUTSW and OUTSD */
	static const uint8_t others[] = { 0xAA, 0xAB, 0xAC, 0xAD };
	uint8_t *rex = NULL;
	size_t i = 0;

	for (; i < avail && i < INSN_MAX_LENGTH; i++) {
		if (code_64 && (bytes[i] & 0xF0) == 0x40)
			rex = &bytes[i];
		else if (is_prefix(bytes[i]))
			rex = NULL; /* it counts right before the opcode only */
		else
			break;
	}
	if (i >= avail || i >= INSN_MAX_LENGTH || (bytes[i] & 0xFC) != 0x6C)
		return false;
	bytes[i] = others[bytes[i] & 3];
	/* Ports have no 8 bytes: there it means 4, whatever else says 2. */
	if (rex && (*rex & REX_W)) {
		*rex &= (uint8_t)~REX_W;
		for (size_t n = 0; n < i; n++) {
			if (bytes[n] == OPERAND_SIZE)
				bytes[n] = MEANS_NOTHING;
		}
	}
	return true;
}

unsigned int insn_io_count(uint64_t gpa, unsigned int size, uint64_t left, unsigned int limit)
{
	uint64_t room = BF_PAGE_SIZE - (gpa & BF_PAGE_MASK);
	uint64_t count;

	if (room > limit)
		room = limit;
	count = room / size;
	if (count > left)
		count = left;
	return count ? (unsigned int)count : 1;
}
