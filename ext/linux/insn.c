// SPDX-License-Identifier: MIT
/* The instruction that Linux is at: see ext/libext/insn.h. */
#include <abi/mk1_regs_amd.h>
#include <ext/libext/insn.h>
#include <ext/libext/memory.h>
#include <ext/linux/linux.h>
#include <ext/linux/vmx.h>

static enum insn_mode mode_of(uint64_t vsid)
{
	bool is_amd = linux_is_on_amd();
	uint64_t attrib = vs_get(vsid, is_amd ? MK1_AMD_cs_attrib : MK1_INTEL_cs_attrib);

	if (ext_reg_read(vsid, EXT_REG_efer) & EFER_LMA &&
	    attrib & (is_amd ? SEG_ATTRIB_L : VMX_AR_L))
		return INSN_64;
	return attrib & (is_amd ? SEG_ATTRIB_DB : VMX_AR_DB) ? INSN_32 : INSN_16;
}

enum insn_status ext_insn_at(uint64_t vsid, struct ext_insn *insn)
{
	uint8_t code[EXT_MEM_CODE_MAX];
	enum insn_status status;
	size_t count;

	if (ext_mem_code(vsid, code, &count) != EXT_MEM_OK)
		return INSN_UNREADABLE;
	status = ext_insn_decode(code, count, mode_of(vsid), insn);
	return status == INSN_SHORT ? INSN_UNREADABLE : status;
}

static uint64_t segment_base(uint64_t vsid, unsigned int segment)
{
	static const struct {
		uint16_t amd, intel;
	} bases[INSN_NR_SEGMENTS] = {
		[INSN_ES] = { MK1_AMD_es_base, MK1_INTEL_es_base },
		[INSN_CS] = { MK1_AMD_cs_base, MK1_INTEL_cs_base },
		[INSN_SS] = { MK1_AMD_ss_base, MK1_INTEL_ss_base },
		[INSN_DS] = { MK1_AMD_ds_base, MK1_INTEL_ds_base },
		[INSN_FS] = { MK1_AMD_fs_base, MK1_INTEL_fs_base },
		[INSN_GS] = { MK1_AMD_gs_base, MK1_INTEL_gs_base },
	};

	return vs_get(vsid, linux_is_on_amd() ? bases[segment].amd : bases[segment].intel);
}

bool ext_insn_address(uint64_t vsid, const struct ext_insn *insn, uint64_t *la)
{
	uint64_t gpr[16], offset;

	for (unsigned int i = 0; i < 16; i++)
		gpr[i] = ext_reg_read(vsid, general_reg(i));
	if (!ext_insn_offset(insn, gpr, ext_reg_read(vsid, EXT_REG_rip), &offset))
		return false;
	if (insn->mode != INSN_64)
		*la = (uint32_t)(offset + segment_base(vsid, insn->segment));
	else if (insn->segment >= INSN_FS)
		*la = offset + segment_base(vsid, insn->segment);
	else
		*la = offset; /* the others are flat (APM vol. 2 §4.5.3) */
	return true;
}
