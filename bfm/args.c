// SPDX-License-Identifier: GPL-2.0-only
/* bfm start --arg [EXTENSION:]KEY=VALUE: what an extension is told. */
#include <string.h>

#include <abi/args.h>

#include "bfm.h"

static int refuse(const char *hint, const char *sentence, const char *value)
{
	fail_message("start", hint, "%s: %s", sentence, value);
	return EXIT_USAGE;
}

/*
 * The extension that the value begins with, and the argument behind it. A ":" may also be part of
 * the value, or of an extension's name. -1: it begins with none.
 */
static int split(const struct start_options *options, const char *value, const char **arg)
{
	for (const char *colon = strchr(value, ':'); colon; colon = strchr(colon + 1, ':')) {
		int ext = find_ext(options, value, (size_t)(colon - value));

		if (ext >= 0) {
			*arg = colon + 1;
			return ext;
		}
	}
	*arg = value;
	return -1;
}

/* Puts it behind those that the extension has. */
static int add(struct start_options *options, int ext, const char *arg)
{
	uint32_t *size = &options->args_size[ext];
	char *args = options->args[ext];
	size_t bytes = strlen(arg) + 1;

	if (bf_arg_find(args, *size, arg, bf_arg_key(arg)))
		return refuse("give each key once", "this argument is there already", arg);
	if (bytes > MK2_ARGS_MAX - *size) {
		char sentence[64];

		snprintf(sentence, sizeof(sentence),
			 "the arguments of extension %d take more than %u bytes", ext + 1,
			 MK2_ARGS_MAX);
		fail_message("start", "give fewer or shorter ones", "%s", sentence);
		return EXIT_USAGE;
	}
	memcpy(args + *size, arg, bytes);
	*size += (uint32_t)bytes;
	return -1;
}

int arg_apply(const char *value, struct start_options *options)
{
	const char *arg, *equals = strchr(value, '='), *colon = strchr(value, ':');
	int ext = split(options, value, &arg);

	if (!strchr(arg, '='))
		return refuse("give a key and its value, like leaf=0x40000000",
			      "not an argument, it has no \"=\"", value);
	if (ext < 0 && colon && colon < equals)
		return refuse("name an extension of this command, or its number",
			      "not an argument of one of the extensions", value);
	if (!bf_arg_key(arg))
		return refuse("a key has 1 to 31 of a to z, 0 to 9, \"_\" and \"-\"",
			      "not a key of an argument", value);
	if (ext < 0 && options->nr_exts > 1)
		return refuse("name it, or its number, as in 2:leaf=1",
			      "which extension this argument is for is not said", value);
	return add(options, ext < 0 ? 0 : ext, arg);
}
