// SPDX-License-Identifier: GPL-2.0-only
/* Access to the kernel module's device. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bfm.h"

#define DEVICE_PATH "/dev/" BF_DEVICE

int device_open(void)
{
	return open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
}

void device_close(int fd)
{
	close(fd);
}

int device_call(int fd, unsigned long request, void *argument)
{
	int result;

	do {
		result = ioctl(fd, request, argument);
	} while (result < 0 && errno == EINTR);
	return result;
}
