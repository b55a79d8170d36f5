/* SPDX-License-Identifier: MIT */
/*
 * x87, SSE, AVX and the like, and TSC_AUX: guests have their own, which the microkernel exchanges
 * with Linux's (docs/abi/mk2.md).
 */
#ifndef EXT_GUESTS_XSTATE_H
#define EXT_GUESTS_XSTATE_H

#include <abi/guests.h>
#include <abi/mk2.h>

#define XSTATE_XMM_SIZE 16

/* The first part of an area: x87 and SSE, as FXSAVE64 writes it. */
struct xstate_legacy {
	uint8_t bytes[MK2_XSAVE_LEGACY];
} __attribute__((aligned(16)));

/* An SSE register, 0 to 15, in there. */
static inline void *xstate_xmm(struct xstate_legacy *legacy, unsigned int reg)
{
	return legacy->bytes + 160 + reg * XSTATE_XMM_SIZE;
}

/* In ext_start, with both handles open: whether the microkernel exchanges what guests need. */
bool xstate_start(void);

/* Gives a VS a state of its own, that after reset. false: the microkernel refuses. */
bool xstate_attach(uint64_t vsid);

/* Bytes of an area: the first of a VS, whether in the CPU or not. At most GUESTS_MAX_XSAVE. */
uint32_t xstate_size(void);
/*
 * All of it, or struct xstate_legacy by its size. false: the VS is not on this PP, or the CPU would
 * not take the area.
 */
bool xstate_read(uint64_t vsid, void *area, uint64_t size);
bool xstate_write(uint64_t vsid, const void *area, uint64_t size);

/* PKRU; area is memory of xstate_size() bytes. false: as xstate_read. */
bool xstate_pkru(uint64_t vsid, uint8_t *area, uint32_t *pkru);

#endif
