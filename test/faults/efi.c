// SPDX-License-Identifier: GPL-2.0-only
/*
 * bareflank.efi's part of the test build: which point fails is in its file, where test/vm/uefi.py
 * writes "KIND NTH" (lib/bsl/fault.h) behind a mark.
 */
#include <bsl/fault.h>
#include <bsl/string.h>

#define MARK "bareflank fault "

static volatile char request[sizeof(MARK) + 16] = MARK;

static struct bf_fault fault;

static enum bf_fault_kind kind_of(const char *name, size_t length)
{
#define FAULT_NAME(name) #name,
	static const char names[][8] = { BF_FAULT_KINDS(FAULT_NAME) };
	unsigned int i;

	for (i = 0; i < BF_NR_FAULTS; i++)
		if (bsl_strlen(names[i]) == length && !bsl_memcmp(names[i], name, length))
			return (enum bf_fault_kind)i;
	return BF_FAULT_none;
}

struct bf_fault *bf_fault(void)
{
	static bool armed;
	char text[sizeof(request) - sizeof(MARK) + 1];
	size_t i, length;

	if (armed)
		return &fault;
	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = request[sizeof(MARK) - 1 + i];
	text[i] = '\0';
	for (length = 0; text[length] && text[length] != ' ';)
		length++;
	for (i = length; text[i]; i++)
		if (text[i] >= '0' && text[i] <= '9')
			fault.nth = (uint16_t)(10 * fault.nth + text[i] - '0');
	fault.kind = kind_of(text, length);
	armed = true;
	return &fault;
}
