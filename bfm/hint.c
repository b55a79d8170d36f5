// SPDX-License-Identifier: GPL-2.0-only
/* What to do about an error: the command that mends it, as far as this machine tells which one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <abi/features.h>

#include "bfm.h"

#define BOOT_WITH "boot with "
#define MODPROBE "modprobe " BF_DEVICE

/* Modules that take VT-x or AMD-V: what has to be unloaded, dependent modules first. */
static const struct {
	const char *name;
	const char *unload;
} holders[] = { { "kvm_amd", "kvm_amd" },
		{ "kvm_intel", "kvm_intel" },
		{ "vboxdrv", "vboxnetadp vboxnetflt vboxdrv" },
		{ "vmmon", "vmmon" } };

/* Whether it is loaded, and not built in: only then there is a count of who uses it. */
static bool is_loaded(const char *root, const char *module)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/sys/module/%s/refcnt", root, module);
	return !access(path, F_OK);
}

/* Whether KVM, built in or not, holds VT-x or AMD-V without a virtual machine, since Linux 6.12. */
static bool kvm_holds_at_load(const char *root)
{
	char path[512], text[8] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/module/kvm/parameters/enable_virt_at_load", root);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		*text = '\0';
	fclose(file);
	return *text == 'Y';
}

static bool hint_busy(const char *root, char *buf, size_t size)
{
	char unload[128] = "";
	size_t length = 0;

	for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
		if (is_loaded(root, holders[i].name))
			length += (size_t)snprintf(unload + length, sizeof(unload) - length, " %s",
						   holders[i].unload);
	}
	if (length)
		snprintf(buf, size, "stop its virtual machines, then: modprobe -r%s", unload);
	else if (kvm_holds_at_load(root))
		snprintf(buf, size, BOOT_WITH "kvm.enable_virt_at_load=0");
	return length || kvm_holds_at_load(root);
}

/* The name of a CPU feature says how to boot without it, where Linux can. */
static bool hint_feature(uint64_t detail, char *buf, size_t size)
{
	char text[DETAIL_SIZE];
	const char *how;

	describe_detail(BF_ERR_CPU_FEATURE, detail, text, sizeof(text));
	how = strstr(text, BOOT_WITH);
	if (how)
		snprintf(buf, size, "%s", how);
	return how;
}

static bool hint_differ(uint64_t detail, char *buf, size_t size)
{
	uint32_t cpu = BF_DIFFER_CPU(detail);

	/* Most machines cannot do without the first one. */
	if (!cpu)
		return false;
	snprintf(buf, size,
		 "update the firmware, or do without it: "
		 "echo 0 >/sys/devices/system/cpu/cpu%u/online",
		 cpu);
	return true;
}

static bool hint_guests(uint64_t detail, char *buf, size_t size)
{
	if (!detail)
		return false;
	snprintf(buf, size, "end it: kill %llu; or end all guests: bfm stop --force",
		 (unsigned long long)detail);
	return true;
}

/* A kernel parameter, and nothing after it: where it belongs. */
static void explain_boot(char *buf, size_t size)
{
	size_t length = strlen(buf);

	if (!strncmp(buf, BOOT_WITH, sizeof(BOOT_WITH) - 1) && !strchr(buf, ','))
		snprintf(buf + length, size - length,
			 ": add it to GRUB_CMDLINE_LINUX in /etc/default/grub, then: "
			 "update-grub && reboot");
}

const char *hint_text(const char *root, uint32_t error, uint64_t detail, char *buf, size_t size)
{
	bool known = false;

	switch (error) {
	case BF_ERR_VIRT_BUSY:
		known = hint_busy(root, buf, size);
		break;
	case BF_ERR_CPU_FEATURE:
		known = hint_feature(detail, buf, size);
		break;
	case BF_ERR_CPUS_DIFFER:
		known = hint_differ(detail, buf, size);
		break;
	case BF_ERR_GUESTS:
		known = hint_guests(detail, buf, size);
		break;
	default:
		break;
	}
	if (!known)
		snprintf(buf, size, "%s", error_text(error)->hint);
	explain_boot(buf, size);
	return buf;
}

const char *hint_load(const char *root, const char *release, char *buf, size_t size)
{
	char path[512], *line = NULL;
	bool installed = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/lib/modules/%s/modules.dep", root, release);
	file = fopen(path, "re");
	while (file && !installed && getline(&line, &room, file) > 0) {
		line[strcspn(line, ":")] = '\0';
		installed = strstr(line, "/" BF_DEVICE ".ko");
	}
	free(line);
	if (file)
		fclose(file);
	if (installed)
		snprintf(buf, size, "load it as root: " MODPROBE);
	else
		snprintf(buf, size,
			 "it is not installed for Linux %s: make install && depmod -a && " MODPROBE
			 "; from packages: dkms autoinstall",
			 release);
	return buf;
}
