// SPDX-License-Identifier: MIT
/* Intel: what exits and what the answer is (SDM vol. 3, chapters 25 to 28). */
#include <abi/features.h>
#include <ext/cxx/example/example.hpp>

namespace example {

namespace {

using mk1::intel::Reg;

/* Basic exit reasons, SDM vol. 3, appendix C */
enum Exit : uint32_t {
	exit_triple_fault = 2,
	exit_cpuid = 10,
	exit_getsec = 11,
	exit_invd = 13,
	exit_first_vmx = 18, /* VMCALL, VMCLEAR, ... VMXOFF, VMXON */
	exit_last_vmx = 27,
	exit_cr = 28,
	exit_rdmsr = 31,
	exit_wrmsr = 32,
	exit_invept = 50,
	exit_invvpid = 53,
	exit_xsetbv = 55,
	exit_vmfunc = 59,
};

constexpr uint32_t primary_msr_bitmaps = 1u << 28;
constexpr uint32_t primary_secondary = 1u << 31;
/* RDTSCP, VPID, INVPCID, XSAVES, user wait, PCONFIG: #UD without, and the TLB kept */
constexpr uint32_t secondary_vpid = 1u << 5;
constexpr uint32_t secondary_wanted =
	1u << 3 | secondary_vpid | 1u << 12 | 1u << 20 | 1u << 26 | 1u << 27;

constexpr uint32_t msr_feature_control = 0x3A;
constexpr uint32_t msr_vmx_first = 0x480; /* VMX_BASIC */
constexpr uint32_t msr_vmx_procbased = 0x482;
constexpr uint32_t msr_vmx_procbased2 = 0x48B;
constexpr uint32_t msr_vmx_last = 0x493;
constexpr uint32_t msr_microcode = 0x79;
constexpr uint64_t feature_control_lock = 1;
constexpr uint64_t feature_control_vmx = 6; /* inside and outside of SMX */

/* Writes that exit beside: microcode, and the MTRRs, which the microkernel's EPT follows. */
struct Range {
	uint32_t first, last;
};
constexpr Range watched_writes[] = {{msr_microcode, msr_microcode}, {0x200, 0x23F},
				    {0x250, 0x250}, {0x258, 0x259}, {0x268, 0x26F},
				    {0x2FF, 0x2FF}};

/* The bits of CR4 that Linux may have: another one cannot be set. */
constexpr uint64_t cr4_known = BF_CR4_KNOWN;
constexpr uint64_t cr4_pae = 1u << 5; /* in force as long as Linux is in long mode */

constexpr uint64_t event_exception = 0x80000300; /* valid, type 3 */
constexpr uint64_t event_ud = event_exception | 6;
constexpr uint64_t event_gp = event_exception | 0x800 | 13; /* with an error code */

mk1::Spa bitmap; /* written by prepare, then only read */

void intercept_msr(uint8_t *map, uint32_t msr)
{
	map[msr / 8] = static_cast<uint8_t>(map[msr / 8] | 1u << msr % 8);
}

/* The MSR bitmap (§25.6.9): low MSRs, reads in its first quarter, writes in its third. */
bool prepare()
{
	const auto page = mk1::mem_alloc_page(handle);

	if (!page) {
		ext_print("cxx-example: no memory for the MSR bitmap\n");
		return false;
	}
	bitmap = page.value.spa;

	auto *const reads = static_cast<uint8_t *>(page.value.va);
	auto *const writes = reads + 0x800;

	intercept_msr(reads, msr_feature_control);
	intercept_msr(writes, msr_feature_control);
	for (uint32_t msr = msr_vmx_first; msr <= msr_vmx_last; msr++)
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
	set(vs, Reg::vmcs_link_pointer, ~uint64_t{0});
	set(vs, Reg::address_of_msr_bitmaps, static_cast<uint64_t>(bitmap));
	set(vs, Reg::cr4_guest_host_mask, get(vs, Reg::cr4_guest_host_mask) | ~cr4_known);

	const uint64_t primary =
		add_controls(vs, Reg::primary_proc_based_vm_execution_ctls, msr_vmx_procbased,
			     primary_msr_bitmaps | primary_secondary);

	if (!(primary & primary_msr_bitmaps))
		give_up("this CPU has no MSR bitmaps", vs, primary);
	if (!(primary & primary_secondary))
		return;
	/* A VPID has to be there before its control, or the VS is invalid in between. */
	set(vs, Reg::virtual_processor_identifier, 1);

	const uint64_t secondary =
		add_controls(vs, Reg::secondary_proc_based_vm_execution_ctls, msr_vmx_procbased2,
			     secondary_wanted);

	if (!(secondary & secondary_vpid))
		set(vs, Reg::virtual_processor_identifier, 0);
}

/* As the guest reads it: the bits of the mask come from the shadow (§25.6.6). */
uint64_t guest_cr4(VsId vs)
{
	const uint64_t mask = get(vs, Reg::cr4_guest_host_mask);

	return (get(vs, Reg::cr4) & ~mask) | (get(vs, Reg::cr4_read_shadow) & mask);
}

/* DPL of SS, §25.4.1 */
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
	if (msr != msr_feature_control)
		return false;

	const auto value = mk1::intrinsic_rdmsr(handle, mk1::Msr{msr});

	if (value)
		set_edx_eax((value.value & ~feature_control_vmx) | feature_control_lock);
	return static_cast<bool>(value);
}

/*
 * FEATURE_CONTROL is locked. Microcode is not loaded, as if the CPU had refused it: Linux sees the
 * revision that it had. What is left is for the microkernel to judge.
 */
bool write_msr(uint32_t msr, uint64_t value)
{
	if (msr == msr_feature_control)
		return false;
	return msr == msr_microcode || mk1::ok(mk1::intrinsic_wrmsr(handle, mk1::Msr{msr}, value));
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
	const uint64_t value = get(vs, operands[qualification >> 8 & 0xF]);

	if ((qualification & 0x3F) != 4 || value & ~cr4_known || !(value & cr4_pae))
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
 * (§26.1.1), but not on every implementation: nothing may depend on that.
 */
[[noreturn]] void answer_xsetbv(VsId vs)
{
	if (!(get(vs, Reg::cr4) & cr4_osxsave))
		inject(vs, event_ud);
	finish(vs, guest_cpl(vs) == 0 && static_cast<uint32_t>(mk1::tls::rcx()) == 0 &&
			   mk1::ok(mk1::vs_write(handle, vs, Reg::xcr0, edx_eax())));
}

void on_exit(VsId vs, uint64_t reason)
{
	switch (reason) {
	case exit_cpuid:
		answer_cpuid(vs, guest_cr4, guest_cpl);
	case exit_rdmsr:
		finish(vs, read_msr(static_cast<uint32_t>(mk1::tls::rcx())));
	case exit_xsetbv:
		answer_xsetbv(vs);
	case exit_wrmsr:
		finish(vs, write_msr(static_cast<uint32_t>(mk1::tls::rcx()), edx_eax()));
	case exit_cr:
		finish(vs, write_cr(vs));
	case exit_invd:
		finish(vs, guest_cpl(vs) == 0); /* ignored: it throws away what other CPUs wrote */
	case exit_getsec:
	case exit_invept:
	case exit_invvpid:
	case exit_vmfunc:
		inject(vs, event_ud);
	case exit_triple_fault:
		give_up("the guest shut down (triple fault)", vs, reason);
	default:
		if (reason >= exit_first_vmx && reason <= exit_last_vmx)
			inject(vs, event_ud);
		give_up("unexpected exit", vs, reason);
	}
}

} // namespace

const Vendor vmx = {prepare, set_up, on_exit};

} // namespace example
