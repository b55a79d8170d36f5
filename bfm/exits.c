/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of exits: SDM vol. 3 appendix C, basic exit reasons; APM vol. 2 appendix C, exit codes. */
#include "bfm.h"

static const char *const intel[] = {
	[0] = "EXCEPTION_NMI",
	[1] = "EXTERNAL_INTERRUPT",
	[2] = "TRIPLE_FAULT",
	[3] = "INIT",
	[4] = "SIPI",
	[5] = "IO_SMI",
	[6] = "OTHER_SMI",
	[7] = "INTERRUPT_WINDOW",
	[8] = "NMI_WINDOW",
	[9] = "TASK_SWITCH",
	[10] = "CPUID",
	[11] = "GETSEC",
	[12] = "HLT",
	[13] = "INVD",
	[14] = "INVLPG",
	[15] = "RDPMC",
	[16] = "RDTSC",
	[17] = "RSM",
	[18] = "VMCALL",
	[19] = "VMCLEAR",
	[20] = "VMLAUNCH",
	[21] = "VMPTRLD",
	[22] = "VMPTRST",
	[23] = "VMREAD",
	[24] = "VMRESUME",
	[25] = "VMWRITE",
	[26] = "VMXOFF",
	[27] = "VMXON",
	[28] = "CR_ACCESS",
	[29] = "DR_ACCESS",
	[30] = "IO",
	[31] = "RDMSR",
	[32] = "WRMSR",
	[33] = "ENTRY_GUEST_STATE",
	[34] = "ENTRY_MSR_LOADING",
	[36] = "MWAIT",
	[37] = "MONITOR_TRAP_FLAG",
	[39] = "MONITOR",
	[40] = "PAUSE",
	[41] = "ENTRY_MACHINE_CHECK",
	[43] = "TPR_BELOW_THRESHOLD",
	[44] = "APIC_ACCESS",
	[45] = "VIRTUALIZED_EOI",
	[46] = "GDTR_IDTR",
	[47] = "LDTR_TR",
	[48] = "EPT_VIOLATION",
	[49] = "EPT_MISCONFIGURATION",
	[50] = "INVEPT",
	[51] = "RDTSCP",
	[52] = "PREEMPTION_TIMER",
	[53] = "INVVPID",
	[54] = "WBINVD",
	[55] = "XSETBV",
	[56] = "APIC_WRITE",
	[57] = "RDRAND",
	[58] = "INVPCID",
	[59] = "VMFUNC",
	[60] = "ENCLS",
	[61] = "RDSEED",
	[62] = "PML_FULL",
	[63] = "XSAVES",
	[64] = "XRSTORS",
	[65] = "PCONFIG",
	[66] = "SPP",
	[67] = "UMWAIT",
	[68] = "TPAUSE",
	[69] = "LOADIWKEY",
	[70] = "ENCLV",
	[72] = "ENQCMD_PASID",
	[73] = "ENQCMDS_PASID",
	[74] = "BUS_LOCK",
	[75] = "NOTIFY",
	[76] = "SEAMCALL",
	[77] = "TDCALL",
	[78] = "RDMSRLIST",
	[79] = "WRMSRLIST",
};

/* Exit codes 0x60..0x8F; the ones below are counted through by register or vector. */
static const char *const amd[] = {
	"INTR",	       "NMI",	    "SMI",	   "INIT",    "VINTR",	    "CR0_SEL_WRITE",
	"IDTR_READ",   "GDTR_READ", "LDTR_READ",   "TR_READ", "IDTR_WRITE", "GDTR_WRITE",
	"LDTR_WRITE",  "TR_WRITE",  "RDTSC",	   "RDPMC",   "PUSHF",	    "POPF",
	"CPUID",       "RSM",	    "IRET",	   "SWINT",   "INVD",	    "PAUSE",
	"HLT",	       "INVLPG",    "INVLPGA",	   "IOIO",    "MSR",	    "TASK_SWITCH",
	"FERR_FREEZE", "SHUTDOWN",  "VMRUN",	   "VMMCALL", "VMLOAD",	    "VMSAVE",
	"STGI",	       "CLGI",	    "SKINIT",	   "RDTSCP",  "ICEBP",	    "WBINVD",
	"MONITOR",     "MWAIT",	    "MWAIT_ARMED", "XSETBV",  "RDPRU",	    "EFER_WRITE_TRAP"
};

#define AMD_FIRST 0x60
#define AMD_NAMED (sizeof(amd) / sizeof(amd[0]))

/* Slots of codes that do not fit, see BF_NR_EXIT_SLOTS. */
#define AMD_NPF_SLOT 0xF0
#define UNKNOWN_SLOT 0xFF

static const char *const amd_npf[] = { "NPF", "AVIC_INCOMPLETE_IPI", "AVIC_NOACCEL", "VMGEXIT" };

static void amd_name(unsigned int slot, char *buf, size_t size)
{
	if (slot < 0x10)
		snprintf(buf, size, "CR%u_READ", slot);
	else if (slot < 0x20)
		snprintf(buf, size, "CR%u_WRITE", slot - 0x10);
	else if (slot < 0x30)
		snprintf(buf, size, "DR%u_READ", slot - 0x20);
	else if (slot < 0x40)
		snprintf(buf, size, "DR%u_WRITE", slot - 0x30);
	else if (slot < AMD_FIRST)
		snprintf(buf, size, "EXCEPTION_%u", slot - 0x40);
	else if (slot - AMD_FIRST < AMD_NAMED)
		snprintf(buf, size, "%s", amd[slot - AMD_FIRST]);
	else if (slot >= AMD_NPF_SLOT && slot - AMD_NPF_SLOT < sizeof(amd_npf) / sizeof(amd_npf[0]))
		snprintf(buf, size, "%s", amd_npf[slot - AMD_NPF_SLOT]);
	else if (slot == UNKNOWN_SLOT)
		snprintf(buf, size, "INVALID_OR_UNKNOWN");
	else
		snprintf(buf, size, "EXIT_0x%02X", slot);
}

const char *exit_name(enum bf_vendor vendor, unsigned int slot, char *buf)
{
	const size_t size = 32;

	if (vendor == BF_VENDOR_AMD)
		amd_name(slot, buf, size);
	else if (vendor == BF_VENDOR_INTEL && slot < sizeof(intel) / sizeof(intel[0]) &&
		 intel[slot])
		snprintf(buf, size, "%s", intel[slot]);
	else
		snprintf(buf, size, "EXIT_%u", slot);
	return buf;
}
