// SPDX-License-Identifier: MIT
/*
 * The tables of the ABI in Markdown, made from the lists in abi/: tables NAME prints one of them.
 * `make docs` writes them all, and test/docs holds docs/abi/ and docs/hardware.md against them.
 */
#include <abi/features.h>
#include <abi/mk1.h>
#include <abi/mk1_msrs.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <abi/mk2.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The words of MK1_SYSCALLS: the name of the status, in C with MK1_ before it, and its value. */
static const struct status {
	const char *word;
	const char *name;
	uint64_t value;
} statuses[] = { { "", "SUCCESS", MK1_SUCCESS },
		 { "UNKNOWN", "FAILURE_UNKNOWN", MK1_FAILURE_UNKNOWN },
		 { "HANDLE", "FAILURE_INVALID_HANDLE", MK1_FAILURE_INVALID_HANDLE },
		 { "UNSUPPORTED", "FAILURE_UNSUPPORTED", MK1_FAILURE_UNSUPPORTED },
		 { "DENIED", "INVALID_PERM_DENIED", MK1_INVALID_PERM_DENIED },
		 { "REG0", "INVALID_INPUT_REG0", MK1_INVALID_INPUT_REG(0) },
		 { "REG1", "INVALID_INPUT_REG1", MK1_INVALID_INPUT_REG(1) },
		 { "REG2", "INVALID_INPUT_REG2", MK1_INVALID_INPUT_REG(2) },
		 { "REG3", "INVALID_INPUT_REG3", MK1_INVALID_INPUT_REG(3) },
		 { "REG4", "INVALID_INPUT_REG4", MK1_INVALID_INPUT_REG(4) },
		 { "REG5", "INVALID_INPUT_REG5", MK1_INVALID_INPUT_REG(5) },
		 { "", "INVALID_OUTPUT_REG0", MK1_INVALID_OUTPUT_REG(0) },
		 { "", "INVALID_OUTPUT_REG1", MK1_INVALID_OUTPUT_REG(1) },
		 { "", "INVALID_OUTPUT_REG2", MK1_INVALID_OUTPUT_REG(2) },
		 { "", "INVALID_OUTPUT_REG3", MK1_INVALID_OUTPUT_REG(3) },
		 { "", "INVALID_OUTPUT_REG4", MK1_INVALID_OUTPUT_REG(4) },
		 { "", "INVALID_OUTPUT_REG5", MK1_INVALID_OUTPUT_REG(5) } };

static const size_t nr_statuses = sizeof(statuses) / sizeof(statuses[0]);

/* What MK2_SYSCALLS has in addition. */
static const struct status statuses_mk2[] = {
	{ "NO_MEMORY", "FAILURE_NO_MEMORY", MK2_FAILURE_NO_MEMORY },
	{ "EXISTS", "FAILURE_EXISTS", MK2_FAILURE_EXISTS },
	{ "LIST", "FAILURE_LIST", MK2_FAILURE_LIST },
	{ "BUSY", "FAILURE_BUSY", MK2_FAILURE_BUSY },
	{ "ENDED", "FAILURE_ENDED", MK2_FAILURE_ENDED },
};

static const size_t nr_statuses_mk2 = sizeof(statuses_mk2) / sizeof(statuses_mk2[0]);

static void print_statuses(const struct status *list, size_t count)
{
	puts("| status | value |\n| --- | --- |");
	for (size_t i = 0; i < count; i++)
		printf("| %s | 0x%016" PRIX64 " |\n", list[i].name, list[i].value);
}

static void print_status(void)
{
	print_statuses(statuses, nr_statuses);
}

static void print_status_mk2(void)
{
	print_statuses(statuses_mk2, nr_statuses_mk2);
}

static const char *find_status(const struct status *list, size_t count, const char *word,
			       size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i].word) == length && !strncmp(list[i].word, word, length))
			return list[i].name;
	}
	return NULL;
}

static const char *status_name(const char *word, size_t length)
{
	const char *name = find_status(statuses, nr_statuses, word, length);

	if (!name)
		name = find_status(statuses_mk2, nr_statuses_mk2, word, length);
	return name ? name : "?";
}

/* A cell: the words of a list, each with its register, or as the status that it stands for. */
static void print_words(const char *words, bool are_errors)
{
	printf(" |%s", *words ? "" : " none");
	for (unsigned int n = 0; *words; n++) {
		size_t length = strcspn(words, " ");

		if (n)
			putchar(',');
		if (are_errors)
			printf(" %s", status_name(words, length));
		else
			printf(" REG%u %.*s", n, (int)length, words);
		words += length + strspn(words + length, " ");
	}
}

static void print_call(unsigned int op, unsigned int idx, const char *name, uint64_t rax,
		       const char *args, const char *results, const char *errors)
{
	printf("| %u.%u | %s | 0x%016" PRIX64, op, idx, name, rax);
	print_words(args, false);
	print_words(results, false);
	print_words(errors, true);
	puts(" |");
}

static void print_calls_head(void)
{
	puts("| number | call | RAX | in | out | errors |\n| --- | --- | --- | --- | --- | --- |");
}

static void print_calls(void)
{
	print_calls_head();
#define CALL(op, idx, name, in, out, args, results, errors) \
	print_call(MK1_OP_##op, idx, #name, MK1_RAX(MK1_OP_##op, idx), args, results, errors);
	MK1_SYSCALLS(CALL)
}

static void print_calls_mk2(void)
{
	print_calls_head();
#define CALL_MK2(op, idx, name, in, out, args, results, errors) \
	print_call(MK2_OP_##op, idx, #name, MK2_RAX(MK2_OP_##op, idx), args, results, errors);
	MK2_SYSCALLS(CALL_MK2)
}

#define REGISTER(number, name, where, bytes, access) \
	printf("| %d | %s | %d | %s | 0x%04X |\n", number, #name, (bytes) * 8, #access, where);

static void print_registers_amd(void)
{
	puts("| number | register | bits | access | offset |\n| --- | --- | --- | --- | --- |");
	MK1_AMD_REGS(REGISTER)
}

static void print_registers_intel(void)
{
	puts("| number | register | bits | access | encoding |\n| --- | --- | --- | --- | --- |");
	MK1_INTEL_REGS(REGISTER)
}

static void print_msrs(void)
{
	puts("| first | last | access | MSRs |\n| --- | --- | --- | --- |");
#define MSR(first, last, rights, what) \
	printf("| 0x%08X | 0x%08X | %s | %s |\n", first, last, #rights, what);
	MK1_MSRS(MSR)
}

static const char *const registers[] = {
#define REGISTER_TEXT(number, name, text, msr) [number] = text,
	BF_FEATURE_REGISTERS(REGISTER_TEXT)
};

static void print_feature(enum bf_feature_register reg, unsigned int first, unsigned int last,
			  const char *name, enum bf_verdict verdict, const char *by)
{
	static const char *const verdicts[] = {
		[BF_CARRIED] = "carried",
		[BF_HARMLESS] = "harmless",
		[BF_OFFERED] = "carried where the CPU offers it",
		[BF_ITEM] = "refused, by a check of its own",
		[BF_REFUSED] = "refused",
	};

	printf("| %s | ", registers[reg]);
	if (reg == BF_REGISTER_ENCRYPTION)
		printf("-");
	else if (first == last)
		printf("%u", first);
	else
		printf("%u-%u", first, last);
	printf(" | %s | %s | %s |\n", name, verdicts[verdict], by);
}

static void print_features(void)
{
	puts("| register | bits | what | verdict | how, or why |\n| --- | --- | --- | --- | --- |");
#define FEATURE(reg, first, last, name, verdict, by) \
	print_feature(BF_REGISTER_##reg, first, last, name, BF_##verdict, by);
	BF_FEATURES(FEATURE)
}

static void print_capabilities(void)
{
	static const char *const regs[] = { "EAX", "EBX", "ECX", "EDX" };

	puts("| where | what | needed by |\n| --- | --- | --- |");
#define CONTROL_MSRS(name, msr, true_msr) [BF_VMX_##name] = msr,
	static const uint32_t msrs[] = { BF_VMX_CONTROL_MSRS(CONTROL_MSRS) };
#define CONTROL(msr, mask, name) \
	printf("| MSR 0x%X bit %d | %s | the microkernel |\n", msrs[BF_VMX_##msr], \
	       BF_BIT_NUMBER(mask), name);
	BF_VMX_CONTROLS(CONTROL)
#define INSTRUCTION(leaf, subleaf, reg, mask, name, control, text) \
	printf("| MSR 0x%X bit %d | %s | %s, if CPUID 0x%X.%d %s bit %d is set |\n", \
	       msrs[BF_VMX_SECONDARY], BF_BIT_NUMBER(control), text, name, leaf, subleaf, \
	       regs[reg], BF_BIT_NUMBER(mask));
	BF_VMX_INSTRUCTIONS(INSTRUCTION)
#define SVM_FEATURE(leaf, reg, mask, name, by) \
	printf("| CPUID 0x%X.0 %s bit %d | %s | optional; where present, %s |\n", leaf, regs[reg], \
	       BF_BIT_NUMBER(mask), name, by);
	BF_SVM_FEATURES(SVM_FEATURE)
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} tables[] = {
		{ "calls", print_calls },
		{ "status", print_status },
		{ "calls-mk2", print_calls_mk2 },
		{ "status-mk2", print_status_mk2 },
		{ "registers-amd", print_registers_amd },
		{ "registers-intel", print_registers_intel },
		{ "msrs", print_msrs },
		{ "features", print_features },
		{ "capabilities", print_capabilities },
	};

	for (size_t i = 0; argc == 2 && i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (!strcmp(argv[1], tables[i].name)) {
			tables[i].print();
			return 0;
		}
	}
	fputs("usage: tables NAME: see docs/docs.mk\n", stderr);
	return 2;
}
