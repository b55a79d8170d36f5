/* SPDX-License-Identifier: GPL-2.0-only */
/* Executes an instruction on this CPU, in a process of 64-bit mode. */
#ifndef TEST_UNIT_EMULATE_NATIVE_H
#define TEST_UNIT_EMULATE_NATIVE_H

#include <ext/libext/emulate.h>

/* Where its code and its data are, so low that 32 bits reach both. */
#define NATIVE_CODE 0x20000000ULL
#define NATIVE_DATA 0x20010000ULL
#define NATIVE_DATA_SIZE 0x2000ULL
#define NATIVE_GS_BASE 0x1000ULL

/* Maps both, and sets the base of GS. */
void native_setup(void);

/* The base of GS as it is: a kernel, or a hypervisor below it, that loses it is not our fault. */
uint64_t native_gs_base(void);

/* The data. */
uint8_t *native_data(void);

/* Executes an instruction of so many bytes with regs' general registers and flags, and with xmm. */
void native_execute(const uint8_t *bytes, size_t length, struct emulate_regs *regs,
		    uint8_t xmm[16][16]);

#endif
