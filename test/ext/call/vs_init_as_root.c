// SPDX-License-Identifier: GPL-2.0-only
/* init_as_root: Linux, as it was launched on this PP; once, and not when it runs. */
#include "test/ext/lib/call.h"

/* Before the default extension does the same: a root VS, which is destroyed again. */
static void bootstrap(void)
{
	struct second s = make_second();
	uint64_t vpid = MK1_INVALID_ID, vsid = MK1_INVALID_ID, other;

	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, &vpid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, vpid, mk1_tls_ppid(), &vsid), MK1_SUCCESS);
	REFUSES_IDS(1, MK1_HANDLE);
	VERIFY(read_reg(vsid, REG(rip)) == 0);
	if (other_pp(&other)) {
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, s.vsid, other), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
		VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, s.vsid), MK1_SUCCESS);
		VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &s.vsid),
			      MK1_SUCCESS);
	}
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | vsid);
	/* Linux's kernel, paged, in long mode, and after our call, whose result is 0 */
	VERIFY(read_reg(vsid, REG(rip)) >> 47 == 0x1FFFF);
	VERIFY(read_reg(vsid, REG(rsp)) >> 56 == 0xFF); /* with 5-level paging 57 bits count */
	VERIFY((read_reg(vsid, REG(cr0)) & (CR0_PE | CR0_PG)) == (CR0_PE | CR0_PG));
	VERIFY((read_reg(vsid, REG(efer)) & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA));
	VERIFY(read_reg(vsid, REG(cr3)) != 0);
	VERIFY(read_reg(vsid, REG(rax)) == 0);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	/* again, and it is what it was */
	other = read_reg(vsid, REG(rip));
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, vsid, REG(rip), 0), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, vsid);
	VERIFY(read_reg(vsid, REG(rip)) == other);
	drop_second(s);
	VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, vsid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, vsid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, vpid), MK1_SUCCESS);
}

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();
	struct second s = make_second();

	REFUSES_IDS(1, MK1_HANDLE);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, vsid);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vsid);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_init_as_root,
	.bootstrap = bootstrap,
	.exit = test,
};
