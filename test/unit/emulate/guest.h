/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest in memory, with a device and with pages that fault, and what was accessed there. */
#ifndef TEST_UNIT_EMULATE_GUEST_H
#define TEST_UNIT_EMULATE_GUEST_H

#include <ext/libext/emulate.h>

#define MEMORY_SIZE 0x100000
#define PAGE 0x1000ULL
#define DEVICE 0x80000ULL /* a device from here to DEVICE_END */
#define DEVICE_END 0x90000ULL
#define ABSENT 0xA0000ULL /* a page that is not present */
#define READ_ONLY 0xA1000ULL
#define BROKEN 0xA2000ULL /* cannot be translated */
#define HOLE 0xA3000ULL /* can, but not accessed */

/* Attributes of segments. */
#define DATA (SEG_ATTRIB_P | SEG_ATTRIB_RW)
#define CODE (SEG_ATTRIB_P | SEG_ATTRIB_CODE)

/* Linear addresses are physical ones, but for one page. */
extern struct test_guest {
	uint8_t memory[MEMORY_SIZE];
	char log[400]; /* accesses: r, w or (locked) x, address, colon, bytes */
	uint64_t moved_from, moved_to; /* a page that is in another place */
	bool changes; /* another CPU changes what a locked instruction wants to write */
	bool moves; /* another CPU changes page tables during the next translation */
	uint8_t xmm[16][16];
	bool has_no_sse; /* there is no way to access those */
	struct emulate_regs regs;
	struct emulate e;
} guest;

/*
 * A new guest: 16 bits are real mode with a segment every 64 KiB, 32 and 64 bits have flat segments
 * but for FS and GS. Each byte of memory is the lowest byte of its address.
 */
void guest_setup(enum insn_mode mode);

/* Begins an instruction. */
enum emulate_status guest_begin(const char *hex);

/* Runs an instruction to its end, or to the first status that needs the caller. */
enum emulate_status guest_run(const char *hex);

/* Up to eight bytes of memory. */
uint64_t guest_memory(uint64_t address, unsigned int bytes);

/* Runs an instruction that faults: nothing is accessed and no register changes. */
void guest_assert_fault(const char *hex, unsigned int vector);

#endif
