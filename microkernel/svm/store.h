/* SPDX-License-Identifier: GPL-2.0-only */
/* The instructions by which software writes to registers of a device in memory. */
#ifndef MK_SVM_STORE_H
#define MK_SVM_STORE_H

#include "svm/decode.h"

/* A store of 32 bits to memory. */
struct store {
	unsigned int length; /* of the instruction */
	bool immediate; /* it stores value; else a register, by its number in instructions */
	bool exchange; /* which gets what was there */
	uint8_t reg;
	uint32_t value;
};

/*
 * What the instruction at bytes stores, of which n may be read. false: it is another one than MOV
 * and XCHG with 32 bits (APM vol. 3, appendix A).
 */
bool svm_decode_store(const uint8_t *bytes, size_t n, enum decode_mode mode, struct store *store);

#endif
