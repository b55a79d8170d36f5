/* SPDX-License-Identifier: MIT */
/*
 * Executes one instruction of a guest in software, because an operand of it is not memory but a
 * device: any of those that insn_operation knows (insn.h). The device may be in another process:
 * then the instruction stops half-way, and goes on when the answer is there. Registers change only
 * when an instruction, or one iteration of a string instruction, is complete.
 *
 * Nothing here reaches a guest by itself: registers are in a structure, memory is behind functions,
 * so that it serves a guest of any kind, on either vendor, and a test without one. For Linux there
 * is ext_emulate, which does all that: device.h.
 */
#ifndef LIBEXT_EMULATE_H
#define LIBEXT_EMULATE_H

#include <abi/hw/segment.h>
#include <ext/libext/insn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What of a virtual CPU's state decides what an instruction does, and is changed by it. */
struct emulate_regs {
	uint64_t gpr[16]; /* by enum insn_reg */
	uint64_t rip;
	uint64_t rflags;
	uint64_t cr0;
	uint64_t cr4;
	uint64_t efer;
	/*
	 * By enum insn_segment. Attributes as a VMCB has them; one that is unusable is not present
	 * (SEG_ATTRIB_P).
	 */
	struct bf_segment segment[INSN_NR_SEGMENTS];
	uint8_t cpl;
};

/* What a callback did. */
enum emulate_access {
	EMULATE_ACCESS_DONE,
	EMULATE_ACCESS_PENDING, /* read, write: a device has to do it, see EMULATE_PENDING */
	/*
	 * write: memory was not as expected, nothing was stored. translate: page tables changed
	 * meanwhile.
	 */
	EMULATE_ACCESS_CHANGED,
	EMULATE_ACCESS_FAULT, /* translate: #PF with *error */
	EMULATE_ACCESS_UNSUPPORTED /* it cannot be done */
};

/*
 * How guest memory is reached. No access crosses a page. All addresses of an instruction, or of an
 * iteration, are translated before the first of them is accessed.
 */
struct emulate_ops {
	/* *gpa of linear address la, with the rights of regs->cpl; or the error code of a #PF. */
	enum emulate_access (*translate)(void *ctx, uint64_t la, bool write, uint64_t *gpa,
					 uint32_t *error);
	/* Reads 1 to 8 bytes at gpa. An operand of 16 bytes is accessed in two parts or more. */
	enum emulate_access (*read)(void *ctx, uint64_t gpa, void *data, unsigned int bytes);
	/*
	 * Writes 1 to 8 bytes at gpa. If expected is not NULL, memory must still hold that, and the
	 * comparison and the write are one atomic step: a locked instruction. It is NULL for the
	 * parts of an operand that crosses a page. Devices ignore it.
	 */
	enum emulate_access (*write)(void *ctx, uint64_t gpa, const void *data, unsigned int bytes,
				     const void *expected);
	/*
	 * Copy an SSE register, 16 bytes, from and to the guest's extended state. If both are NULL,
	 * such instructions are not supported.
	 */
	void (*read_xmm)(void *ctx, unsigned int reg, void *data);
	void (*write_xmm)(void *ctx, unsigned int reg, const void *data);
};

enum emulate_status {
	EMULATE_DONE, /* the instruction is complete */
	/*
	 * An instruction is ready to be run; or iterations of a string instruction are left. The
	 * registers are those between two iterations, as an interrupt would find them, so that the
	 * guest may also go on from here by itself.
	 */
	EMULATE_MORE,
	/* See emulate.mmio. The next emulate_run() takes mmio.data as what was read. */
	EMULATE_PENDING,
	/*
	 * Another CPU changed the operand of a locked instruction, or page tables. Nothing has been
	 * written: run it again, or let the guest execute it.
	 */
	EMULATE_RETRY,
	EMULATE_FAULT, /* see emulate.fault; registers as before the instruction, or iteration */
	EMULATE_SHORT, /* more bytes of the instruction are needed */
	EMULATE_UNSUPPORTED /* emulate.bytes are not an instruction that this can execute */
};

/* An operand in memory. */
struct emulate_operand {
	uint64_t gpa[2]; /* of its first byte, and of the first byte in the next page */
	uint8_t size; /* bytes */
	uint8_t in_first; /* how many of them the first page has */
};

struct emulate {
	struct emulate_regs *regs;
	const struct emulate_ops *ops;
	void *ctx; /* for ops */

	uint8_t bytes[INSN_MAX_LENGTH]; /* the instruction */
	uint8_t avail; /* how many of them are known */

	/* What a device has to do: EMULATE_PENDING. */
	struct {
		uint64_t gpa;
		uint64_t data; /* the first bytes of it are written, or have been read */
		uint8_t bytes; /* 1 to 8 */
		bool write;
	} mmio;

	/* The exception to inject: EMULATE_FAULT. In real mode there is no error code. */
	struct {
		uint8_t vector;
		uint32_t error;
		uint64_t cr2; /* #PF */
	} fault;

	/* How far the instruction is. */
	struct insn insn;
	uint8_t phase;
	uint8_t done; /* bytes of the operand that is read or written, with what is pending */
	struct emulate_operand from, to;
	uint64_t input[2]; /* what was read, zero-extended */
	uint64_t output[2]; /* what is written to the destination */
	uint64_t exchanged; /* what XCHG and XADD write to the source, and CMPXCHG to rAX */
	uint64_t rflags; /* afterwards */
};

/*
 * Begins to emulate the instruction at regs->rip, of which avail bytes are known; 15 are always
 * enough. regs, ops and ctx are used until the instruction is complete; whoever changes regs
 * meanwhile begins anew. Returns EMULATE_MORE, _FAULT, _SHORT or _UNSUPPORTED.
 */
enum emulate_status emulate_begin(struct emulate *e, struct emulate_regs *regs,
				  const struct emulate_ops *ops, void *ctx, const uint8_t *bytes,
				  size_t avail);

/*
 * Runs the instruction, or goes on after EMULATE_PENDING or EMULATE_MORE; at most so many
 * iterations (1 or more) of a string instruction, and one if RFLAGS.TF is set. With that flag a
 * #DB is due after EMULATE_DONE, and after EMULATE_MORE from here. Returns any status but
 * EMULATE_SHORT.
 */
enum emulate_status emulate_run(struct emulate *e, unsigned int iterations);

/*
 * After EMULATE_PENDING: whether the device is written to, and that is the last access of the
 * instruction, or iteration. No answer is needed then: the next emulate_run() with one iteration
 * changes the registers, and returns EMULATE_DONE or _MORE.
 */
bool emulate_ends_with_write(const struct emulate *e);

/* After EMULATE_MORE, whether an emulate_run() has begun: the registers are the guest's own. */
bool emulate_between_iterations(const struct emulate *e);

#ifdef __cplusplus
}
#endif

#endif
