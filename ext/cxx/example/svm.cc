// SPDX-License-Identifier: MIT
/* AMD: what exits and what the answer is (APM vol. 2, chapter 15). */
#include <abi/hw/svm.h>
#include <ext/cxx/example/example.hpp>

namespace example {

namespace {

using mk1::amd::Reg;

constexpr uint32_t intercepts1 = SVM_INSTR1_CPUID | SVM_INSTR1_INVD | SVM_INSTR1_INVLPGA |
				 SVM_INSTR1_MSR | SVM_INSTR1_SHUTDOWN;
/* VMMCALL is left to the microkernel: #UD, or a call of an outer hypervisor. */
constexpr uint32_t intercepts2 = SVM_INSTR2_VMRUN | SVM_INSTR2_VMLOAD | SVM_INSTR2_VMSAVE |
				 SVM_INSTR2_STGI | SVM_INSTR2_CLGI | SVM_INSTR2_SKINIT;

constexpr uint32_t watched_msrs[] = {MSR_EFER, MSR_PATCH_LOADER, MSR_VM_CR, MSR_VM_HSAVE_PA};
constexpr uint64_t efer_may_change = EFER_SCE | EFER_NXE; /* all that Linux ever does */
constexpr uint64_t vm_cr_disabled = VM_CR_LOCK | VM_CR_SVMDIS; /* §15.30.1 */

constexpr uint64_t event_exception = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION;
constexpr uint64_t event_ud = event_exception | VECTOR_UD;
constexpr uint64_t event_gp = event_exception | SVM_EVENT_ERROR_CODE | VECTOR_GP; /* code 0 */

mk1::Spa msrpm; /* written by prepare, then only read */

/* Two bits an MSR, three ranges of 0x2000 MSRs, 2 KiB each (§15.11). */
void intercept_msr(uint8_t *map, uint32_t msr)
{
	const uint32_t range = msr < 0xC0000000 ? 0 : msr < 0xC0010000 ? 1 : 2;
	const uint32_t bit = (msr & 0x1FFF) * 2;

	uint8_t &byte = map[range * 0x800 + bit / 8];

	byte = static_cast<uint8_t>(byte | (SVM_MSRPM_READ | SVM_MSRPM_WRITE) << bit % 8);
}

bool prepare()
{
	const auto map = mk1::mem_alloc_huge(handle, SVM_MSRPM_SIZE);

	if (!map) {
		ext_print("cxx-example: no memory for the MSR permission map\n");
		return false;
	}
	msrpm = map.value.spa;
	for (uint32_t msr : watched_msrs)
		intercept_msr(static_cast<uint8_t *>(map.value.va), msr);
	return true;
}

void set_up(VsId vs)
{
	mk2::ListEntry list[] = {Reg::intercept_instruction1, Reg::intercept_instruction2,
				 Reg::efer};

	get_list(vs, list);
	list[0].value |= intercepts1;
	list[1].value |= intercepts2;
	/* VMRUN insists on it (§15.5.1); the guest does not see it. */
	list[2].value |= EFER_SVME;
	set_list(vs, list);
	set(vs, Reg::guest_asid, 1);
	set(vs, Reg::msrpm_base_pa, static_cast<uint64_t>(msrpm));
}

uint64_t guest_cr4(VsId vs) { return get(vs, Reg::cr4); }
uint64_t guest_cpl(VsId vs) { return get(vs, Reg::cpl); }

[[noreturn]] void inject(VsId vs, uint64_t event)
{
	set(vs, Reg::eventinj, event);
	resume(vs);
}

/* The instruction had its effect, or takes #GP. */
[[noreturn]] void finish(VsId vs, bool done)
{
	if (done)
		resume_next(vs);
	inject(vs, event_gp);
}

bool read_msr(VsId vs, uint32_t msr)
{
	if (msr == MSR_EFER) {
		set_edx_eax(get(vs, Reg::efer) | EFER_SVME); // so that KVM keeps away
		return true;
	}
	if (msr == MSR_VM_CR) {
		set_edx_eax(vm_cr_disabled);
		return true;
	}
	if (msr == MSR_VM_HSAVE_PA) {
		set_edx_eax(0);
		return true;
	}
	return false;
}

bool write_msr(VsId vs, uint32_t msr, uint64_t value)
{
	if (msr == MSR_VM_HSAVE_PA)
		return !value; // Linux writes that when it panics
	/* Microcode is not loaded: Linux sees the revision that it had. */
	if (msr == MSR_PATCH_LOADER)
		return true;
	if (msr != MSR_EFER)
		return false;
	if ((get(vs, Reg::efer) ^ value) & ~(efer_may_change | EFER_SVME))
		return false;
	return mk1::ok(mk1::vs_write(handle, vs, Reg::efer, value | EFER_SVME));
}

/* The MSRs of the map, and those outside of its ranges, which no CPU has: #GP. */
[[noreturn]] void answer_msr(VsId vs)
{
	const auto msr = static_cast<uint32_t>(mk1::tls::rcx());
	const bool write = get(vs, Reg::exitinfo1) & SVM_EXITINFO1_WRITE;

	finish(vs, write ? write_msr(vs, msr, edx_eax()) : read_msr(vs, msr));
}

void on_exit(VsId vs, uint64_t reason)
{
	const auto code = static_cast<uint32_t>(reason);

	if (code == SVM_EXIT_CPUID)
		answer_cpuid(vs, guest_cr4, guest_cpl);
	if (code == SVM_EXIT_MSR)
		answer_msr(vs);
	if (code == SVM_EXIT_INVD)
		finish(vs, guest_cpl(vs) == 0); /* ignored: it throws away what other CPUs wrote */
	if (code == SVM_EXIT_INVLPGA || (code >= SVM_EXIT_VMRUN && code <= SVM_EXIT_SKINIT))
		inject(vs, event_ud);
	give_up(code == SVM_EXIT_SHUTDOWN ? "the guest shut down (triple fault)" :
					    "unexpected exit",
		vs, reason);
}

} // namespace

const Vendor svm = {prepare, set_up, on_exit};

} // namespace example
