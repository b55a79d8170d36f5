// SPDX-License-Identifier: GPL-2.0-only
/* wrmsr: nothing that root mode, or Linux, depends on. */
#include "test/ext/lib/call.h"

#include "msrs.h"

static uint64_t read_msr(uint64_t msr)
{
	uint64_t value = 0;

	VERIFY_STATUS(mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value), MK1_SUCCESS);
	return value;
}

static uint64_t tsc_aux(void)
{
	return read_msr(MSR_TSC_AUX);
}

/* GS is the extension's own, to find what it likes with. */
static void test_gs_base(void)
{
	static const uint64_t word = 0x1122334455667788;
	uint64_t found;

	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH32 | MSR_GS_BASE, (uint64_t)&word - 8);
	VERIFY(read_msr(MSR_GS_BASE) == (uint64_t)&word - 8);
	__asm__ volatile("movq %%gs:8, %0" : "=r"(found));
	VERIFY(found == word);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, MSR_GS_BASE, 1ULL << 63);
	VERIFY(read_msr(MSR_GS_BASE) == (uint64_t)&word - 8);
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_GS_BASE, 0xFFFF800000000000);
	VERIFY(read_msr(MSR_GS_BASE) == 0xFFFF800000000000);
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_GS_BASE, 0);
}

static void denied(uint64_t msr)
{
	GIVES(MK1_INVALID_PERM_DENIED, MK1_HANDLE, msr, 0);
	GIVES(MK1_INVALID_PERM_DENIED, MK1_HANDLE, HIGH32 | msr, ~0ULL);
}

/* MTRRs, which not every CPU has all of: as they are, and no value that is none. */
static void same_again(uint64_t msr)
{
	uint64_t value;
	uint64_t status = mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value);

	VERIFY((msr >= 0x200 && msr <= 0x26F) || msr == 0x2FF); /* another one wants a test here */
	if (status == MK1_SUCCESS)
		GIVES(MK1_SUCCESS, MK1_HANDLE, msr, value);
	else
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, msr, 0);
}

static void test(void)
{
	uint64_t old = tsc_aux(), status;

	for (unsigned int i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		denied(never[i]);
	for (unsigned int i = 0; i < NR_MSRS; i++) {
		for (uint64_t msr = msrs[i].first; msr <= msrs[i].last; msr++) {
			if (msrs[i].rights == R)
				denied(msr);
			else if (msr != MSR_TSC_AUX && msr != MSR_GS_BASE)
				same_again(msr);
		}
		if (!is_listed(msrs[i].first - 1))
			denied(msrs[i].first - 1);
		if (!is_listed(msrs[i].last + 1))
			denied(msrs[i].last + 1);
	}
	test_gs_base();
	GIVES(MK1_SUCCESS, MK1_HANDLE, MSR_TSC_AUX, 0x12345678);
	VERIFY(tsc_aux() == 0x12345678);
	/* bits that the register does not have: the CPU refuses them, or drops them */
	status = mk1_intrinsic_wrmsr(MK1_HANDLE, MSR_TSC_AUX, ~0ULL);
	VERIFY(status == MK1_SUCCESS || status == MK1_INVALID_INPUT_REG(1));
	GIVES(status, MK1_HANDLE, MSR_TSC_AUX, ~0ULL);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH32 | MSR_TSC_AUX, old);
	VERIFY(tsc_aux() == old);
}

const struct call_test call_test = {
	.call = CALL_intrinsic_wrmsr,
	.started = test,
	.exit = test,
	/* REG1: QEMU writes any value */
	.maybe = "REG1",
};
