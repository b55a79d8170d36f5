// SPDX-License-Identifier: MIT
/* AMD: what exits and what the answer is (APM vol. 2, chapter 15). */
#include <ext/cxx/example/example.hpp>

namespace example {

namespace {

using mk1::amd::Reg;

/* VMEXIT codes, APM vol. 2, appendix C */
enum Exit : uint32_t {
	exit_cpuid = 0x72,
	exit_invd = 0x76,
	exit_invlpga = 0x7A,
	exit_msr = 0x7C,
	exit_shutdown = 0x7F,
	exit_first_svm = 0x80, /* VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT */
	exit_last_svm = 0x86,
};

/* CPUID, INVD, INVLPGA, MSR_PROT, SHUTDOWN; and the instructions of SVM */
constexpr uint32_t intercepts1 = 1u << 18 | 1u << 22 | 1u << 26 | 1u << 28 | 1u << 31;
/* VMMCALL is left to the microkernel: #UD, or a call of an outer hypervisor. */
constexpr uint32_t intercepts2 = 0x7D;

constexpr uint32_t msr_efer = 0xC0000080;
constexpr uint32_t msr_patch_loader = 0xC0010020;
constexpr uint32_t msr_vm_cr = 0xC0010114;
constexpr uint32_t msr_vm_hsave_pa = 0xC0010117;
constexpr uint32_t watched_msrs[] = {msr_efer, msr_patch_loader, msr_vm_cr, msr_vm_hsave_pa};
constexpr uint64_t efer_svme = 1u << 12;
constexpr uint64_t efer_may_change = 1u << 0 | 1u << 11; /* SCE, NXE: all that Linux ever does */
constexpr uint64_t vm_cr_disabled = 0x18; /* SVMDIS and LOCK, §15.30.1 */

constexpr uint64_t event_exception = 0x80000300; /* valid, type 3 */
constexpr uint64_t event_ud = event_exception | 6;
constexpr uint64_t event_gp = event_exception | 0x800 | 13; /* with error code 0 */

mk1::Spa msrpm; /* written by prepare, then only read */

/* Two bits an MSR, three ranges of 0x2000 MSRs, 2 KiB each (§15.11). */
void intercept_msr(uint8_t *map, uint32_t msr)
{
	const uint32_t range = msr < 0xC0000000 ? 0 : msr < 0xC0010000 ? 1 : 2;
	const uint32_t bit = (msr & 0x1FFF) * 2;

	uint8_t &byte = map[range * 0x800 + bit / 8];

	byte = static_cast<uint8_t>(byte | 3u << bit % 8);
}

bool prepare()
{
	const auto map = mk1::mem_alloc_huge(handle, 0x2000);

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
	set(vs, Reg::guest_asid, 1);
	set(vs, Reg::msrpm_base_pa, static_cast<uint64_t>(msrpm));
	set(vs, Reg::intercept_instruction1, get(vs, Reg::intercept_instruction1) | intercepts1);
	set(vs, Reg::intercept_instruction2, get(vs, Reg::intercept_instruction2) | intercepts2);
	/* VMRUN insists on it (§15.5.1); the guest does not see it. */
	set(vs, Reg::efer, get(vs, Reg::efer) | efer_svme);
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
	if (msr == msr_efer) {
		set_edx_eax(get(vs, Reg::efer) | efer_svme); // so that KVM keeps away
		return true;
	}
	if (msr == msr_vm_cr) {
		set_edx_eax(vm_cr_disabled);
		return true;
	}
	if (msr == msr_vm_hsave_pa) {
		set_edx_eax(0);
		return true;
	}
	return false;
}

bool write_msr(VsId vs, uint32_t msr, uint64_t value)
{
	if (msr == msr_vm_hsave_pa)
		return !value; // Linux writes that when it panics
	/* Microcode is not loaded: Linux sees the revision that it had. */
	if (msr == msr_patch_loader)
		return true;
	if (msr != msr_efer)
		return false;
	if ((get(vs, Reg::efer) ^ value) & ~(efer_may_change | efer_svme))
		return false;
	return mk1::ok(mk1::vs_write(handle, vs, Reg::efer, value | efer_svme));
}

/* The MSRs of the map, and those outside of its ranges, which no CPU has: #GP. */
[[noreturn]] void answer_msr(VsId vs)
{
	const auto msr = static_cast<uint32_t>(mk1::tls::rcx());
	const bool write = get(vs, Reg::exitinfo1) & 1;

	finish(vs, write ? write_msr(vs, msr, edx_eax()) : read_msr(vs, msr));
}

void on_exit(VsId vs, uint64_t reason)
{
	const auto code = static_cast<uint32_t>(reason);

	if (code == exit_cpuid)
		answer_cpuid(vs, guest_cr4, guest_cpl);
	if (code == exit_msr)
		answer_msr(vs);
	if (code == exit_invd)
		finish(vs, guest_cpl(vs) == 0); /* ignored: it throws away what other CPUs wrote */
	if (code == exit_invlpga || (code >= exit_first_svm && code <= exit_last_svm))
		inject(vs, event_ud);
	give_up(code == exit_shutdown ? "the guest shut down (triple fault)" : "unexpected exit", vs,
		reason);
}

} // namespace

const Vendor svm = {prepare, set_up, on_exit};

} // namespace example
