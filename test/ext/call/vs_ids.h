/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the calls that name a VS by three ids share. */
#ifndef TEST_EXT_CALL_VS_IDS_H
#define TEST_EXT_CALL_VS_IDS_H

#include "test/ext/lib/call.h"

/*
 * In the guest's exit: ids that do not belong together, or not here. Nothing is active afterwards
 * that was not before, and nothing has been advanced.
 */
static inline void refuses_wrong_ids(struct second s)
{
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), other;
	uint64_t rip = read_reg(vsid, REG(rip));

	REFUSES_IDS(1, MK1_HANDLE, 0, vpid, vsid);
	REFUSES_IDS(2, MK1_HANDLE, MK1_ROOT_VMID, 0, vsid);
	REFUSES_IDS(3, MK1_HANDLE, MK1_ROOT_VMID, vpid, 0);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, s.vpid, s.vsid);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, s.vmid, vpid, vsid);
	GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, s.vmid, s.vpid, vsid);
	GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, MK1_ROOT_VMID, vpid, s.vsid);
	if (other_pp(&other)) {
		uint64_t elsewhere;

		VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, vpid, other, &elsewhere), MK1_SUCCESS);
		GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, MK1_ROOT_VMID, vpid, elsewhere);
		VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, elsewhere), MK1_SUCCESS);
		/* Linux's on that PP: ids are given lowest first, as the PPs come */
		GIVES(MK1_INVALID_INPUT_REG(3), MK1_HANDLE, MK1_ROOT_VMID, other, other);
	}
	VERIFY(is_active(MK1_ROOT_VMID, vpid, vsid));
	VERIFY(read_reg(vsid, REG(rip)) == rip);
}

#endif
