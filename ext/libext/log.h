/* SPDX-License-Identifier: MIT */
/*
 * What an extension says, by levels, and how it ends when it cannot go on. All of it is lines of
 * the debug ring, which bfm dump shows. They begin with the extension's name and the PP:
 *
 *	watch: PP 2: warning: the IDT has moved
 *
 * A text has no newline at its end, and EXT_PRINT_SIZE bytes at most with all that is before it.
 */
#ifndef LIBEXT_LOG_H
#define LIBEXT_LOG_H

#include <bsl/spinlock.h>
#include <ext/libext/libext.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The extension's name: it defines it. */
extern const char ext_name[];

enum ext_level { EXT_ERROR, EXT_WARNING, EXT_INFO, EXT_DEBUG };

/*
 * Levels up to this one are said: EXT_INFO unless the extension chooses another one. false: there
 * is no such level. ext_log_choose_by takes the value of an argument (ext/libext/arg.h), "error",
 * "warning", "info" or "debug", and changes nothing if that was not given; false, after a message:
 * it is another word.
 */
bool ext_log_choose(enum ext_level level);
bool ext_log_choose_by(const char *argument);

/* Whether this level is said, for those who would have to work for what they say. */
bool ext_log_says(enum ext_level level);

/* Formats as bsl_format does. Any PP, any callback. */
void ext_log(enum ext_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The same for what a guest can cause again and again: at most EXT_LOG_BURST lines from this place
 * in EXT_LOG_INTERVAL ticks of the TSC, on all PPs together. The next one says how many there were
 * between them.
 */
#define ext_log_ratelimited(level, ...) \
	do { \
		static struct ext_ratelimit ext_ratelimit_; \
		if (ext_log_says(level) && ext_ratelimit_passes(&ext_ratelimit_)) \
			ext_log(level, __VA_ARGS__); \
	} while (0)

#define EXT_LOG_BURST 10
#define EXT_LOG_INTERVAL 0x100000000 /* 1 to 2 seconds on most machines */

/* All zeros at first. */
struct ext_ratelimit {
	struct bsl_spinlock lock;
	uint64_t begin; /* of the interval */
	uint64_t missed;
	unsigned int passed; /* in the interval */
};

/* Whether one more may pass now; false: it is counted. */
bool ext_ratelimit_passes(struct ext_ratelimit *limit);

/*
 * Says why, as an error, and ends the extension's run (control_exit of Mk#1). The start fails, or
 * Linux gets its CPUs back: bfm start and bfm status show the line.
 */
__attribute__((noreturn)) void ext_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends the run in the same way, with file, line and text, if condition is false. */
#define EXT_ASSERT(condition) \
	((condition) ? (void)0 : \
		       ext_fail("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))

/*
 * The name of a call's status as docs/abi/calling.md has it, without "MK1_" or "MK2_"; "unknown
 * status" for all others. It stays.
 */
const char *mk1_status_name(uint64_t status);

#ifdef __cplusplus
}
#endif

#endif
