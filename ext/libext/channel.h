/* SPDX-License-Identifier: MIT */
/*
 * What an extension has to do with programs of Linux: it emits records, which they read (bfm read,
 * libbfm), and answers their requests (bfm call).
 *
 *	static bool on_call(const char *request, uint64_t size, struct ext_reply *reply)
 *	{
 *		if (size != 5 || bsl_memcmp(request, "count", 5)) {
 *			ext_reply_print(reply, "unknown request");
 *			return false;
 *		}
 *		ext_reply_print(reply, "%llu", count);
 *		return true;
 *	}
 *
 *	int ext_start(uint64_t specs)
 *	{
 *		if (ext_run_linux(specs, &ops))
 *			return 1;
 *		return ext_on_call(on_call) ? 0 : 1;
 *	}
 *
 * Both need Mk#2 (docs/abi/mk2.md), whose handle they open if it is not.
 */
#ifndef LIBEXT_CHANNEL_H
#define LIBEXT_CHANNEL_H

#include <abi/mk2.h>
#include <abi/request.h>
#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- records --------------------------------------------------------------------------------- */

/*
 * Adds a record of size bytes, 1 to MK2_EMIT_MAX, to this extension's channel, in any callback, on
 * any PP, several at a time. Where there is no room, the oldest records give way, and those that
 * nobody has read are counted as dropped. Returns the status of ext_emit of Mk#2: it can only fail
 * if the arguments are wrong.
 */
uint64_t ext_emit(const void *data, uint64_t size);

/*
 * The same, but no record gives way that has not been read: MK2_FAILURE_BUSY then, and this one is
 * counted as dropped.
 */
uint64_t ext_emit_lossless(const void *data, uint64_t size);

/*
 * A record of text, formatted as ext_print does it: bfm read shows one in a line. Of more than 255
 * bytes the rest is cut off; an empty one is none.
 */
uint64_t ext_emit_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- requests -------------------------------------------------------------------------------- */

/* What goes back. It is empty when the hook is called. */
struct ext_reply {
	uint64_t size; /* bytes of data, up to BF_REQUEST_MAX */
	char *data; /* room for as many */
};

/*
 * Answers a request of size bytes, 0 to BF_REQUEST_MAX; a NUL follows that is not of it. false: the
 * request is refused, and the reply says why. Called on any PP with interrupts off, in a callback
 * (the limit of the watchdog holds), on one at a time.
 */
typedef bool ext_call_fn(const char *request, uint64_t size, struct ext_reply *reply);

/*
 * From now on requests are answered by this function. Once, in ext_start; after ext_run_linux, if
 * that is called. false, after a message: the extension has not the right hypercalls, or all routes
 * of hypercalls are taken.
 */
bool ext_on_call(ext_call_fn *fn);

/* Adds text to a reply; what has no room is cut off. */
void ext_reply_print(struct ext_reply *reply, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
