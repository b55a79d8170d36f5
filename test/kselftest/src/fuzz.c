// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz SEED CALLS: malformed requests for /dev/bareflank. Any answer will do, but a start must not
 * succeed (no valid image is ever given), nothing outside the buffer may be written, and the kernel
 * must survive. Ends with 0, and 1 if one of that is not so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/ioctl.h>

#define PAGE 4096

static uint64_t seed;

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t z = seed += 0x9E3779B97F4A7C15;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

static uint64_t pick(const uint64_t *values, size_t count)
{
	return values[next() % count];
}

static uint8_t *memory; /* two pages, and nothing after them */

static uint64_t pointer(void)
{
	uint64_t values[] = { 0,
			      8,
			      0x1000,
			      0xFFFF888000000000,
			      0xFFFFFFFF81000000,
			      0xFFFFFFFFFFFFFFFF,
			      0xFFFFFFFFFFFFF000,
			      0x7FFFFFFFF000,
			      0x800000000000,
			      (uintptr_t)memory,
			      (uintptr_t)memory + PAGE,
			      (uintptr_t)memory + 2 * PAGE - 8,
			      (uintptr_t)memory + 2 * PAGE,
			      next() };

	return pick(values, sizeof(values) / sizeof(values[0]));
}

static uint64_t number(void)
{
	uint64_t values[] = { 0,
			      1,
			      2,
			      8,
			      9,
			      0xFFFF,
			      PAGE,
			      PAGE - 1,
			      PAGE + 1,
			      0x800000,
			      0x800001,
			      0x7FFFFFFF,
			      0x80000000,
			      0xFFFFFFFF,
			      0x100000000,
			      0x7FFFFFFFFFFFFFFF,
			      0x8000000000000000,
			      0xFFFFFFFFFFFFFFFF,
			      next(),
			      next() % PAGE };

	return pick(values, sizeof(values) / sizeof(values[0]));
}

static void fill(uint8_t *argument, size_t known)
{
	uint32_t sizes[] = { (uint32_t)known,
			     (uint32_t)known,
			     (uint32_t)known,
			     0,
			     3,
			     4,
			     (uint32_t)known - 1,
			     (uint32_t)known + 8,
			     PAGE,
			     PAGE + 1,
			     0xFFFFFFFF };
	uint32_t size = sizes[next() % (sizeof(sizes) / sizeof(sizes[0]))];

	for (size_t at = 0; at + 8 <= known; at += 8) {
		uint64_t value = next() % 3 ? number() : pointer();

		memcpy(argument + at, &value, 8);
	}
	memcpy(argument, &size, sizeof(size));
	/* A good version number opens the way to the checks after it. */
	if (next() % 4) {
		uint32_t version = BF_IOCTL_VERSION;

		memcpy(argument + offsetof(struct bf_ioctl_start, version), &version, 4);
	}
}

static const struct {
	unsigned long command;
	size_t size;
} known[] = {
	{ BF_IOC_START, sizeof(struct bf_ioctl_start) },
	{ BF_IOC_STOP, sizeof(struct bf_ioctl_stop) },
	{ BF_IOC_DUMP, sizeof(struct bf_ioctl_dump) },
	{ BF_IOC_STATUS, sizeof(struct bf_ioctl_status) },
	{ BF_IOC_CHECK, sizeof(struct bf_ioctl_check) },
};

static int call_once(int fd)
{
	size_t i = next() % (sizeof(known) / sizeof(known[0]));
	unsigned long command = known[i].command;
	uint8_t *argument = memory + PAGE - (next() % 2 ? known[i].size : 0);
	int result;

	/* Against the end of what is mapped: an access beyond it fails. */
	if (next() % 4 == 0)
		argument = memory + 2 * PAGE - known[i].size;
	fill(argument, known[i].size);
	if (next() % 16 == 0)
		argument = (uint8_t *)(uintptr_t)pointer();
	if (next() % 16 == 0)
		command = next();
	result = ioctl(fd, command, argument);
	if (result == 0 && command == BF_IOC_START) {
		fprintf(stderr, "a start from garbage succeeded\n");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	int fd = open("/dev/" BF_DEVICE, O_RDWR);

	if (argc != 3 || fd < 0) {
		perror("fuzz");
		return 1;
	}
	seed = strtoull(argv[1], NULL, 0);
	memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || munmap(memory + 2 * PAGE, PAGE)) {
		perror("mmap");
		return 1;
	}
	for (unsigned long i = 0; i < calls; i++) {
		if (call_once(fd)) {
			fprintf(stderr, "in call %lu of seed %s\n", i, argv[1]);
			return 1;
		}
	}
	return 0;
}
