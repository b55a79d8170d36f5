// SPDX-License-Identifier: GPL-2.0-only
/* The EFI system partition and its files: see efi.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "efi.h"

/* Where it is mounted, by the conventions of distributions and of systemd. */
static const char *const places[] = { "/boot/efi", "/efi", "/boot" };

static bool has_directory(const char *dir, const char *name)
{
	char path[2 * MAX_PATH];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool has_file(const char *dir, const char *name)
{
	char path[2 * MAX_PATH];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return !stat(path, &st) && S_ISREG(st.st_mode);
}

bool esp_find(const char *root, char *dir)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(dir, MAX_PATH, "%s%s", root, places[i]);
		if (has_directory(dir, "EFI"))
			return true;
	}
	return false;
}

/* The value of ID in os-release, which names the directory of a distribution's boot loader. */
static bool find_id(const char *root, char *id, size_t size)
{
	char path[MAX_PATH], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/etc/os-release", root);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *value = line + strlen("ID=");
		size_t length;

		if (strncmp(line, "ID=", strlen("ID=")) != 0)
			continue;
		value += strspn(value, "\"'");
		length = strcspn(value, "\"'\n");
		found = length && length < size;
		if (found)
			snprintf(id, size, "%.*s", (int)length, value);
	}
	if (file)
		fclose(file);
	return found;
}

static void to_firmware(char *path)
{
	for (; *path; path++)
		if (*path == '/')
			*path = '\\';
}

bool esp_find_loader(const char *root, const char *esp, char *loader)
{
	/* %s: the distribution. With Secure Boot, shim is what the firmware trusts. */
	static const char *const files[] = { "/EFI/%s/shimx64.efi", "/EFI/%s/grubx64.efi",
					     "/EFI/systemd/systemd-bootx64.efi",
					     "/EFI/BOOT/BOOTX64.EFI" };
	char id[64] = "";

	find_id(root, id, sizeof(id));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const char *mark = strstr(files[i], "%s");

		if (mark && !*id)
			continue;
		if (mark)
			snprintf(loader, MAX_PATH, "%.*s%s%s", (int)(mark - files[i]), files[i], id,
				 mark + 2);
		else
			snprintf(loader, MAX_PATH, "%s", files[i]);
		if (has_file(esp, loader)) {
			to_firmware(loader);
			return true;
		}
	}
	return false;
}

bool esp_has(const char *esp, const char *path)
{
	char name[MAX_PATH];

	snprintf(name, sizeof(name), "%s", path);
	for (char *c = name; *c; c++)
		if (*c == '\\')
			*c = '/';
	return has_file(esp, name);
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return !fsync(fd);
}

/* The name of a file is on the disk only when its directory is. */
static bool sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && !fsync(fd);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool esp_write(const char *dir, const char *name, const void *data, size_t size)
{
	char new[2 * MAX_PATH], path[2 * MAX_PATH];
	int fd, err;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(new, sizeof(new), "%s/.new", dir);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	ok = write_all(fd, data, size);
	err = errno;
	if (close(fd) && ok) {
		ok = false;
		err = errno;
	}
	if (ok && (rename(new, path) || !sync_directory(dir))) {
		ok = false;
		err = errno;
	}
	if (!ok)
		unlink(new);
	errno = err;
	return ok;
}

bool esp_empty(const char *dir, const char *but)
{
	DIR *files = opendir(dir);
	const struct dirent *entry;
	bool ok = true;

	if (!files)
		return false;
	while (ok && (entry = readdir(files)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    (!but || strcmp(entry->d_name, but) != 0))
			ok = !unlinkat(dirfd(files), entry->d_name, 0);
	closedir(files);
	return ok;
}

bool esp_remove(const char *dir)
{
	if (!esp_empty(dir, NULL))
		return errno == ENOENT;
	return !rmdir(dir);
}
