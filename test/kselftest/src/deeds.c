// SPDX-License-Identifier: GPL-2.0-only
/*
 * deeds: prints the name of each instruction of test/ext/deeds.h that faults on this CPU, and the
 * vector, unless it may be either of two.
 */
#include <stdio.h>

#include "../../ext/deeds.h"

int main(void)
{
	bool intel = deeds_intel();
	const struct {
		const char *name;
		unsigned int amd, intel;
	} deeds[] = {
#define ROW(name, code, amd, intel) { #name, amd, intel },
		DEEDS(ROW)
	};

	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		unsigned int vector = intel ? deeds[i].intel : deeds[i].amd;

		if (vector & 0x100)
			printf("%s\n", deeds[i].name);
		else if (vector != NONE)
			printf("%s %u\n", deeds[i].name, vector);
	}
	return 0;
}
