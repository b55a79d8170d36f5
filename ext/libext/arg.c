// SPDX-License-Identifier: MIT
#include <abi/args.h>
#include <bsl/string.h>
#include <ext/libext/arg.h>
#include <ext/libext/libext.h>
#include <ext/libext/mk2_sys.h>

static char args[MK2_ARGS_MAX];
static uint64_t args_size;

/* The part of a value that a message has room for. */
#define SHOWN 100

static uint64_t load(void)
{
	uint64_t copied, status = mk2_ext_args(MK2_HANDLE, (uint64_t)args, sizeof(args), &copied,
					       &args_size);

	if (status != MK1_SUCCESS)
		args_size = 0;
	return status;
}

bool ext_args_load(void)
{
	uint64_t status = load(), handle;

	if (status == MK1_FAILURE_INVALID_HANDLE) {
		status = mk1_handle_open_handle(MK2_SPEC_ID, &handle);
		if (status == MK1_SUCCESS) {
			status = load();
			mk1_handle_close_handle(handle);
		}
	}
	if (status != MK1_SUCCESS)
		ext_print("arguments: the microkernel does not give them, status 0x%llx\n",
			  (unsigned long long)status);
	return status == MK1_SUCCESS;
}

const char *ext_arg(const char *key)
{
	return bf_arg_find(args, args_size, key, bsl_strnlen(key, MK2_ARG_KEY_MAX + 1));
}

/* Of a digit; 16: it is none of either base. */
static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	return c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A') + 10 : 16;
}

static bool parse(const char *text, uint64_t *value)
{
	unsigned int base = 10;
	uint64_t number = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		if (digit(*text) >= base || __builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, digit(*text), &number))
			return false;
	}
	*value = number;
	return true;
}

bool ext_arg_u64(const char *key, uint64_t otherwise, uint64_t *value)
{
	const char *text = ext_arg(key);

	if (!text)
		*value = otherwise;
	else if (!parse(text, value)) {
		ext_print("argument %s: not a number: %.*s\n", key, SHOWN, text);
		return false;
	}
	return true;
}

static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool ext_arg_bool(const char *key, bool otherwise, bool *value)
{
	static const char *const words[][2] = {
		{ "no", "yes" }, { "off", "on" }, { "false", "true" }, { "0", "1" }
	};
	const char *text = ext_arg(key);

	if (!text) {
		*value = otherwise;
		return true;
	}
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (unsigned int on = 0; on < 2; on++) {
			if (is_same(text, words[i][on])) {
				*value = on;
				return true;
			}
		}
	}
	ext_print("argument %s: neither yes nor no: %.*s\n", key, SHOWN, text);
	return false;
}

static bool is_known(const char *const *keys, const char *arg)
{
	for (; *keys; keys++) {
		uint64_t length = bsl_strnlen(*keys, MK2_ARG_KEY_MAX + 1);

		/* One argument, up to where the next begins. */
		if (bf_arg_find(arg, 1, *keys, length))
			return true;
	}
	return false;
}

bool ext_args_known(const char *const *keys)
{
	bool known = true;

	for (const char *arg = args; arg < args + args_size; arg = bf_arg_next(arg)) {
		if (is_known(keys, arg))
			continue;
		ext_print("argument %.*s: this extension knows none of this name\n",
			  (int)bf_arg_key(arg), arg);
		known = false;
	}
	return known;
}
