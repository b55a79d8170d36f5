/* SPDX-License-Identifier: MIT */
/*
 * x87, MMX, SSE and AVX registers, which the world switch does not exchange. Guests have x87 and
 * SSE; what else Linux has in the CPU stays there meanwhile, out of reach for a guest without
 * CR4.OSXSAVE, and is put back with the rest.
 */
#ifndef EXT_GUESTS_FPU_H
#define EXT_GUESTS_FPU_H

#include <abi/types.h>

/* As FXSAVE writes it. */
struct fpu_area {
	uint8_t bytes[512];
} __attribute__((aligned(16)));

#define FPU_XMM_SIZE 16

/* An SSE register, 0 to 15, in memory. */
static inline void *fpu_xmm(struct fpu_area *area, unsigned int reg)
{
	return area->bytes + 160 + reg * FPU_XMM_SIZE;
}

/* The state after reset. */
void fpu_init(struct fpu_area *area);

/* How many bytes of memory, aligned to 64, Linux's registers take. */
uint64_t fpu_linux_size(void);

/*
 * Linux's registers, to memory of that size, which is zeroed at first, and back. Linux's VS is
 * active: XCR0 is Linux's.
 */
void fpu_save_linux(void *area);
void fpu_restore_linux(const void *area);

/* A guest's registers, and back. */
void fpu_save_guest(struct fpu_area *area);
void fpu_restore_guest(const struct fpu_area *area);

#endif
