// SPDX-License-Identifier: GPL-2.0-only
/* read.c, call.c: against a libbfm of this test's own. */
#include <errno.h>

#include "bfm/lib/bareflank.h"
#include "commands.h"

static struct {
	const char *records[4];
	uint64_t numbers[4];
	unsigned int next;
	unsigned int waits; /* so often there is none until one is waited for */
	bool open;
	int result, err; /* of a call, or what reading fails with */
	uint32_t error;
	const char *reply;
	char request[BAREFLANK_REQUEST_MAX + 1];
	size_t size;
	uint64_t dropped, missed;
} lib;

struct bareflank *bareflank_open(void)
{
	errno = device.open_errno;
	lib.open = !errno;
	return errno ? NULL : (struct bareflank *)&lib;
}

void bareflank_close(struct bareflank *b)
{
	ck_assert_ptr_eq(b, &lib);
	lib.open = false;
}

const char *bareflank_error(const struct bareflank *b)
{
	(void)b;
	return lib.error ? error_text(lib.error)->sentence : "several extensions have this name";
}

uint32_t bareflank_error_number(const struct bareflank *b)
{
	(void)b;
	return lib.error;
}

int bareflank_find(struct bareflank *b, const char *name)
{
	(void)b;
	errno = lib.err;
	return strcmp(name, "mine") ? -1 : 2;
}

int bareflank_read(struct bareflank *b, int ext, struct bareflank_record *r, int timeout_ms)
{
	(void)b;
	ck_assert_int_eq(ext, 2);
	errno = lib.err;
	if (lib.err)
		return -1;
	if (!lib.records[lib.next])
		return 0;
	if (!timeout_ms && lib.waits) {
		lib.waits--;
		return 0;
	}
	*r = (struct bareflank_record){ .number = lib.numbers[lib.next],
					.tsc = 9,
					.pp = 3,
					.size = (uint32_t)strlen(lib.records[lib.next]),
					.data = lib.records[lib.next] };
	lib.missed += lib.next ? lib.numbers[lib.next] - lib.numbers[lib.next - 1] - 1 : 0;
	lib.next++;
	return 1;
}

int bareflank_counts(struct bareflank *b, int ext, struct bareflank_counts *counts)
{
	(void)b, (void)ext;
	*counts = (struct bareflank_counts){ .emitted = 10,
					     .dropped = lib.dropped,
					     .missed = lib.missed };
	return 0;
}

int bareflank_call(struct bareflank *b, int ext, const void *request, size_t size, void *reply,
		   size_t *reply_size)
{
	(void)b;
	ck_assert_int_eq(ext, 2);
	memcpy(lib.request, request, size);
	lib.request[size] = '\0';
	lib.size = size;
	*reply_size = strlen(lib.reply);
	memcpy(reply, lib.reply, *reply_size);
	errno = lib.err;
	return lib.err ? -1 : lib.result;
}

static void reset(void)
{
	memset(&lib, 0, sizeof(lib));
	lib.records[0] = "first";
	lib.records[1] = "two\n";
	lib.numbers[1] = 1;
}

START_TEST(reading)
{
	reset();
	ck_assert_int_eq(run(&read_command, "read mine"), EXIT_OK);
	ck_assert_str_eq(out, "first\ntwo\n");
	ck_assert_str_eq(err, "");
	ck_assert(!lib.open);
	reset();
	lib.waits = 2;
	ck_assert_int_eq(run(&read_command, "read mine --follow"), EXIT_OK);
	ck_assert_str_eq(out, "first\ntwo\n");
	reset();
	ck_assert_int_eq(run(&read_command, "read mine --raw"), EXIT_OK);
	ck_assert_str_eq(out, "firsttwo\n");
	reset();
	ck_assert_int_eq(run(&read_command, "read --count 1 mine --json"), EXIT_OK);
	assert_json(out);
	ck_assert_str_eq(out, "{\"number\": 0, \"tsc\": 9, \"pp\": 3, \"text\": \"first\", "
			      "\"hex\": \"6669727374\"}\n");
	reset();
	ck_assert_int_eq(run(&read_command, "read mine --hex --count 1"), EXIT_OK);
	ck_assert_str_eq(out, "record 0, PP 3, 5 bytes\n"
			      "0000  66 69 72 73 74                                   first\n");
}
END_TEST

/* What is missing is said where it is missing, and in the end what was dropped at all. */
START_TEST(dropped)
{
	reset();
	lib.numbers[1] = 5;
	lib.dropped = 7;
	ck_assert_int_eq(run(&read_command, "read mine"), EXIT_OK);
	ck_assert_str_eq(out, "first\ntwo\n");
	ck_assert_str_eq(err, "bfm: read: 4 records are missing\n"
			      "bfm: read: 7 of 10 records were dropped\n");
}
END_TEST

START_TEST(read_fails)
{
	reset();
	ck_assert_int_eq(run(&read_command, "read"), EXIT_USAGE);
	assert_failure("read", "which extension is not said");
	ck_assert_int_eq(run(&read_command, "read mine yours"), EXIT_USAGE);
	ck_assert_int_eq(run(&read_command, "read mine --hex --raw"), EXIT_USAGE);
	assert_failure("read", "these forms exclude each other");
	ck_assert_int_eq(run(&read_command, "read mine --count 0"), EXIT_USAGE);
	assert_failure("read", "not a number of records: 0");
	lib.err = EEXIST;
	ck_assert_int_eq(run(&read_command, "read yours"), EXIT_FAILED);
	assert_failure("read", "several extensions have this name");
	lib.err = ESRCH;
	lib.error = BF_ERR_NOT_RUNNING;
	ck_assert_int_eq(run(&read_command, "read mine"), EXIT_FAILED);
	assert_failure("read", "the hypervisor is not running");
	assert_has(err, "bfm start");
	device.open_errno = ENOENT;
	ck_assert_int_eq(run(&read_command, "read mine"), EXIT_NO_DEVICE);
}
END_TEST

START_TEST(calling)
{
	reset();
	lib.reply = "done\n";
	ck_assert_int_eq(run(&call_command, "call mine do it"), EXIT_OK);
	ck_assert_str_eq(out, "done\n");
	ck_assert_str_eq(lib.request, "do it");
	lib.reply = "no such counter";
	lib.result = 1;
	ck_assert_int_eq(run(&call_command, "call mine x"), EXIT_FAILED);
	assert_failure("mine", "no such counter");
	lib.reply = "";
	ck_assert_int_eq(run(&call_command, "call mine x"), EXIT_FAILED);
	assert_failure("mine", "refused");
	lib.err = EOWNERDEAD;
	lib.error = BF_ERR_EXT_ENDED;
	ck_assert_int_eq(run(&call_command, "call mine x"), EXIT_FAILED);
	assert_failure("call", "the extension has ended");
	ck_assert(!lib.open);
	ck_assert_int_eq(run(&call_command, "call yours x"), EXIT_FAILED);
	ck_assert_int_eq(run(&call_command, "call mine"), EXIT_USAGE);
	assert_failure("call", "an extension and a request are needed");
	device.open_errno = EACCES;
	ck_assert_int_eq(run(&call_command, "call mine x"), EXIT_NO_DEVICE);
}
END_TEST

/* As much as there can be, and a byte more. */
START_TEST(long_requests)
{
	char line[BAREFLANK_REQUEST_MAX + 32] = "call mine ";
	size_t at = strlen(line);

	reset();
	lib.reply = "";
	memset(line + at, 'x', BAREFLANK_REQUEST_MAX);
	ck_assert_int_eq(run(&call_command, line), EXIT_OK);
	ck_assert_uint_eq(lib.size, BAREFLANK_REQUEST_MAX);
	ck_assert_str_eq(lib.request, line + at);
	strcat(line, "x");
	ck_assert_int_eq(run(&call_command, line), EXIT_USAGE);
	assert_failure("call", "a request has at most 4096 bytes");
	line[at + 1000] = line[at + 3000] = ' ';
	ck_assert_int_eq(run(&call_command, line), EXIT_USAGE);
}
END_TEST

TCase *channel_tests(void)
{
	TCase *tc = commands_case("channel");

	tcase_add_test(tc, reading);
	tcase_add_test(tc, dropped);
	tcase_add_test(tc, read_fails);
	tcase_add_test(tc, calling);
	tcase_add_test(tc, long_requests);
	return tc;
}
