// SPDX-License-Identifier: MIT
/* CPUID: what the guest gets to see, and the loader's wish to stop. */
#include <ext/cxx/example/example.hpp>

namespace example {

namespace {

constexpr uint32_t features = 0x1;
constexpr uint32_t structured = 0x7;
constexpr uint32_t extended = 0x80000000;
constexpr uint32_t extended_features = 0x80000001;
constexpr uint32_t svm_features = 0x8000000A;

constexpr uint32_t follow(uint32_t value, uint32_t bit, bool on)
{
	return on ? value | bit : value & ~bit;
}

/* Without the virtualisation that is in use, and with CR4 as the guest has it, not root mode. */
void filter(uint32_t leaf, uint32_t subleaf, VsId vs, uint64_t (*cr4)(VsId), Cpuid &answer)
{
	switch (leaf) {
	case features:
		answer.ecx &= ~uint32_t{CPUID_1_ECX_VMX | CPUID_1_ECX_SMX};
		answer.ecx = follow(answer.ecx, CPUID_1_ECX_OSXSAVE, cr4(vs) & CR4_OSXSAVE);
		break;
	case structured:
		if (subleaf == 0) {
			answer.ecx = follow(answer.ecx, CPUID_7_ECX_OSPKE, cr4(vs) & CR4_PKE);
		} else if (subleaf == 1) {
			/*
			 * Instructions whose VMX controls Mk#1 has no register for, or exits no
			 * answer.
			 */
			answer.eax &= ~uint32_t{CPUID_7_1_EAX_MSRLIST};
			answer.ebx &= ~uint32_t{CPUID_7_1_EBX_PBNDKB};
			answer.ecx &= ~uint32_t{CPUID_7_1_ECX_MSR_IMM};
			answer.edx &= ~uint32_t{CPUID_7_1_EDX_USER_MSR};
		}
		break;
	case extended_features:
		answer.ecx &= ~uint32_t{CPUID_80000001_ECX_SVM | CPUID_80000001_ECX_SKINIT};
		break;
	case svm_features:
		answer = {};
		break;
	default:
		break;
	}
}

/* The loader wants the CPU back: it goes on behind its CPUID with RAX = 0, or 1 if we cannot. */
[[noreturn]] void stop(VsId vs)
{
	mk1::tls::set_rax(0);
	if (mk1::ok(mk1::vs_advance_ip_and_set_active(handle, mk1::tls::vm(), mk1::tls::vp(),
						      vs))) {
		const auto status = mk1::vs_promote(handle, vs);

		mk1::tls::set_rax(1);
		ext_print("cxx-example: promote failed (0x%llx)\n",
			  static_cast<unsigned long long>(status));
		resume(vs);
	}
	mk1::tls::set_rax(1);
	resume_next(vs);
}

} // namespace

Cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	Cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

bool cpu_is_amd()
{
	const Cpuid id = cpuid(0);

	return (id.ebx == CPUID_0_EBX_AMD && id.edx == CPUID_0_EDX_AMD &&
		id.ecx == CPUID_0_ECX_AMD) ||
	       (id.ebx == CPUID_0_EBX_HYGON && id.edx == CPUID_0_EDX_HYGON &&
		id.ecx == CPUID_0_ECX_HYGON);
}

void answer_cpuid(VsId vs, uint64_t (*cr4)(VsId), uint64_t (*cpl)(VsId))
{
	const auto leaf = static_cast<uint32_t>(mk1::tls::rax());
	const auto subleaf = static_cast<uint32_t>(mk1::tls::rcx());

	/* From any other privilege level this leaf is one like any other that the CPU lacks. */
	if (leaf == MK1_CPUID_LEAF && cpl(vs) == 0) {
		if (subleaf == MK1_CPUID_STOP)
			stop(vs);
		if (subleaf == MK1_CPUID_REPORT_ON || subleaf == MK1_CPUID_REPORT_OFF) {
			mk1::tls::set_rax(0); /* there is nothing more to report */
			resume_next(vs);
		}
	}

	Cpuid answer = cpuid(leaf, subleaf);

	/* For an extended leaf that it lacks, a CPU may answer with the data of another leaf. */
	if (leaf < extended || leaf <= cpuid(extended).eax)
		filter(leaf, subleaf, vs, cr4, answer);
	mk1::tls::set_rax(answer.eax);
	mk1::tls::set_rbx(answer.ebx);
	mk1::tls::set_rcx(answer.ecx);
	mk1::tls::set_rdx(answer.edx);
	resume_next(vs);
}

} // namespace example
