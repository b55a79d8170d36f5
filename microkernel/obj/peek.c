// SPDX-License-Identifier: GPL-2.0-only
#include "obj/peek.h"

#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "mem/mem.h"
#include "obj/ext.h"
#include "pp.h"

const void *peek_page(unsigned int slot, uint64_t spa)
{
	uint64_t va = BF_PP_TEMP + slot * (uint64_t)BF_PAGE_SIZE;
	uint64_t *pt = phys_to_virt(this_pp()->handoff.area_pt);

	if (!mem_is_ram(spa) || (mem_is_owned(spa) && !ext_has_page(this_pp(), spa)))
		return NULL;
	pt[bsl_pt_index(va, 1)] = spa | BSL_PTE_P | BSL_PTE_NX | BSL_PTE_A;
	invlpg(va);
	return (const void *)va;
}

bool peek_is_mapped(uint64_t cr3, uint64_t cr4, uint64_t va, uint64_t *spa)
{
	uint64_t table = cr3 & BSL_PTE_SPA;

	for (unsigned int level = cr4 & CR4_LA57 ? 5 : 4;; level--) {
		const uint64_t *t = peek_page(MK_TEMP_TABLE, table);
		uint64_t entry = t ? t[bsl_pt_index(va, level)] : 0;

		if (!(entry & BSL_PTE_P))
			return false;
		if (level == 1 || (level < 4 && entry & BSL_PTE_PS)) {
			uint64_t offset = va & (BSL_LEVEL_SIZE(level) - 1);

			*spa = (entry & BSL_PTE_SPA & ~(BSL_LEVEL_SIZE(level) - 1)) | offset;
			return true;
		}
		table = entry & BSL_PTE_SPA;
	}
}
