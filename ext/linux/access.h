/* SPDX-License-Identifier: MIT */
/* Accesses to control and debug registers that exit for the hooks. */
#ifndef EXT_LINUX_ACCESS_H
#define EXT_LINUX_ACCESS_H

#include <ext/libext/frame.h>

/* --- access_insn.c ---------------------------------------------------------------------------- */

#define ACCESS_NO_GPR 0xFF
#define ACCESS_RIP 0xFE /* the address of the next instruction */

enum access_kind { ACCESS_MOV, ACCESS_CLTS, ACCESS_LMSW, ACCESS_LMSW_MEMORY };

struct access_insn {
	enum access_kind kind;
	uint8_t gpr; /* the operand, as instructions encode it */
	uint8_t length;
	/* An operand in memory, in 64-bit mode only */
	uint8_t segment; /* 0x64 and 0x65, the prefixes of FS and GS; else one without a base */
	uint8_t base, index, scale; /* general registers, or ACCESS_NO_GPR, ACCESS_RIP */
	bool short_address; /* 32 bits */
	int32_t displacement;
};

/*
 * Decodes MOV to or from a control or debug register, CLTS or LMSW of n bytes (APM vol. 3 §1.2 to
 * §1.7). false: it is none of them, or does not end within n bytes.
 */
bool access_decode(const uint8_t *bytes, size_t n, bool mode64, struct access_insn *insn);

/* --- access.c --------------------------------------------------------------------------------- */

/* Those that can be watched */
#define ACCESS_CRS (1u << 0 | 1u << 3 | 1u << 4 | 1u << 8)
#define ACCESS_DRS (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 7)

/* Somebody wants exits of these, a bit for each register. */
void access_watch(unsigned int crs, unsigned int drs);
bool access_is_watched(void);

/* Whether they can be watched; false, after a message. */
bool access_can(uint64_t vsid);

/* Exits as wanted, or none. */
void access_set(uint64_t vsid, bool on);

/* Whether the code is in 64-bit mode */
bool access_is_64_bit(uint64_t vsid);

/* A general register as instructions encode it; 32 bits of it outside of 64-bit mode. */
uint64_t access_operand(uint64_t vsid, unsigned int gpr, bool mode64);

/* CR0 as LMSW leaves it, which never clears PE (SDM vol. 2, LMSW). */
static inline uint64_t access_lmsw(uint64_t cr0, uint64_t source)
{
	return (cr0 & ~(uint64_t)0xE) | (source & 0xF);
}

/*
 * The hooks are asked. What nobody answers, e says, Linux executes itself. old and value are those
 * that Linux sees; number of a debug register is that of the instruction, gpr its operand.
 */
void access_cr(struct ext_exit *e, unsigned int number, uint64_t old, uint64_t value);
void access_dr(struct ext_exit *e, unsigned int number, bool write, unsigned int gpr, bool mode64);

/* AMD: an exit by a control or debug register, by the exit code. */
void access_svm(struct ext_exit *e);

#endif
