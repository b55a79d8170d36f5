/* SPDX-License-Identifier: MIT */
/*
 * Where C meets C++ that uses the C++ library: hooks of the frame, and callbacks.
 *
 *	static bool on_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, cpuid_regs *regs);
 *
 *	static const ext_ops ops = { .cpuid = bareflank::ext::hook<on_cpuid> };
 *
 * hook<function> is a function of the same type for C to call. It saves the guest's registers of
 * SSE and x87, which the code of C++ uses, calls the function, and loads them again. An exception
 * that the function does not catch ends with a report: its type and a backtrace, see bfm status.
 * It never gets into the caller.
 *
 * So the guest's registers are not in the CPU within the function: what runs a VS or makes another
 * one active, vs_promote and ext_reply are for the caller, with the verdict that it returned, as is
 * what of vs_xsave_read and vs_xsave_write is about the active VS.
 */
#ifndef EXT_CXX_HOOK_HPP
#define EXT_CXX_HOOK_HPP

#include <ext/cxx/runtime/runtime.h>

/*
 * For functions that C or the microkernel calls directly, outside of hook: a compiler may use SSE
 * wherever it is told nothing else.
 */
#define EXT_GENERAL_REGS_ONLY __attribute__((target("general-regs-only")))

namespace bareflank::ext {

namespace detail {

/* What travels in a general register, as a whole. */
template <typename T>
inline constexpr bool is_word = sizeof(T) <= 8 && !__is_class(T) && !__is_union(T);
template <>
inline constexpr bool is_word<float> = false;
template <>
inline constexpr bool is_word<double> = false;

template <auto Function, auto &...Object>
struct Hook;

template <typename R, typename... A, R (*Function)(A...)>
struct Hook<Function> {
	static_assert(sizeof...(A) <= 5, "a hook has up to five arguments");
	static_assert((is_word<A> && ...), "arguments are numbers and pointers");

	EXT_GENERAL_REGS_ONLY static R call(A... a)
	{
		const uint64_t words[5] = {(uint64_t)a...};
		const uint64_t result = ext_cxx_enter((uint64_t)Function, words[0], words[1],
						      words[2], words[3], words[4]);

		if constexpr (__is_same(R, bool))
			return (result & 0xFF) != 0;
		else
			return (R)result;
	}
};

template <typename C, typename R, typename... A, R (C::*Method)(A...), C &Object>
struct Hook<Method, Object> {
	static R on_object(A... a) { return (Object.*Method)(a...); }

	EXT_GENERAL_REGS_ONLY static R call(A... a) { return Hook<&on_object>::call(a...); }
};

} // namespace detail

/*
 * hook<function>, or hook<&Class::method, object> with an object that is global or static. Up to
 * five arguments, numbers and pointers.
 */
template <auto Function, auto &...Object>
inline constexpr auto hook = &detail::Hook<Function, Object...>::call;

} // namespace bareflank::ext

#endif
