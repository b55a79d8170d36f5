/* SPDX-License-Identifier: MIT */
/*
 * libbfm: what a program needs to talk to extensions of the Bareflank hypervisor on this machine.
 * It reads what they emit, and sends them requests (ext/libext/channel.h). Who uses this needs
 * CAP_SYS_ADMIN.
 *
 *	struct bareflank *b = bareflank_open();
 *	int ext = b ? bareflank_find(b, "my_extension") : -1;
 *	struct bareflank_record r;
 *
 *	while (ext > 0 && bareflank_read(b, ext, &r, 1000) > 0)
 *		fwrite(r.data, 1, r.size, stdout);
 *	bareflank_close(b);
 *
 * Functions that fail return NULL or -1, with errno and a sentence in bareflank_error(). A handle
 * is for one thread at a time; any number of handles, in any number of processes, work at once, and
 * each reads all records.
 *
 *	cc program.c $(pkg-config --cflags --libs bareflank)
 */
#ifndef BAREFLANK_H
#define BAREFLANK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct bareflank;

#define BAREFLANK_RECORD_MAX 4096 /* bytes of one record */

struct bareflank_record {
	uint64_t number; /* from 0 on, by the extension; those of dropped records are missing */
	uint64_t tsc; /* when it was emitted, in ticks of the TSC */
	uint32_t pp; /* the physical processor that emitted it */
	uint32_t size; /* of data */
	const void *data; /* valid until the next call with the same handle */
};

struct bareflank_counts {
	uint64_t emitted; /* records, those that were dropped included */
	uint64_t dropped; /* refused, or overwritten before anybody had read them */
	uint64_t missed; /* of those emitted since the first that was read here, not read here */
	uint64_t tsc_khz; /* ticks of the TSC in a millisecond */
};

/* Opens the device. ENOENT: the module is not loaded; EACCES, EPERM: no right to it; ENOMEM. */
struct bareflank *bareflank_open(void);

/* NULL is allowed. */
void bareflank_close(struct bareflank *b);

/* What the last call with this handle failed of; NULL: of bareflank_open, in this thread. */
const char *bareflank_error(const struct bareflank *b);

/* The number of this error in docs/errors.md; 0: it is one of the system's, which errno tells. */
uint32_t bareflank_error_number(const struct bareflank *b);

/*
 * The number of an extension of the last start, from 1 on. name: the last part of the path of its
 * image, the path, or the number in decimal. ENOENT: there is none of this name; EEXIST: there are
 * several.
 */
int bareflank_find(struct bareflank *b, const char *name);

/*
 * The next record of an extension, of those that have not been read with this handle: first the
 * oldest that is there. Waits up to timeout_ms for one, 0: not at all, -1: until one comes or the
 * hypervisor stops. What was emitted before a stop can be read until the next start; then reading
 * goes on with the records of that one.
 *
 * 1: *record is one. 0: there is none. -1: ESRCH, there has been no start; ENOENT, there is no such
 * extension; EINTR, a signal came.
 *
 * Who reads makes room: a lossless record is refused as long as it would take the place of one that
 * an open handle which reads this extension has not gone past. A handle is past a record when it
 * asks the module for more.
 */
int bareflank_read(struct bareflank *b, int ext, struct bareflank_record *record, int timeout_ms);

#define BAREFLANK_REQUEST_MAX 4096 /* bytes of a request, and of a reply */

/*
 * Sends a request of size bytes to an extension. *reply_size: the room for the reply, and then its
 * bytes.
 *
 * 0: it has been answered. 1: the extension refuses it, and the reply says why. -1: ESRCH, the
 * hypervisor is not running; ENOENT, there is no such extension; EOPNOTSUPP, it takes no requests;
 * EOWNERDEAD, it has ended, now or before; E2BIG, the request is too long; EMSGSIZE, there is no
 * room for the reply; EINTR.
 */
int bareflank_call(struct bareflank *b, int ext, const void *request, size_t size, void *reply,
		   size_t *reply_size);

/* As of the last bareflank_read of this extension. 0, or -1: EINVAL, it has not been read. */
int bareflank_counts(struct bareflank *b, int ext, struct bareflank_counts *counts);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
