// SPDX-License-Identifier: GPL-2.0-only
/* bareflank.conf, as driver/efi/config.c reads it: see efi.h. */
#include <string.h>

#include "efi.h"

static bool is_plain(char c)
{
	return c == '\t' || (c >= ' ' && c <= '~');
}

/* A value is the rest of a line of ASCII, without the blanks at its ends. */
static bool can_say(const char *what, const char *value)
{
	size_t length = strlen(value), plain = 0;

	while (plain < length && is_plain(value[plain]))
		plain++;
	if (length && plain == length && !strchr(" \t", value[0]) &&
	    !strchr(" \t", value[length - 1]))
		return true;
	fail_message("efi", "a value is a line of ASCII that begins and ends without blanks",
		     "%s cannot have this value in " EFI_CONFIG, what);
	return false;
}

static void print_rights(FILE *file, uint64_t denied)
{
	static const struct {
		const char *name;
		uint64_t bit;
	} rights[] = {
#define RIGHT(bit, name, what) { #name, BF_RIGHT_##name },
		BF_RIGHTS(RIGHT)
	};
	const char *comma = "";

	fputs("allow = ", file);
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		if (denied & rights[i].bit)
			continue;
		fprintf(file, "%s%s", comma, rights[i].name);
		comma = ",";
	}
	fprintf(file, "%s\n", *comma ? "" : "none");
}

static bool print_extension(FILE *file, const struct start_options *options, uint32_t ext,
			    const char *name)
{
	const char *arg = options->args[ext];
	const char *end = arg + options->args_size[ext];

	fprintf(file, "extension = %s\n", name);
	for (; arg < end; arg += strlen(arg) + 1) {
		if (!can_say("an argument", arg))
			return false;
		fprintf(file, "arg = %s\n", arg);
	}
	if (options->denied[ext])
		print_rights(file, options->denied[ext]);
	return true;
}

static void print_numbers(FILE *file, const struct start_options *options)
{
	if (options->pool_size)
		fprintf(file, "pool = %#llx\n", (unsigned long long)options->pool_size);
	if (options->huge_size)
		fprintf(file, "huge = %#llx\n", (unsigned long long)options->huge_size);
	if (options->channel_size)
		fprintf(file, "channel = %#llx\n", (unsigned long long)options->channel_size);
	if (options->serial_port)
		fprintf(file, "serial = %#x\n", options->serial_port);
	if (options->watchdog_ns == BF_WATCHDOG_OFF)
		fputs("watchdog = off\n", file);
	else if (options->watchdog_ns)
		fprintf(file, "watchdog = %llums\n",
			(unsigned long long)options->watchdog_ns / 1000000);
	if (options->repeats == BF_REPEATS_OFF)
		fputs("repeats = off\n", file);
	else if (options->repeats)
		fprintf(file, "repeats = %llu\n", (unsigned long long)options->repeats);
}

bool efi_config_print(FILE *file, const struct start_options *options, char names[][MAX_NAME],
		      const struct efi_boot *boot)
{
	if (options->nr_grants) {
		fail_message("efi", "name rights only, or use bfm start",
			     "single calls and MSRs cannot be allowed in " EFI_CONFIG);
		return false;
	}
	fputs("# Written by bfm efi: docs/uefi.md has all options.\n", file);
	/* What is before a mistake still counts: that this is what boots then. */
	if (boot->next && !can_say("--next", boot->next))
		return false;
	if (boot->options && !can_say("--options", boot->options))
		return false;
	if (boot->next)
		fprintf(file, "next = %s\n", boot->next);
	if (boot->options)
		fprintf(file, "options = %s\n", boot->options);
	if (boot->no_guard)
		fputs("guard = off\n", file);
	print_numbers(file, options);
	for (uint32_t i = 0; i < options->nr_exts; i++)
		if (!print_extension(file, options, i, names[i]))
			return false;
	return true;
}
