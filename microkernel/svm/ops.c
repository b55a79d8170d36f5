// SPDX-License-Identifier: GPL-2.0-only
/* SVM behind the contract of vendor.h. */
#include <abi/mk1_regs_amd.h>

#include "svm/advance.h"
#include "svm/cpu.h"
#include "svm/event.h"
#include "svm/fallback.h"
#include "svm/nested.h"
#include "svm/regs.h"
#include "svm/run.h"
#include "svm/vs.h"
#include "vendor.h"

const struct vendor_ops svm_ops = {
	.name = "AMD-V",
	.cr3 = MK1_AMD_cr3,
	.cr4 = MK1_AMD_cr4,
	.rip = MK1_AMD_rip,
	.probe = svm_probe,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.set_host = svm_set_host,
	.can_keep = svm_has_nested,
	.keep_needs = "nested paging",
	.keep_watches_apic = true,
	.has_nested = svm_has_nested,
	.nested_like_host = true, /* APM vol. 2 §15.25.3: in the paging mode of the host */
	.nested_has_page = svm_nested_has_page,
	.nested_type = svm_nested_type,
	.view_has = svm_view_has,
	.view_use = svm_view_use,
	.guest_leaf = svm_guest_leaf,
	.guest_bits = &svm_guest_bits,
	.guest_has_dirty = svm_guest_has_dirty,
	.guest_attach = svm_guest_attach,
	.guest_forget = svm_guest_forget,
	.xsetbv_exits = svm_vs_xsetbv_exits,
	.vs_init = svm_vs_init,
	.vs_fini = svm_vs_fini,
	.vs_init_as_root = svm_vs_init_as_root,
	.vs_capture = svm_vs_capture,
	.vs_clear = svm_vs_clear,
	.vs_load = svm_vs_load,
	.vs_unload = svm_vs_unload,
	.vs_read = svm_vs_read,
	.vs_write = svm_vs_write,
	.vs_cpl = svm_vs_cpl,
	.vs_advance_ip = svm_vs_advance_ip,
	.vs_advance_ip_and_run = svm_vs_advance_ip_and_run,
	.vs_run = svm_vs_run,
	.tlb_flush_gla = svm_tlb_flush_gla,
	.tlb_flush_all = svm_tlb_flush_all,
	.vs_dump = svm_vs_dump,
	.owe = svm_owe,
	.fallback_init = svm_fallback_init,
};
