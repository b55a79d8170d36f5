// SPDX-License-Identifier: GPL-2.0-only
/* The firmware's boot entries, by efibootmgr: see efi.h. */
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "efi.h"

#define TOOL "efibootmgr"

int boot_entry_next(const char *text, const char **rest)
{
	for (; *text; text = *rest) {
		size_t length = strcspn(text, "\n");
		const char *label = text + 10;
		unsigned int number;
		char digits[5];

		*rest = text + length + (text[length] == '\n');
		/* "Boot0004* LABEL", no star if it is off; some add a tab and what it boots. */
		if (length < 10 || strncmp(text, "Boot", 4) != 0)
			continue;
		memcpy(digits, text + 4, 4);
		digits[4] = '\0';
		if (strspn(digits, "0123456789ABCDEFabcdef") != 4)
			continue;
		number = (unsigned int)strtoul(digits, NULL, 16);
		if (!strncmp(label, BOOT_ENTRY_LABEL, strlen(BOOT_ENTRY_LABEL)) &&
		    strchr("\t\n", label[strlen(BOOT_ENTRY_LABEL)]))
			return (int)number;
	}
	return -1;
}

bool boot_entry_disk(const char *root, unsigned int major, unsigned int minor, char *disk,
		     size_t size, unsigned int *partition)
{
	char path[MAX_PATH], target[PATH_MAX], digits[16] = "";
	char *name, *slash;
	uint64_t number = 0;
	ssize_t length;
	FILE *file;
	bool found;

	snprintf(path, sizeof(path), "%s/sys/dev/block/%u:%u/partition", root, major, minor);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(digits, sizeof(digits), file))
		digits[strcspn(digits, "\n")] = '\0';
	fclose(file);
	found = parse_number(digits, UINT32_MAX, &number);
	*partition = (unsigned int)number;
	snprintf(path, sizeof(path), "%s/sys/dev/block/%u:%u", root, major, minor);
	length = readlink(path, target, sizeof(target) - 1);
	if (!found || length < 0)
		return false;
	/* "…/block/sda/sda1" */
	target[length] = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return false;
	*slash = '\0';
	name = strrchr(target, '/');
	snprintf(disk, size, "/dev/%s", name ? name + 1 : target);
	return true;
}

static int fail_tool(int status)
{
	if (status == PROGRAM_NOT_FOUND)
		fail_message("efi",
			     "apt install " TOOL ", or keep the boot entries as they are: "
			     "--no-entry",
			     TOOL " was not found");
	else
		fail_message("efi", "keep the boot entries as they are: --no-entry",
			     TOOL " failed");
	return EXIT_FAILED;
}

/* What efibootmgr prints; NULL after a message. For free(). */
static char *list(void)
{
	char *const argv[] = { TOOL, NULL };
	char *text = NULL;
	int status = program_output(argv, &text);

	if (!status)
		return text;
	free(text);
	fail_tool(status);
	return NULL;
}

int boot_entry_remove(void)
{
	char *text = list();
	const char *at = text;
	int number, code = text ? EXIT_OK : EXIT_FAILED;

	while (at && !code && (number = boot_entry_next(at, &at)) >= 0) {
		char digits[16];
		char *const argv[] = { TOOL, "-q", "-b", digits, "-B", NULL };
		int status;

		snprintf(digits, sizeof(digits), "%04X", (unsigned int)number);
		status = program_run(argv);
		if (status)
			code = fail_tool(status);
	}
	free(text);
	return code;
}

int boot_entry_add(const char *root, const char *esp, const char *file, const char *option)
{
	char disk[128], digits[16];
	char *const argv[] = { TOOL,
			       "-q",
			       "--create",
			       "--disk",
			       disk,
			       "--part",
			       digits,
			       "--label",
			       BOOT_ENTRY_LABEL,
			       "--loader",
			       (char *)(uintptr_t)file,
			       option ? "--unicode" : NULL,
			       (char *)(uintptr_t)option,
			       NULL };
	unsigned int partition;
	struct statfs fs;
	struct stat st;
	int code, status;

	if (statfs(esp, &fs) || fs.f_type != MSDOS_SUPER_MAGIC) {
		fail_message("efi", "mount it, or keep the boot entries as they are: --no-entry",
			     "%s: no EFI system partition is mounted there", esp);
		return EXIT_FAILED;
	}
	if (stat(esp, &st) || !boot_entry_disk(root, major(st.st_dev), minor(st.st_dev), disk,
					       sizeof(disk), &partition)) {
		fail_message("efi", "add an entry by hand, and say --no-entry",
			     "%s is not on a partition of a disk", esp);
		return EXIT_FAILED;
	}
	snprintf(digits, sizeof(digits), "%u", partition);
	code = boot_entry_remove();
	if (code)
		return code;
	status = program_run(argv);
	return status ? fail_tool(status) : EXIT_OK;
}
