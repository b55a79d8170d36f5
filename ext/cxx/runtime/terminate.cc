// SPDX-License-Identifier: MIT
/*
 * How C++ ends here: what nobody catches becomes the report of a failure (bfm status), with the
 * exception's type, what() says, and the functions from the throw outwards.
 *
 * And the locks of static objects in functions, which libsupc++ leaves to the kernel elsewhere.
 */
#include <cxxabi.h>
#include <exception>
#include <typeinfo>

#include <ext/cxx/runtime/runtime.h>
#include <ext/libext/libext.h>

/* As the extension calls itself: ext/libext/frame.h. One without the frame may have no name. */
extern "C" const char ext_name[] __attribute__((weak));

namespace {

/* What the demangler has on the stack grows with the name: MK1_EXT_STACK_SIZE is all there is. */
constexpr unsigned long longest_name = 128;

[[noreturn]] void end_with(const char *what, const char *type, const char *message)
{
	ext_print("%s%s%s%s%s%s\n", ext_name ? ext_name : "", ext_name ? ": " : "", what, type,
		  message ? ": " : "", message ? message : "");
	ext_exit();
}

/* Its bytes are not given back: nothing comes after it. */
const char *readable(const std::type_info &type)
{
	int status;
	const char *name = nullptr;

	if (__builtin_strlen(type.name()) <= longest_name)
		name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
	return name ? name : type.name();
}

void terminate_handler()
{
	const std::type_info *type = abi::__cxa_current_exception_type();

	if (!type)
		end_with("std::terminate was called", "", nullptr);
	try {
		throw;
	} catch (const std::exception &e) {
		end_with("uncaught ", readable(*type), e.what());
	} catch (...) {
		end_with("uncaught ", readable(*type), nullptr);
	}
}

} // namespace

/* In place of libsupc++'s, which prints to a standard error. */
namespace __cxxabiv1 {

std::terminate_handler __terminate_handler = terminate_handler;

} // namespace __cxxabiv1

extern "C" void ext_cxx_abort(const char *why)
{
	end_with(why, "", nullptr);
}

/*
 * The guard of a static object (C++ ABI for Itanium §3.3.2): byte 0 says that it is there, byte 1
 * that a PP is making it.
 */
extern "C" int __cxa_guard_acquire(abi::__guard *guard)
{
	uint8_t *const bytes = reinterpret_cast<uint8_t *>(guard);

	while (!__atomic_load_n(&bytes[0], __ATOMIC_ACQUIRE)) {
		if (!__atomic_exchange_n(&bytes[1], 1, __ATOMIC_ACQUIRE)) {
			if (!__atomic_load_n(&bytes[0], __ATOMIC_ACQUIRE))
				return 1;
			__atomic_store_n(&bytes[1], 0, __ATOMIC_RELEASE);
			return 0;
		}
		__builtin_ia32_pause();
	}
	return 0;
}

extern "C" void __cxa_guard_release(abi::__guard *guard)
{
	uint8_t *const bytes = reinterpret_cast<uint8_t *>(guard);

	__atomic_store_n(&bytes[0], 1, __ATOMIC_RELEASE);
	__atomic_store_n(&bytes[1], 0, __ATOMIC_RELEASE);
}

/* Its constructor has thrown: the next one tries again. */
extern "C" void __cxa_guard_abort(abi::__guard *guard)
{
	__atomic_store_n(&reinterpret_cast<uint8_t *>(guard)[1], 0, __ATOMIC_RELEASE);
}
