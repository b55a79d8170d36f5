/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An extension as somebody else would write it: in C++, from the document of Mk#1 alone, with none
 * of the project's headers, startup code or link settings. It lets Linux run, looks at everything
 * that Mk#1 promises, and answers CPUID leaf VERDICT with what it found.
 */
#include "mk1.hh"

namespace
{

/*
 * One object, so that its size is a multiple of its alignment: Mk#1 has thread_local data end at FS
 * base, and linkers count from its end rounded up. volatile: to be read where it lies, although
 * nobody changes it.
 */
struct alignas(64) per_pp_data {
	u64 raw; /* calls.S: bf_raw's pointer */
	u64 entry[20]; /* calls.S: 16 registers, CS and SS, RIP, RFLAGS */
	volatile u64 initialised[3];
	volatile u8 odd;
	u64 exits, checks, failures, first_line, faults;
	alignas(64) volatile u32 aligned;
	volatile u8 large[1003];
};

} // namespace

extern "C" thread_local per_pp_data per_pp;
thread_local per_pp_data per_pp = {
	0, {}, { 7, 0x1122334455667788, ~0UL }, 0x51, 0, 0, 0, 0, 0, 3, {}
};

namespace
{

bool amd;
u64 msr_bitmap;
volatile u64 spare_mark = 0x1234; /* .data */
bool spare_moved; /* .bss */

/* --- the ways in ------------------------------------------------------------------------------ */

/* The registers as calls.S found them: RDI, RSI, RCX = RIP, RSP, R11 = RFLAGS; all others 0. */
void check_entry(u64 rdi, u64 rsi, u64 stacks)
{
	bool zero = true;

	for (unsigned int i = 0; i < 16; i++) {
		if (i != 1 && i != 4 && i != 6 && i != 7 && i != 11)
			zero = zero && per_pp.entry[i] == 0;
	}
	CHECK(zero);
	CHECK(per_pp.entry[7] == rdi && per_pp.entry[6] == rsi);
	CHECK(per_pp.entry[1] == per_pp.entry[17]); /* RIP */
	CHECK(per_pp.entry[4] == stacks + ppid() * 0x9000UL + 0x8000);
	CHECK(per_pp.entry[11] == per_pp.entry[18] && !(per_pp.entry[18] & 0x200)); /* RFLAGS */
	CHECK(per_pp.entry[16] == 0x23002B); /* SS, CS */
	CHECK(word(0) == tls_base + ppid() * 0x3000UL + 0x1000);
	CHECK(id(0xFF0) == 0);
}

void check_fresh_tls()
{
	CHECK(per_pp.initialised[0] == 7 && per_pp.initialised[2] == ~0UL);
	CHECK(per_pp.initialised[1] == 0x1122334455667788);
	CHECK(per_pp.odd == 0x51 && per_pp.aligned == 3);
	CHECK((reinterpret_cast<u64>(&per_pp.aligned) & 63) == 0);
	CHECK(per_pp.exits == 0 && per_pp.large[0] == 0 && per_pp.large[1002] == 0);
	CHECK(reinterpret_cast<u64>(&per_pp.large) > word(0) - 0x1000);
	CHECK(reinterpret_cast<u64>(&per_pp.large) + sizeof(per_pp.large) <= word(0));
	per_pp.large[0] = 1;
	per_pp.large[1002] = 2;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* One call, with a pattern in every register that is none of its own: its status. */
u64 raw(u64 op, u64 index, u64 reg0, u64 reg1, u64 reg2, u64 reg3, unsigned int outputs)
{
	u64 regs[16], before[16];

	for (u64 i = 0; i < 16; i++)
		regs[i] = 0xA5A5000000000000 | i << 32 | 0xFEED;
	regs[0] = 0x6642UL << 48 | op << 16 | index;
	regs[7] = reg0;
	regs[6] = reg1;
	regs[2] = reg2;
	regs[10] = reg3;
	for (u64 i = 0; i < 16; i++)
		before[i] = regs[i];
	bf_raw(regs);
	for (u64 i = 2; i < 16; i++) {
		bool lost = i == 4 || i == 11 || (i == 7 && outputs) || (i == 6 && outputs > 1);

		if (!lost)
			CHECK(regs[i] == before[i]);
	}
	CHECK(regs[4] == 0);
	return regs[0];
}

void check_calls()
{
	constexpr u64 high = 0xABCD123400000000; /* narrow inputs: the upper bits are ignored */

	CHECK(raw(2, 5, high | '.', 0, 0, 0, 0) == success);
	CHECK(raw(2, 0, 1, 2, 0, 0, 0) == success);
	CHECK(raw(7, 0, 0, high | 0xC0000080, 0, 0, 1) == success); /* EFER */
	CHECK(raw(2, 1, high | 0xFFFF, 0, 0, 0, 0) == invalid_reg0);
	CHECK(raw(2, 1, high | 0xABCD0000, 0, 0, 0, 0) == success);
	CHECK(raw(9, 0, 0, 0, 0, 0, 0) == unsupported);
	CHECK(raw(6, 15, 0, 0, 0, 0, 0) == unsupported);
	CHECK(raw(6, 3, 1, 0, 1, 0, 0) == invalid_handle);
	CHECK(raw(8, 0, ~0UL, 0, 0, 0, 0) == invalid_handle);
	CHECK(raw(1, 0, 0x11111111, 0, 0, 0, 0) == unsupported);
	CHECK(raw(5, 0, 0, high | 0xFFFF, 0, 0, 0) == invalid_reg1);
	CHECK(raw(6, 0, 0, high | 0xFFFF, 0, 0, 0) == invalid_reg1);
	CHECK(raw(7, 0, 0, 0xFFFFFFFF, 0, 0, 0) != success);
	CHECK(raw(4, 3, 0, 0, pool_base, 0, 0) == invalid_reg2);
	CHECK(raw(4, 2, 0, 0, 0x123, 0, 0) == invalid_reg2);
	CHECK(bf_write_str(reinterpret_cast<const char *>(0x1000), 5) != success);
	CHECK(bf_write_str(reinterpret_cast<const char *>(0xFFFF800000000000), 5) != success);
	CHECK(bf_write_str("stop at NUL\n\0not shown", 22) == success);
	CHECK(bf_write_str("", 0) == success);
}

void check_dumps()
{
	bf_dump_vm(0);
	for (u16 i = 0; i < 4; i++) {
		bf_dump_vp(i);
		bf_dump_vs(i);
	}
	CHECK(bf_dump_ext(0) == success);
	CHECK(bf_dump_page_pool() == success);
	CHECK(bf_dump_huge_pool() == success);
	CHECK(bf_dump_vmexit_log(ppid()) == success);
	CHECK(bf_dump_vs(none) == invalid_reg0);
}

void check_memory()
{
	u64 va, spa, va2, spa2, direct;
	bool zero = true;

	CHECK(bf_alloc_page(0, &va, &spa) == success);
	CHECK(va == pool_base + spa && (spa & 0xFFF) == 0);
	for (u64 i = 0; i < 512; i++)
		zero = zero && reinterpret_cast<u64 *>(va)[i] == 0;
	CHECK(zero);
	reinterpret_cast<u64 *>(va)[511] = 1;
	CHECK(bf_alloc_page(0, &va2, &spa2) == success && spa2 != spa);
	CHECK(bf_free_page(0, va) == success && bf_free_page(0, va2) == success);
	CHECK(bf_free_page(0, va) == invalid_reg1);
	CHECK(bf_alloc_huge(0, 0x3001, &va, &spa) == success);
	CHECK(va == pool_base + spa && (spa & 0xFFF) == 0);
	reinterpret_cast<volatile u8 *>(va)[0x3FFF] = 1;
	CHECK(bf_free_huge(0, va) == success);
	CHECK(bf_alloc_huge(0, 0, &va, &spa) != success);

	CHECK(bf_map_direct(0, 0, 0, &direct) == invalid_reg2);
	CHECK(bf_map_direct(0, 0, 0x1000, &direct) == success && direct == direct_base + 0x1000);
	CHECK(bf_map_direct(0, 0, 0x1000, &va) == unknown);
	CHECK(vmid() == 0);
	(void)*reinterpret_cast<volatile u64 *>(direct);
	CHECK(bf_map_direct(0, 0, 0x3000, &va) == success);
	CHECK(bf_unmap_direct_broadcast(0, 0, va) == success);
	CHECK(bf_unmap_direct(0, 0, direct) == success);
	CHECK(bf_unmap_direct(0, 0, stack_base) == invalid_reg2);
	CHECK(bf_vm_tlb_flush(0, 0) == success);
}

/* What is created is destroyed, and its ids are handed out again. */
void check_objects()
{
	u64 vm, vp, vs, again, value;

	CHECK(bf_create_vm(0, &vm) == success && vm == 1);
	CHECK(bf_create_vp(0, static_cast<u16>(vm), &vp) == success);
	CHECK(bf_create_vs(0, static_cast<u16>(vp), ppid(), &vs) == success);
	CHECK(bf_create_vs(0, static_cast<u16>(vp), none, &again) == invalid_reg2);
	CHECK(bf_write(0, static_cast<u16>(vs), 1, 0x4242) == success);
	CHECK(bf_read(0, static_cast<u16>(vs), 1, &value) == success && value == 0x4242);
	CHECK(bf_read(0, static_cast<u16>(vs), 0, &value) == invalid_reg2);
	CHECK(bf_read(0, static_cast<u16>(vs), 1000, &value) == invalid_reg2);
	CHECK(bf_write(0, static_cast<u16>(vs), 1000, 0) == invalid_reg2);
	CHECK(bf_read(0, none, 1, &value) == invalid_reg1);
	CHECK(bf_run(0, 0, static_cast<u16>(vp), static_cast<u16>(vs)) == invalid_reg2);
	CHECK(bf_run(0, none, static_cast<u16>(vp), static_cast<u16>(vs)) == invalid_reg1);
	CHECK(bf_run(0, static_cast<u16>(vm), static_cast<u16>(vp), none) == invalid_reg3);
	CHECK(bf_clear(0, static_cast<u16>(vs)) == success);
	CHECK(bf_vs_tlb_flush(0, static_cast<u16>(vs), 0x1000) == success);
	CHECK(bf_promote(0, static_cast<u16>(vs)) != success);
	CHECK(bf_destroy_vs(0, static_cast<u16>(vs)) == success);
	CHECK(bf_destroy_vp(0, static_cast<u16>(vp)) == success);
	CHECK(bf_destroy_vm(0, static_cast<u16>(vm)) == success);
	CHECK(bf_create_vm(0, &again) == success && again == vm);
	CHECK(bf_destroy_vm(0, static_cast<u16>(again)) == success);
	CHECK(bf_destroy_vm(0, 0) != success);
	CHECK(bf_destroy_vs(0, static_cast<u16>(vs)) == invalid_reg1);
}

/* --- the root VS ------------------------------------------------------------------------------ */

namespace reg
{
constexpr u64 amd_intercept1 = 20, amd_intercept2 = 21, amd_asid = 28;
constexpr u64 intel_vpid = 23, intel_msr_bitmap = 38, intel_link = 63, intel_pin = 74,
	      intel_primary = 75, intel_exit = 80, intel_entry = 83, intel_secondary = 89;
}

void set_amd(u16 vs)
{
	CHECK(bf_write(0, vs, reg::amd_asid, 1) == success);
	CHECK(bf_write(0, vs, reg::amd_intercept1, 1 << 18) == success); /* CPUID */
	CHECK(bf_write(0, vs, reg::amd_intercept2, 3) == success); /* VMRUN, VMMCALL */
}

/* wanted, as far as the capability MSR allows, and what it demands */
void set_control(u16 vs, u64 which, u32 msr, u64 wanted)
{
	u64 may = 0;

	CHECK(bf_rdmsr(0, msr, &may) == success);
	CHECK(bf_write(0, vs, which, (wanted | (may & 0xFFFFFFFF)) & may >> 32) == success);
}

void set_intel(u16 vs)
{
	CHECK(bf_write(0, vs, reg::intel_vpid, vs + 1UL) == success);
	CHECK(bf_write(0, vs, reg::intel_link, ~0UL) == success);
	set_control(vs, reg::intel_pin, 0x48D, 0);
	set_control(vs, reg::intel_primary, 0x48E, 1UL << 28 | 1UL << 31);
	set_control(vs, reg::intel_secondary, 0x48B, 1 << 3 | 1 << 5 | 1 << 12 | 1 << 20);
	set_control(vs, reg::intel_exit, 0x48F, 1 << 2 | 1 << 9 | 0xF << 18);
	set_control(vs, reg::intel_entry, 0x490, 1 << 2 | 1 << 9 | 3 << 14);
	CHECK(bf_write(0, vs, reg::intel_msr_bitmap, msr_bitmap) == success);
}

/* The last PP makes a VS and gives it to the first, which finds it as it was in a later exit. */
void send_spare()
{
	u64 vp, vs, value;

	CHECK(bf_create_vp(0, 0, &vp) == success && vp == online());
	CHECK(bf_create_vs(0, static_cast<u16>(vp), ppid(), &vs) == success && vs == online());
	CHECK(bf_write(0, static_cast<u16>(vs), 5, spare_mark) == success);
	CHECK(bf_migrate(0, static_cast<u16>(vs), 0) == success);
	if (ppid())
		CHECK(bf_read(0, static_cast<u16>(vs), 5, &value) == invalid_reg1);
	__atomic_store_n(&spare_moved, true, __ATOMIC_RELEASE);
}

void receive_spare()
{
	u64 value;

	__atomic_store_n(&spare_moved, false, __ATOMIC_RELAXED);
	CHECK(bf_read(0, online(), 5, &value) == success && value == spare_mark);
	CHECK(bf_destroy_vs(0, online()) == success);
	CHECK(bf_destroy_vp(0, online()) == success);
}

/* --- exits ------------------------------------------------------------------------------------ */

void answer_verdict()
{
	CHECK(per_pp.large[0] == 1 && per_pp.large[1002] == 2);
	set_word(0x800, per_pp.checks);
	set_word(0x808, per_pp.failures);
	set_word(0x810, per_pp.first_line);
	set_word(0x818, per_pp.exits);
}

[[noreturn]] void stop(u16 vs)
{
	set_word(0x800, 0);
	CHECK(bf_advance_ip_and_set_active(0, vmid(), vpid(), vsid()) == success);
	bf_promote(0, vs);
	bf_exit();
}

[[noreturn]] void on_cpuid(u16 vs)
{
	u32 leaf = static_cast<u32>(word(0x800)), c = static_cast<u32>(word(0x810)), a, b, d;

	if (leaf == 0x400000FF && c == 0xBF000000)
		stop(vs);
	if (leaf == 0x400000FF) {
		set_word(0x800, c == 0xBF000001 || c == 0xBF000002 ? 0 : 1);
	} else if (leaf == verdict_leaf) {
		answer_verdict();
	} else {
		asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(c));
		if (leaf == 1)
			c &= ~(1U << 5); /* VMX */
		if (leaf == 0x80000001)
			c &= ~(1U << 2); /* SVM */
		set_word(0x800, a);
		set_word(0x808, b);
		set_word(0x810, c);
		set_word(0x818, d);
	}
	if (per_pp.exits & 1)
		bf_advance_ip_and_run_current(0);
	bf_advance_ip_and_run(0, vmid(), vpid(), vs);
	bf_exit();
}

/* The first exit of a PP: what can only be looked at now. */
void on_first(u16 vs)
{
	u64 value;

	CHECK(vmid() == 0 && vpid() != none && vsid() == vs);
	check_calls();
	check_memory();
	check_objects();
	check_dumps();
	CHECK(bf_destroy_vs(0, vs) != success);
	CHECK(bf_destroy_vp(0, vpid()) != success);
	CHECK(bf_migrate(0, vs, ppid()) != success);
	set_word(0x870, word(0x870)); /* R15 */
	CHECK(bf_read(0, vs, amd ? 14 : 15, &value) == success && value == word(0x870));
	CHECK(bf_read(0, vs, amd ? 1 : 2, &value) == success && value == word(0x808));
	CHECK(*reinterpret_cast<volatile u64 *>(direct_base + 0x2000) == // on_fail maps it
	      *reinterpret_cast<volatile u64 *>(direct_base + 0x2000));
	CHECK(per_pp.faults == 1);
	asm volatile("int3" : : : "memory");
	CHECK(per_pp.faults == 2);
	CHECK(bf_unmap_direct(0, 0, direct_base + 0x2000) == success);
}

} // namespace

extern "C" [[noreturn]] void on_fail(u64 error_and_vector, u64 address)
{
	u64 va;

	/* INT3, behind which it goes on. The address is CR2, from the fault before. */
	if (error_and_vector == 3) {
		check_entry(3, direct_base + 0x2000, fail_stack_base);
		per_pp.faults++;
		bf_again();
	}
	/* #PF: by user mode, not present */
	check_entry(4UL << 32 | 14, direct_base + 0x2000, fail_stack_base);
	if (per_pp.faults++ || bf_map_direct(0, 0, address - direct_base, &va) != success)
		bf_exit();
	bf_again();
}

extern "C" [[noreturn]] void on_vmexit(u16 vs, u64 reason)
{
	if (!per_pp.exits++) {
		check_entry(vs, reason, stack_base);
		on_first(vs);
	}
	if (ppid() == 0 && __atomic_load_n(&spare_moved, __ATOMIC_ACQUIRE))
		receive_spare();
	if (reason == (amd ? 0x72 : 10))
		on_cpuid(vs);
	bf_write_str("foreign: an exit that it knows nothing of\n", 42);
	bf_debug_out(reason, vs);
	bf_dump_vs(vs);
	bf_exit();
}

extern "C" [[noreturn]] void on_bootstrap(u16 pp)
{
	u64 vp, vs;

	check_entry(pp, 0, stack_base);
	if (pp)
		check_fresh_tls(); /* on PP 0, _start did */
	CHECK(pp == ppid());
	CHECK(bf_create_vp(0, 0, &vp) == success && vp == pp);
	CHECK(bf_create_vs(0, static_cast<u16>(vp), pp, &vs) == success && vs == pp);
	CHECK(bf_init_as_root(0, static_cast<u16>(vs)) == success);
	if (amd)
		set_amd(static_cast<u16>(vs));
	else
		set_intel(static_cast<u16>(vs));
	if (pp + 1 == online())
		send_spare();
	bf_run(0, 0, static_cast<u16>(vp), static_cast<u16>(vs));
	bf_exit();
}

extern "C" [[noreturn]] void on_start(u32 version)
{
	u32 a = 0, b, c = 0, d;
	u64 handle = 1, va;

	check_entry(version, 0, stack_base);
	check_fresh_tls();
	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	amd = b == 0x68747541 || b == 0x6F677948;
	if (!(version & 2))
		bf_exit();
	CHECK(bf_alloc_page(0, &va, &msr_bitmap) == invalid_handle);
	CHECK(bf_open_handle(0x31236642, &handle) == success && handle == 0);
	CHECK(bf_open_handle(0x31236642, &va) == unknown);
	CHECK(bf_close_handle(0) == success && bf_close_handle(0) == invalid_handle);
	CHECK(bf_open_handle(0x31236642, &handle) == success && handle == 0);
	CHECK(bf_alloc_page(0, &va, &msr_bitmap) == success);
	CHECK(bf_wrmsr(0, 0xC0000082, 0) == denied);
	CHECK(bf_register_bootstrap(0, reinterpret_cast<void (*)()>(pool_base)) == invalid_reg1);
	CHECK(bf_register_bootstrap(0, bootstrap_entry) == success);
	CHECK(bf_register_bootstrap(0, bootstrap_entry) != success);
	CHECK(bf_register_vmexit(0, vmexit_entry) == success);
	CHECK(bf_register_fail(0, fail_entry) == success);
	check_calls();
	check_memory();
	check_objects();
	bf_wait();
}
