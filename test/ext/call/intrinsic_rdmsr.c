// SPDX-License-Identifier: GPL-2.0-only
/* rdmsr: what the policy lets an extension know. */
#include "test/ext/lib/call.h"

#include "msrs.h"

static uint64_t fs_base(void)
{
	uint64_t base;

	__asm__("movq %%fs:0, %0" : "=r"(base));
	return base;
}

/* The high half of the register does not count. */
static void denied(uint64_t msr)
{
	GIVES(MK1_INVALID_PERM_DENIED, MK1_HANDLE, msr);
	GIVES(MK1_INVALID_PERM_DENIED, MK1_HANDLE, HIGH32 | msr);
}

/* Of the list, but not every CPU has all of them. */
static void allowed(uint64_t msr)
{
	uint64_t value;
	uint64_t status = mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value);

	VERIFY(status == MK1_SUCCESS || status == MK1_INVALID_INPUT_REG(1));
	GIVES(status, MK1_HANDLE, HIGH32 | msr);
}

static void test(void)
{
	uint64_t tsc;

	for (unsigned int i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		denied(never[i]);
	for (unsigned int i = 0; i < NR_MSRS; i++) {
		for (uint64_t msr = msrs[i].first; msr <= msrs[i].last; msr++)
			allowed(msr);
		if (!is_listed(msrs[i].first - 1))
			denied(msrs[i].first - 1);
		if (!is_listed(msrs[i].last + 1))
			denied(msrs[i].last + 1);
	}
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_TSC);
	tsc = out[0];
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH32 | MSR_TSC);
	VERIFY(out[0] > tsc || !tsc); /* QEMU does not know it as an MSR */
	GIVES(MK1_SUCCESS, MK1_HANDLE, 0xC0000080);
	VERIFY((out[0] & (EFER_SCE | EFER_LMA | EFER_NXE)) == (EFER_SCE | EFER_LMA | EFER_NXE));
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_FS_BASE);
	VERIFY(out[0] == fs_base());
	/* where a callback begins */
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_GS_BASE);
	VERIFY(out[0] == 0);
	/* what Mk#1 promises: index 0 is write back, index 3 uncacheable */
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_PAT);
	VERIFY((uint8_t)out[0] == 6 && (uint8_t)(out[0] >> 24) == 0);
}

const struct call_test call_test = {
	.call = CALL_intrinsic_rdmsr,
	.started = test,
	.exit = test,
	/* REG1: QEMU reads any MSR */
	.maybe = "REG1",
};
