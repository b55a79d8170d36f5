/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The extended processor state of VSs: x87, SSE, AVX, AVX-512, PKRU, TSC_AUX and XSS. All VSs share
 * what is in the CPU, but for those with a state of their own (vs_xsave_attach of Mk#2): while one
 * of them is active, that of the others is kept in memory.
 *
 * Every other component (SDM vol. 1 §13.1) stays in the CPU: such a VS cannot reach it, as its XCR0
 * is limited to what is exchanged, and its XSS is 0. So do the tiles of AMX, and XFD, which says
 * nothing of what is exchanged: a tile that XFD disables would be saved as if it were empty (SDM
 * vol. 1 §13.14).
 */
#ifndef MK_XSTATE_H
#define MK_XSTATE_H

#include <abi/mk2.h>
#include <abi/types.h>

struct pp;

/* An area of XSAVE64 in the standard format (SDM vol. 1 §13.4) up to the end of its header. */
struct xstate_head {
	uint16_t fcw;
	uint8_t x87[22];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[MK2_XSAVE_TSC_AUX - 32];
	uint64_t tsc_aux;
	uint8_t unused[MK2_XSAVE_LEGACY - MK2_XSAVE_TSC_AUX - 8];
	uint64_t xstate_bv;
	uint64_t zeroes[7]; /* XCOMP_BV, and reserved */
};

/* A state that is not in the CPU: a page, of which MK2_XSAVE_MAX bytes are the area. */
struct xstate {
	struct xstate_head head;
	uint8_t extended[MK2_XSAVE_MAX - sizeof(struct xstate_head)];
	uint64_t xss; /* of others than a VS */
	/* Of a VS: what is in the CPU otherwise, while the VS is active. */
	struct xstate *others;
	uint64_t pad[6];
} __attribute__((aligned(64)));

/* Finds out what is exchanged. Once, on PP 0, when its CR0 and CR4 are those of root mode. */
void xstate_probe(void);

/* The components, as in XCR0, and the bytes of an area. */
uint64_t xstate_features(void);
uint64_t xstate_size(void);

/* A state of a VS, as after reset; NULL: no memory. */
struct xstate *xstate_alloc(void);
void xstate_free(struct xstate *x);

/*
 * A VS with a state of its own becomes active: that goes into the CPU, in place of that of the
 * others. And the reverse, for the one that is there.
 */
void xstate_enter(struct pp *pp, struct xstate *x);
void xstate_leave(struct pp *pp);

/* What is in the CPU of it goes to memory, too; and the reverse, after it has changed there. */
void xstate_refresh(struct pp *pp, struct xstate *x);
void xstate_reload(struct pp *pp, struct xstate *x);

/* Whether the CPU takes what an area begins with, or the first MK2_XSAVE_LEGACY bytes of that. */
bool xstate_is_good(const struct xstate_head *head, bool has_header);

#endif
