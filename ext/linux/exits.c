// SPDX-License-Identifier: MIT
/* Names of exits: see ext/libext/exits.h. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <bsl/format.h>
#include <ext/libext/exits.h>
#include <ext/linux/linux.h>

/* AMD's exits from NPF on follow all others; the last number is for what has none. */
#define FIRST_HIGH 0xA8
#define OTHER (EXT_NR_EXITS - 1)
#define NUMBER(code) ((code) < FIRST_HIGH ? (code) : (code) - SVM_EXIT_NPF + FIRST_HIGH)

#define AMD_NAME(code, name) [NUMBER(code)] = #name,
#define INTEL_NAME(code, name) [code] = #name,
static const char *const amd[EXT_NR_EXITS] = { SVM_EXITS(AMD_NAME) };
static const char *const intel[EXT_NR_EXITS] = { VMX_EXITS(INTEL_NAME) };

/* AMD's that are counted through, by the first of them: APM vol. 2, appendix C. */
static const struct {
	unsigned int first;
	const char *format;
} ranges[] = {
	{ SVM_EXIT_EXCEPTION, "EXCEPTION_%u" }, { SVM_EXIT_DR_WRITE, "DR%u_WRITE" },
	{ SVM_EXIT_DR_READ, "DR%u_READ" },      { SVM_EXIT_CR_WRITE, "CR%u_WRITE" },
	{ SVM_EXIT_CR_READ, "CR%u_READ" },
};

unsigned int ext_exit_number(uint64_t reason)
{
	/* Above the basic reason VMX has flags (SDM vol. 3 §27.9.1). */
	uint64_t code = linux_is_on_amd() ? reason & 0xFFFFFFFF : reason & 0xFFFF;

	if (linux_is_on_amd() && code >= SVM_EXIT_NPF)
		code -= SVM_EXIT_NPF - FIRST_HIGH;
	else if (code >= FIRST_HIGH)
		return OTHER;
	return code < OTHER ? (unsigned int)code : OTHER;
}

void ext_exit_name(unsigned int number, char name[EXT_EXIT_NAME_SIZE])
{
	const char *known = number >= EXT_NR_EXITS ? NULL :
			    linux_is_on_amd()      ? amd[number] :
						     intel[number];
	unsigned int i = 0;

	if (known) {
		bsl_format(name, EXT_EXIT_NAME_SIZE, "%s", known);
	} else if (number >= OTHER) {
		bsl_format(name, EXT_EXIT_NAME_SIZE, "OTHER");
	} else if (linux_is_on_amd() && number < SVM_EXIT_INTR) {
		while (number < ranges[i].first)
			i++;
		bsl_format(name, EXT_EXIT_NAME_SIZE, ranges[i].format, number - ranges[i].first);
	} else {
		bsl_format(name, EXT_EXIT_NAME_SIZE, "NUMBER_0x%x", number);
	}
}
