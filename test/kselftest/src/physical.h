/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a page of this process is in physical memory. */
#ifndef TEST_KSELFTEST_PHYSICAL_H
#define TEST_KSELFTEST_PHYSICAL_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE 0x1000ULL

/* The process ends with 2 if there is no page, or it may not know. */
static inline uint64_t spa_of(const volatile void *at)
{
	uint64_t entry = 0, number;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t offset = (off_t)((uintptr_t)at / PAGE * sizeof(entry));
	bool good = fd >= 0 && pread(fd, &entry, sizeof(entry), offset) == sizeof(entry);

	number = entry & ((1ULL << 55) - 1);
	if (!good || !(entry >> 63) || !number) {
		perror("/proc/self/pagemap");
		exit(2);
	}
	close(fd);
	return number * PAGE;
}

#endif
