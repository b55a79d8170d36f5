// SPDX-License-Identifier: MIT
/* Intel: control registers, of which the CPU or the hypervisor forces bits. */
#include <abi/features.h>
#include <ext/linux/vmx.h>

/* A change of these flushes the TLB (SDM vol. 3 §5.10.4.1). */
#define FLUSH_CR0 (CR0_PE | CR0_WP | CR0_PG)
#define FLUSH_CR4 (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP)

static const uint8_t gpr_of_operand[16] = {
	MK1_INTEL_rax, MK1_INTEL_rcx, MK1_INTEL_rdx, MK1_INTEL_rbx, MK1_INTEL_rsp, MK1_INTEL_rbp,
	MK1_INTEL_rsi, MK1_INTEL_rdi, MK1_INTEL_r8,  MK1_INTEL_r9,  MK1_INTEL_r10, MK1_INTEL_r11,
	MK1_INTEL_r12, MK1_INTEL_r13, MK1_INTEL_r14, MK1_INTEL_r15
};

uint64_t vmx_capability(uint64_t vsid, uint32_t msr)
{
	uint64_t value;

	if (mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value) != MK1_SUCCESS)
		give_up("the microkernel does not read this MSR", vsid, msr);
	return value;
}

uint64_t vmx_cr0_forced(uint64_t vsid)
{
	uint64_t forced = vmx_capability(vsid, MSR_VMX_CR0_FIXED0);

	if (vs_get(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls) &
	    VMX_SECONDARY_UNRESTRICTED)
		forced &= ~(uint64_t)(CR0_PE | CR0_PG);
	return forced;
}

uint64_t vmx_cr4_forced(uint64_t vsid)
{
	return vmx_capability(vsid, MSR_VMX_CR4_FIXED0);
}

void vmx_set_cr0(uint64_t vsid, uint64_t value)
{
	vs_set(vsid, MK1_INTEL_cr0_read_shadow, value);
	vs_set(vsid, MK1_INTEL_cr0, value | vmx_cr0_forced(vsid));
}

void vmx_set_cr4(uint64_t vsid, uint64_t value)
{
	vs_set(vsid, MK1_INTEL_cr4_read_shadow, value);
	vs_set(vsid, MK1_INTEL_cr4, value | vmx_cr4_forced(vsid));
}

static uint64_t as_read(uint64_t real, uint64_t shadow, uint64_t mask)
{
	return (real & ~mask) | (shadow & mask);
}

uint64_t vmx_get_cr0(uint64_t vsid)
{
	return as_read(vs_get(vsid, MK1_INTEL_cr0), vs_get(vsid, MK1_INTEL_cr0_read_shadow),
		       vs_get(vsid, MK1_INTEL_cr0_guest_host_mask));
}

uint64_t vmx_get_cr4(uint64_t vsid)
{
	return as_read(vs_get(vsid, MK1_INTEL_cr4), vs_get(vsid, MK1_INTEL_cr4_read_shadow),
		       vs_get(vsid, MK1_INTEL_cr4_guest_host_mask));
}

/*
 * Paging is switched on, or off, which makes and ends IA-32e mode (SDM vol. 3 §11.8.5). PAE paging
 * without that mode has registers of its own in the VMCS: nobody switches it on together with a
 * forced bit. false: #GP.
 */
static bool switch_paging(uint64_t vsid, bool on)
{
	uint64_t efer = vs_get(vsid, MK1_INTEL_efer), cr4 = vs_get(vsid, MK1_INTEL_cr4);
	uint64_t entry = vs_get(vsid, MK1_INTEL_vmentry_ctls);
	bool code64 = vs_get(vsid, MK1_INTEL_cs_attrib) & VMX_AR_L;

	if (on && !(efer & EFER_LME))
		return !(cr4 & CR4_PAE);
	if (code64 || (on ? !(cr4 & CR4_PAE) : cr4 & CR4_PCIDE))
		return false;
	vs_set(vsid, MK1_INTEL_efer, on ? efer | EFER_LMA : efer & ~(uint64_t)EFER_LMA);
	vs_set(vsid, MK1_INTEL_vmentry_ctls,
	       on ? entry | VMX_ENTRY_CTL_IA32E_GUEST :
		    entry & ~(uint64_t)VMX_ENTRY_CTL_IA32E_GUEST);
	return true;
}

/*
 * MOV to CR0 exits when it changes a forced bit. The rules are those of the instruction (SDM vol.
 * 2, MOV - Move to/from Control Registers). A change of PE or PG alone does not exit, but a CPU
 * that starts makes both with others. Without unrestricted guests it is refused: a running 64-bit
 * Linux does not need it.
 */
static bool write_cr0(uint64_t vsid, uint64_t value)
{
	uint64_t changed = vmx_get_cr0(vsid) ^ value;

	if (value >> 32 || (changed & vmx_cr0_forced(vsid) & (CR0_PE | CR0_PG)))
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return false;
	if (!(value & CR0_WP) && (vs_get(vsid, MK1_INTEL_cr4) & CR4_CET))
		return false;
	if (changed & CR0_PG && !switch_paging(vsid, value & CR0_PG))
		return false;
	vmx_set_cr0(vsid, value);
	if (changed & FLUSH_CR0)
		flush_tlb(vsid);
	return true;
}

/*
 * Whether all that is set in CR4 may be there under the hypervisor (abi/features.h); says what may
 * not. Linux did not have it at the start, or the loader would have refused.
 */
static bool is_known(uint64_t value)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (value & ~BF_CR4_KNOWN & 1ull << bit) {
			ext_print("%s: PP %u: Linux sets bit %u of CR4, which this version "
				  "does not carry: refused\n",
				  ext_name, (unsigned int)mk1_tls_ppid(), bit);
			return false;
		}
	}
	return true;
}

/*
 * MOV to CR4 exits when it changes a bit that is not carried, or VMXE as the guest sees it. The
 * guest may set the latter, so that a hypervisor that is loaded now fails where it expects to, at
 * VMXON.
 */
static bool write_cr4(uint64_t vsid, uint64_t value)
{
	uint64_t changed = vmx_get_cr4(vsid) ^ value;
	bool long_mode = vs_get(vsid, MK1_INTEL_efer) & EFER_LMA;

	if (value & ~vmx_capability(vsid, MSR_VMX_CR4_FIXED1) || !is_known(value))
		return false;
	if (long_mode && (!(value & CR4_PAE) || (changed & CR4_LA57)))
		return false;
	if (changed & value & CR4_PCIDE) {
		if (!long_mode || (vs_get(vsid, MK1_INTEL_cr3) & 0xFFF))
			return false;
	}
	if ((value & CR4_CET) && !(vs_get(vsid, MK1_INTEL_cr0) & CR0_WP))
		return false;
	vmx_set_cr4(vsid, value);
	if (changed & FLUSH_CR4)
		flush_tlb(vsid);
	return true;
}

bool vmx_write_cr(uint64_t vsid, uint64_t qualification)
{
	uint64_t value;

	if ((qualification & VMX_QUAL_CR_ACCESS) != VMX_QUAL_CR_TO)
		give_up("control-register access that cannot exit", vsid, qualification);
	value = vs_get(vsid, gpr_of_operand[VMX_QUAL_CR_GPR(qualification)]);
	if (!(vs_get(vsid, MK1_INTEL_cs_attrib) & VMX_AR_L))
		value = (uint32_t)value;

	switch (qualification & VMX_QUAL_CR) {
	case 0:
		return write_cr0(vsid, value);
	case 4:
		return write_cr4(vsid, value);
	default:
		give_up("control-register access that cannot exit", vsid, qualification);
	}
}

/* The caller has checked CPL and CR4.OSXSAVE; XCR0 is all there is (SDM vol. 1 §13.3). */
bool vmx_xsetbv(uint64_t vsid)
{
	if ((uint32_t)mk1_rcx() != 0)
		return false;
	/* The microkernel knows which values the CPU takes. */
	return mk1_vs_write(MK1_HANDLE, vsid, MK1_INTEL_xcr0, guest_edx_eax()) == MK1_SUCCESS;
}
