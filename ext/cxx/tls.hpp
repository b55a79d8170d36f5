/* SPDX-License-Identifier: MIT */
/*
 * The ABI page of this PP. In a callback, rax() and set_rax() and so on are the general registers
 * of the active VS; the ids say what is active here.
 */
#ifndef EXT_CXX_TLS_HPP
#define EXT_CXX_TLS_HPP

#include <ext/cxx/types.hpp>
#include <ext/libext/mk1_tls.h>

namespace bareflank::mk1::tls {

/* The general registers are those entries of the register list that live in the register block. */
#define BAREFLANK_TLS_GPR(name) \
	inline uint64_t name() { return mk1_##name(); } \
	inline void set_##name(uint64_t value) { mk1_set_##name(value); }
#define BAREFLANK_TLS_RW(name)
#define BAREFLANK_TLS_RO(name)
#define BAREFLANK_TLS_LIVE(name)
#define BAREFLANK_TLS(number, name, where, bytes, access) BAREFLANK_TLS_##access(name)

MK1_AMD_REGS(BAREFLANK_TLS)

#undef BAREFLANK_TLS
#undef BAREFLANK_TLS_LIVE
#undef BAREFLANK_TLS_RO
#undef BAREFLANK_TLS_RW
#undef BAREFLANK_TLS_GPR

inline ExtId ext() { return ExtId{mk1_tls_extid()}; }
inline VmId vm() { return VmId{mk1_tls_vmid()}; }
inline VpId vp() { return VpId{mk1_tls_vpid()}; }
inline VsId vs() { return VsId{mk1_tls_vsid()}; }
inline PpId pp() { return PpId{mk1_tls_ppid()}; }

/* How many PPs are online. */
inline uint16_t online_pps() { return mk1_tls_online_pps(); }

} // namespace bareflank::mk1::tls

#endif
