// SPDX-License-Identifier: GPL-2.0-only
/* Error messages: one line with what is wrong, and one with what to do. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <abi/features.h>
#include <abi/hw/vmx.h>

#include "bfm.h"

#define ERROR_TEXT(number, name, err, sentence, hint) { (number), #name, sentence, hint },

static const struct error_text texts[] = { BF_ERRORS(ERROR_TEXT) };

static const struct error_text unknown = { 0, "UNKNOWN", "an error that this bfm does not know",
					   "install one release, then: modprobe -r bareflank_kvm "
					   "bareflank && modprobe bareflank" };

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

/* --- details that refer to abi/features.h ----------------------------------------- */

#define REGISTER_NAME(number, name, text, msr) [number] = text,

static void describe_feature(uint64_t detail, char *buf, size_t size)
{
	static const char *const registers[] = { BF_FEATURE_REGISTERS(REGISTER_NAME) };
	static const struct {
		uint32_t reg, first, last;
		const char *name, *by;
	} rows[] = {
#define FEATURE_ROW(reg, first, last, name, verdict, by) \
	{ BF_REGISTER_##reg, first, last, name, by },
		BF_FEATURES(FEATURE_ROW)
	};
	static const char not_in_vmx[] = "this CPU's VMX does not allow it in a guest";
	uint32_t reg = BF_FEATURE_REGISTER(detail), bit = BF_FEATURE_BIT(detail);
	const char *where = reg < BF_NR_FEATURE_REGISTERS ? registers[reg] : "a register";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].reg != reg || bit < rows[i].first || bit > rows[i].last)
			continue;
		snprintf(buf, size, "%s bit %u, %s: %s", where, bit, rows[i].name,
			 detail & BF_FEATURE_NOT_IN_VMX ? not_in_vmx : rows[i].by);
		return;
	}
	snprintf(buf, size, "%s bit %u: not known to this version", where, bit);
}

static void describe_control(uint64_t detail, char *buf, size_t size)
{
	static const struct {
		uint32_t msr, true_msr;
	} msrs[] = {
#define CONTROL_MSR(name, msr, true_msr) [BF_VMX_##name] = { msr, true_msr },
		BF_VMX_CONTROL_MSRS(CONTROL_MSR)
	};
	static const struct {
		enum bf_vmx_control_msr kind;
		uint32_t bit;
		const char *name;
	} controls[] = {
#define CONTROL(msr, mask, name) { BF_VMX_##msr, BF_BIT_NUMBER(mask), name },
#define INSTRUCTION(leaf, subleaf, reg, mask, name, control, text) \
	{ BF_VMX_SECONDARY, BF_BIT_NUMBER(control), text },
		BF_VMX_CONTROLS(CONTROL) BF_VMX_INSTRUCTIONS(INSTRUCTION)
	};
	uint32_t msr = BF_CONTROL_MSR(detail), bit = BF_CONTROL_BIT(detail);

	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		if (controls[i].bit != bit ||
		    (msrs[controls[i].kind].msr != msr && msrs[controls[i].kind].true_msr != msr))
			continue;
		snprintf(buf, size, "MSR 0x%x bit %u, %s", msr, bit, controls[i].name);
		return;
	}
	/* From the microkernel: a field of the VMCS, or 0. */
	if (detail)
		snprintf(buf, size, "%s 0x%x", bit ? "MSR" : "field", msr);
	else
		*buf = '\0';
}

static void describe_difference(uint64_t detail, char *buf, size_t size)
{
	static const char *const regs[] = { "EAX", "EBX", "ECX", "EDX" };
	uint32_t place = BF_DIFFER_PLACE(detail), cpu = BF_DIFFER_CPU(detail);

	if (!place)
		snprintf(buf, size, "CPU %u", cpu);
	else if (!BF_DIFFER_IS_CPUID(place))
		snprintf(buf, size, "CPU %u: MSR 0x%x differs from the first CPU", cpu, place);
	else
		snprintf(buf, size, "CPU %u: CPUID 0x%x.%u %s differs from the first CPU", cpu,
			 BF_DIFFER_LEAF(place), BF_DIFFER_SUBLEAF(place),
			 regs[BF_DIFFER_REG(place)]);
}

const char *callback_name(uint64_t callback)
{
	static const char *const names[] = BF_CALLBACK_NAMES;

	return callback < sizeof(names) / sizeof(names[0]) ? names[callback] : "unknown callback";
}

void describe_detail(uint32_t error, uint64_t detail, char *buf, size_t size)
{
	unsigned long long value = detail;

	switch (error) {
	case BF_ERR_CPUS_DIFFER:
		describe_difference(detail, buf, size);
		break;
	case BF_ERR_CPU_STUCK:
		snprintf(buf, size, "CPU %llu", value);
		break;
	case BF_ERR_GUESTS:
		if (detail)
			snprintf(buf, size, "process %llu", value);
		else
			*buf = '\0';
		break;
	case BF_ERR_TOO_MANY_CPUS:
		snprintf(buf, size, "%llu CPUs", value);
		break;
	case BF_ERR_CPU_FEATURE:
		describe_feature(detail, buf, size);
		break;
	case BF_ERR_ADDRESS_TOO_HIGH:
		snprintf(buf, size, "address 0x%llx", value);
		break;
	case BF_ERR_VS_INVALID:
	case BF_ERR_EXT_STALLED:
		snprintf(buf, size, "exit reason 0x%llx", value);
		break;
	case BF_ERR_VMX_CONTROLS:
		describe_control(detail, buf, size);
		break;
	case BF_ERR_MK_VERSION:
		if (detail)
			snprintf(buf, size, "handoff %u, and %u of the module",
				 BF_VERSION_OTHER(detail), BF_VERSION_OWN(detail));
		else
			*buf = '\0';
		break;
	case BF_ERR_EXT_OVERDUE:
		snprintf(buf, size, "%s", callback_name(detail));
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

void fail_detail(const char *what, uint32_t error, uint64_t detail)
{
	char text[DETAIL_SIZE], hint[HINT_SIZE];

	describe_detail(error, detail, text, sizeof(text));
	hint_text("", error, detail, hint, sizeof(hint));
	fail_message(what, hint, "%s%s%s%s", error_text(error)->sentence, *text ? " (" : "", text,
		     *text ? ")" : "");
}

int fail_device(const char *what, int err)
{
	char hint[HINT_SIZE];
	struct utsname system;

	if (err == ENOENT || err == ENXIO || err == ENODEV)
		fail_message(
			what,
			hint_load("", uname(&system) ? "" : system.release, hint, sizeof(hint)),
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
	if (error == BF_ERR_OK && err == EPERM)
		error = BF_ERR_NOT_PERMITTED;
	/* E2BIG without an error: an older module finds something behind the argument it knows. */
	if (error == BF_ERR_OK && (err == ENOTTY || err == EPROTO || err == E2BIG))
		error = BF_ERR_VERSION;
	if (error == BF_ERR_OK)
		fail_message(what, "see dmesg", "%s", strerror(err));
	else
		fail_detail(what, error, detail);
	return EXIT_FAILED;
}
