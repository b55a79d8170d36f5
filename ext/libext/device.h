/* SPDX-License-Identifier: MIT */
/*
 * A device that is not there: Linux's accesses to watched memory (watch.h) are answered by the
 * extension, which says what is read, and gets what is written. Memory that is there can be
 * filtered in the same way, as functions may read and write it (memory.h).
 *
 *	static bool found(struct ext_exit *e, const struct ext_fault *fault)
 *	{
 *		const char *why;
 *
 *		if (fault->gpa - device.gpa >= device.size)
 *			return false;
 *		why = ext_emulate(e, &device);
 *		if (why)
 *			ext_log(EXT_WARNING, "0x%lx is not emulated: %s", fault->gpa, why);
 *		return !why;
 *	}
 */
#ifndef LIBEXT_DEVICE_H
#define LIBEXT_DEVICE_H

#include <ext/libext/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The device. Its functions are called in ext_emulate, on the PP that exited, several PPs at
 * a time: what they share is theirs to protect. An access has 1 to 8 bytes, all in the device and
 * in one page; one of Linux's that is larger, or crosses a page, comes in several.
 */
struct ext_device {
	uint64_t gpa; /* its first byte */
	uint64_t size; /* bytes */
	/* Fills data with what Linux reads at this offset. */
	void (*read)(void *ctx, uint64_t offset, void *data, unsigned int bytes);
	/*
	 * Gets what Linux writes at this offset. expected, of a locked instruction, is what it read
	 * there: unless that is NULL, the comparison with it and the write are to be one step;
	 * false: something else is there by now, nothing was written, and Linux executes the
	 * instruction again.
	 */
	bool (*write)(void *ctx, uint64_t offset, const void *data, const void *expected,
		      unsigned int bytes);
	void *ctx; /* for them */
};

/*
 * In the nested_fault hook: executes Linux's instruction in software, with the device where it
 * accesses that, and with memory elsewhere, as the CPU would; of a string instruction, some of its
 * iterations, after which Linux exits again. Registers are those behind it, or it takes the
 * exception that the instruction raises. NULL: that is done, the hook returns true. Of the first
 * extension of a start only, which has Linux's general registers; takes what memory.h takes.
 *
 * Else the sentence that says why not, without a full stop, and nothing has changed. If the hook
 * returns false then, Linux executes the instruction itself, with the memory that is there: it is
 * none of those of insn.h, or has an SSE register; it does not access the device by itself, but
 * its code is there, or it is a walk through page tables, or the delivery of an interrupt; or it
 * accesses other memory that is no RAM; or it would fault, and with LAM, UAI or LASS on it is the
 * CPU alone that knows how.
 *
 * Protection keys, and breakpoints on data, are not looked at.
 */
const char *ext_emulate(struct ext_exit *e, const struct ext_device *device);

#ifdef __cplusplus
}
#endif

#endif
