// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every register of both lists, by a rule each: on a VS that never ran, while the root VS is
 * active; on the root VS, active and not; and the numbers that are no register.
 */
#include "test/ext/lib/call.h"

#include "expect_amd.h"
#include "expect_intel.h"

/* A register without an expectation does not compile. */
#define AMD_ENTRY(number, name, where, bytes, access) \
	{ number, #name, where, bytes, access, EXPECT_AMD_##name },
#define INTEL_ENTRY(number, name, where, bytes, access) \
	{ number, #name, where, bytes, access, EXPECT_INTEL_##name },

static const struct reg amd[] = { MK1_AMD_REGS(AMD_ENTRY) };
static const struct reg intel[] = { MK1_INTEL_REGS(INTEL_ENTRY) };

#define NR_AMD (sizeof(amd) / sizeof(amd[0]))
#define NR_INTEL (sizeof(intel) / sizeof(intel[0]))

static const struct reg *regs;
static unsigned int nr_regs;

/* Checks that failed meanwhile were about this register. */
static void name_failure(const struct reg *reg, uint32_t failed_before)
{
	if (verify_failed != failed_before)
		ext_print("verify: register %s\n", reg->name);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void test_number_is_unknown(uint64_t vsid, uint64_t number)
{
	uint64_t value = 0;

	VERIFY_STATUS(mk1_vs_read(MK1_HANDLE, vsid, number, &value), MK1_INVALID_INPUT_REG(2));
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, vsid, number, 0);
}

/* The numbers of the lists follow each other from 1 on. */
static void test_numbers(uint64_t vsid)
{
	test_number_is_unknown(vsid, 0);
	for (uint64_t number = nr_regs + 1; number < 0x140; number++)
		test_number_is_unknown(vsid, number);
	for (unsigned int bit = 9; bit < 64; bit++) {
		test_number_is_unknown(vsid, 1ULL << bit);
		test_number_is_unknown(vsid, 1ULL << bit | regs[0].number);
	}
	test_number_is_unknown(vsid, 0xFFFF);
	test_number_is_unknown(vsid, ~0ULL);
}

/* --- a VS that never ran ---------------------------------------------------------------------- */

static void test_reg(const struct reg *reg)
{
	uint64_t before;
	uint64_t status = mk1_vs_read(MK1_HANDLE, reg_vsid, reg->number, &before);

	/* what cannot be read cannot be written */
	if (reg->optional && status == MK1_INVALID_INPUT_REG(2)) {
		GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, reg_vsid, reg->number, 0);
		return;
	}
	if (!VERIFY_STATUS(status, MK1_SUCCESS))
		return;
	VERIFY(!(before & ~reg_mask(reg)));
	reg->rule(reg);
	if (can_be_put_back(reg))
		accepts(reg, before);
	else
		refuses(reg, before);
	VERIFY(read_reg(reg_vsid, reg->number) == before);
}

/* --- the root VS ------------------------------------------------------------------------------ */

#define MAX_REGS 256
BF_STATIC_ASSERT(NR_AMD < MAX_REGS && NR_INTEL < MAX_REGS, "registers");

static uint64_t seen[MAX_REGS];

static bool is_cached_state(const struct reg *reg)
{
	return is_svm &&
	       (reg->number == MK1_AMD_tlb_control || reg->number == MK1_AMD_vmcb_clean_bits);
}

/* 0 for what this CPU lacks. */
static uint64_t read_any(uint64_t vsid, uint64_t number)
{
	uint64_t value;

	return mk1_vs_read(MK1_HANDLE, vsid, number, &value) == MK1_SUCCESS ? value : 0;
}

static void take_snapshot(uint64_t vsid)
{
	for (unsigned int i = 0; i < nr_regs; i++)
		seen[i] = read_any(vsid, regs[i].number);
}

/* But what says what the CPU may have cached, nothing has changed. */
static void test_snapshot(uint64_t vsid)
{
	for (unsigned int i = 0; i < nr_regs; i++) {
		uint32_t failed = verify_failed;

		if (!is_cached_state(&regs[i]))
			VERIFY(read_any(vsid, regs[i].number) == seen[i]);
		name_failure(&regs[i], failed);
	}
}

/* What is read can be written, while it is active and while it is not. */
static void test_write_back(uint64_t vsid)
{
	for (unsigned int i = 0; i < nr_regs; i++) {
		const struct reg *reg = &regs[i];
		uint32_t failed = verify_failed;
		uint64_t value;

		if (mk1_vs_read(MK1_HANDLE, vsid, reg->number, &value) != MK1_SUCCESS)
			VERIFY(reg->optional);
		else
			GIVES(can_be_put_back(reg) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(3),
			      MK1_HANDLE, vsid, reg->number, value);
		name_failure(reg, failed);
	}
}

/* The general registers of the active VS are those of the ABI page. */
static void test_general(uint64_t vsid)
{
	struct abi_page page;
	uint64_t *gpr;

	__asm__("movq %%fs:0, %0" : "=r"(gpr));
	gpr += MK1_TLS_GPRS / sizeof(*gpr);
	for (unsigned int i = 0; i < nr_regs; i++) {
		uint64_t old, index = regs[i].where / sizeof(old);

		if (regs[i].access != GPR)
			continue;
		old = read_reg(vsid, regs[i].number);
		read_abi_page(&page);
		VERIFY(page.gpr[index] == old);
		GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, regs[i].number, ~old);
		read_abi_page(&page);
		VERIFY(page.gpr[index] == ~old);
		*(volatile uint64_t *)&gpr[index] = old ^ 0x5555;
		VERIFY(read_reg(vsid, regs[i].number) == (old ^ 0x5555));
		GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, regs[i].number, old);
	}
}

/* Those in the CPU, of the active VS: root mode does without them. */
static void test_live(uint64_t vsid)
{
	const uint64_t number[] = { REG(dr0),   REG(dr1),  REG(dr2),
				    REG(dr3),   REG(cr8),  REG(kernel_gs_base),
				    REG(cstar), REG(star), REG(cr2) };

	for (unsigned int i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		uint64_t old = read_reg(vsid, number[i]);

		GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number[i], old ^ 5);
		VERIFY(read_reg(vsid, number[i]) == (old ^ 5));
		GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number[i], old);
		VERIFY(read_reg(vsid, number[i]) == old);
	}
}

/* The root VS stays behind the table that hides the hypervisor. */
static void test_root_paging(uint64_t vsid)
{
	uint64_t number = is_svm ? (uint64_t)MK1_AMD_ctls1 :
				   (uint64_t)MK1_INTEL_secondary_proc_based_vm_execution_ctls;
	uint64_t nested = is_svm ? SVM_NP_ENABLE : VMX_SECONDARY_EPT;
	uint64_t old = read_any(vsid, number);

	if (!(old & nested))
		return;
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number, old & ~nested);
	VERIFY(read_reg(vsid, number) == old);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number, 0);
	VERIFY(read_reg(vsid, number) & nested);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number, old);
}

static void refuses_for_linux(uint64_t vsid, uint64_t number, uint64_t value)
{
	uint64_t old = read_reg(vsid, number);

	GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, vsid, number, value);
	VERIFY(read_reg(vsid, number) == old);
}

static void completes(uint64_t vsid, uint64_t number, uint64_t forced)
{
	uint64_t old = read_reg(vsid, number);

	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number, old & ~forced);
	VERIFY(read_reg(vsid, number) == (old | forced));
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid, number, old);
}

/*
 * The control registers of a guest hold anything until it runs. Linux goes on, bare, with what is
 * in those of the root VS: on AMD there are bits that every CPU has, and some that none has.
 */
static void test_root_controls(uint64_t vsid)
{
	static const unsigned int reserved[] = { 13, 14, 15, 19, 25, 31, 32, 63 };

	for (unsigned int bit = 4; bit < 64; bit++)
		refuses_for_linux(vsid, REG(cr8), 1ULL << bit);
	refuses_for_linux(vsid, REG(xcr0), 1ULL << 63);
	refuses_for_linux(vsid, REG(xcr0), ~0ULL);
	if (!is_svm) {
		completes(vsid, MK1_INTEL_cr0, CR0_NE);
		completes(vsid, MK1_INTEL_cr4, CR4_VMXE);
		return;
	}
	for (unsigned int bit = 32; bit < 64; bit++)
		refuses_for_linux(vsid, MK1_AMD_cr0, 1ULL << bit);
	for (unsigned int i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		refuses_for_linux(vsid, MK1_AMD_cr4, 1ULL << reserved[i]);
	refuses_for_linux(vsid, MK1_AMD_cr4, ~0ULL);
}

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();
	struct second s = make_second();

	regs = is_svm ? amd : intel;
	nr_regs = is_svm ? NR_AMD : NR_INTEL;
	reg_vsid = s.vsid;
	take_snapshot(vsid);
	REFUSES_IDS(1, MK1_HANDLE, 0, regs[0].number, 0);
	test_numbers(vsid);
	test_numbers(s.vsid);
	for (unsigned int i = 0; i < nr_regs; i++) {
		uint32_t failed = verify_failed;

		test_reg(&regs[i]);
		name_failure(&regs[i], failed);
	}
	test_snapshot(vsid);
	test_write_back(vsid);
	test_snapshot(vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	test_snapshot(vsid);
	test_write_back(vsid);
	test_snapshot(vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	test_snapshot(vsid);
	drop_second(s);
	test_general(vsid);
	test_live(vsid);
	test_root_paging(vsid);
	test_root_controls(vsid);
	test_snapshot(vsid);
}

const struct call_test call_test = {
	.call = CALL_vs_write,
	.exit = test,
};
