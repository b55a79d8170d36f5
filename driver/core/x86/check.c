// SPDX-License-Identifier: GPL-2.0-only
/* Whether a CPU can run the hypervisor, item by item. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

#include "../arch.h"
#include "hw.h"

static bool disabled_by_firmware(const struct bf_cpu_features *features)
{
	if (features->vendor == BF_VENDOR_INTEL)
		return (features->feature_control & FEATURE_CONTROL_LOCKED) &&
		       !(features->feature_control & FEATURE_CONTROL_VMXON);
	return features->vendor == BF_VENDOR_AMD && (features->vm_cr & VM_CR_SVMDIS);
}

static bool in_use(const struct bf_cpu_features *features)
{
	return (features->registers[BF_REGISTER_CR4] & CR4_VMXE) ||
	       (features->registers[BF_REGISTER_EFER] & EFER_SVME);
}

enum bf_error bf_features_check(const struct bf_cpu_features *features, enum bf_check_item item,
				uint64_t *detail)
{
	*detail = 0;
	switch (item) {
	case BF_CHECK_VENDOR:
		if (features->is_guest)
			return BF_ERR_STARTED_BEFORE;
		return features->vendor == BF_VENDOR_NONE ? BF_ERR_NO_VIRT : BF_ERR_OK;
	case BF_CHECK_FIRMWARE:
		return disabled_by_firmware(features) ? BF_ERR_FW_DISABLED : BF_ERR_OK;
	case BF_CHECK_FREE:
		return in_use(features) ? BF_ERR_VIRT_BUSY : BF_ERR_OK;
	case BF_CHECK_NESTED:
		return bf_features_nested(features) ? BF_ERR_OK : BF_ERR_NO_NESTED_PAGING;
	case BF_CHECK_FEATURES:
		return bf_features_carried(features, detail) ? BF_ERR_OK : BF_ERR_CPU_FEATURE;
	case BF_CHECK_CONTROLS:
		return bf_features_controls(features, detail) ? BF_ERR_OK : BF_ERR_VMX_CONTROLS;
	default:
		return BF_ERR_OK;
	}
}

bool bf_features_unlock(const struct bf_cpu_features *features)
{
	uint64_t value = features->feature_control;

	if (features->vendor != BF_VENDOR_INTEL || (value & FEATURE_CONTROL_LOCKED))
		return true;
	return bf_os_wrmsr(MSR_FEATURE_CONTROL,
			   value | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMXON);
}
