// SPDX-License-Identifier: GPL-2.0-only
/*
 * The variable that tells what became of the last boot with the hypervisor (abi/boot_guard.h), by
 * Linux's efivarfs: see bfm.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bfm.h"

#define VARIABLE "sys/firmware/efi/efivars/" BF_GUARD_NAME "-" BF_FIRMWARE_GUID_TEXT

/* A variable as efivarfs shows it. */
struct file {
	uint32_t attributes;
	struct bf_guard guard;
};

static void path_of(const char *root, char *path)
{
	snprintf(path, MAX_PATH, "%s/" VARIABLE, root);
}

bool guard_read(const char *root, struct bf_guard *guard)
{
	struct file file = { 0 };
	char path[MAX_PATH];
	ssize_t n;
	int fd;

	path_of(root, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, &file, sizeof(file));
	close(fd);
	if (n != (ssize_t)sizeof(file) || file.guard.version != BF_GUARD_VERSION)
		return false;
	*guard = file.guard;
	guard->reason[BF_GUARD_REASON - 1] = '\0';
	return true;
}

bool guard_is_secure_boot(const char *root)
{
	char path[MAX_PATH];
	uint8_t data[5] = { 0 }; /* behind the attributes */
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path),
		 "%s/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		 root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, data, sizeof(data));
	close(fd);
	return n == (ssize_t)sizeof(data) && data[4] == 1;
}

/* Variables that Linux does not know are immutable, so that rm -r does not break the firmware. */
static void make_mutable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int flags;

	if (fd < 0)
		return;
	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_IMMUTABLE_FL) {
		flags &= ~FS_IMMUTABLE_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	close(fd);
}

bool guard_write(const char *root, enum bf_guard_state state)
{
	struct file file = { .attributes = BF_GUARD_ATTRIBUTES,
			     .guard = { .version = BF_GUARD_VERSION, .state = state } };
	char path[MAX_PATH];
	ssize_t n;
	int fd, err;

	path_of(root, path);
	make_mutable(path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* One write is one change of the variable. */
	n = write(fd, &file, sizeof(file));
	err = n < 0 ? errno : EIO;
	if (close(fd) && n == (ssize_t)sizeof(file))
		return false;
	errno = err;
	return n == (ssize_t)sizeof(file);
}

bool guard_remove(const char *root)
{
	char path[MAX_PATH];

	path_of(root, path);
	make_mutable(path);
	return !unlink(path) || errno == ENOENT;
}

const char *guard_sentence(const struct bf_guard *guard)
{
	switch (guard->state) {
	case BF_GUARD_SKIPPED:
		return "a boot with the hypervisor did not come up; "
		       "bfm efi retry has it tried again";
	case BF_GUARD_FAILED:
		return guard->reason;
	default:
		return "";
	}
}
