/* SPDX-License-Identifier: MIT */
/*
 * The values of Mk#1 as types of their own, so that the compiler tells a VM from a VS and an id
 * from an address. All of them are trivially copyable: they cost nothing and travel in registers.
 */
#ifndef EXT_CXX_TYPES_HPP
#define EXT_CXX_TYPES_HPP

#include <abi/mk1.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <abi/mk2.h>

namespace bareflank::mk1 {

/* A 16-bit id of one kind of object; default-constructed it is the invalid one. */
template <typename Kind>
class Id {
public:
	constexpr Id() = default;
	constexpr explicit Id(uint16_t value) : value_(value) {}
	constexpr uint16_t value() const { return value_; }
	constexpr bool valid() const { return value_ != MK1_INVALID_ID; }
	friend constexpr bool operator==(Id a, Id b) { return a.value_ == b.value_; }
	friend constexpr bool operator!=(Id a, Id b) { return a.value_ != b.value_; }

private:
	uint16_t value_ = MK1_INVALID_ID;
};

using ExtId = Id<struct ExtKind>;
using PpId = Id<struct PpKind>;
using VmId = Id<struct VmKind>;
using VpId = Id<struct VpKind>;
using VsId = Id<struct VsKind>;

inline constexpr VmId root_vm{MK1_ROOT_VMID};
inline constexpr PpId bootstrap_pp{MK1_BOOTSTRAP_PPID};

/* What handle_open_handle gives out. */
class Handle {
public:
	constexpr Handle() = default;
	constexpr explicit Handle(uint64_t value) : value_(value) {}
	constexpr uint64_t value() const { return value_; }
	constexpr bool valid() const { return value_ != MK1_INVALID_HANDLE; }

private:
	uint64_t value_ = MK1_INVALID_HANDLE;
};

/*
 * The handle that Mk#1 promises to hand out; an extension may rely on it before it has opened it.
 */
inline constexpr Handle promised_handle{MK1_HANDLE};

enum class SpecId : uint32_t { mk1 = MK1_SPEC_ID };

/* The mask of specifications that ext_start receives. */
class Specs {
public:
	constexpr explicit Specs(uint64_t mask) : mask_(mask) {}
	constexpr bool has_mk1() const { return (mask_ & MK1_SPEC_MASK) != 0; }
	constexpr bool has_mk2() const { return (mask_ & MK2_SPEC_MASK) != 0; }

private:
	uint64_t mask_;
};

/* A system physical and a guest linear address, and the number of an MSR. */
enum class Spa : uint64_t {};
enum class Gla : uint64_t {};
enum class Msr : uint32_t {};

/* RAX after a call. input(n) and output(n) name the register that was refused: n = 0 is REG0. */
enum class [[nodiscard]] Status : uint64_t {
	success = MK1_SUCCESS,
	unknown = MK1_FAILURE_UNKNOWN,
	invalid_handle = MK1_FAILURE_INVALID_HANDLE,
	unsupported = MK1_FAILURE_UNSUPPORTED,
	perm_denied = MK1_INVALID_PERM_DENIED,
};

constexpr Status invalid_input(unsigned int n)
{
	return Status{MK1_INVALID_INPUT_REG(n)};
}

constexpr Status invalid_output(unsigned int n)
{
	return Status{MK1_INVALID_OUTPUT_REG(n)};
}

constexpr bool ok(Status status)
{
	return status == Status::success;
}

/* The outcome of a call with outputs: value is meaningful only if the call succeeded. */
template <typename T>
struct [[nodiscard]] Result {
	Status status;
	T value;

	constexpr explicit operator bool() const { return ok(status); }
};

/* A page, or an allocation of the huge pool: where the extension sees it and where it lies. */
struct Memory {
	void *va;
	Spa spa;
};

/* The first argument of the fail callback. */
class Fault {
public:
	constexpr explicit Fault(uint64_t value) : value_(value) {}
	constexpr uint32_t vector() const { return static_cast<uint32_t>(value_); }
	constexpr uint32_t error_code() const { return static_cast<uint32_t>(value_ >> 32); }

private:
	uint64_t value_;
};

/* The callbacks. None of them may return: see the calls that come back only when they fail. */
using BootstrapFn = void(PpId pp);
using VmexitFn = void(VsId vs, uint64_t reason);
using FailFn = void(Fault fault, uint64_t address);

#define BAREFLANK_REG(number, name, where, bytes, access) name = (number),

/* The registers of a VS, by the names of abi/mk1_regs_amd.h and abi/mk1_regs_intel.h. */
namespace amd {
enum class Reg : uint64_t { MK1_AMD_REGS(BAREFLANK_REG) };
} // namespace amd

namespace intel {
enum class Reg : uint64_t { MK1_INTEL_REGS(BAREFLANK_REG) };
} // namespace intel

#undef BAREFLANK_REG

} // namespace bareflank::mk1

#endif
