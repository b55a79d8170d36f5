// SPDX-License-Identifier: GPL-2.0-only
/* bfm/lib/bareflank.c, which is included: libbfm, against a module of this test's own. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <abi/channel.h>
#include <abi/ioctl.h>

#define FD 1000

static struct {
	int open_errno, call_errno;
	uint32_t error;
	uint8_t ring[0x4000] __attribute__((aligned(8)));
	uint64_t first, written, number, dropped, start;
	uint64_t most; /* bytes that it gives at once */
	uint64_t consumed; /* what the reader has asked behind of */
	unsigned int running; /* so often */
	uint64_t ms; /* the time */
	struct bf_image_id ids[1 + BF_MAX_EXTS];
	uint32_t nr_ids;
	struct bf_ioctl_call call;
	char request[64];
	const char *reply;
} fake;

static int fake_open(const char *path, int flags)
{
	ck_assert_str_eq(path, "/dev/bareflank");
	ck_assert_int_eq(flags, O_RDWR | O_CLOEXEC);
	errno = fake.open_errno;
	return errno ? -1 : FD;
}

static int fake_close(int fd)
{
	ck_assert_int_eq(fd, FD);
	return 0;
}

static void answer_read(struct bf_ioctl_read *call)
{
	uint64_t begin = call->position, length = 0;

	ck_assert_uint_eq(call->image, 2);
	ck_assert_uint_ge(call->length, bf_record_span(MK2_EMIT_MAX));
	fake.consumed = begin;
	if (begin < fake.first || begin > fake.written)
		begin = fake.first;
	while (begin + length < fake.written) {
		struct bf_record record;
		uint64_t span;

		memcpy(&record, fake.ring + begin + length, sizeof(record));
		span = bf_record_span(record.size);
		if (length + span > fake.most)
			break;
		length += span;
	}
	memcpy((void *)(uintptr_t)call->data, fake.ring + begin, length);
	call->position = begin;
	call->length = length;
	call->emitted = fake.number;
	call->dropped = fake.dropped;
	call->start = fake.start;
	call->tsc_khz = 1000;
}

static int fake_ioctl(int fd, unsigned long request, void *argument)
{
	struct bf_ioctl_status *status = argument;

	ck_assert_int_eq(fd, FD);
	ck_assert_uint_eq(*(uint32_t *)argument, _IOC_SIZE(request));
	if (request == BF_IOC_STATUS) {
		if (status->image_ids)
			memcpy((void *)(uintptr_t)status->image_ids, fake.ids, sizeof(fake.ids));
		status->nr_image_ids = fake.nr_ids;
		status->state = fake.running && fake.running-- ? BF_STATE_RUNNING :
								 BF_STATE_STOPPED;
		return 0;
	}
	if (request == BF_IOC_READ) {
		((struct bf_ioctl_read *)argument)->error = fake.error;
		if (!fake.call_errno)
			answer_read(argument);
	} else {
		struct bf_ioctl_call *call = argument;

		ck_assert_uint_eq(request, BF_IOC_CALL);
		fake.call = *call;
		memcpy(fake.request, (void *)(uintptr_t)call->request, call->request_size);
		call->error = fake.error;
		if (!fake.call_errno) {
			call->reply_size = strlen(fake.reply);
			memcpy((void *)(uintptr_t)call->reply, fake.reply, call->reply_size);
			call->refused = *fake.reply == '!';
		}
	}
	errno = fake.call_errno;
	return errno ? -1 : 0;
}

static int fake_nanosleep(const struct timespec *pause, struct timespec *rest)
{
	ck_assert_ptr_null(rest);
	fake.ms += (uint64_t)pause->tv_nsec / 1000000;
	return 0;
}

static int fake_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ .tv_sec = (time_t)(fake.ms / 1000),
				 .tv_nsec = (long)(fake.ms % 1000) * 1000000 };
	return 0;
}

#define open fake_open
#define close fake_close
#define ioctl fake_ioctl
#define nanosleep fake_nanosleep
#define clock_gettime fake_gettime
#include "bfm/lib/bareflank.c"
#undef open
#undef close
#undef ioctl

static struct bareflank *b;

static void setup(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.start = 1;
	fake.most = sizeof(fake.ring);
	fake.nr_ids = 4;
	strcpy(fake.ids[0].path, "/lib/microkernel");
	strcpy(fake.ids[1].path, "/lib/default");
	strcpy(fake.ids[2].path, "/home/me/mine");
	strcpy(fake.ids[3].path, "/lib/mine.2");
	b = bareflank_open();
	ck_assert_ptr_nonnull(b);
}

static void teardown(void)
{
	bareflank_close(b);
}

static void emit(const char *text)
{
	const struct bf_record record = { fake.number++, 77, (uint32_t)strlen(text), 3 };

	memcpy(fake.ring + fake.written, &record, sizeof(record));
	memcpy(fake.ring + fake.written + sizeof(record), text, record.size);
	fake.written += bf_record_span(record.size);
}

static void expect(const char *text, uint64_t number)
{
	struct bareflank_record r;

	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), 1);
	ck_assert_uint_eq(r.number, number);
	ck_assert_uint_eq(r.size, strlen(text));
	ck_assert_mem_eq(r.data, text, r.size);
	ck_assert_uint_eq(r.tsc, 77);
	ck_assert_uint_eq(r.pp, 3);
}

START_TEST(opening)
{
	fake.open_errno = EACCES;
	ck_assert_ptr_null(bareflank_open());
	ck_assert_int_eq(errno, EACCES);
	ck_assert_ptr_nonnull(strstr(bareflank_error(NULL), "/dev/bareflank"));
	bareflank_close(NULL);
}
END_TEST

START_TEST(finding)
{
	ck_assert_int_eq(bareflank_find(b, "mine"), 2);
	ck_assert_int_eq(bareflank_find(b, "/home/me/mine"), 2);
	ck_assert_int_eq(bareflank_find(b, "8"), 8);
	ck_assert_int_eq(bareflank_find(b, "9"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(bareflank_find(b, ""), -1);
	ck_assert_int_eq(bareflank_find(b, "microkernel"), -1);
	ck_assert_uint_eq(bareflank_error_number(b), BF_ERR_NO_EXT);
	strcpy(fake.ids[3].path, "/other/mine");
	ck_assert_int_eq(bareflank_find(b, "mine"), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_uint_eq(bareflank_error_number(b), BF_ERR_OK);
}
END_TEST

START_TEST(reading)
{
	struct bareflank_counts counts;
	struct bareflank_record r;

	ck_assert_int_eq(bareflank_counts(b, 2, &counts), -1);
	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), 0);
	emit("one");
	emit("second record");
	fake.most = bf_record_span(13);
	expect("one", 0);
	ck_assert_uint_eq(fake.consumed, 0);
	expect("second record", 1);
	ck_assert_uint_eq(fake.consumed, bf_record_span(3));
	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), 0);
	ck_assert_uint_eq(fake.consumed, fake.written);
	/* two go before they are read */
	emit("x");
	emit("y");
	fake.first = fake.written;
	fake.dropped = 2;
	emit("z");
	expect("z", 4);
	ck_assert_int_eq(bareflank_counts(b, 2, &counts), 0);
	ck_assert_uint_eq(counts.emitted, 5);
	ck_assert_uint_eq(counts.dropped, 2);
	ck_assert_uint_eq(counts.missed, 2);
	ck_assert_uint_eq(counts.tsc_khz, 1000);
	/* another start */
	fake.start = 2;
	fake.first = fake.written = fake.number = fake.dropped = 0;
	emit("new");
	expect("new", 0);
	ck_assert_int_eq(bareflank_counts(b, 2, &counts), 0);
	ck_assert_uint_eq(counts.missed, 0);
	ck_assert_int_eq(bareflank_read(b, 0, &r, 0), -1);
	ck_assert_int_eq(bareflank_read(b, BF_MAX_EXTS + 1, &r, 0), -1);
	ck_assert_int_eq(errno, ENOENT);
	fake.call_errno = ESRCH;
	fake.error = BF_ERR_NOT_RUNNING;
	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_str_eq(bareflank_error(b), "the hypervisor is not running");
}
END_TEST

/* Until the time is over, or it does not run any more. */
START_TEST(waiting)
{
	struct bareflank_record r;

	fake.running = 1000;
	ck_assert_int_eq(bareflank_read(b, 2, &r, 50), 0);
	ck_assert_uint_eq(fake.ms, 50);
	fake.running = 10;
	ck_assert_int_eq(bareflank_read(b, 2, &r, -1), 0);
	ck_assert_uint_eq(fake.running, 0);
	ck_assert_uint_eq(fake.ms, 50 + 10 * POLL_MS);
}
END_TEST

/* Nothing that the module says leads out of the buffer. */
START_TEST(bad_records)
{
	struct bareflank_record r;

	emit("x");
	((struct bf_record *)fake.ring)->size = 0;
	fake.most = 0;
	fake.written = 0;
	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), 0);
	b->channels[1].length = 64;
	((struct bf_record *)b->channels[1].buffer)->size = 41;
	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), -1);
	ck_assert_int_eq(errno, EPROTO);
	((struct bf_record *)b->channels[1].buffer)->size = 0;
	ck_assert_int_eq(bareflank_read(b, 2, &r, 0), -1);
}
END_TEST

START_TEST(calling)
{
	char reply[8];
	size_t size = sizeof(reply);

	fake.reply = "good";
	ck_assert_int_eq(bareflank_call(b, 3, "do\0it", 5, reply, &size), 0);
	ck_assert_uint_eq(size, 4);
	ck_assert_mem_eq(reply, "good", 4);
	ck_assert_mem_eq(fake.request, "do\0it", 5);
	ck_assert_uint_eq(fake.call.image, 3);
	ck_assert_uint_eq(fake.call.request_size, 5);
	ck_assert_uint_eq(fake.call.reply_size, 8);
	fake.reply = "!no";
	ck_assert_int_eq(bareflank_call(b, 3, "x", 1, reply, &size), 1);
	ck_assert_uint_eq(size, 3);
	fake.call_errno = EOPNOTSUPP;
	fake.error = BF_ERR_NO_CALL;
	ck_assert_int_eq(bareflank_call(b, 3, "x", 1, reply, &size), -1);
	ck_assert_int_eq(errno, EOPNOTSUPP);
	ck_assert_uint_eq(bareflank_error_number(b), BF_ERR_NO_CALL);
	fake.error = 0;
	fake.call_errno = EINTR;
	ck_assert_int_eq(bareflank_call(b, 3, "x", 1, reply, &size), -1);
	ck_assert_uint_eq(bareflank_error_number(b), BF_ERR_OK);
	fake.call_errno = E2BIG; /* of a module that is older */
	ck_assert_int_eq(bareflank_call(b, 3, "x", 1, reply, &size), -1);
	ck_assert_uint_eq(bareflank_error_number(b), BF_ERR_VERSION);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("libbfm");
	TCase *tc = tcase_create("libbfm");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, opening);
	tcase_add_test(tc, finding);
	tcase_add_test(tc, reading);
	tcase_add_test(tc, waiting);
	tcase_add_test(tc, bad_records);
	tcase_add_test(tc, calling);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
