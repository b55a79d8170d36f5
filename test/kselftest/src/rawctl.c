// SPDX-License-Identifier: GPL-2.0-only
/*
 * rawctl: talks to the module without the checks that bfm makes first.
 *
 *   rawctl start MICROKERNEL EXTENSION [POOL_BYTES]   prints the name of the error, OK included
 *   rawctl args MICROKERNEL EXTENSION    arguments that are none: what the module answers
 *   rawctl stop
 *   rawctl records      how many exits of PP 0 have been traced since the start
 *   rawctl nobody       opens the device as root, becomes nobody: what open and each ioctl answer
 *   rawctl sentence ERROR_NAME
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/args.h>
#include <abi/ioctl.h>

#define NOBODY 65534

static const struct {
	uint32_t number;
	int err;
	const char *name, *sentence;
} errors[] = {
#define ROW(number, name, err, sentence, hint) { number, err, #name, sentence },
	BF_ERRORS(ROW)
};

#define NR_ERRORS (sizeof(errors) / sizeof(errors[0]))

/* Prints the name; the errno must be the one that goes with it. */
static int verdict(int result, uint32_t error)
{
	int err = result ? errno : 0;

	for (size_t i = 0; i < NR_ERRORS; i++) {
		if (errors[i].number != error)
			continue;
		puts(errors[i].name);
		if (errors[i].err == err)
			return 0;
		printf("with errno %d (%s) in place of %d\n", err, strerror(err), errors[i].err);
		return 1;
	}
	printf("unknown error %u, errno %d (%s)\n", error, err, strerror(err));
	return 1;
}

static struct bf_file map_file(const char *path)
{
	struct bf_file file = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY);
	void *data;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	if (!st.st_size)
		return file;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	file.data = (uintptr_t)data;
	file.size = (uint64_t)st.st_size;
	return file;
}

static int start(int fd, char **argv)
{
	struct bf_file ext = map_file(argv[1]);
	struct bf_ioctl_start call = { .size = sizeof(call),
				       .version = BF_IOCTL_VERSION,
				       .microkernel = map_file(argv[0]),
				       .exts = (uintptr_t)&ext,
				       .nr_exts = 1,
				       .pool_size = argv[2] ? strtoull(argv[2], NULL, 0) : 0 };
	int result = ioctl(fd, BF_IOC_START, &call);

	return verdict(result, call.error);
}

/* A start with such arguments is refused, with this errno and error. */
static int refuses_args(int fd, struct bf_ioctl_start call, uint64_t args, int err, uint32_t error)
{
	int result, got;

	call.args = args;
	result = ioctl(fd, BF_IOC_START, &call);
	got = result ? errno : 0;
	printf("errno %d, error %u\n", got, call.error);
	return got == err && (err == EFAULT || call.error == error) ? 0 : 1;
}

static int records(int fd)
{
	struct bf_ioctl_trace call = { .size = sizeof(call), .position = UINT64_MAX };

	if (ioctl(fd, BF_IOC_TRACE, &call)) {
		perror("rawctl: records");
		return 1;
	}
	printf("%llu\n", (unsigned long long)call.position);
	return 0;
}

static int args(int fd, char **argv)
{
	static char text[MK2_ARGS_MAX + 1] = "k=";
	struct bf_file ext = map_file(argv[1]);
	struct bf_ioctl_start call = { .size = sizeof(call),
				       .version = BF_IOCTL_VERSION,
				       .microkernel = map_file(argv[0]),
				       .exts = (uintptr_t)&ext,
				       .nr_exts = 1 };
	struct bf_file files[] = {
		{ (uintptr_t)text, sizeof(text) }, /* too many */
		{ (uintptr_t)text, ~(uint64_t)0 },
		{ (uintptr_t)text, 2 }, /* no NUL */
		{ (uintptr_t)"k", 2 }, /* no "=" */
		{ (uintptr_t)"K=", 3 },
		{ (uintptr_t)"k=\0k=", 6 },
	};
	struct bf_file nowhere = { 8, 8 };
	int bad = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		bad |= refuses_args(fd, call, (uintptr_t)&files[i], EINVAL, BF_ERR_BAD_REQUEST);
	bad |= refuses_args(fd, call, (uintptr_t)&nowhere, EFAULT, 0);
	bad |= refuses_args(fd, call, 8, EFAULT, 0);
	bad |= refuses_args(fd, call, ~(uint64_t)0, EFAULT, 0);
	return bad;
}

static int stop(int fd)
{
	struct bf_ioctl_stop call = { .size = sizeof(call) };
	int result = ioctl(fd, BF_IOC_STOP, &call);

	return verdict(result, call.error);
}

static int refused(const char *what, int result, int expected)
{
	int err = errno;

	printf("%s: %s\n", what, result < 0 ? strerror(err) : "done");
	return result < 0 && err == expected ? 0 : 1;
}

static int nobody(int fd)
{
	struct bf_ioctl_start start_call = { .size = sizeof(start_call),
					     .version = BF_IOCTL_VERSION };
	struct bf_ioctl_stop stop_call = { .size = sizeof(stop_call) };
	struct bf_ioctl_dump dump_call = { .size = sizeof(dump_call) };
	struct bf_ioctl_status status_call = { .size = sizeof(status_call) };
	struct bf_ioctl_check check_call = { .size = sizeof(check_call) };
	struct bf_ioctl_trace trace_call = { .size = sizeof(trace_call) };
	struct bf_ioctl_lines lines_call = { .size = sizeof(lines_call) };
	int bad;

	if (setgid(NOBODY) || setuid(NOBODY)) {
		perror("setuid");
		return 1;
	}
	bad = refused("open", open("/dev/" BF_DEVICE, O_RDWR), EACCES);
	bad |= refused("start", ioctl(fd, BF_IOC_START, &start_call), EPERM);
	bad |= refused("stop", ioctl(fd, BF_IOC_STOP, &stop_call), EPERM);
	bad |= refused("dump", ioctl(fd, BF_IOC_DUMP, &dump_call), EPERM);
	bad |= refused("status", ioctl(fd, BF_IOC_STATUS, &status_call), EPERM);
	bad |= refused("check", ioctl(fd, BF_IOC_CHECK, &check_call), EPERM);
	bad |= refused("lines", ioctl(fd, BF_IOC_LINES, &lines_call), EPERM);
	bad |= refused("trace", ioctl(fd, BF_IOC_TRACE, &trace_call), EPERM);
	return bad;
}

static int sentence(const char *name)
{
	for (size_t i = 0; i < NR_ERRORS; i++) {
		if (!strcmp(errors[i].name, name)) {
			puts(errors[i].sentence);
			return 0;
		}
	}
	return 1;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc == 3 && !strcmp(argv[1], "sentence"))
		return sentence(argv[2]);
	fd = open("/dev/" BF_DEVICE, O_RDWR);
	if (fd < 0) {
		perror("/dev/" BF_DEVICE);
		return 1;
	}
	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "start"))
		return start(fd, argv + 2);
	if (argc == 4 && !strcmp(argv[1], "args"))
		return args(fd, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "stop"))
		return stop(fd);
	if (argc == 2 && !strcmp(argv[1], "records"))
		return records(fd);
	if (argc == 2 && !strcmp(argv[1], "nobody"))
		return nobody(fd);
	fprintf(stderr, "rawctl: see the head of its source\n");
	return 2;
}
