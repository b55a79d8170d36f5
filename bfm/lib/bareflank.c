// SPDX-License-Identifier: MIT
/* libbfm: see bareflank.h. */
#include "bareflank.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <abi/channel.h>
#include <abi/ioctl.h>

#define POLL_MS 20
#define BUFFER_SIZE 0x10000
#define ERROR_SIZE 160

_Static_assert(BAREFLANK_RECORD_MAX == MK2_EMIT_MAX, "one size of records");

/* How far an extension's channel has been read. */
struct channel {
	uint8_t *buffer; /* NULL: it has not been */
	uint64_t length; /* bytes in the buffer */
	uint64_t used; /* of these, what the caller has had */
	uint64_t position; /* of the buffer's first byte in the channel */
	uint64_t start; /* which one */
	uint64_t next; /* the number of the record after the last one */
	struct bareflank_counts counts;
};

struct bareflank {
	int fd;
	char error[ERROR_SIZE];
	uint32_t error_number;
	struct channel channels[BF_MAX_EXTS];
};

static _Thread_local char open_error[ERROR_SIZE];

/* Returns -1, with errno. */
__attribute__((format(printf, 3, 4))) static int set_error(struct bareflank *b, int err,
							   const char *format, ...)
{
	va_list args;

	if (b)
		b->error_number = BF_ERR_OK;
	va_start(args, format);
	vsnprintf(b ? b->error : open_error, ERROR_SIZE, format, args);
	va_end(args);
	errno = err;
	return -1;
}

/* A sentence of the module's, where there is one. */
static int fail_call(struct bareflank *b, int err, uint32_t error)
{
	static const struct {
		uint32_t error;
		const char *sentence;
	} sentences[] = {
#define BF_ERROR_SENTENCE(number, name, err, text, hint) { BF_ERR_##name, text },
		BF_ERRORS(BF_ERROR_SENTENCE)
	};

	/* An older module finds something behind the argument that it knows. */
	if (!error && err == E2BIG)
		error = BF_ERR_VERSION;
	for (size_t i = 0; error && i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		if (sentences[i].error != error)
			continue;
		(void)set_error(b, err, "%s", sentences[i].sentence);
		b->error_number = error;
		return -1;
	}
	return set_error(b, err, "%s", strerror(err));
}

struct bareflank *bareflank_open(void)
{
	struct bareflank *b = calloc(1, sizeof(*b));

	if (!b) {
		set_error(NULL, ENOMEM, "no memory");
		return NULL;
	}
	b->fd = open("/dev/" BF_DEVICE, O_RDWR | O_CLOEXEC);
	if (b->fd < 0) {
		int err = errno;

		free(b);
		set_error(NULL, err, "cannot open /dev/" BF_DEVICE ": %s", strerror(err));
		return NULL;
	}
	return b;
}

void bareflank_close(struct bareflank *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < BF_MAX_EXTS; i++)
		free(b->channels[i].buffer);
	close(b->fd);
	free(b);
}

const char *bareflank_error(const struct bareflank *b)
{
	return b ? b->error : open_error;
}

uint32_t bareflank_error_number(const struct bareflank *b)
{
	return b->error_number;
}

static bool is_named(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(path, name) || !strcmp(slash ? slash + 1 : path, name);
}

int bareflank_find(struct bareflank *b, const char *name)
{
	static const char digits[] = "12345678";
	struct bf_image_id ids[1 + BF_MAX_EXTS];
	struct bf_ioctl_status status = { .size = sizeof(status), .image_ids = (uintptr_t)ids };
	int found = 0;

	_Static_assert(sizeof(digits) - 1 == BF_MAX_EXTS, "a digit for each");
	if (*name && strchr(digits, *name) && !name[1])
		return *name - '0';
	if (ioctl(b->fd, BF_IOC_STATUS, &status) < 0)
		return fail_call(b, errno, BF_ERR_OK);
	for (uint32_t i = 1; i < status.nr_image_ids && i <= BF_MAX_EXTS; i++) {
		ids[i].path[BF_PATH_SIZE - 1] = '\0';
		if (!is_named(ids[i].path, name))
			continue;
		if (found)
			return set_error(b, EEXIST, "several extensions have this name");
		found = (int)i;
	}
	return found ? found : fail_call(b, ENOENT, BF_ERR_NO_EXT);
}

/* More into the buffer; the module takes from this that all before has been read. */
static int fetch(struct bareflank *b, int ext, struct channel *c)
{
	struct bf_ioctl_read call = { .size = sizeof(call),
				      .image = (uint32_t)ext,
				      .position = c->position + c->length,
				      .data = (uintptr_t)c->buffer,
				      .length = BUFFER_SIZE };

	c->position += c->length;
	c->length = c->used = 0;
	if (ioctl(b->fd, BF_IOC_READ, &call) < 0)
		return fail_call(b, errno, call.error);
	if (call.length > BUFFER_SIZE)
		return set_error(b, EPROTO, "the module answers wrongly");
	if (call.start != c->start)
		c->counts.missed = c->next = 0;
	else if (call.position < c->position)
		return set_error(b, EPROTO, "the module answers wrongly");
	c->start = call.start;
	c->position = call.position;
	c->length = call.length;
	c->counts.emitted = call.emitted;
	c->counts.dropped = call.dropped;
	c->counts.tsc_khz = call.tsc_khz;
	return 0;
}

/* The next one of the buffer. */
static int take(struct bareflank *b, struct channel *c, struct bareflank_record *record)
{
	struct bf_record head;
	uint64_t left = c->length - c->used;

	if (left < sizeof(head))
		return 0;
	memcpy(&head, c->buffer + c->used, sizeof(head));
	if (!head.size || head.size > MK2_EMIT_MAX || bf_record_span(head.size) > left)
		return set_error(b, EPROTO, "the module answers wrongly");
	*record = (struct bareflank_record){ .number = head.number,
					     .tsc = head.tsc,
					     .pp = head.ppid,
					     .size = head.size,
					     .data = c->buffer + c->used + sizeof(head) };
	if (c->next)
		c->counts.missed += head.number - c->next;
	c->next = head.number + 1;
	c->used += bf_record_span(head.size);
	return 1;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool is_running(const struct bareflank *b)
{
	struct bf_ioctl_status status = { .size = sizeof(status) };

	return ioctl(b->fd, BF_IOC_STATUS, &status) == 0 && status.state == BF_STATE_RUNNING;
}

/* The hypervisor cannot wake anybody: so this looks from time to time. */
static int wait(struct bareflank *b, int64_t until)
{
	int64_t left = until < 0 ? POLL_MS : until - now_ms();
	int64_t ms = left < POLL_MS ? left : POLL_MS;
	const struct timespec pause = { .tv_nsec = ms * 1000000 };

	if (ms > 0 && nanosleep(&pause, NULL) < 0)
		return set_error(b, errno, "%s", strerror(errno));
	return 0;
}

int bareflank_read(struct bareflank *b, int ext, struct bareflank_record *record, int timeout_ms)
{
	int64_t until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	struct channel *c;
	int result;

	if (ext < 1 || ext > BF_MAX_EXTS)
		return fail_call(b, ENOENT, BF_ERR_NO_EXT);
	c = &b->channels[ext - 1];
	if (!c->buffer)
		c->buffer = malloc(BUFFER_SIZE);
	if (!c->buffer)
		return set_error(b, ENOMEM, "no memory");
	result = take(b, c, record);
	while (!result) {
		/* Before it is read, so that nothing is missed that came before a stop. */
		bool more = timeout_ms && is_running(b);

		if (fetch(b, ext, c) < 0)
			return -1;
		result = take(b, c, record);
		if (result || !more || (until >= 0 && now_ms() >= until))
			break;
		if (wait(b, until) < 0)
			return -1;
	}
	return result;
}

int bareflank_call(struct bareflank *b, int ext, const void *request, size_t size, void *reply,
		   size_t *reply_size)
{
	struct bf_ioctl_call call = { .size = sizeof(call),
				      .image = (uint32_t)ext,
				      .request = (uintptr_t)request,
				      .request_size = size,
				      .reply = (uintptr_t)reply,
				      .reply_size = *reply_size };

	if (ioctl(b->fd, BF_IOC_CALL, &call) < 0)
		return fail_call(b, errno, call.error);
	*reply_size = call.reply_size;
	return call.refused ? 1 : 0;
}

int bareflank_counts(struct bareflank *b, int ext, struct bareflank_counts *counts)
{
	if (ext < 1 || ext > BF_MAX_EXTS || !b->channels[ext - 1].start)
		return set_error(b, EINVAL, "this extension has not been read");
	*counts = b->channels[ext - 1].counts;
	return 0;
}
