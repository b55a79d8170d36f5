/* SPDX-License-Identifier: MIT */
/*
 * Mk#2 for extensions in C++17: every call of abi/mk2.h under its own name, with the types of
 * Mk#1. Flags of guest-physical memory are MK2_NESTED_... of abi/mk2.h.
 *
 * docs/abi/mk2.md says what each call does and when it fails.
 */
#ifndef EXT_CXX_MK2_HPP
#define EXT_CXX_MK2_HPP

#include <ext/cxx/mk1.hpp>
#include <ext/libext/mk2_sys.h>

namespace bareflank::mk2 {

using mk1::ExtId;
using mk1::PpId;
using mk1::Result;
using mk1::Spa;
using mk1::Status;
using mk1::VmexitFn;
using mk1::VmId;
using mk1::VsId;
using mk1::ok;

/* The handle of Mk#2, which the calls of Mk#1 do not take. */
class Handle {
public:
	constexpr Handle() = default;
	constexpr explicit Handle(uint64_t value) : value_(value) {}
	constexpr uint64_t value() const { return value_; }
	constexpr bool valid() const { return value_ != MK1_INVALID_HANDLE; }

private:
	uint64_t value_ = MK1_INVALID_HANDLE;
};

/* The handle that Mk#2 promises to hand out. */
inline constexpr Handle promised_handle{MK2_HANDLE};

/* What calls of Mk#2 return beyond the values of mk1::Status. */
inline constexpr Status no_memory{MK2_FAILURE_NO_MEMORY};
inline constexpr Status exists{MK2_FAILURE_EXISTS};
inline constexpr Status list_refused{MK2_FAILURE_LIST};
inline constexpr Status busy{MK2_FAILURE_BUSY};
inline constexpr Status ended{MK2_FAILURE_ENDED};

/* A guest-physical address, and what is to be flushed. */
enum class Gpa : uint64_t {};
enum class Generation : uint64_t {};

/* The page that a guest-physical address is in. */
struct NestedPage {
	Spa spa;
	uint64_t flags;
};

/* size in bytes */
struct RamRange {
	Spa begin;
	uint64_t size;
};

/* What one extension says to another, and is answered. */
struct Words {
	uint64_t word[4];
};

/* What other extensions call: its caller, and what that says. */
using EntryFn = void(uint64_t ext, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* An entry of a list of registers. */
struct ListEntry : mk2_list_entry {
	constexpr ListEntry() : mk2_list_entry{0, 0} {}
	constexpr ListEntry(mk1::amd::Reg r, uint64_t v = 0)
		: mk2_list_entry{static_cast<uint64_t>(r), v}
	{
	}
	constexpr ListEntry(mk1::intel::Reg r, uint64_t v = 0)
		: mk2_list_entry{static_cast<uint64_t>(r), v}
	{
	}
};

static_assert(sizeof(ListEntry) == sizeof(mk2_list_entry), "a list of the ABI's");

/* The outcome of a list: with list_refused, done is the index of the entry that was refused. */
struct [[nodiscard]] ListResult {
	Status status;
	uint64_t done;

	constexpr explicit operator bool() const { return ok(status); }
};

namespace detail {

inline Result<Generation> generation(uint64_t status, uint64_t value)
{
	return {Status{status}, ok(Status{status}) ? Generation{value} : Generation{0}};
}

} // namespace detail

/* --- handle: calls of Mk#1 -------------------------------------------------------------------- */

inline Result<Handle> handle_open_handle()
{
	uint64_t value;
	const Status status{mk1_handle_open_handle(MK2_SPEC_ID, &value)};

	return {status, ok(status) ? Handle{value} : Handle{}};
}

inline Status handle_close_handle(Handle h) { return Status{mk1_handle_close_handle(h.value())}; }

/* --- ext -------------------------------------------------------------------------------------- */

inline Status ext_set_entry(Handle h, EntryFn *fn)
{
	return Status{mk2_ext_set_entry(h.value(), reinterpret_cast<uint64_t>(fn))};
}

inline Result<Words> ext_call(Handle h, ExtId ext, const Words &words)
{
	const uint64_t *w = words.word;
	Words r{};
	const Status status{mk2_ext_call(h.value(), ext.value(), w[0], w[1], w[2], w[3],
					 &r.word[0], &r.word[1], &r.word[2], &r.word[3])};

	return {status, ok(status) ? r : Words{}};
}

/* Comes back only if it fails. */
inline Status ext_reply(Handle h, const Words &words)
{
	const uint64_t *w = words.word;

	return Status{mk2_ext_reply(h.value(), w[0], w[1], w[2], w[3])};
}

/* Of bytes of arguments: how many were copied, and how many there are. */
struct ArgSizes {
	uint64_t copied;
	uint64_t total;
};

/* size in bytes, up to MK2_ARGS_MAX; abi/args.h says what is there then. */
inline Result<ArgSizes> ext_args(Handle h, char *args, uint64_t size)
{
	uint64_t copied, total;
	const Status status{
		mk2_ext_args(h.value(), mk1::detail::address(args), size, &copied, &total)};

	return {status, ok(status) ? ArgSizes{copied, total} : ArgSizes{0, 0}};
}

/*
 * Adds a record of 1 to MK2_EMIT_MAX bytes to this extension's channel: its number. flags: 0 or
 * MK2_EMIT_LOSSLESS.
 */
inline Result<uint64_t> ext_emit(Handle h, const void *data, uint64_t size, uint64_t flags = 0)
{
	uint64_t number;
	const Status status{
		mk2_ext_emit(h.value(), mk1::detail::address(data), size, flags, &number)};

	return {status, ok(status) ? number : 0};
}

/* --- callback --------------------------------------------------------------------------------- */

/* The exits of a VM are this extension's. */
inline Status vm_set_handler(Handle h, VmId vm, VmexitFn *fn)
{
	return Status{
		mk2_vm_set_handler(h.value(), vm.value(), reinterpret_cast<uint64_t>(fn))};
}

/* So are hypercalls of Linux's kernel, with RAX from first to last. */
inline Status hypercall_route(Handle h, uint64_t first, uint64_t last, VmexitFn *fn)
{
	return Status{
		mk2_hypercall_route(h.value(), first, last, reinterpret_cast<uint64_t>(fn))};
}

/* --- VM --------------------------------------------------------------------------------------- */

/* size in bytes */
inline Status vm_nested_map(Handle h, VmId vm, Gpa gpa, Spa spa, uint64_t size, uint64_t flags)
{
	return Status{mk2_vm_nested_map(h.value(), vm.value(), static_cast<uint64_t>(gpa),
					static_cast<uint64_t>(spa), size, flags)};
}

inline Result<Generation> vm_nested_unmap(Handle h, VmId vm, Gpa gpa, uint64_t size)
{
	uint64_t value;
	const uint64_t status = mk2_vm_nested_unmap(h.value(), vm.value(),
						    static_cast<uint64_t>(gpa), size, &value);

	return detail::generation(status, value);
}

inline Result<Generation> vm_nested_protect(Handle h, VmId vm, Gpa gpa, uint64_t size,
					    uint64_t flags)
{
	uint64_t value;
	const uint64_t status = mk2_vm_nested_protect(
		h.value(), vm.value(), static_cast<uint64_t>(gpa), size, flags, &value);

	return detail::generation(status, value);
}

inline Result<NestedPage> vm_nested_query(Handle h, VmId vm, Gpa gpa)
{
	uint64_t spa, flags;
	const Status status{mk2_vm_nested_query(h.value(), vm.value(), static_cast<uint64_t>(gpa),
						&spa, &flags)};

	return {status, ok(status) ? NestedPage{Spa{spa}, flags} : NestedPage{Spa{0}, 0}};
}

/* bitmap has a bit for each 4 KiB of the range, in whole words of 64 bits. */
inline Result<Generation> vm_nested_dirty(Handle h, VmId vm, Gpa gpa, uint64_t size,
					  uint64_t *bitmap)
{
	uint64_t value;
	const uint64_t status =
		mk2_vm_nested_dirty(h.value(), vm.value(), static_cast<uint64_t>(gpa), size,
				    mk1::detail::address(bitmap), &value);

	return detail::generation(status, value);
}

/* The generation up to which it is certain now. */
inline Result<Generation> vm_nested_flush(Handle h, VmId vm, Generation generation)
{
	uint64_t value;
	const uint64_t status = mk2_vm_nested_flush(h.value(), vm.value(),
						    static_cast<uint64_t>(generation), &value);

	return detail::generation(status, value);
}

/* size in bytes */
inline Status vm_own(Handle h, VmId vm, Spa spa, uint64_t size)
{
	return Status{mk2_vm_own(h.value(), vm.value(), static_cast<uint64_t>(spa), size)};
}

inline Status vm_disown(Handle h, VmId vm, Spa spa, uint64_t size)
{
	return Status{mk2_vm_disown(h.value(), vm.value(), static_cast<uint64_t>(spa), size)};
}

/* --- views of Linux's memory ----------------------------------------------------------------- */

inline Result<Generation> vm_view_set(Handle h, uint64_t view, Gpa gpa, uint64_t size,
				      uint64_t flags)
{
	uint64_t value;
	const uint64_t status = mk2_vm_view_set(h.value(), view, static_cast<uint64_t>(gpa), size,
						flags, &value);

	return detail::generation(status, value);
}

/* page has 4 KiB. */
inline Result<Generation> vm_view_show(Handle h, uint64_t view, Gpa gpa, uint64_t flags,
				       const void *page)
{
	uint64_t value;
	const uint64_t status = mk2_vm_view_show(h.value(), view, static_cast<uint64_t>(gpa), flags,
						 mk1::detail::address(page), &value);

	return detail::generation(status, value);
}

inline Result<Generation> vm_view_clear(Handle h, uint64_t view, Gpa gpa, uint64_t size)
{
	uint64_t value;
	const uint64_t status =
		mk2_vm_view_clear(h.value(), view, static_cast<uint64_t>(gpa), size, &value);

	return detail::generation(status, value);
}

inline Result<Generation> vm_view_rest(Handle h, uint64_t view, uint64_t flags)
{
	uint64_t value;
	const uint64_t status = mk2_vm_view_rest(h.value(), view, flags, &value);

	return detail::generation(status, value);
}

/* Whether every PP has seen this generation. */
inline Result<bool> vm_view_seen(Handle h, Generation generation)
{
	uint64_t seen;
	const Status status{
		mk2_vm_view_seen(h.value(), static_cast<uint64_t>(generation), &seen)};

	return {status, ok(status) && seen};
}

/* --- VS --------------------------------------------------------------------------------------- */

/* A VS that holds Linux; 0: Linux's memory as it is. */
inline Status vs_view(Handle h, VsId vs, uint64_t view)
{
	return Status{mk2_vs_view(h.value(), vs.value(), view)};
}

inline Status vs_nested_attach(Handle h, VsId vs)
{
	return Status{mk2_vs_nested_attach(h.value(), vs.value())};
}

inline ListResult vs_read_list(Handle h, VsId vs, ListEntry *list, uint64_t count)
{
	uint64_t done;
	const Status status{mk2_vs_read_list(h.value(), vs.value(), mk1::detail::address(list),
					     count, &done)};

	return {status, ok(status) || status == list_refused ? done : 0};
}

inline ListResult vs_write_list(Handle h, VsId vs, const ListEntry *list, uint64_t count)
{
	uint64_t done;
	const Status status{mk2_vs_write_list(h.value(), vs.value(), mk1::detail::address(list),
					      count, &done)};

	return {status, ok(status) || status == list_refused ? done : 0};
}

/* The state of a VS has these components, as in XCR0, and its area so many bytes. */
struct XsaveArea {
	uint64_t features;
	uint64_t size;
};

inline Result<XsaveArea> vs_xsave_attach(Handle h, VsId vs)
{
	uint64_t features, size;
	const Status status{mk2_vs_xsave_attach(h.value(), vs.value(), &features, &size)};

	return {status, ok(status) ? XsaveArea{features, size} : XsaveArea{0, 0}};
}

/* size in bytes: MK2_XSAVE_LEGACY, or all of it */
inline Status vs_xsave_read(Handle h, VsId vs, void *area, uint64_t size)
{
	return Status{
		mk2_vs_xsave_read(h.value(), vs.value(), mk1::detail::address(area), size)};
}

inline Status vs_xsave_write(Handle h, VsId vs, const void *area, uint64_t size)
{
	return Status{
		mk2_vs_xsave_write(h.value(), vs.value(), mk1::detail::address(area), size)};
}

/* --- mem -------------------------------------------------------------------------------------- */

/* size in bytes */
inline Status mem_donate(Handle h, Spa spa, uint64_t size)
{
	return Status{mk2_mem_donate(h.value(), static_cast<uint64_t>(spa), size)};
}

/* How many bytes Linux has again. */
inline Result<uint64_t> mem_return(Handle h, Spa spa)
{
	uint64_t size;
	const uint64_t status = mk2_mem_return(h.value(), static_cast<uint64_t>(spa), &size);

	return mk1::detail::number(status, size);
}

/* The first range of RAM that ends behind spa. */
inline Result<RamRange> mem_ram(Handle h, Spa spa)
{
	uint64_t begin, size;
	const Status status{mk2_mem_ram(h.value(), static_cast<uint64_t>(spa), &begin, &size)};

	return {status, ok(status) ? RamRange{Spa{begin}, size} : RamRange{Spa{0}, 0}};
}

/* --- PP --------------------------------------------------------------------------------------- */

inline Status pp_kick(Handle h, PpId pp) { return Status{mk2_pp_kick(h.value(), pp.value())}; }

inline Status pp_recall_attach(Handle h) { return Status{mk2_pp_recall_attach(h.value())}; }

inline Status pp_recall(Handle h, PpId pp)
{
	return Status{mk2_pp_recall(h.value(), pp.value())};
}

/* A call in the list of abi/mk2.h that has no function above does not compile. */
namespace complete {
#define BAREFLANK_COMPLETE(op, idx, name, in, out, args, results, errors) using mk2::name;
MK2_SYSCALLS(BAREFLANK_COMPLETE)
#undef BAREFLANK_COMPLETE
} // namespace complete

} // namespace bareflank::mk2

#endif
