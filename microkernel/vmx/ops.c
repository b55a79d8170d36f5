// SPDX-License-Identifier: GPL-2.0-only
/* VMX behind the contract of vendor.h. */
#include <abi/mk1_regs_intel.h>

#include "vendor.h"
#include "vmx/advance.h"
#include "vmx/cpu.h"
#include "vmx/event.h"
#include "vmx/fallback.h"
#include "vmx/nested.h"
#include "vmx/regs.h"
#include "vmx/run.h"
#include "vmx/vmcs.h"
#include "vmx/vs.h"

const struct vendor_ops vmx_ops = {
	.name = "VT-x",
	.cr3 = MK1_INTEL_cr3,
	.cr4 = MK1_INTEL_cr4,
	.rip = MK1_INTEL_rip,
	.probe = vmx_probe,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.set_host = vmx_set_host,
	.nmis_exit = true,
	.can_keep = vmx_can_keep,
	.keep_needs = "unrestricted guests, and the state of waiting for a start-up IPI",
	.has_nested = vmx_has_nested,
	.nested_has_page = vmx_nested_has_page,
	.nested_type = vmx_nested_type,
	.nested_types_changed = vmx_nested_types_changed,
	.nested_flush = vmx_flush_everything,
	.view_has = vmx_view_has,
	.view_use = vmx_view_use,
	.guest_leaf = vmx_guest_leaf,
	.guest_bits = &vmx_guest_bits,
	.guest_has_dirty = vmx_guest_has_dirty,
	.guest_attach = vmx_guest_attach,
	.guest_forget = vmx_guest_forget,
	.vs_init = vmx_vs_init,
	.vs_fini = vmx_vs_fini,
	.vs_init_as_root = vmx_vs_init_as_root,
	.vs_capture = vmx_vs_capture,
	.vs_clear = vmx_vs_clear,
	.vs_load = vmx_vs_load,
	.vs_unload = vmx_vs_unload,
	.vs_read = vmx_vs_read,
	.vs_write = vmx_vs_write,
	.vs_cpl = vmx_vs_cpl,
	.vs_advance_ip = vmx_vs_advance_ip,
	.vs_advance_ip_and_run = vmx_vs_advance_ip_and_run,
	.vs_run = vmx_vs_run,
	.tlb_flush_gla = vmx_tlb_flush_gla,
	.tlb_flush_all = vmx_tlb_flush_all,
	.vs_dump = vmx_vs_dump,
	.owe = vmx_owe,
	.fallback_init = vmx_fallback_init,
};
