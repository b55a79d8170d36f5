// SPDX-License-Identifier: MIT
/* Intel: what exits and what the answer is (SDM vol. 3, chapters 25 to 28). */
#include <abi/features.h>
#include <abi/hw/vmx.h>
#include <ext/cxx/example/example.hpp>

namespace example {

namespace {

using mk1::intel::Reg;

/* Instructions that are #UD without, and the TLB kept */
constexpr uint32_t secondary_wanted = VMX_SECONDARY_RDTSCP | VMX_SECONDARY_VPID |
				      VMX_SECONDARY_INVPCID | VMX_SECONDARY_XSAVES |
				      VMX_SECONDARY_USER_WAIT | VMX_SECONDARY_PCONFIG;

/* Inside and outside of SMX */
constexpr uint64_t vmxon_allowed = FEATURE_CONTROL_VMXON_IN_SMX | FEATURE_CONTROL_VMXON;

/* Writes that exit beside: microcode, and the MTRRs, which the microkernel's EPT follows. */
struct Range {
	uint32_t first, last;
};
constexpr Range watched_writes[] = {{MSR_BIOS_UPDT_TRIG, MSR_BIOS_UPDT_TRIG},
				    {MSR_MTRR_PHYSBASE0, MSR_MTRR_PHYS_LAST},
				    {MSR_MTRR_FIX64K, MSR_MTRR_FIX64K},
				    {MSR_MTRR_FIX16K, MSR_MTRR_FIX16K_LAST},
				    {MSR_MTRR_FIX4K, MSR_MTRR_FIX4K_LAST},
				    {MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE}};

/* The bits of CR4 that Linux may have: another one cannot be set. */
constexpr uint64_t cr4_known = BF_CR4_KNOWN;

constexpr uint64_t event_exception = VMX_EVENT_VALID | VMX_EVENT_TYPE_EXCEPTION;
constexpr uint64_t event_ud = event_exception | VECTOR_UD;
constexpr uint64_t event_gp = event_exception | VMX_EVENT_ERROR_CODE | VECTOR_GP;

mk1::Spa bitmap; /* written by prepare, then only read */

void intercept_msr(uint8_t *map, uint32_t msr)
{
	map[msr / 8] = static_cast<uint8_t>(map[msr / 8] | 1u << msr % 8);
}

/* The MSR bitmap (§27.6.9): low MSRs, reads in its first quarter, writes in its third. */
bool prepare()
{
	const auto page = mk1::mem_alloc_page(handle);

	if (!page) {
		ext_print("cxx-example: no memory for the MSR bitmap\n");
		return false;
	}
	bitmap = page.value.spa;

	auto *const reads = static_cast<uint8_t *>(page.value.va);
	auto *const writes = reads + VMX_MSR_BITMAP_WRITE_LOW;

	intercept_msr(reads, MSR_FEATURE_CONTROL);
	intercept_msr(writes, MSR_FEATURE_CONTROL);
	for (uint32_t msr = MSR_VMX_BASIC; msr <= MSR_VMX_EXIT_CTLS2; msr++)
		intercept_msr(reads, msr);
	for (const Range &range : watched_writes) {
		for (uint32_t msr = range.first; msr <= range.last; msr++)
			intercept_msr(writes, msr);
	}
	return true;
}

/* Turns those of the wanted controls on that the CPU has (appendix A.3). Returns the new value. */
uint64_t add_controls(VsId vs, Reg field, uint32_t capability, uint32_t wanted)
{
	const auto may = mk1::intrinsic_rdmsr(handle, mk1::Msr{capability});

	if (!may)
		give_up("MSR not readable", vs, capability);

	const uint64_t value = get(vs, field) | (wanted & may.value >> 32);

	set(vs, field, value);
	return value;
}

/* init_as_root has set what the CPU and the microkernel insist on. */
void set_up(VsId vs)
{
	set_list(vs, {{Reg::vmcs_link_pointer, VMX_NO_LINKED_VMCS},
		      {Reg::address_of_msr_bitmaps, static_cast<uint64_t>(bitmap)},
		      {Reg::cr4_guest_host_mask, get(vs, Reg::cr4_guest_host_mask) | ~cr4_known}});

	const uint64_t primary =
		add_controls(vs, Reg::primary_proc_based_vm_execution_ctls, MSR_VMX_PROCBASED_CTLS,
			     VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_SECONDARY);

	if (!(primary & VMX_PRIMARY_MSR_BITMAPS))
		give_up("this CPU has no MSR bitmaps", vs, primary);
	if (!(primary & VMX_PRIMARY_SECONDARY))
		return;
	/* A VPID has to be there before its control, or the VS is invalid in between. */
	set(vs, Reg::virtual_processor_identifier, 1);

	const uint64_t secondary =
		add_controls(vs, Reg::secondary_proc_based_vm_execution_ctls,
			     MSR_VMX_PROCBASED_CTLS2, secondary_wanted);

	if (!(secondary & VMX_SECONDARY_VPID))
		set(vs, Reg::virtual_processor_identifier, 0);
}

/* As the guest reads it: the bits of the mask come from the shadow (§27.6.6). */
uint64_t guest_cr4(VsId vs)
{
	const uint64_t mask = get(vs, Reg::cr4_guest_host_mask);

	return (get(vs, Reg::cr4) & ~mask) | (get(vs, Reg::cr4_read_shadow) & mask);
}

/* DPL of SS, §27.4.1 */
uint64_t guest_cpl(VsId vs) { return get(vs, Reg::ss_attrib) >> 5 & 3; }

[[noreturn]] void inject(VsId vs, uint64_t event)
{
	set(vs, Reg::vmentry_exception_error_code, 0);
	set(vs, Reg::vmentry_interrupt_information_field, event);
	resume(vs);
}

/* VT-x looks disabled by firmware; what is outside of the bitmap's ranges, no CPU has. */
bool read_msr(uint32_t msr)
{
	if (msr != MSR_FEATURE_CONTROL)
		return false;

	const auto value = mk1::intrinsic_rdmsr(handle, mk1::Msr{msr});

	if (value)
		set_edx_eax((value.value & ~vmxon_allowed) | FEATURE_CONTROL_LOCKED);
	return static_cast<bool>(value);
}

/*
 * FEATURE_CONTROL is locked. Microcode is not loaded, as if the CPU had refused it: Linux sees the
 * revision that it had. What is left is for the microkernel to check.
 */
bool write_msr(uint32_t msr, uint64_t value)
{
	if (msr == MSR_FEATURE_CONTROL)
		return false;
	return msr == MSR_BIOS_UPDT_TRIG ||
	       mk1::ok(mk1::intrinsic_wrmsr(handle, mk1::Msr{msr}, value));
}

/*
 * MOV to CR4 exits when it changes a bit that VMX forces (VMXE, which Linux sets to say that VMX is
 * in use, and which a crash kernel clears with most others), or one that is not known (table 28-3).
 */
bool write_cr(VsId vs)
{
	static constexpr Reg operands[] = {Reg::rax, Reg::rcx, Reg::rdx, Reg::rbx,
					   Reg::rsp, Reg::rbp, Reg::rsi, Reg::rdi,
					   Reg::r8,  Reg::r9,  Reg::r10, Reg::r11,
					   Reg::r12, Reg::r13, Reg::r14, Reg::r15};
	const uint64_t qualification = get(vs, Reg::exit_qualification);
	const uint64_t value = get(vs, operands[VMX_QUAL_CR_GPR(qualification)]);

	if ((qualification & VMX_QUAL_CR) != 4 ||
	    (qualification & VMX_QUAL_CR_ACCESS) != VMX_QUAL_CR_TO || value & ~cr4_known ||
	    !(value & CR4_PAE))
		return false;
	set(vs, Reg::cr4_read_shadow, value);
	set(vs, Reg::cr4, value); /* the microkernel adds what VMX forces */
	return mk1::ok(mk1::vm_tlb_flush(handle, mk1::tls::vm()));
}

/* The instruction had its effect, or takes #GP. */
[[noreturn]] void finish(VsId vs, bool done)
{
	if (done)
		resume_next(vs);
	inject(vs, event_gp);
}

/*
 * XCR0 is all there is (SDM vol. 1 §13.3). Faults for the lack of privilege come before exits
 * (§28.1.1), but not on every implementation: nothing may depend on that.
 */
[[noreturn]] void answer_xsetbv(VsId vs)
{
	if (!(get(vs, Reg::cr4) & CR4_OSXSAVE))
		inject(vs, event_ud);
	finish(vs, guest_cpl(vs) == 0 && static_cast<uint32_t>(mk1::tls::rcx()) == 0 &&
			   mk1::ok(mk1::vs_write(handle, vs, Reg::xcr0, edx_eax())));
}

void on_exit(VsId vs, uint64_t reason)
{
	switch (reason) {
	case VMX_EXIT_CPUID:
		answer_cpuid(vs, guest_cr4, guest_cpl);
	case VMX_EXIT_RDMSR:
		finish(vs, read_msr(static_cast<uint32_t>(mk1::tls::rcx())));
	case VMX_EXIT_XSETBV:
		answer_xsetbv(vs);
	case VMX_EXIT_WRMSR:
		finish(vs, write_msr(static_cast<uint32_t>(mk1::tls::rcx()), edx_eax()));
	case VMX_EXIT_CR_ACCESS:
		finish(vs, write_cr(vs));
	case VMX_EXIT_INVD:
		finish(vs, guest_cpl(vs) == 0); /* ignored: it throws away what other CPUs wrote */
	case VMX_EXIT_GETSEC:
	case VMX_EXIT_INVEPT:
	case VMX_EXIT_INVVPID:
	case VMX_EXIT_VMFUNC:
		inject(vs, event_ud);
	case VMX_EXIT_TRIPLE_FAULT:
		give_up("the guest shut down (triple fault)", vs, reason);
	default:
		if (reason >= VMX_EXIT_VMCALL && reason <= VMX_EXIT_VMXON)
			inject(vs, event_ud);
		give_up("unexpected exit", vs, reason);
	}
}

} // namespace

const Vendor vmx = {prepare, set_up, on_exit};

} // namespace example
