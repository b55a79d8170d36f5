// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which emits records as it is told by requests:
 *
 *   emit N TEXT      N records of this text, and where they stand among them
 *   lossless N SIZE  N records of so many bytes, none of them in the place of an unread one; the
 *                    reply says how many were refused
 *   lossy N SIZE     the same, in the place of others
 *   echo TEXT        the reply is the text, whatever its bytes
 *   long N           a reply of N bytes
 *   fault            what happens then is the microkernel's affair
 *   loop             likewise
 *
 * It emits a record at its start, and one on each PP. With the argument (bfm start --arg) quiet=yes
 * it answers no requests; with alone=yes it does not treat Linux, beside another extension.
 * For test/kselftest/channel.sh.
 */
#include <bsl/string.h>
#include <ext/libext/arg.h>
#include <ext/libext/channel.h>
#include <ext/libext/frame.h>

const char ext_name[] = "channel";

/* A number, and the word behind it; NULL: there is none. */
static const char *number(const char *text, uint64_t *value)
{
	const char *at = text;

	for (*value = 0; *at >= '0' && *at <= '9' && *value < 1000000; at++)
		*value = *value * 10 + (uint64_t)(*at - '0');
	return at == text ? NULL : *at == ' ' ? at + 1 : at;
}

/* What follows this word; NULL: the request begins with another one. */
static const char *after(const char *request, const char *word)
{
	uint64_t length = bsl_strlen(word);

	return bsl_memcmp(request, word, length) ? NULL : request + length;
}

static bool emit_many(const char *arguments, bool lossless, struct ext_reply *reply)
{
	static char bytes[MK2_EMIT_MAX];
	uint64_t count, size, refused = 0, wrong = 0;

	arguments = number(arguments, &count);
	if (!arguments || !number(arguments, &size))
		return false;
	for (uint64_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 26);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t status = lossless ? ext_emit_lossless(bytes, size) : ext_emit(bytes, size);

		refused += status == MK2_FAILURE_BUSY;
		wrong += status != MK2_FAILURE_BUSY && status != MK1_SUCCESS;
	}
	ext_reply_print(reply, "%llu refused, %llu wrong\n", (unsigned long long)refused,
			(unsigned long long)wrong);
	return true;
}

static bool emit_text(const char *arguments, struct ext_reply *reply)
{
	uint64_t count;
	const char *text = number(arguments, &count);

	for (uint64_t i = 0; text && i < count; i++)
		ext_emit_print("%s %llu", text, (unsigned long long)i);
	ext_reply_print(reply, "%llu emitted\n", text ? (unsigned long long)count : 0);
	return text;
}

static bool on_call(const char *request, uint64_t size, struct ext_reply *reply)
{
	const char *rest;

	if ((rest = after(request, "emit ")))
		return emit_text(rest, reply);
	if ((rest = after(request, "lossless ")))
		return emit_many(rest, true, reply);
	if ((rest = after(request, "lossy ")))
		return emit_many(rest, false, reply);
	if ((rest = after(request, "echo "))) {
		reply->size = size - 5;
		bsl_memcpy(reply->data, rest, reply->size);
		return true;
	}
	if ((rest = after(request, "long ")) && number(rest, &reply->size)) {
		bsl_memset(reply->data, 'x',
			   reply->size < BF_REQUEST_MAX ? reply->size : BF_REQUEST_MAX);
		return true;
	}
	if (after(request, "fault"))
		*(volatile int *)(size + 8) = 1;
	while (after(request, "loop"))
		__asm__ volatile("pause");
	ext_reply_print(reply, "unknown request: %s", request);
	return false;
}

static bool cpu_in(uint64_t vsid)
{
	(void)vsid;
	ext_emit_print("PP %u", (unsigned int)mk1_tls_ppid());
	return true;
}

/* Without the treatment of Linux, and without a right to it. */
static bool start_alone(void)
{
	uint64_t handle;

	return mk1_handle_open_handle(MK1_SPEC_ID, &handle) == MK1_SUCCESS;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .cpu_in = cpu_in };
	bool alone, quiet;

	if (!ext_args_load() || !ext_arg_bool("quiet", false, &quiet) ||
	    !ext_arg_bool("alone", false, &alone) ||
	    ext_emit_print("hello from %s", ext_name) != MK1_SUCCESS)
		return 1;
	if (alone ? !start_alone() : ext_run_linux(specs, &ops))
		return 1;
	return quiet || ext_on_call(on_call) ? 0 : 1;
}
