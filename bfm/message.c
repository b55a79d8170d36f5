/* SPDX-License-Identifier: GPL-2.0-only */
/* What bfm says when something fails: one line that tells what, one that tells what to do. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bfm.h"

#define ERROR_TEXT(number, name, err, sentence, hint) { (number), #name, sentence, hint },

static const struct error_text texts[] = { BF_ERRORS(ERROR_TEXT) };

static const struct error_text unknown = { 0, "UNKNOWN", "an error that this bfm does not know",
					   "install bfm and the module from the same release" };

const struct error_text *error_text(uint32_t error)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].number == error)
			return &texts[i];
	}
	return &unknown;
}

bool use_colour(FILE *file)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if ((no_colour && *no_colour) || (terminal && !strcmp(terminal, "dumb")))
		return false;
	return isatty(fileno(file));
}

void fail_message(const char *what, const char *hint, const char *sentence, ...)
{
	bool colour = use_colour(stderr);
	va_list args;

	fprintf(stderr, "%sbfm: %s:%s ", colour ? "\033[1;31m" : "", what, colour ? "\033[0m" : "");
	va_start(args, sentence);
	vfprintf(stderr, sentence, args);
	va_end(args);
	fputc('\n', stderr);
	if (*hint)
		fprintf(stderr, "%shint:%s %s\n", colour ? "\033[1m" : "", colour ? "\033[0m" : "",
			hint);
}

void fail_error(const char *what, uint32_t error, const char *detail)
{
	const struct error_text *text = error_text(error);

	if (*detail)
		fail_message(what, text->hint, "%s (%s)", text->sentence, detail);
	else
		fail_message(what, text->hint, "%s", text->sentence);
}

void describe_detail(uint32_t error, uint64_t detail, char *buf, size_t size)
{
	unsigned long long value = detail;

	switch (error) {
	case BF_ERR_CPUS_DIFFER:
		snprintf(buf, size, "CPU %llu", value);
		break;
	case BF_ERR_TOO_MANY_CPUS:
		snprintf(buf, size, "%llu CPUs", value);
		break;
	case BF_ERR_CPU_FEATURE:
		snprintf(buf, size, "bit %llu", value);
		break;
	case BF_ERR_EXT_NO_VMEXIT:
	case BF_ERR_VS_INVALID:
		snprintf(buf, size, "exit reason 0x%llx", value);
		break;
	case BF_ERR_VMX_CONTROLS:
		snprintf(buf, size, "MSR 0x%llx", value);
		break;
	case BF_ERR_EXT_FAULT:
	case BF_ERR_EXT_FAIL_FAULT:
	case BF_ERR_MK_FAULT:
		snprintf(buf, size, "vector %llu", value);
		break;
	default:
		if (detail)
			snprintf(buf, size, "detail 0x%llx", value);
		else
			*buf = '\0';
	}
}

int fail_device(const char *what, int err)
{
	if (err == ENOENT || err == ENXIO || err == ENODEV)
		fail_message(what, "load it as root: modprobe bareflank",
			     "the module bareflank is not loaded");
	else if (err == EACCES || err == EPERM)
		fail_message(what, error_text(BF_ERR_NOT_PERMITTED)->hint,
			     "no permission to open /dev/" BF_DEVICE);
	else
		fail_message(what, "see dmesg", "cannot open /dev/" BF_DEVICE ": %s",
			     strerror(err));
	return EXIT_NO_DEVICE;
}

int fail_call(const char *what, int err, uint32_t error, uint64_t detail)
{
	char text[64];

	if (error == BF_ERR_OK && err == EPERM)
		error = BF_ERR_NOT_PERMITTED;
	if (error == BF_ERR_OK && (err == ENOTTY || err == EPROTO))
		error = BF_ERR_VERSION;
	if (error == BF_ERR_OK) {
		fail_message(what, "see dmesg", "%s", strerror(err));
	} else {
		describe_detail(error, detail, text, sizeof(text));
		fail_error(what, error, text);
	}
	return EXIT_FAILED;
}
