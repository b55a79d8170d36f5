/* SPDX-License-Identifier: MIT */
/*
 * A VM of the extension's own beside Linux: ext/libext/vm.h. There is one as long as its object
 * exists; a global one is a Late<Vm> (late.hpp).
 *
 *	Vm vm(0x10000);
 *
 *	if (!vm || !vm.load(0, code, size) || !vm.reset(VmMode::real, 0))
 *		return false;
 *	const auto exit = vm.run([&](const VmExit &e) {
 *		if (e.is(VmExit::Kind::in))
 *			vm.input(e, 0xFF);
 *		return e.is(VmExit::Kind::in) || e.is(VmExit::Kind::out);
 *	});
 *
 * Not with the C++ library: while a guest runs, what its boundary has saved of Linux's FPU
 * registers would be out of reach.
 */
#ifndef EXT_CXX_VM_HPP
#define EXT_CXX_VM_HPP

#ifdef __SSE__
#error "vm.hpp is for extensions without the C++ library (-mgeneral-regs-only)"
#endif

#include <bsl/string.h>
#include <ext/cxx/mk2.hpp>
#include <ext/libext/vm.h>

namespace bareflank::ext {

enum class VmMode : unsigned int {
	real = EXT_VM_REAL,
	protected_32 = EXT_VM_PROTECTED,
	long_64 = EXT_VM_LONG,
};

/* Why a guest has stopped. */
class VmExit {
public:
	/* As enum ext_vm_exit_kind has them, and IO by its direction. */
	enum class Kind {
		interrupted,
		in,
		out,
		cpuid,
		rdmsr,
		wrmsr,
		hlt,
		call,
		memory,
		shutdown,
		refused,
		other,
	};

	explicit VmExit(const ext_vm_exit &exit) : exit_(exit) {}

	Kind kind() const
	{
		switch (exit_.kind) {
		case EXT_VM_INTERRUPTED:
			return Kind::interrupted;
		case EXT_VM_IO:
			return exit_.in ? Kind::in : Kind::out;
		case EXT_VM_CPUID:
			return Kind::cpuid;
		case EXT_VM_RDMSR:
			return Kind::rdmsr;
		case EXT_VM_WRMSR:
			return Kind::wrmsr;
		case EXT_VM_HLT:
			return Kind::hlt;
		case EXT_VM_CALL:
			return Kind::call;
		case EXT_VM_MEMORY:
			return Kind::memory;
		case EXT_VM_SHUTDOWN:
			return Kind::shutdown;
		case EXT_VM_REFUSED:
			return Kind::refused;
		case EXT_VM_OTHER:
			break;
		}
		return Kind::other;
	}
	bool is(Kind kind_) const { return kind() == kind_; }

	/* Whether no guest can go on now, whatever is done about it. */
	bool is_end() const
	{
		return is(Kind::interrupted) || is(Kind::shutdown) || is(Kind::refused);
	}

	/* in, out */
	uint16_t port() const { return exit_.port; }
	uint8_t size() const { return exit_.size; }

	/* memory; access is of EXT_READ, EXT_WRITE, EXT_EXECUTE: see has() of watch.hpp */
	mk2::Gpa gpa() const { return mk2::Gpa{exit_.gpa}; }
	unsigned int access() const { return exit_.access; }

	/* EXITCODE or the exit reason; if the microkernel has refused, its status. */
	uint64_t reason() const { return exit_.reason; }

private:
	friend class Vm;
	ext_vm_exit exit_;
};

class [[nodiscard]] Vm {
public:
	constexpr Vm() = default;

	/* ext_vm_create: not in ext_start. If that fails, after a message, the object is false. */
	explicit Vm(uint64_t bytes)
	{
		if (!ext_vm_create(&vm_, bytes))
			vm_ = ext_vm{};
	}
	~Vm() { (void)destroy(); } /* it has said why not */
	Vm(Vm &&other) noexcept : vm_(other.vm_) { other.vm_ = ext_vm{}; }
	Vm &operator=(Vm &&other) noexcept
	{
		if (this != &other) {
			(void)destroy();
			vm_ = other.vm_;
			other.vm_ = ext_vm{};
		}
		return *this;
	}
	Vm(const Vm &) = delete;
	Vm &operator=(const Vm &) = delete;

	/* Whether there is a VM: all that follows needs one. */
	explicit operator bool() const { return vm_.size != 0; }

	/* Guest-physical 0 and so on; the guest changes it only while it runs. */
	uint8_t *memory() { return vm_.memory; }
	const uint8_t *memory() const { return vm_.memory; }
	uint64_t size() const { return vm_.size; }

	/* Copies to guest-physical memory. false: it would be beyond its end. */
	[[nodiscard]] bool load(uint64_t gpa, const void *data, uint64_t bytes)
	{
		if (gpa > vm_.size || bytes > vm_.size - gpa)
			return false;
		bsl_memcpy(vm_.memory + gpa, data, bytes);
		return true;
	}

	/* Between runs. */
	ext_vm_regs &regs() { return vm_.regs; }
	const ext_vm_regs &regs() const { return vm_.regs; }

	/* Puts the CPU into a mode, at this address. false, after a message: see ext_vm_reset. */
	[[nodiscard]] bool reset(VmMode mode, uint64_t rip)
	{
		return ext_vm_reset(&vm_, static_cast<enum ext_vm_mode>(mode), rip);
	}

	/* Runs the guest up to its next exit, an interrupt for Linux at the latest. */
	VmExit run()
	{
		ext_vm_exit exit;

		ext_vm_run(&vm_, &exit);
		return VmExit(exit);
	}

	/*
	 * Runs it on after each exit that goes_on(exit) has dealt with; returns the first of which
	 * that says false, or that is an end.
	 */
	template <typename F>
	VmExit run(F &&goes_on)
	{
		for (;;) {
			const VmExit exit = run();

			if (exit.is_end() || !goes_on(exit))
				return exit;
		}
	}

	/* What IN has read: the low bytes of value. */
	void input(const VmExit &exit, uint32_t value) { ext_vm_input(&vm_, &exit.exit_, value); }

	/* There is no VM any more. false, after a message: its memory is leaked. */
	[[nodiscard]] bool destroy() { return !*this || ext_vm_destroy(&vm_); }

private:
	ext_vm vm_{};
};

} // namespace bareflank::ext

#endif
