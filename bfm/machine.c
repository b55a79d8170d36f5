// SPDX-License-Identifier: GPL-2.0-only
/* bfm check --report: describes a machine without identifying it. */
#include <cpuid.h>
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <abi/features.h>
#include <abi/hw/x86.h>

#include "bfm.h"

#define OUTER_FIRST 0x40000000
#define OUTER_STEP 0x100
#define OUTER_BASES 4 /* interfaces that are searched for */

struct regs {
	uint32_t eax, ebx, ecx, edx;
};

static struct regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct regs r;

	__cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
	return r;
}

/* The text in a CPUID leaf, without its trailing padding. */
static void print_text(FILE *file, const void *text, size_t size)
{
	const unsigned char *p = text;

	while (size && (!p[size - 1] || p[size - 1] == ' '))
		size--;
	for (size_t i = 0; i < size; i++)
		fputc(isprint(p[i]) ? p[i] : '?', file);
}

static void print_name(FILE *file)
{
	struct regs name[3] = { { 0 } };

	if (cpuid(0x80000000, 0).eax >= 0x80000004) {
		for (uint32_t i = 0; i < 3; i++)
			name[i] = cpuid(0x80000002 + i, 0);
	}
	fputs("CPU         ", file);
	print_text(file, name, sizeof(name));
	fputc('\n', file);
}

/* SDM vol. 2A, CPUID, figure 3-6; APM vol. 3 appendix E. */
static void print_model(FILE *file, const char *root)
{
	uint32_t eax = cpuid(1, 0).eax;
	uint32_t family = eax >> 8 & 0xF, model = eax >> 4 & 0xF;
	char microcode[64];

	if (family == 6 || family == 0xF)
		model |= eax >> 12 & 0xF0;
	if (family == 0xF)
		family += eax >> 20 & 0xFF;
	fprintf(file, "model       family 0x%x, model 0x%x, stepping %u\n", family, model,
		eax & 0xF);
	if (cpuinfo_value(root, "microcode", microcode, sizeof(microcode)))
		fprintf(file, "microcode   %s\n", microcode);
}

static void print_kernel(FILE *file)
{
	struct utsname name;

	if (uname(&name) == 0)
		fprintf(file, "kernel      %s %s %s\n", name.release, name.machine, name.version);
	fprintf(file, "CPUs        %ld of %ld online\n", sysconf(_SC_NPROCESSORS_ONLN),
		sysconf(_SC_NPROCESSORS_CONF));
}

static void print_outer(FILE *file)
{
	fputs("outer       ", file);
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR)) {
		fputs("none\n", file);
		return;
	}
	for (uint32_t i = 0; i < OUTER_BASES; i++) {
		struct regs r = cpuid(OUTER_FIRST + i * OUTER_STEP, 0);

		if (i && (r.eax < OUTER_FIRST || r.eax > OUTER_FIRST + 0xFFFF))
			break;
		fputs(i ? ", " : "", file);
		print_text(file, &r.ebx, 3 * sizeof(r.ebx));
		fprintf(file, " (0x%08x)", r.eax);
	}
	fputc('\n', file);
}

static void print_cpuid(FILE *file)
{
	static const struct {
		uint32_t leaf, subleaf;
	} leaves[] = { { 0x0, 0 },        { 0x1, 0 },        { 0x6, 0 },        { 0x7, 0 },
		       { 0x7, 1 },        { 0x7, 2 },        { 0xA, 0 },        { 0xD, 0 },
		       { 0xD, 1 },        { 0x14, 0 },       { 0x1A, 0 },       { 0x1C, 0 },
		       { 0x21, 0 },       { 0x80000001, 0 }, { 0x80000007, 0 }, { 0x80000008, 0 },
		       { 0x8000000A, 0 }, { 0x8000001B, 0 }, { 0x8000001F, 0 }, { 0x80000021, 0 },
		       { 0x80000022, 0 }, { 0x40000001, 0 } };

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct regs r = cpuid(leaves[i].leaf & 0xC0000000, 0);

		if (leaves[i].leaf > r.eax ||
		    (leaves[i].leaf >> 30 == 1 && !(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR)))
			continue;
		r = cpuid(leaves[i].leaf, leaves[i].subleaf);
		if (leaves[i].leaf == 1)
			r.ebx &= ~CPUID_1_EBX_APIC_ID;
		fprintf(file, "CPUID %08x.%u  %08x %08x %08x %08x\n", leaves[i].leaf,
			leaves[i].subleaf, r.eax, r.ebx, r.ecx, r.edx);
	}
}

void machine_print(FILE *file, const char *root)
{
	fprintf(file, "bfm %s, module interface %u\n", config_version, BF_IOCTL_VERSION);
	print_name(file);
	print_model(file, root);
	print_kernel(file);
	print_outer(file);
	print_cpuid(file);
}

void machine_print_values(FILE *file, const struct bf_register_value *values, uint32_t count)
{
	static const char *const names[] = {
#define REGISTER_TEXT(number, name, text, msr) [number] = text,
		BF_FEATURE_REGISTERS(REGISTER_TEXT)
	};

	for (uint32_t i = 0; i < count; i++) {
		const char *name = values[i].reg < BF_NR_FEATURE_REGISTERS ? names[values[i].reg] :
									     "?";

		if (values[i].msr)
			fprintf(file, "MSR %08x      ", values[i].msr);
		else
			fprintf(file, "%-18s", name);
		fprintf(file, "%016" PRIx64 "\n", values[i].value);
	}
}
