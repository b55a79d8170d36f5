/* SPDX-License-Identifier: MIT */
/*
 * The arguments of an extension (bfm start --arg), as ext_args of Mk#2 gives them: strings of the
 * form KEY=VALUE, one after the other, each with a NUL. bfm makes them, the loader checks them, and
 * libext reads them. No key is there twice.
 */
#ifndef BF_ABI_ARGS_H
#define BF_ABI_ARGS_H

#include <abi/mk2.h>
#include <abi/types.h>

/* Whether a key may have this character. */
static inline bool bf_arg_is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* The length of the key that a string begins with, before its "="; 0: it begins with none. */
static inline uint64_t bf_arg_key(const char *arg)
{
	uint64_t length = 0;

	while (length <= MK2_ARG_KEY_MAX && bf_arg_is_key(arg[length]))
		length++;
	return length <= MK2_ARG_KEY_MAX && arg[length] == '=' ? length : 0;
}

/* The argument behind this one: args begins at an argument, and is that or the end then. */
static inline const char *bf_arg_next(const char *arg)
{
	while (*arg)
		arg++;
	return arg + 1;
}

/* The value of a key of this length in size bytes of good arguments; NULL: it is not there. */
static inline const char *bf_arg_find(const char *args, uint64_t size, const char *key,
				      uint64_t length)
{
	const char *arg;

	for (arg = args; arg < args + size; arg = bf_arg_next(arg)) {
		uint64_t same = 0;

		while (same < length && arg[same] == key[same])
			same++;
		if (same == length && bf_arg_key(arg) == length)
			return arg + length + 1;
	}
	return NULL;
}

/* Whether these are arguments as described above, or none. */
static inline bool bf_args_are_valid(const char *args, uint64_t size)
{
	const char *arg;

	if (size > MK2_ARGS_MAX || (size && args[size - 1]))
		return false;
	for (arg = args; arg < args + size; arg = bf_arg_next(arg)) {
		uint64_t length = bf_arg_key(arg);

		if (!length || bf_arg_find(args, (uint64_t)(arg - args), arg, length))
			return false;
	}
	return true;
}

#endif
