/* SPDX-License-Identifier: MIT */
/*
 * Requests of user space to an extension (bfm call), between the module and libext: hypercalls of
 * Linux's kernel for which the extension has a route (hypercall_route of Mk#2). A request goes over
 * in pieces, is then answered, and the reply comes back in pieces.
 *
 *   RAX  BF_REQUEST of the extension, and an operation
 *   PUT  RDI: where the piece belongs, a multiple of its size; RSI, RDX, RCX, R8 to R11: the piece
 *   RUN  RDI: bytes of the request. Result: RDI: bytes of the reply, RSI: 0, or 1 if it is the
 *        reason why the extension refuses the request
 *   GET  RDI: as in PUT. Result: the piece, where PUT has it
 *
 * The answer is BF_REQUEST_DONE in RAX, or BF_REQUEST_WRONG where the module calls wrongly. The
 * microkernel's is MK1_FAILURE_UNSUPPORTED: the extension has ended.
 */
#ifndef BF_ABI_REQUEST_H
#define BF_ABI_REQUEST_H

#include <abi/types.h>

#define BF_REQUEST_MAX 4096 /* bytes of a request, and of a reply */

/* Of the extension with this id, its place in the start from 0 on: the first and last number. */
#define BF_REQUEST(extid) (0x4266527100000000 | (uint64_t)(extid) << 8) /* "BfRq" */
#define BF_REQUEST_LAST(extid) (BF_REQUEST(extid) | 0xFF)

enum bf_request_op { BF_REQUEST_PUT, BF_REQUEST_RUN, BF_REQUEST_GET };

#define BF_REQUEST_DONE 0x4266527144000001
#define BF_REQUEST_WRONG 0x4266527144000002

#define BF_REQUEST_WORDS 7
#define BF_REQUEST_PIECE (BF_REQUEST_WORDS * 8)
/* Room for the last piece, too. */
#define BF_REQUEST_BUFFER \
	((BF_REQUEST_MAX + BF_REQUEST_PIECE - 1) / BF_REQUEST_PIECE * BF_REQUEST_PIECE)

/* Whether there is a piece at this offset of a buffer. */
static inline bool bf_request_is_piece(uint64_t offset)
{
	return offset < BF_REQUEST_BUFFER && offset % BF_REQUEST_PIECE == 0;
}

#endif
