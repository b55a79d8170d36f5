/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs share that give the module what nobody should give it. */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/ioctl.h>

#define PAGE 4096

static __thread uint64_t seed;

/* splitmix64 */
static inline uint64_t next(void)
{
	uint64_t z = seed += 0x9E3779B97F4A7C15;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

static inline int open_device(void)
{
	int fd = open("/dev/" BF_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		perror("/dev/" BF_DEVICE);
		exit(1);
	}
	return fd;
}

/* The whole file, in memory from malloc(). */
static inline struct bf_file read_image(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data || read(fd, data, (size_t)st.st_size) != st.st_size) {
		perror(path);
		exit(1);
	}
	close(fd);
	return (struct bf_file){ (uintptr_t)data, (uint64_t)st.st_size };
}

static inline void *data_of(const struct bf_file *file)
{
	return (void *)(uintptr_t)file->data;
}

/* Returns the enum bf_error, which the call leaves as it is where it fails before all else. */
static inline uint32_t start_images(int fd, struct bf_file microkernel, struct bf_file ext,
				    uint64_t watchdog_ns)
{
	struct bf_ioctl_start call = { .size = sizeof(call),
				       .version = BF_IOCTL_VERSION,
				       .error = UINT32_MAX,
				       .microkernel = microkernel,
				       .exts = (uintptr_t)&ext,
				       .nr_exts = 1,
				       .watchdog_ns = watchdog_ns };

	ioctl(fd, BF_IOC_START, &call);
	return call.error;
}

static inline uint32_t stop_now(int fd)
{
	struct bf_ioctl_stop call = { .size = sizeof(call), .error = UINT32_MAX };

	ioctl(fd, BF_IOC_STOP, &call);
	return call.error;
}

static inline const char *error_name(uint32_t error)
{
#define ERROR_NAME(number, name, err, sentence, hint) \
	if (error == (number)) \
		return #name;
	BF_ERRORS(ERROR_NAME)
	return "no error of the list";
}

#endif
