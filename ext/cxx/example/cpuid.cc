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
		answer.ecx &= ~(1u << 5 | 1u << 6); /* VMX, SMX */
		answer.ecx = follow(answer.ecx, 1u << 27, cr4(vs) & cr4_osxsave);
		break;
	case structured:
		if (subleaf == 0) {
			answer.ecx = follow(answer.ecx, 1u << 4, cr4(vs) & cr4_pke);
		} else if (subleaf == 1) {
			/*
			 * Instructions whose VMX controls Mk#1 has no register for, or exits no
			 * answer.
			 */
			answer.eax &= ~(1u << 27); /* MSRLIST */
			answer.ebx &= ~(1u << 1); /* PBNDKB */
			answer.ecx &= ~(1u << 5); /* MSR_IMM */
			answer.edx &= ~(1u << 15); /* USER_MSR */
		}
		break;
	case extended_features:
		answer.ecx &= ~(1u << 2 | 1u << 12); /* SVM, SKINIT */
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
	if (mk1::ok(mk1::vs_advance_ip_and_set_active(handle, mk1::tls::vm(), mk1::tls::vp(), vs))) {
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

	/* "AuthenticAMD", "HygonGenuine" */
	return (id.ebx == 0x68747541 && id.edx == 0x69746E65 && id.ecx == 0x444D4163) ||
	       (id.ebx == 0x6F677948 && id.edx == 0x6E65476E && id.ecx == 0x656E6975);
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
