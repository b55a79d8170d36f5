// SPDX-License-Identifier: GPL-2.0-only
/* Checks of this machine that need no module. */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <abi/features.h>
#include <abi/hw/x86.h>

#include "bfm.h"

/* SDM vol. 3 §26.6; APM vol. 2 §15.4. */
struct cpuid_facts cpuid_read(void)
{
	struct cpuid_facts facts = { BF_VENDOR_NONE, false, false };
	unsigned int eax, ebx, ecx, edx;

	if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx & CPUID_80000001_ECX_SVM)) {
		facts.vendor = BF_VENDOR_AMD;
		facts.virtualisation = true;
		if (__get_cpuid(0x8000000A, &eax, &ebx, &ecx, &edx))
			facts.nested_paging = edx & CPUID_8000000A_EDX_NP;
	} else if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & CPUID_1_ECX_VMX)) {
		facts.vendor = BF_VENDOR_INTEL;
		facts.virtualisation = true;
	}
	return facts;
}

static FILE *open_below(const char *root, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return fopen(full, "re");
}

/* The first line of a file, without its newline; false if there is none. */
static bool read_line(const char *root, const char *path, char *line, int size)
{
	FILE *file = open_below(root, path);
	bool ok;

	if (!file)
		return false;
	ok = fgets(line, size, file);
	fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

/* Whether a line of /proc/cpuinfo with this label names this flag. */
static bool has_flag(const char *root, const char *label, const char *flag)
{
	FILE *file = open_below(root, "/proc/cpuinfo");
	size_t room = 0, label_length = strlen(label), flag_length = strlen(flag);
	char *line = NULL;
	bool found = false;

	while (file && !found && getline(&line, &room, file) > 0) {
		char *p = line;

		if (strncmp(line, label, label_length) || !strchr("\t :", line[label_length]))
			continue;
		while (!found && (p = strstr(p, flag))) {
			found = p[-1] == ' ' && strchr(" \n", p[flag_length]);
			p += flag_length;
		}
		break;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

bool cpuinfo_value(const char *root, const char *label, char *value, size_t size)
{
	FILE *file = open_below(root, "/proc/cpuinfo");
	size_t room = 0, label_length = strlen(label);
	char *line = NULL, *colon;
	bool found = false;

	while (file && !found && getline(&line, &room, file) > 0) {
		colon = strstr(line, ": ");
		found = colon && !strncmp(line, label, label_length) &&
			strchr("\t :", line[label_length]);
		if (found)
			snprintf(value, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool has_cpuinfo(const char *root)
{
	char line[64];

	return read_line(root, "/proc/cpuinfo", line, sizeof(line));
}

static void set(struct check_line *line, enum verdict verdict, enum bf_error error)
{
	line->verdict = verdict;
	line->error = error;
}

/* The kernel drops the flag from /proc/cpuinfo where the firmware has locked the feature off. */
static void check_firmware(const char *root, const struct cpuid_facts *cpu, struct check_line *line)
{
	const char *flag = cpu->vendor == BF_VENDOR_AMD ? "svm" : "vmx";

	if (cpu->virtualisation && has_cpuinfo(root) && !has_flag(root, "flags", flag))
		set(line, VERDICT_NO, BF_ERR_FW_DISABLED);
}

/*
 * KVM owns the extension while it runs a machine (its vendor module is in use), and on newer
 * kernels from the moment it is loaded.
 */
static void check_free(const char *root, struct check_line *line)
{
	static const char *const modules[] = { "/sys/module/kvm_intel/refcnt",
					       "/sys/module/kvm_amd/refcnt" };
	char text[32];

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		if (!read_line(root, modules[i], text, sizeof(text)))
			continue;
		set(line, VERDICT_NOTE, BF_ERR_VIRT_BUSY);
		if (strcmp(text, "0"))
			line->verdict = VERDICT_NO;
		if (read_line(root, "/sys/module/kvm/parameters/enable_virt_at_load", text,
			      sizeof(text)) &&
		    *text == 'Y')
			line->verdict = VERDICT_NO;
		return;
	}
}

/*
 * Other hypervisors: they take VT-x or AMD-V when one of their virtual machines starts, and not all
 * of them check whether it is in use. The kernel does not tell whether one runs a machine now.
 */
const char *local_neighbour(const char *root, size_t *index)
{
	static const struct {
		const char *module;
		const char *text;
	} neighbours[] = {
		{ "vboxdrv", "VirtualBox (vboxdrv)" },
		{ "vmmon", "VMware (vmmon)" },
		{ "jailhouse", "Jailhouse (jailhouse)" },
		{ "acrn", "ACRN (acrn)" },
	};
	char path[512];

	while (*index < sizeof(neighbours) / sizeof(neighbours[0])) {
		size_t i = (*index)++;

		snprintf(path, sizeof(path), "%s/sys/module/%s", root, neighbours[i].module);
		if (!access(path, F_OK))
			return neighbours[i].text;
	}
	return NULL;
}

static void check_nested(const char *root, const struct cpuid_facts *cpu, struct check_line *line)
{
	bool nested = cpu->nested_paging || has_flag(root, "vmx flags", "ept") ||
		      has_flag(root, "flags", "ept");

	if (nested)
		set(line, VERDICT_OK, BF_ERR_OK);
	else if (cpu->vendor == BF_VENDOR_AMD)
		set(line, VERDICT_NOTE, BF_ERR_NO_NESTED_PAGING);
}

static void check_lockdown(const char *root, struct check_line *line)
{
	char text[128];

	if (!read_line(root, "/sys/kernel/security/lockdown", text, sizeof(text)))
		return;
	if (strstr(text, "[none]"))
		set(line, VERDICT_OK, BF_ERR_OK);
	else
		set(line, VERDICT_NOTE, BF_ERR_LOCKDOWN);
}

void local_check(const char *root, const struct cpuid_facts *cpu, struct check_line *lines)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	for (unsigned int i = 0; i < BF_NR_CHECKS; i++)
		lines[i] = (struct check_line){ VERDICT_UNKNOWN, BF_ERR_OK, 0 };
	if (cpu->virtualisation)
		set(&lines[BF_CHECK_VENDOR], VERDICT_OK, BF_ERR_OK);
	else
		set(&lines[BF_CHECK_VENDOR], VERDICT_NO, BF_ERR_NO_VIRT);
	check_firmware(root, cpu, &lines[BF_CHECK_FIRMWARE]);
	check_free(root, &lines[BF_CHECK_FREE]);
	check_nested(root, cpu, &lines[BF_CHECK_NESTED]);
	set(&lines[BF_CHECK_PAGING], VERDICT_OK, BF_ERR_OK);
	/* Linux shows the flag only where it uses the feature. */
	if (has_flag(root, "flags", "fred")) {
		set(&lines[BF_CHECK_FEATURES], VERDICT_NO, BF_ERR_CPU_FEATURE);
		lines[BF_CHECK_FEATURES].detail =
			BF_FEATURE_DETAIL(BF_REGISTER_CR4, BF_BIT_NUMBER(CR4_FRED));
	}
	if (cpus > BF_MAX_PPS) {
		set(&lines[BF_CHECK_CPUS], VERDICT_NO, BF_ERR_TOO_MANY_CPUS);
		lines[BF_CHECK_CPUS].detail = (uint64_t)cpus;
	}
	check_lockdown(root, &lines[BF_CHECK_LOCKDOWN]);
}
