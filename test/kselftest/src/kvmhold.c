// SPDX-License-Identifier: GPL-2.0-only
/* kvmhold SECONDS: keeps an empty virtual machine of KVM, so that KVM owns VT-x or AMD-V. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open("/dev/kvm", O_RDWR);

	if (argc != 2 || fd < 0 || ioctl(fd, KVM_CREATE_VM, 0) < 0) {
		perror("/dev/kvm");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	sleep((unsigned int)atoi(argv[1]));
	return 0;
}
