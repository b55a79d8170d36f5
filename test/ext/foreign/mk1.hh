/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the extensions in C++ know of Mk#1, from its document alone. The calls are those of calls.S.
 */
#ifndef FOREIGN_MK1_HH
#define FOREIGN_MK1_HH

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

extern "C" {
[[noreturn]] void bf_exit();
[[noreturn]] void bf_wait();
[[noreturn]] void bf_again();
u64 bf_open_handle(u32 spec, u64 *handle);
u64 bf_close_handle(u64 handle);
u64 bf_debug_out(u64 a, u64 b);
u64 bf_dump_vm(u16 id);
u64 bf_dump_vp(u16 id);
u64 bf_dump_vs(u16 id);
u64 bf_dump_vmexit_log(u16 ppid);
u64 bf_write_c(char c);
u64 bf_write_str(const char *text, u64 length);
u64 bf_dump_ext(u16 id);
u64 bf_dump_page_pool();
u64 bf_dump_huge_pool();
u64 bf_register_bootstrap(u64 handle, void (*)());
u64 bf_register_vmexit(u64 handle, void (*)());
u64 bf_register_fail(u64 handle, void (*)());
u64 bf_create_vm(u64 handle, u64 *vmid);
u64 bf_destroy_vm(u64 handle, u16 vmid);
u64 bf_map_direct(u64 handle, u16 vmid, u64 spa, u64 *va);
u64 bf_unmap_direct(u64 handle, u16 vmid, u64 va);
u64 bf_unmap_direct_broadcast(u64 handle, u16 vmid, u64 va);
u64 bf_vm_tlb_flush(u64 handle, u16 vmid);
u64 bf_create_vp(u64 handle, u16 vmid, u64 *vpid);
u64 bf_destroy_vp(u64 handle, u16 vpid);
u64 bf_create_vs(u64 handle, u16 vpid, u16 ppid, u64 *vsid);
u64 bf_destroy_vs(u64 handle, u16 vsid);
u64 bf_init_as_root(u64 handle, u16 vsid);
u64 bf_read(u64 handle, u16 vsid, u64 reg, u64 *value);
u64 bf_write(u64 handle, u16 vsid, u64 reg, u64 value);
u64 bf_run(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_run_current(u64 handle);
u64 bf_advance_ip_and_run(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_advance_ip_and_run_current(u64 handle);
u64 bf_promote(u64 handle, u16 vsid);
u64 bf_clear(u64 handle, u16 vsid);
u64 bf_migrate(u64 handle, u16 vsid, u16 ppid);
u64 bf_set_active(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_advance_ip_and_set_active(u64 handle, u16 vmid, u16 vpid, u16 vsid);
u64 bf_vs_tlb_flush(u64 handle, u16 vsid, u64 gla);
u64 bf_rdmsr(u64 handle, u32 msr, u64 *value);
u64 bf_wrmsr(u64 handle, u32 msr, u64 value);
u64 bf_alloc_page(u64 handle, u64 *va, u64 *spa);
u64 bf_free_page(u64 handle, u64 va);
u64 bf_alloc_huge(u64 handle, u64 bytes, u64 *va, u64 *spa);
u64 bf_free_huge(u64 handle, u64 va);
void bf_raw(u64 regs[16]);
void bootstrap_entry();
void vmexit_entry();
void fail_entry();
}

constexpr u64 success = 0;
constexpr u64 unknown = 0xDEAD000000010001;
constexpr u64 invalid_handle = 0xDEAD000000020001;
constexpr u64 unsupported = 0xDEAD000000040001;
constexpr u64 denied = 0xDEAD000000010002;
constexpr u64 invalid_reg0 = 0xDEAD000000010003;
constexpr u64 invalid_reg1 = 0xDEAD000000020003;
constexpr u64 invalid_reg2 = 0xDEAD000000040003;
constexpr u64 invalid_reg3 = 0xDEAD000000080003;

constexpr u64 pool_base = 0x0000200000000000;
constexpr u64 stack_base = 0x0000308000000000;
constexpr u64 fail_stack_base = 0x0000318000000000;
constexpr u64 tls_base = 0x0000338000000000;
constexpr u64 direct_base = 0x0000600000000000;
constexpr u16 none = 0xFFFF;
constexpr u64 page_size = 0x1000;

/* EAX checks, EBX failed, ECX line of the first, EDX exits */
constexpr u32 verdict_leaf = 0x4000F00D;

inline u16 id(unsigned int offset)
{
	u16 value;

	asm volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(static_cast<u64>(offset)));
	return value;
}

inline u64 word(unsigned int offset)
{
	u64 value;

	asm volatile("mov %%fs:(%1), %0" : "=r"(value) : "r"(static_cast<u64>(offset)));
	return value;
}

inline void set_word(unsigned int offset, u64 value)
{
	asm volatile("mov %0, %%fs:(%1)" : : "r"(value), "r"(static_cast<u64>(offset)) : "memory");
}

inline u16 vmid() { return id(0xFF2); }
inline u16 vpid() { return id(0xFF4); }
inline u16 vsid() { return id(0xFF6); }
inline u16 ppid() { return id(0xFF8); }
inline u16 online() { return id(0xFFA); }

/* A check, in the counters of this PP; the first failures are printed. */
template <typename Counters> void record(Counters &counters, bool ok, u64 line)
{
	counters.checks++;
	if (ok)
		return;
	if (!counters.failures++)
		counters.first_line = line;
	if (counters.failures > 20)
		return;
	bf_write_str("foreign: failed in line ", 24);
	bf_debug_out(line, ppid());
}
#define CHECK(...) record(per_pp, (__VA_ARGS__), __LINE__)

#endif
