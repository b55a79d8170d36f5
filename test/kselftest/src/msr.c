// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr CPU MSR [VALUE]: reads or writes a model-specific register; prints its value, or the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[64];
	uint64_t value = 0;
	ssize_t done;
	off_t msr;
	int fd;

	if (argc < 3 || argc > 4)
		return 2;
	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", atoi(argv[1]));
	fd = open(path, argc > 3 ? O_WRONLY : O_RDONLY);
	if (fd < 0) {
		perror(path);
		return 2;
	}
	msr = strtol(argv[2], NULL, 0);
	if (argc > 3)
		value = strtoull(argv[3], NULL, 0);
	done = argc > 3 ? pwrite(fd, &value, sizeof(value), msr) :
			  pread(fd, &value, sizeof(value), msr);
	if (done != sizeof(value)) {
		puts(errno == EIO ? "EIO" : strerror(errno));
		return 1;
	}
	printf("0x%llx\n", (unsigned long long)value);
	return 0;
}
