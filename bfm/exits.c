// SPDX-License-Identifier: GPL-2.0-only
/* Names of exits. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

#include "bfm.h"

#define INTEL_NAME(number, name) [number] = #name,
static const char *const intel[] = { VMX_EXITS(INTEL_NAME) };

static const struct {
	uint32_t code;
	const char *name;
} amd[] = {
#define AMD_NAME(code, name) { code, #name },
	SVM_EXITS(AMD_NAME)
};

static void amd_name(unsigned int slot, char *buf, size_t size)
{
	unsigned int code = slot < BF_EXIT_SLOT_NPF ? slot : SVM_EXIT_NPF + slot - BF_EXIT_SLOT_NPF;

	for (size_t i = 0; i < sizeof(amd) / sizeof(amd[0]); i++) {
		if (amd[i].code == code) {
			snprintf(buf, size, "%s", amd[i].name);
			return;
		}
	}
	/* Those of registers and vectors are counted through. */
	if (slot < SVM_EXIT_CR_WRITE)
		snprintf(buf, size, "CR%u_READ", slot);
	else if (slot < SVM_EXIT_DR_READ)
		snprintf(buf, size, "CR%u_WRITE", slot - SVM_EXIT_CR_WRITE);
	else if (slot < SVM_EXIT_DR_WRITE)
		snprintf(buf, size, "DR%u_READ", slot - SVM_EXIT_DR_READ);
	else if (slot < SVM_EXIT_EXCEPTION)
		snprintf(buf, size, "DR%u_WRITE", slot - SVM_EXIT_DR_WRITE);
	else if (slot < SVM_EXIT_INTR)
		snprintf(buf, size, "EXCEPTION_%u", slot - SVM_EXIT_EXCEPTION);
	else if (slot == BF_EXIT_SLOT_OTHER)
		snprintf(buf, size, "INVALID_OR_UNKNOWN");
	else
		snprintf(buf, size, "EXIT_0x%02X", slot);
}

const char *exit_name(enum bf_vendor vendor, unsigned int slot, char *buf)
{
	const size_t size = 32;

	if (vendor == BF_VENDOR_AMD)
		amd_name(slot, buf, size);
	else if (vendor == BF_VENDOR_INTEL && slot < sizeof(intel) / sizeof(intel[0]) &&
		 intel[slot])
		snprintf(buf, size, "%s", intel[slot]);
	else
		snprintf(buf, size, "EXIT_%u", slot);
	return buf;
}
