/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An extension as somebody else would write it, from the document of Mk#1 alone: what extensions
 * made for the original rely on in ids, registers and arguments. It lets Linux run, and answers
 * CPUID leaf VERDICT with what it found. The calls are those of calls.S.
 */
#include "mk1.hh"

namespace
{

struct alignas(64) per_pp_data {
	u64 raw, entry[20]; /* calls.S writes them */
	u64 exits, checks, failures, first_line;
};

} // namespace

extern "C" thread_local per_pp_data per_pp;
thread_local per_pp_data per_pp = { 0, {}, 0, 0, 0, 0 };

namespace
{

bool amd;
u64 msr_bitmap;

struct regs_of_cpuid {
	u32 a, b, c, d;
};

regs_of_cpuid cpuid(u32 leaf, u32 subleaf = 0)
{
	regs_of_cpuid r = { leaf, 0, subleaf, 0 };

	asm volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
	return r;
}

/* Register reg of the VS takes value, and reads as becomes. */
void takes_as(u16 vs, u64 reg, u64 value, u64 becomes, u64 line)
{
	u64 now = ~becomes;
	bool ok = bf_write(0, vs, reg, value) == success && bf_read(0, vs, reg, &now) == success &&
		  now == becomes;

	record(per_pp, ok, line);
	if (!ok && per_pp.failures <= 20) {
		bf_debug_out(reg, value);
		bf_debug_out(now, becomes);
	}
}
#define TAKES_AS(vs, reg, value, becomes) takes_as(vs, reg, value, becomes, __LINE__)

/* --- ids: 16 VMs, 256 VPs and 256 VSs, lowest first ------------------------------------------- */

void check_vms()
{
	u64 got;

	for (u64 i = 1; i < 16; i++)
		CHECK(bf_create_vm(0, &got) == success && got == i);
	CHECK(bf_create_vm(0, &got) == unknown);
	CHECK(bf_destroy_vm(0, 7) == success);
	CHECK(bf_create_vm(0, &got) == success && got == 7);
	for (u64 i = 1; i < 16; i++)
		CHECK(bf_destroy_vm(0, static_cast<u16>(i)) == success);
}

/* In _start, where there are none yet. */
void check_vps_and_vss()
{
	u64 got;
	u64 vps, vss;

	for (vps = 0; vps < 1000 && bf_create_vp(0, 0, &got) == success; vps++)
		CHECK(got == vps);
	CHECK(vps == 256);
	CHECK(bf_create_vp(0, 0, &got) == unknown);
	for (u64 i = 1; i < vps; i++)
		CHECK(bf_destroy_vp(0, static_cast<u16>(i)) == success);
	for (vss = 0; vss < 1000 && bf_create_vs(0, 0, 0, &got) == success; vss++)
		CHECK(got == vss);
	CHECK(vss == 256);
	CHECK(bf_create_vs(0, 0, 0, &got) == unknown);
	CHECK(bf_destroy_vs(0, 200) == success);
	CHECK(bf_create_vs(0, 0, 0, &got) == success && got == 200);
	for (u64 i = 0; i < vss; i++)
		CHECK(bf_destroy_vs(0, static_cast<u16>(i)) == success);
	CHECK(bf_destroy_vp(0, 0) == success);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Before there is an active VS, the root VM is active. */
void check_root_vm()
{
	u64 va, again;

	CHECK(vmid() == 0 && vpid() == none && vsid() == none);
	CHECK(bf_map_direct(0, 0, page_size, &va) == success && va == direct_base + page_size);
	if (vmid() == 0)
		(void)*reinterpret_cast<volatile u64 *>(va);
	CHECK(bf_map_direct(0, 0, page_size, &again) == unknown);
	CHECK(bf_unmap_direct(0, 0, va) == success);
	CHECK(bf_map_direct(0, 0, 0, &again) == invalid_reg2);
}

/* The first 80 MiB, but for the first page and the hypervisor's own. */
void check_much_memory()
{
	constexpr u64 pages = (80UL << 20) / page_size;
	static u8 mapped[pages];
	u64 refused = 0, va;

	for (u64 i = 1; i < pages; i++) {
		u64 status = bf_map_direct(0, 0, i * page_size, &va);

		mapped[i] = status == success;
		refused += !mapped[i];
		if (mapped[i] ? va != direct_base + i * page_size : status != invalid_reg2)
			CHECK(false);
	}
	bf_write_str("foreign: pages that are the hypervisor's: ", 42);
	bf_debug_out(refused, pages);
	CHECK(refused < pages / 4);
	for (u64 i = 1; i < pages; i++) {
		if (mapped[i] && bf_unmap_direct(0, 0, direct_base + i * page_size) != success)
			CHECK(false);
	}
}

void check_gs_base()
{
	constexpr u32 gs_base = 0xC0000101;
	static const u64 there = 0x55AA55AA;
	u64 value, found;

	CHECK(bf_wrmsr(0, gs_base, reinterpret_cast<u64>(&there)) == success);
	CHECK(bf_rdmsr(0, gs_base, &value) == success && value == reinterpret_cast<u64>(&there));
	if (value != reinterpret_cast<u64>(&there))
		return;
	asm volatile("mov %%gs:0, %0" : "=r"(found));
	CHECK(found == there);
	CHECK(bf_wrmsr(0, gs_base, 0x1234560000) == success);
	CHECK(bf_rdmsr(0, gs_base, &value) == success && value == 0x1234560000);
	CHECK(bf_wrmsr(0, gs_base, 1UL << 63) == invalid_reg1);
}

/* --- registers -------------------------------------------------------------------------------- */

namespace reg
{
constexpr u64 amd_cr_read = 15, amd_instruction1 = 20, amd_instruction2 = 21, amd_instruction3 = 22,
	      amd_asid = 28, amd_interrupt = 30, amd_ctls1 = 36, amd_ctls2 = 41, amd_rip = 97;
constexpr u64 amd_control[] = { 93, 108, 92, 91, 115, 120 }; /* CR0, 2, 3, 4, 8, XCR0 */
constexpr u64 intel_vpid = 23, intel_msr_bitmap = 38, intel_link = 63, intel_pin = 74,
	      intel_primary = 75, intel_exit = 80, intel_entry = 83, intel_secondary = 89,
	      intel_rip = 152;
constexpr u64 intel_control[] = { 137, 16, 138, 139, 157, 162 };
}

/* wanted, with all that the CPU lacks, and with what the field has no room for. */
void control(u16 vs, u64 which, u32 msr, u64 wanted, u64 line)
{
	u64 may, plain = 0, lacking;

	record(per_pp, bf_rdmsr(0, msr, &may) == success, line);
	wanted &= may >> 32;
	lacking = ~(may >> 32);
	record(per_pp, bf_write(0, vs, which, wanted) == success, line);
	record(per_pp, bf_read(0, vs, which, &plain) == success, line);
	record(per_pp, (plain & wanted) == wanted && !(plain & lacking), line);
	record(per_pp, !(~plain & (may & 0xFFFFFFFF)), line);
	takes_as(vs, which, wanted | lacking, plain, line);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (lacking >> bit & 1)
			takes_as(vs, which, wanted | 1UL << bit, plain, line);
	}
}

void set_intel(u16 vs)
{
	CHECK(bf_write(0, vs, reg::intel_vpid, vs + 1UL) == success);
	CHECK(bf_write(0, vs, reg::intel_link, ~0UL) == success);
	control(vs, reg::intel_pin, 0x48D, 0, __LINE__);
	control(vs, reg::intel_primary, 0x48E, 1UL << 28 | 1UL << 31, __LINE__);
	/* RDTSCP, VPID, INVPCID, XSAVES, user wait and pause */
	control(vs, reg::intel_secondary, 0x48B, 1 << 3 | 1 << 5 | 1 << 12 | 1 << 20 | 1 << 26,
		__LINE__);
	control(vs, reg::intel_exit, 0x48F, 1 << 2 | 1 << 9 | 0xF << 18, __LINE__);
	control(vs, reg::intel_entry, 0x490, 1 << 2 | 3 << 14, __LINE__); /* long mode is EFER's */
	CHECK(bf_write(0, vs, reg::intel_msr_bitmap, msr_bitmap) == success);
}

void set_amd(u16 vs)
{
	u32 features = cpuid(0x8000000A).d;
	u64 np = 0;

	CHECK(bf_write(0, vs, reg::amd_asid, 1) == success);
	for (u64 i = reg::amd_cr_read; i < reg::amd_cr_read + 4; i++)
		TAKES_AS(vs, i, 0xFFFFFFFFFFFF0000, 0);
	TAKES_AS(vs, reg::amd_instruction3, 1UL << 32, 0);
	TAKES_AS(vs, reg::amd_instruction1, 0xFFFFFFFF00000000 | 1 << 18, 1 << 18); /* CPUID */
	TAKES_AS(vs, reg::amd_instruction2, 0xFFFFFFFF00000003, 3); /* VMRUN, VMMCALL */
	if (!(features & 1U << 13))
		TAKES_AS(vs, reg::amd_interrupt, 1UL << 31, 0); /* AVIC */
	if (!(features & 1U << 15))
		TAKES_AS(vs, reg::amd_ctls2, 2, 0); /* VMLOAD and VMSAVE */
	CHECK(bf_write(0, vs, reg::amd_ctls1, features & 1) == success);
	CHECK(bf_read(0, vs, reg::amd_ctls1, &np) == success);
	TAKES_AS(vs, reg::amd_ctls1, np | 0xFFFFFFFFFFFFFF00, np);
}

/* A guest that is not running. */
void check_guest()
{
	const u64 *control = amd ? reg::amd_control : reg::intel_control;
	u64 vm, vp, vs_id;

	CHECK(bf_create_vm(0, &vm) == success);
	CHECK(bf_create_vp(0, static_cast<u16>(vm), &vp) == success);
	CHECK(bf_create_vs(0, static_cast<u16>(vp), ppid(), &vs_id) == success);

	u16 vs = static_cast<u16>(vs_id);

	if (amd)
		set_amd(vs);
	else
		set_intel(vs);
	for (unsigned int i = 0; i < 6; i++)
		TAKES_AS(vs, control[i], 0x1234567890ABCDEF, 0x1234567890ABCDEF);
	TAKES_AS(vs, control[5], 0, 1);
	TAKES_AS(vs, control[5], 2, 3);
	TAKES_AS(vs, control[0], 0x10, 0x10);
	TAKES_AS(vs, control[3], 0, 0);
	CHECK(bf_vs_tlb_flush(0, vs, 0) == invalid_reg2);
	CHECK(bf_vs_tlb_flush(0, vs, 0x1001) == invalid_reg2);
	CHECK(bf_vs_tlb_flush(0, vs, 0x1000) == success);
	CHECK(bf_vs_tlb_flush(0, none, 0) == invalid_reg1);
	CHECK(bf_destroy_vs(0, vs) == success);
	CHECK(bf_destroy_vp(0, static_cast<u16>(vp)) == success);
	CHECK(bf_destroy_vm(0, static_cast<u16>(vm)) == success);
}

/* --- exits ------------------------------------------------------------------------------------ */

[[noreturn]] void on_cpuid(u16 vs)
{
	u32 leaf = static_cast<u32>(word(0x800)), subleaf = static_cast<u32>(word(0x810));
	regs_of_cpuid r;

	if (leaf == 0x400000FF && subleaf == 0xBF000000) {
		set_word(0x800, 0);
		bf_advance_ip_and_set_active(0, vmid(), vpid(), vsid());
		bf_promote(0, vs);
		bf_exit();
	}
	if (leaf == verdict_leaf) {
		set_word(0x800, per_pp.checks);
		set_word(0x808, per_pp.failures);
		set_word(0x810, per_pp.first_line);
		set_word(0x818, per_pp.exits);
	} else {
		r = cpuid(leaf, subleaf);
		set_word(0x800, r.a);
		set_word(0x808, r.b);
		set_word(0x810, r.c & ~(leaf == 1 ? 1U << 5 : leaf == 0x80000001 ? 1U << 2 : 0));
		set_word(0x818, r.d);
	}
	bf_advance_ip_and_run_current(0);
	bf_exit();
}

} // namespace

extern "C" [[noreturn]] void on_fail(u64, u64)
{
	bf_exit();
}

extern "C" [[noreturn]] void on_vmexit(u16 vs, u64 reason)
{
	if (!per_pp.exits++) {
		check_vms();
		check_guest();
		check_gs_base();
	}
	if (reason == (amd ? 0x72 : 10))
		on_cpuid(vs);
	bf_write_str("foreign: an exit that it knows nothing of\n", 42);
	bf_debug_out(reason, vs);
	bf_exit();
}

extern "C" [[noreturn]] void on_bootstrap(u16 pp)
{
	u64 vp, vs, rip = 0, then = 1, ip = amd ? reg::amd_rip : reg::intel_rip;

	check_root_vm();
	check_gs_base();
	CHECK(bf_create_vp(0, 0, &vp) == success && vp == pp);
	CHECK(bf_create_vs(0, static_cast<u16>(vp), pp, &vs) == success && vs == pp);
	CHECK(bf_init_as_root(0, static_cast<u16>(vs)) == success);
	if (amd)
		set_amd(static_cast<u16>(vs));
	else
		set_intel(static_cast<u16>(vs));
	check_guest();
	CHECK(bf_read(0, static_cast<u16>(vs), ip, &rip) == success);
	CHECK(bf_set_active(0, 0, static_cast<u16>(vp), static_cast<u16>(vs)) == success);
	CHECK(bf_advance_ip_and_set_active(0, 0, static_cast<u16>(vp), static_cast<u16>(vs)) ==
	      success);
	CHECK(bf_read(0, static_cast<u16>(vs), ip, &then) == success && then == rip);
	bf_run(0, 0, static_cast<u16>(vp), static_cast<u16>(vs));
	bf_exit();
}

extern "C" [[noreturn]] void on_start(u32 version)
{
	u64 handle = 1, va;
	u32 b = cpuid(0).b;

	amd = b == 0x68747541 || b == 0x6F677948;
	if (!(version & 2) || bf_open_handle(0x31236642, &handle) != success)
		bf_exit();
	CHECK(bf_register_bootstrap(0, bootstrap_entry) == success);
	CHECK(bf_register_vmexit(0, vmexit_entry) == success);
	CHECK(bf_alloc_page(0, &va, &msr_bitmap) == success);
	check_root_vm();
	check_much_memory();
	check_gs_base();
	check_vms();
	check_vps_and_vss();
	check_guest();
	bf_wait();
}
