/* SPDX-License-Identifier: MIT */
/*
 * An extension in C++ that does what one needs at least: it takes Linux as the root VM on every
 * CPU, answers CPUID without VMX and SVM, and gives the CPUs back. Everything else passes through.
 */
#ifndef EXT_CXX_EXAMPLE_HPP
#define EXT_CXX_EXAMPLE_HPP

#include <abi/hw/x86.h>
#include <ext/cxx/mk2.hpp>

namespace example {

using namespace bareflank;
using mk1::VsId;

inline constexpr mk1::Handle handle = mk1::promised_handle;
inline constexpr mk2::Handle handle2 = mk2::promised_handle;

/* What differs between the vendors, chosen when the extension starts. */
struct Vendor {
	/* Once: what all PPs share. False, after a message, when there is no memory for it. */
	bool (*prepare)();
	/* For each PP: the controls of a VS that has Linux's state already. */
	void (*set_up)(VsId vs);
	mk1::VmexitFn *on_exit;
};

extern const Vendor svm;
extern const Vendor vmx;

/* Prints what happened and the state of the VS, then hands this PP to the microkernel. */
[[noreturn]] void give_up(const char *what, VsId vs, uint64_t detail);

/* How an exit ends: the guest goes on at, or behind, the instruction that exited. */
[[noreturn]] void resume(VsId vs);
[[noreturn]] void resume_next(VsId vs);

/* A register that a correct microkernel always has: a refusal ends with give_up. */
template <typename Reg>
uint64_t get(VsId vs, Reg reg)
{
	const auto result = mk1::vs_read(handle, vs, reg);

	if (!result)
		give_up("register not readable", vs, static_cast<uint64_t>(reg));
	return result.value;
}

template <typename Reg>
void set(VsId vs, Reg reg, uint64_t value)
{
	if (!mk1::ok(mk1::vs_write(handle, vs, reg, value)))
		give_up("register not writable", vs, static_cast<uint64_t>(reg));
}

/* The same for a list of them, in one call of Mk#2. */
template <unsigned int n>
void get_list(VsId vs, mk2::ListEntry (&list)[n])
{
	const auto result = mk2::vs_read_list(handle2, vs, list, n);

	if (!result)
		give_up("list not readable", vs, result.done);
}

template <unsigned int n>
void set_list(VsId vs, const mk2::ListEntry (&list)[n])
{
	const auto result = mk2::vs_write_list(handle2, vs, list, n);

	if (!result)
		give_up("list not writable", vs, result.done);
}

/* EDX:EAX of the guest. */
inline uint64_t edx_eax()
{
	return mk1::tls::rdx() << 32 | static_cast<uint32_t>(mk1::tls::rax());
}

inline void set_edx_eax(uint64_t value)
{
	mk1::tls::set_rax(static_cast<uint32_t>(value));
	mk1::tls::set_rdx(value >> 32);
}

/* --- cpuid.cc --------------------------------------------------------------------------------- */

struct Cpuid {
	uint32_t eax, ebx, ecx, edx;
};

Cpuid cpuid(uint32_t leaf, uint32_t subleaf = 0);
bool cpu_is_amd();

/* Answers a CPUID exit. The functions give the guest's CR4 and CPL, which few leaves ask for. */
[[noreturn]] void answer_cpuid(VsId vs, uint64_t (*cr4)(VsId), uint64_t (*cpl)(VsId));

} // namespace example

#endif
