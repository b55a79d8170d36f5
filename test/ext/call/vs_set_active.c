// SPDX-License-Identifier: GPL-2.0-only
/* set_active: the ids and the general registers of the ABI page become those of the VS. */
#include "test/ext/lib/call.h"

#include "vs_ids.h"

static void test(void)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), rbx = mk1_rbx(), r15 = mk1_r15();
	struct second s = make_second();

	refuses_wrong_ids(s);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, s.vsid, REG(cr8), 16), MK1_SUCCESS);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, s.vmid, s.vpid, s.vsid);
	VERIFY(is_active(MK1_ROOT_VMID, vpid, vsid));
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, s.vsid, REG(cr8), 0), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, s.vsid, REG(rbx), ~rbx), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | s.vmid, HIGH16 | s.vpid, HIGH16 | s.vsid);
	VERIFY(is_active(s.vmid, s.vpid, s.vsid));
	VERIFY(mk1_rbx() == ~rbx && mk1_r15() == 0);
	mk1_set_r15(~r15);
	VERIFY(read_reg(s.vsid, REG(r15)) == ~r15);
	VERIFY(read_reg(vsid, REG(r15)) == r15);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, vsid, REG(rbx), 0x1111), MK1_SUCCESS);
	VERIFY(mk1_rbx() == ~rbx);
	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vmid, s.vpid, s.vsid); /* it is active already */
	VERIFY(mk1_r15() == ~r15);
	GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid);
	VERIFY(is_active(MK1_ROOT_VMID, vpid, vsid));
	VERIFY(mk1_rbx() == 0x1111 && mk1_r15() == r15);
	VERIFY(read_reg(s.vsid, REG(r15)) == ~r15);
	mk1_set_rbx(rbx);
	VERIFY(read_reg(vsid, REG(rip)) + CPUID_LENGTH == call_next);
	drop_second(s);
}

const struct call_test call_test = {
	.call = CALL_vs_set_active,
	.exit = test,
};
