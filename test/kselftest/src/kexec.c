// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec load|crash KERNEL INITRD ARGUMENTS: loads a kernel to boot later, or after a panic.
 * kexec boot: boots it at once, without ending anything in user space.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(const char *kernel, const char *initrd, const char *arguments, unsigned long flags)
{
	int kernel_file = open(kernel, O_RDONLY), initrd_file = open(initrd, O_RDONLY);

	if (kernel_file < 0 || initrd_file < 0)
		return -1;
	return (int)syscall(SYS_kexec_file_load, kernel_file, initrd_file, strlen(arguments) + 1,
			    arguments, flags);
}

int main(int argc, char **argv)
{
	int result = -1;

	if (argc == 5 && !strcmp(argv[1], "load"))
		result = load(argv[2], argv[3], argv[4], 0);
	else if (argc == 5 && !strcmp(argv[1], "crash"))
		result = load(argv[2], argv[3], argv[4], KEXEC_FILE_ON_CRASH);
	else if (argc == 2 && !strcmp(argv[1], "boot"))
		result = (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
				      LINUX_REBOOT_CMD_KEXEC, NULL);
	else
		return 2;
	if (result)
		perror(argv[1]);
	return result ? 1 : 0;
}
