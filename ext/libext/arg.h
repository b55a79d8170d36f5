/* SPDX-License-Identifier: MIT */
/*
 * The arguments of an extension: what bfm start --arg KEY=VALUE gives it.
 *
 *	static const char *const keys[] = { "leaf", "verbose", NULL };
 *
 *	int ext_start(uint64_t specs)
 *	{
 *		if (!ext_args_load() || !ext_args_known(keys) ||
 *		    !ext_arg_u64("leaf", 0x40000000, &leaf) ||
 *		    !ext_arg_bool("verbose", false, &verbose))
 *			return 1;
 *		...
 *
 * A function that returns false has printed why, with the key.
 */
#ifndef LIBEXT_ARG_H
#define LIBEXT_ARG_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Gets them from the microkernel, once, before the functions below: in ext_start, on one PP. The
 * handle of Mk#2 (docs/abi/mk2.md) need not be open, and is afterwards as it was. false: the
 * microkernel has no such call, or refuses it.
 */
bool ext_args_load(void);

/* The value of a key, with a NUL, which may be empty; it stays. NULL: it was not given. */
const char *ext_arg(const char *key);

/*
 * The same as a number, decimal or with 0x hexadecimal; otherwise, where it was not given. false:
 * it is no number, or has more than 64 bits. *value is unchanged then.
 */
bool ext_arg_u64(const char *key, uint64_t otherwise, uint64_t *value);

/* The same for yes or no, on or off, true or false, 1 or 0. */
bool ext_arg_bool(const char *key, bool otherwise, bool *value);

/*
 * Whether keys, up to a NULL, has all that were given. Each one that it does not have is printed,
 * so that a typing error is noticed.
 */
bool ext_args_known(const char *const *keys);

#ifdef __cplusplus
}
#endif

#endif
