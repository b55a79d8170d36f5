// SPDX-License-Identifier: MIT
/* Registers by name, for either vendor. */
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/libext/frame.h>
#include <ext/linux/follow.h>
#include <ext/linux/linux.h>

#define REG_NUMBERS(name) [EXT_REG_##name] = { MK1_AMD_##name, MK1_INTEL_##name },
static const struct {
	uint16_t amd, intel;
} numbers[EXT_NR_REGS] = { EXT_REGS(REG_NUMBERS) };

static uint64_t number_of(enum ext_reg reg)
{
	return linux_is_on_amd() ? numbers[reg].amd : numbers[reg].intel;
}

/* In the ABI page of who answers the exit, which is the first extension's. */
static void refuse_general(uint64_t vsid, enum ext_reg reg)
{
	if (reg <= EXT_REG_r15 && follow_is_one())
		give_up("general registers are the first extension's", vsid, reg);
}

uint64_t ext_reg_read(uint64_t vsid, enum ext_reg reg)
{
	refuse_general(vsid, reg);
	return vs_get(vsid, number_of(reg));
}

bool ext_reg_write(uint64_t vsid, enum ext_reg reg, uint64_t value)
{
	refuse_general(vsid, reg);
	return mk1_vs_write(MK1_HANDLE, vsid, number_of(reg), value) == MK1_SUCCESS;
}

unsigned int ext_cpl(uint64_t vsid)
{
	/* The DPL of SS (SDM vol. 3 §27.4.1). */
	return linux_is_on_amd() ? (unsigned int)vs_get(vsid, MK1_AMD_cpl) :
				   (unsigned int)vs_get(vsid, MK1_INTEL_ss_attrib) >> 5 & 3;
}
