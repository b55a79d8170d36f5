/* SPDX-License-Identifier: MIT */
/*
 * Mk#1 for extensions in C++17: every call of abi/mk1.h under its own name, with types that keep
 * ids and addresses apart. Needs neither exceptions nor RTTI, nor any header of the C++ library.
 *
 * Calls with outputs return a Result, all others a Status. The control, run and promote calls come
 * back only when they fail, with the reason. docs/abi says what each call does and when it fails.
 */
#ifndef EXT_CXX_MK1_HPP
#define EXT_CXX_MK1_HPP

#include <ext/cxx/tls.hpp>
#include <ext/cxx/types.hpp>
#include <ext/libext/libext.h>

namespace bareflank::mk1 {

namespace detail {

template <typename Kind>
Result<Id<Kind>> id(uint64_t status, uint64_t value)
{
	const Status s{status};

	return {s, ok(s) ? Id<Kind>{static_cast<uint16_t>(value)} : Id<Kind>{}};
}

inline Result<uint64_t> number(uint64_t status, uint64_t value)
{
	return {Status{status}, ok(Status{status}) ? value : 0};
}

inline void *pointer(uint64_t va)
{
	return reinterpret_cast<void *>(va);
}

inline Result<Memory> memory(uint64_t status, uint64_t va, uint64_t spa)
{
	if (!ok(Status{status}))
		return {Status{status}, {nullptr, Spa{0}}};
	return {Status{status}, {pointer(va), Spa{spa}}};
}

inline uint64_t address(const void *va)
{
	return reinterpret_cast<uint64_t>(va);
}

} // namespace detail

/* --- control ---------------------------------------------------------------------------------- */

inline Status control_exit() { return Status{mk1_control_exit()}; }
inline Status control_wait() { return Status{mk1_control_wait()}; }
inline Status control_again() { return Status{mk1_control_again()}; }

/* control_exit, for a place from which nothing can come back. */
[[noreturn]] inline void fast_fail() { ext_exit(); }

/* --- beyond Mk#1 ------------------------------------------------------------------------------ */

/* This callback may take longer than the watchdog's limit. */
inline Status more_time(uint64_t ns) { return Status{ext_more_time(ns)}; }

/* --- handle ----------------------------------------------------------------------------------- */

inline Result<Handle> handle_open_handle(SpecId spec)
{
	uint64_t value;
	Status status{mk1_handle_open_handle(static_cast<uint32_t>(spec), &value)};

	return {status, ok(status) ? Handle{value} : Handle{}};
}

inline Status handle_close_handle(Handle h) { return Status{mk1_handle_close_handle(h.value())}; }

/* --- debug ------------------------------------------------------------------------------------ */

inline Status debug_out(uint64_t val1, uint64_t val2) { return Status{mk1_debug_out(val1, val2)}; }
inline Status debug_dump_vm(VmId vm) { return Status{mk1_debug_dump_vm(vm.value())}; }
inline Status debug_dump_vp(VpId vp) { return Status{mk1_debug_dump_vp(vp.value())}; }
inline Status debug_dump_vs(VsId vs) { return Status{mk1_debug_dump_vs(vs.value())}; }

inline Status debug_dump_vmexit_log(PpId pp)
{
	return Status{mk1_debug_dump_vmexit_log(pp.value())};
}

inline Status debug_write_c(char c) { return Status{mk1_debug_write_c(static_cast<uint8_t>(c))}; }

/* length in bytes; the text also ends at a NUL. ext_print (libext.h) formats. */
inline Status debug_write_str(const char *text, size_t length)
{
	return Status{mk1_debug_write_str(detail::address(text), length)};
}

inline Status debug_dump_ext(ExtId ext) { return Status{mk1_debug_dump_ext(ext.value())}; }
inline Status debug_dump_page_pool() { return Status{mk1_debug_dump_page_pool()}; }
inline Status debug_dump_huge_pool() { return Status{mk1_debug_dump_huge_pool()}; }

/* --- callback --------------------------------------------------------------------------------- */

inline Status callback_register_bootstrap(Handle h, BootstrapFn *fn)
{
	return Status{mk1_callback_register_bootstrap(h.value(), reinterpret_cast<uint64_t>(fn))};
}

inline Status callback_register_vmexit(Handle h, VmexitFn *fn)
{
	return Status{mk1_callback_register_vmexit(h.value(), reinterpret_cast<uint64_t>(fn))};
}

inline Status callback_register_fail(Handle h, FailFn *fn)
{
	return Status{mk1_callback_register_fail(h.value(), reinterpret_cast<uint64_t>(fn))};
}

/* --- VM --------------------------------------------------------------------------------------- */

inline Result<VmId> vm_create_vm(Handle h)
{
	uint64_t value;
	uint64_t status = mk1_vm_create_vm(h.value(), &value);

	return detail::id<VmKind>(status, value);
}

inline Status vm_destroy_vm(Handle h, VmId vm)
{
	return Status{mk1_vm_destroy_vm(h.value(), vm.value())};
}

inline Result<void *> vm_map_direct(Handle h, VmId vm, Spa spa)
{
	uint64_t va;
	Status status{mk1_vm_map_direct(h.value(), vm.value(), static_cast<uint64_t>(spa), &va)};

	return {status, ok(status) ? detail::pointer(va) : nullptr};
}

inline Status vm_unmap_direct(Handle h, VmId vm, const void *va)
{
	return Status{mk1_vm_unmap_direct(h.value(), vm.value(), detail::address(va))};
}

inline Status vm_unmap_direct_broadcast(Handle h, VmId vm, const void *va)
{
	return Status{mk1_vm_unmap_direct_broadcast(h.value(), vm.value(), detail::address(va))};
}

inline Status vm_tlb_flush(Handle h, VmId vm)
{
	return Status{mk1_vm_tlb_flush(h.value(), vm.value())};
}

/* --- VP --------------------------------------------------------------------------------------- */

inline Result<VpId> vp_create_vp(Handle h, VmId vm)
{
	uint64_t value;
	uint64_t status = mk1_vp_create_vp(h.value(), vm.value(), &value);

	return detail::id<VpKind>(status, value);
}

inline Status vp_destroy_vp(Handle h, VpId vp)
{
	return Status{mk1_vp_destroy_vp(h.value(), vp.value())};
}

/* --- VS --------------------------------------------------------------------------------------- */

inline Result<VsId> vs_create_vs(Handle h, VpId vp, PpId pp)
{
	uint64_t value;
	uint64_t status = mk1_vs_create_vs(h.value(), vp.value(), pp.value(), &value);

	return detail::id<VsKind>(status, value);
}

inline Status vs_destroy_vs(Handle h, VsId vs)
{
	return Status{mk1_vs_destroy_vs(h.value(), vs.value())};
}

inline Status vs_init_as_root(Handle h, VsId vs)
{
	return Status{mk1_vs_init_as_root(h.value(), vs.value())};
}

/* reg is an amd::Reg or an intel::Reg: the numbers mean different registers on the two vendors. */
inline Result<uint64_t> vs_read(Handle h, VsId vs, amd::Reg reg)
{
	uint64_t value;
	uint64_t status = mk1_vs_read(h.value(), vs.value(), static_cast<uint64_t>(reg), &value);

	return detail::number(status, value);
}

inline Result<uint64_t> vs_read(Handle h, VsId vs, intel::Reg reg)
{
	return vs_read(h, vs, static_cast<amd::Reg>(reg));
}

inline Status vs_write(Handle h, VsId vs, amd::Reg reg, uint64_t value)
{
	return Status{mk1_vs_write(h.value(), vs.value(), static_cast<uint64_t>(reg), value)};
}

inline Status vs_write(Handle h, VsId vs, intel::Reg reg, uint64_t value)
{
	return vs_write(h, vs, static_cast<amd::Reg>(reg), value);
}

inline Status vs_run(Handle h, VmId vm, VpId vp, VsId vs)
{
	return Status{mk1_vs_run(h.value(), vm.value(), vp.value(), vs.value())};
}

inline Status vs_run_current(Handle h) { return Status{mk1_vs_run_current(h.value())}; }

inline Status vs_advance_ip_and_run(Handle h, VmId vm, VpId vp, VsId vs)
{
	return Status{mk1_vs_advance_ip_and_run(h.value(), vm.value(), vp.value(), vs.value())};
}

inline Status vs_advance_ip_and_run_current(Handle h)
{
	return Status{mk1_vs_advance_ip_and_run_current(h.value())};
}

inline Status vs_promote(Handle h, VsId vs)
{
	return Status{mk1_vs_promote(h.value(), vs.value())};
}

inline Status vs_clear(Handle h, VsId vs) { return Status{mk1_vs_clear(h.value(), vs.value())}; }

inline Status vs_migrate(Handle h, VsId vs, PpId pp)
{
	return Status{mk1_vs_migrate(h.value(), vs.value(), pp.value())};
}

inline Status vs_set_active(Handle h, VmId vm, VpId vp, VsId vs)
{
	return Status{mk1_vs_set_active(h.value(), vm.value(), vp.value(), vs.value())};
}

inline Status vs_advance_ip_and_set_active(Handle h, VmId vm, VpId vp, VsId vs)
{
	return Status{
		mk1_vs_advance_ip_and_set_active(h.value(), vm.value(), vp.value(), vs.value())};
}

inline Status vs_tlb_flush(Handle h, VsId vs, Gla gla)
{
	return Status{mk1_vs_tlb_flush(h.value(), vs.value(), static_cast<uint64_t>(gla))};
}

/* --- intrinsic -------------------------------------------------------------------------------- */

inline Result<uint64_t> intrinsic_rdmsr(Handle h, Msr msr)
{
	uint64_t value;
	uint64_t status = mk1_intrinsic_rdmsr(h.value(), static_cast<uint32_t>(msr), &value);

	return detail::number(status, value);
}

inline Status intrinsic_wrmsr(Handle h, Msr msr, uint64_t value)
{
	return Status{mk1_intrinsic_wrmsr(h.value(), static_cast<uint32_t>(msr), value)};
}

/* --- mem -------------------------------------------------------------------------------------- */

/* One zeroed page of 4 KiB. */
inline Result<Memory> mem_alloc_page(Handle h)
{
	uint64_t va, spa;
	uint64_t status = mk1_mem_alloc_page(h.value(), &va, &spa);

	return detail::memory(status, va, spa);
}

inline Status mem_free_page(Handle h, void *va)
{
	return Status{mk1_mem_free_page(h.value(), detail::address(va))};
}

/* Physically contiguous, rounded up to whole pages. */
inline Result<Memory> mem_alloc_huge(Handle h, size_t bytes)
{
	uint64_t va, spa;
	uint64_t status = mk1_mem_alloc_huge(h.value(), bytes, &va, &spa);

	return detail::memory(status, va, spa);
}

inline Status mem_free_huge(Handle h, void *va)
{
	return Status{mk1_mem_free_huge(h.value(), detail::address(va))};
}

/* A call in the list of abi/mk1.h that has no function above does not compile. */
namespace complete {
#define BAREFLANK_COMPLETE(op, idx, name, in, out, args, results, errors) using mk1::name;
MK1_SYSCALLS(BAREFLANK_COMPLETE)
#undef BAREFLANK_COMPLETE
} // namespace complete

} // namespace bareflank::mk1

#endif
