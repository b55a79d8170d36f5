// SPDX-License-Identifier: GPL-2.0-only
/*
 * insn-cases: prints the name of each instruction of test/ext/insn_cases.h that faults on this CPU,
 * and the vector, unless it may be either of two.
 */
#include <stdio.h>

#include "../../ext/insn_cases.h"

int main(void)
{
	bool intel = insn_intel();
	const struct {
		const char *name;
		unsigned int amd, intel;
	} cases[] = {
#define ROW(name, code, amd, intel) { #name, amd, intel },
		INSN_CASES(ROW)
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int vector = intel ? cases[i].intel : cases[i].amd;

		if (vector & 0x100)
			printf("%s\n", cases[i].name);
		else if (vector != NONE)
			printf("%s %u\n", cases[i].name, vector);
	}
	return 0;
}
