// SPDX-License-Identifier: GPL-2.0-only
/* What values the registers of guests may have: ext/guests/rules.c. */
#include <check.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/guests/msr_rules.h>
#include <ext/guests/rules.h>

bool is_svm;
struct rules_xsave guest_xsave;

#define LONG_CR0 (CR0_PE | CR0_ET | CR0_PG)
#define LONG_EFER (EFER_LME | EFER_LMA)

static struct guests_cpuid filtered(uint32_t leaf, uint32_t subleaf)
{
	struct guests_cpuid regs = { .leaf = leaf, .eax = ~0u, .ebx = ~0u, .ecx = ~0u, .edx = ~0u };

	rules_cpuid(leaf, subleaf, &regs);
	return regs;
}

/* Each of these has registers that would be Linux's, or an MSR that does not exist in a guest. */
START_TEST(cpuid_has_only_what_is_kept)
{
	const uint32_t leaf1_ecx = CPUID_1_ECX_VMX | CPUID_1_ECX_SMX | CPUID_1_ECX_PCID |
				   CPUID_1_ECX_XSAVE | CPUID_1_ECX_OSXSAVE | 1u << 28 /* AVX */ |
				   1u << 3 /* MONITOR */ | 1u << 21 /* x2APIC */ | 1u << 24;

	ck_assert_uint_eq(filtered(1, 0).ecx & leaf1_ecx, 0);
	ck_assert_uint_eq(filtered(1, 0).ecx & CPUID_1_ECX_HYPERVISOR, CPUID_1_ECX_HYPERVISOR);
	ck_assert_uint_eq(filtered(1, 0).edx & (1u << 9 | CPUID_1_EDX_MTRR | CPUID_1_EDX_DS), 0);
	ck_assert_uint_eq(filtered(1, 0).ebx, 0xFF00);
	ck_assert_uint_eq(filtered(7, 0).ebx & CPUID_7_EBX_TSC_ADJUST, CPUID_7_EBX_TSC_ADJUST);
	ck_assert_uint_eq(filtered(7, 0).ebx & (CPUID_7_EBX_INVPCID | CPUID_7_EBX_PT | 1u << 5), 0);
	ck_assert_uint_eq(filtered(7, 0).ecx, CPUID_7_ECX_UMIP | CPUID_7_ECX_RDPID | 1u << 8);
	ck_assert_uint_eq(filtered(7, 0).edx, 0);
	ck_assert_uint_eq(filtered(7, 1).eax | filtered(7, 1).ebx | filtered(7, 1).ecx, 0);
	ck_assert_uint_eq(filtered(0x80000001, 0).ecx & CPUID_80000001_ECX_SVM, 0);
	ck_assert_uint_eq(filtered(0x8000000A, 0).eax | filtered(0x8000000A, 0).edx, 0);
	ck_assert_uint_eq(filtered(0x80000008, 0).eax, 48 << 8 | GUESTS_GPA_BITS);
	ck_assert_uint_eq(filtered(0, 0).eax, 0xD);
	ck_assert_uint_eq(filtered(0x80000000, 0).eax, 0x80000008);
	ck_assert_uint_eq(filtered(0xD, 0).eax | filtered(0x40000000, 0).eax, 0);
}
END_TEST

#define AVX_BITS (XCR0_X87 | XCR0_SSE | XCR0_AVX)

/* What needs a component of XSAVE is there only with it. */
START_TEST(cpuid_follows_xsave)
{
	static const struct {
		uint64_t features;
		uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_edx;
	} cases[] = {
		{ XCR0_X87 | XCR0_SSE, CPUID_1_ECX_XSAVE, 0, 0, 0 },
		{ AVX_BITS, CPUID_1_ECX_XSAVE | 1u << 12 | 1u << 28 | 1u << 29, 1u << 5,
		  1u << 9 | 1u << 10, 0 },
		{ AVX_BITS | XCR0_PKRU, CPUID_1_ECX_XSAVE | 1u << 12 | 1u << 28 | 1u << 29, 1u << 5,
		  1u << 9 | 1u << 10 | CPUID_7_ECX_PKU, 0 },
		{ AVX_BITS | XCR0_AVX512, CPUID_1_ECX_XSAVE | 1u << 12 | 1u << 28 | 1u << 29,
		  1u << 5 | 1u << 16 | 1u << 17 | 1u << 21 | 1u << 28 | 1u << 30 | 1u << 31,
		  1u << 1 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14,
		  1u << 8 | 1u << 23 },
	};
	struct guests_cpuid least[2];

	guest_xsave.features = 0;
	least[0] = filtered(1, 0);
	least[1] = filtered(7, 0);
	for (uint32_t i = 0; i < 64; i++)
		ck_assert_uint_eq(filtered(0xD, i).eax | filtered(0xD, i).ebx, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		guest_xsave = (struct rules_xsave){ cases[i].features, 832 };
		ck_assert_uint_eq(filtered(1, 0).ecx ^ least[0].ecx, cases[i].leaf1_ecx);
		ck_assert_uint_eq(filtered(7, 0).ebx ^ least[1].ebx, cases[i].leaf7_ebx);
		ck_assert_uint_eq(filtered(7, 0).ecx ^ least[1].ecx, cases[i].leaf7_ecx);
		ck_assert_uint_eq(filtered(7, 0).edx ^ least[1].edx, cases[i].leaf7_edx);
		ck_assert_uint_eq(filtered(0xD, 0).eax, cases[i].features);
		ck_assert_uint_eq(filtered(0xD, 0).edx, 0);
		ck_assert_uint_eq(filtered(0xD, 0).ebx, 832);
		ck_assert_uint_eq(filtered(0xD, 0).ecx, 832);
		ck_assert_uint_eq(filtered(0xD, 1).eax, 7); /* no XSAVES, no XFD */
		ck_assert_uint_eq(filtered(0xD, 1).ebx | filtered(0xD, 1).ecx, 0);
		for (uint32_t sub = 2; sub < 70; sub++) {
			bool there = sub < 64 && cases[i].features >> sub & 1;

			ck_assert_uint_eq(filtered(0xD, sub).eax, there ? ~0u : 0);
			ck_assert_uint_eq(filtered(0xD, sub).ecx, there ? 2 : 0);
			ck_assert_uint_eq(filtered(0xD, sub).edx, 0);
		}
	}
	guest_xsave.features = 0;
}
END_TEST

static const struct guests_cpuid xsave_table[] = {
	{ .leaf = 1, .ecx = CPUID_1_ECX_XSAVE },
	{ .leaf = 7, .flags = GUESTS_CPUID_SUBLEAF, .ecx = CPUID_7_ECX_PKU },
	{ .leaf = 0xD, .flags = GUESTS_CPUID_SUBLEAF, .eax = 0x602E7, .ebx = 99, .ecx = 2696 },
	{ .leaf = 0xD, .subleaf = 1, .flags = GUESTS_CPUID_SUBLEAF, .eax = 7, .ebx = 99 },
	{ .leaf = 0xD, .subleaf = 2, .flags = GUESTS_CPUID_SUBLEAF, .eax = 256, .ebx = 576 },
	{ .leaf = 0xD, .subleaf = 5, .flags = GUESTS_CPUID_SUBLEAF, .eax = 64, .ebx = 1088 },
	{ .leaf = 0xD, .subleaf = 6, .flags = GUESTS_CPUID_SUBLEAF, .eax = 512, .ebx = 1152 },
	{ .leaf = 0xD, .subleaf = 7, .flags = GUESTS_CPUID_SUBLEAF, .eax = 1024, .ebx = 1664 },
	{ .leaf = 0xD,
	  .subleaf = 9,
	  .flags = GUESTS_CPUID_SUBLEAF,
	  .eax = 8,
	  .ebx = 2688,
	  .ecx = 2 },
};
#define NR_XSAVE (sizeof(xsave_table) / sizeof(xsave_table[0]))

static struct guests_cpuid shown(uint64_t cr4, uint64_t xcr0, uint32_t leaf, uint32_t subleaf)
{
	struct guests_cpuid regs = rules_find_cpuid(xsave_table, NR_XSAVE, leaf, subleaf);

	rules_show_state(xsave_table, NR_XSAVE, cr4, xcr0, leaf, subleaf, &regs);
	return regs;
}

START_TEST(cpuid_shows_state)
{
	ck_assert_uint_eq(shown(0, 1, 1, 0).ecx, CPUID_1_ECX_XSAVE);
	ck_assert_uint_eq(shown(CR4_OSXSAVE, 1, 1, 0).ecx, CPUID_1_ECX_XSAVE | CPUID_1_ECX_OSXSAVE);
	ck_assert_uint_eq(shown(0, 1, 7, 0).ecx, CPUID_7_ECX_PKU);
	ck_assert_uint_eq(shown(CR4_PKE, 1, 7, 0).ecx, CPUID_7_ECX_PKU | CPUID_7_ECX_OSPKE);
	ck_assert_uint_eq(shown(0, 1, 0xD, 0).ebx, 576);
	ck_assert_uint_eq(shown(0, 3, 0xD, 0).ebx, 576);
	ck_assert_uint_eq(shown(0, 7, 0xD, 0).ebx, 832);
	ck_assert_uint_eq(shown(0, 0xE7, 0xD, 0).ebx, 2688);
	ck_assert_uint_eq(shown(0, 0x201, 0xD, 0).ebx, 2696);
	ck_assert_uint_eq(shown(0, 0x201, 0xD, 0).ecx, 2696);
	ck_assert_uint_eq(shown(0, 1, 0xD, 1).ebx, 576);
	ck_assert_uint_eq(shown(0, 7, 0xD, 1).ebx, 832);
	ck_assert_uint_eq(shown(0, 0xE7, 0xD, 1).ebx, 576 + 256 + 64 + 512 + 1024);
	ck_assert_uint_eq(shown(0, 0x203, 0xD, 1).ebx, 576 + 8);
	ck_assert_uint_eq(shown(0, 7, 0xD, 2).ebx, 576);
}
END_TEST

START_TEST(xcr0_rules)
{
	static const uint64_t good[] = { 1, 3, 7, 0xE7, 0x201, 0x203, 0x207, 0x2E7 };
	static const uint64_t bad[] = {
		0,    2,     6,   5,    0xE3,   0x27,    0x47,       0x87,
		0xE1, 0x200, 0xF, 0x1F, 0x2007, 0x60007, 1ull << 63, ~0ull
	};
	uint64_t allowed;

	guest_xsave.features = 0x2E7;
	allowed = rules_xcr0_allowed(xsave_table, NR_XSAVE);
	ck_assert_uint_eq(allowed, 0x2E7);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert(rules_xcr0(good[i], allowed));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!rules_xcr0(bad[i], allowed));
	/* a table may have more than the CPU, and the CPU more than a table */
	guest_xsave.features = 7;
	allowed = rules_xcr0_allowed(xsave_table, NR_XSAVE);
	ck_assert(rules_xcr0(7, allowed));
	ck_assert(!rules_xcr0(0xE7, allowed));
	ck_assert_uint_eq(rules_xcr0_allowed(NULL, 0), 1);
	ck_assert_uint_eq(rules_xcr0_allowed(xsave_table, 2), 1);
	guest_xsave.features = 0;
	ck_assert_uint_eq(rules_xcr0_allowed(xsave_table, NR_XSAVE), 1);
}
END_TEST

START_TEST(cpuid_finds_leaves_and_subleaves)
{
	const struct guests_cpuid table[] = {
		{ .leaf = 0, .eax = 7, .ebx = 0x100 },
		{ .leaf = 1, .eax = 0x101 },
		{ .leaf = 7, .subleaf = 1, .flags = GUESTS_CPUID_SUBLEAF, .eax = 0x701 },
		{ .leaf = 7, .subleaf = 0, .flags = GUESTS_CPUID_SUBLEAF, .eax = 0x700 },
		{ .leaf = 0x80000000, .eax = 0x80000001 },
	};

	for (int vendor = 0; vendor < 2; vendor++) {
		is_svm = vendor;
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 1, 99).eax, 0x101);
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 7, 0).eax, 0x700);
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 7, 1).eax, 0x701);
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 7, 2).eax, 0);
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 0x40000000, 0).eax, 0);
		ck_assert_uint_eq(rules_find_cpuid(table, 0, 1, 0).eax, 0);
		/* Beyond the last leaf: zeroes on AMD, the last basic leaf on Intel. */
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 0x30, 1).eax, vendor ? 0 : 0x701);
		ck_assert_uint_eq(rules_find_cpuid(table, 5, 0x80000008, 0).eax,
				  vendor ? 0 : 0x700);
	}
}
END_TEST

START_TEST(cr4_follows_cpuid)
{
	struct guests_cpuid table[] = { { .leaf = 7 } };
	const struct rules_state real = { .cr0 = CR0_ET };
	const struct rules_state in_long = { .cr0 = LONG_CR0, .cr4 = CR4_PAE, .efer = LONG_EFER };
	uint64_t least = rules_cr4(NULL, 0), most;

	table[0].ebx = CPUID_7_EBX_SMEP | CPUID_7_EBX_SMAP | CPUID_7_EBX_FSGSBASE;
	table[0].ecx = CPUID_7_ECX_UMIP;
	most = rules_cr4(table, 1);
	ck_assert_uint_eq(most ^ least, CR4_SMEP | CR4_SMAP | CR4_FSGSBASE | CR4_UMIP);
	ck_assert_uint_eq(rules_cr4(xsave_table, NR_XSAVE) ^ least, CR4_OSXSAVE | CR4_PKE);
	ck_assert_uint_eq(most & (CR4_OSXSAVE | CR4_PCIDE | CR4_PKE | CR4_CET | CR4_LA57 |
				  CR4_VMXE | CR4_SMXE | CR4_PKS | CR4_FRED),
			  0);
	ck_assert(rules_write_cr4(&real, 0, least));
	ck_assert(rules_write_cr4(&in_long, CR4_PAE | CR4_PGE, least));
	ck_assert(!rules_write_cr4(&in_long, CR4_PGE, least));
	ck_assert(!rules_write_cr4(&real, CR4_SMEP, least));
	ck_assert(rules_write_cr4(&real, CR4_SMEP, most));
	ck_assert(!rules_write_cr4(&real, 1ull << 40, most));
}
END_TEST

START_TEST(cr0_and_paging)
{
	struct rules_state now = { .cr0 = CR0_PE | CR0_ET };

	ck_assert(rules_write_cr0(&now, CR0_PE | CR0_PG));
	ck_assert(!rules_write_cr0(&now, CR0_PG));
	ck_assert(!rules_write_cr0(&now, CR0_NW));
	ck_assert(rules_write_cr0(&now, CR0_NW | CR0_CD));
	ck_assert(!rules_write_cr0(&now, 1ull << 32));
	ck_assert(rules_write_cr0(&now, 0x40 | CR0_PE)); /* reserved, and ignored */
	now.efer = EFER_LME;
	ck_assert(!rules_write_cr0(&now, CR0_PE | CR0_PG));
	now.cr4 = CR4_PAE;
	ck_assert(rules_write_cr0(&now, CR0_PE | CR0_PG));
	now.code_64 = true;
	ck_assert(!rules_write_cr0(&now, CR0_PE | CR0_PG));
	now.cr0 = LONG_CR0;
	ck_assert(!rules_write_cr0(&now, CR0_PE));
	now.code_64 = false;
	ck_assert(rules_write_cr0(&now, CR0_PE));
}
END_TEST

START_TEST(efer_and_long_mode)
{
	const struct rules_state off = { .cr0 = CR0_PE };
	const struct rules_state on = { .cr0 = LONG_CR0, .efer = LONG_EFER };

	ck_assert(rules_write_efer(&off, EFER_LME | EFER_NXE | EFER_SCE));
	ck_assert(!rules_write_efer(&off, EFER_SVME));
	ck_assert(!rules_write_efer(&off, EFER_FFXSR));
	ck_assert(rules_write_efer(&on, EFER_LME | EFER_SCE));
	ck_assert(!rules_write_efer(&on, EFER_SCE));
	ck_assert_uint_eq(rules_lma(CR0_PE, LONG_EFER), EFER_LME);
	ck_assert_uint_eq(rules_lma(LONG_CR0, EFER_LME), LONG_EFER);
	ck_assert_uint_eq(rules_lma(LONG_CR0, EFER_NXE), EFER_NXE);
}
END_TEST

START_TEST(registers_of_the_module)
{
	const uint64_t allowed = rules_cr4(NULL, 0);
	const struct guests_sregs good = { .cs = { .attrib = SEG_ATTRIB_L },
					   .cr0 = LONG_CR0,
					   .cr3 = 0x10000,
					   .cr4 = CR4_PAE,
					   .efer = LONG_EFER };
	struct guests_sregs bad;

#define REFUSED(change) \
	do { \
		bad = good; \
		bad.change; \
		ck_assert_msg(!rules_sregs(&bad, allowed), #change); \
	} while (0)

	ck_assert(rules_sregs(&good, allowed));
	REFUSED(cr0 = CR0_PG);
	REFUSED(cr0 = LONG_CR0 | 1ull << 40);
	REFUSED(cr4 = 0);
	REFUSED(cr4 |= CR4_OSXSAVE);
	REFUSED(efer = EFER_LME);
	REFUSED(efer |= EFER_SVME);
	REFUSED(cr8 = 16);
	REFUSED(cr3 = 1ull << GUESTS_GPA_BITS);
	REFUSED(gdt.limit = 0x10000);
	REFUSED(idt.limit = 0x10000);
	REFUSED(cr0 = CR0_PE);
	bad = good;
	bad.cr0 = CR0_PE;
	bad.efer = EFER_LME;
	ck_assert(!rules_sregs(&bad, allowed)); /* CS.L without long mode */
	bad.cs.attrib = 0;
	ck_assert(rules_sregs(&bad, allowed));
	bad.cr3 = 1ull << 32;
	ck_assert(!rules_sregs(&bad, allowed));
}
END_TEST

START_TEST(pat_types)
{
	ck_assert(rules_pat(PAT_RESET));
	ck_assert(rules_pat(0x0706050401000706));
	for (unsigned int i = 0; i < 8; i++) {
		ck_assert(!rules_pat(2ull << (8 * i)));
		ck_assert(!rules_pat(3ull << (8 * i)));
		ck_assert(!rules_pat(8ull << (8 * i)));
	}
}
END_TEST

START_TEST(events_of_the_module)
{
	static const struct {
		struct guests_events events;
		bool good;
	} cases[] = {
		{ { .kind = GUESTS_EVENT_NONE }, true },
		{ { .kind = GUESTS_EVENT_IRQ, .vector = 255 }, true },
		{ { .kind = GUESTS_EVENT_IRQ, .vector = 32, .has_error = 1 }, false },
		{ { .kind = GUESTS_EVENT_NMI, .vector = VECTOR_NMI }, true },
		{ { .kind = GUESTS_EVENT_NMI, .vector = VECTOR_UD }, false },
		{ { .kind = GUESTS_EVENT_EXCEPTION, .vector = VECTOR_UD }, true },
		{ { .kind = GUESTS_EVENT_EXCEPTION, .vector = VECTOR_NMI }, false },
		{ { .kind = GUESTS_EVENT_EXCEPTION, .vector = 32 }, false },
		{ { .kind = GUESTS_EVENT_EXCEPTION, .vector = VECTOR_GP }, true }, /* real mode */
		{ { .kind = GUESTS_EVENT_EXCEPTION,
		    .vector = VECTOR_GP,
		    .has_error = 1,
		    .error = 0xFFFF },
		  true },
		{ { .kind = GUESTS_EVENT_EXCEPTION,
		    .vector = VECTOR_GP,
		    .has_error = 1,
		    .error = 0x10000 },
		  false },
		{ { .kind = GUESTS_EVENT_EXCEPTION, .vector = VECTOR_UD, .has_error = 1 }, false },
		{ { .kind = GUESTS_EVENT_EXCEPTION + 1 }, false },
		{ { .shadow = GUESTS_SHADOW_STI | GUESTS_SHADOW_MOV_SS }, true },
		{ { .shadow = 4 }, false },
		{ { .nmi_masked = 1 }, true },
		{ { .nmi_masked = 2 }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(rules_events(&cases[i].events) == cases[i].good, "case %zu", i);
}
END_TEST

START_TEST(debug_registers_and_pdptes_of_the_module)
{
	struct guests_debug debug = { .dr = { ~0ull }, .dr6 = DR6_RESET, .dr7 = DR7_RESET };
	struct guests_pdptes pdptes = { .entry = { 0x1001, ~1ull /* not present */ } };

	ck_assert(rules_debug(&debug));
	debug.dr6 |= 1ull << 32;
	ck_assert(!rules_debug(&debug));
	debug.dr6 = DR6_RESET;
	debug.dr7 |= 1ull << 63;
	ck_assert(!rules_debug(&debug));
	ck_assert(rules_pdptes(&pdptes));
	pdptes.entry[3] = 0x2003; /* a bit that other levels have */
	ck_assert(!rules_pdptes(&pdptes));
	pdptes.entry[3] = 1ull << GUESTS_GPA_BITS | 1;
	ck_assert(!rules_pdptes(&pdptes));
}
END_TEST

static bool writes(uint32_t msr, uint64_t value, uint64_t expected)
{
	return msr_check(msr_find(msr), &value) && value == expected;
}

/* What a guest must not have: all else that the CPU has. */
START_TEST(msrs_are_those_of_the_table)
{
	static const uint32_t others[] = { MSR_APIC_BASE, MSR_FEATURE_CONTROL,
					   MSR_SPEC_CTRL, MSR_DEBUGCTL,
					   MSR_MTRR_CAP,  MSR_XSS,
					   MSR_SYSCFG,    0xDEAD };
	const struct msr_rule *rule;
	bool fs = false;
	unsigned int n;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!msr_find(others[i]), "0x%x", others[i]);
	for (n = 0; (rule = msr_listed(n)); n++) {
		ck_assert_ptr_eq(msr_find(rule->msr), rule);
		for (unsigned int i = 0; i < n; i++)
			ck_assert_uint_ne(msr_listed(i)->msr, rule->msr);
		fs = fs || rule->msr == MSR_FS_BASE || rule->msr == MSR_EFER;
	}
	ck_assert_uint_ge(n, 14);
	ck_assert(!fs); /* of sregs */
	rule = msr_find(MSR_LSTAR);
	ck_assert_uint_eq(rule->place, MSR_IN_VS);
	ck_assert_uint_eq(rule->amd, MK1_AMD_lstar);
	ck_assert_uint_eq(rule->intel, MK1_INTEL_lstar);
	ck_assert_uint_eq(msr_find(MSR_FS_BASE)->place, MSR_IN_VS);
	ck_assert_uint_eq(msr_find(MSR_EFER)->place, MSR_BY_CODE);
}
END_TEST

START_TEST(msrs_have_values_of_their_form)
{
	const uint64_t high = 0xFFFF800000000000, hole = 0x0000800000000000;

	for (int vendor = 0; vendor < 2; vendor++) {
		is_svm = vendor;
		ck_assert(writes(MSR_LSTAR, high, high));
		ck_assert(!writes(MSR_LSTAR, hole, hole));
		ck_assert(!writes(MSR_KERNEL_GS_BASE, hole, hole));
		ck_assert(!writes(MSR_FS_BASE, hole, hole));
		ck_assert(writes(MSR_SYSENTER_CS, 0x1234500000010, 0x10));
		ck_assert(writes(MSR_FMASK, ~0ull, 0xFFFFFFFF));
		ck_assert(writes(MSR_STAR, ~0ull, ~0ull));
		ck_assert(writes(MSR_PAT, PAT_RESET, PAT_RESET));
		ck_assert(!writes(MSR_PAT, 2, 2));
		/* AMD's have 32 bits: what is beyond them does not count. */
		ck_assert(writes(MSR_SYSENTER_EIP, hole, high) == is_svm);
		ck_assert(writes(MSR_SYSENTER_ESP, high, high));
	}
}
END_TEST

START_TEST(msrs_have_values_after_reset)
{
	is_svm = true;
	ck_assert(writes(MSR_HWCR, 0x1040148, 0x1040000));
	ck_assert(!writes(MSR_HWCR, 1, 1)); /* SMMLOCK */
	ck_assert_uint_eq(msr_reset_value(MSR_KEPT_HWCR), 0);
	ck_assert_uint_eq(msr_reset_value(MSR_KEPT_MISC_ENABLE), 0x1800);
	ck_assert_uint_eq(msr_reset_value(MSR_KEPT_UCODE_REV), 0x01000065);
	is_svm = false;
	ck_assert_uint_eq(msr_reset_value(MSR_KEPT_UCODE_REV), 0x100000000);
	ck_assert_ptr_null(msr_find(MSR_HWCR));
	ck_assert_uint_eq(msr_find(MSR_UCODE_REV)->form, MSR_MICROCODE);
}
END_TEST

START_TEST(mov_cr_is_decoded)
{
	static const struct {
		uint8_t bytes[8];
		size_t avail;
		bool code_64;
		unsigned int length, gpr;
	} cases[] = {
		{ { 0x0F, 0x22, 0xE0 }, 3, false, 3, 0 },
		{ { 0x0F, 0x20, 0xE3 }, 3, true, 3, 3 },
		{ { 0x41, 0x0F, 0x22, 0xE7 }, 4, true, 4, 15 },
		{ { 0x66, 0xF2, 0x0F, 0x20, 0xE1 }, 5, false, 5, 1 },
		{ { 0x41, 0x0F, 0x22, 0xE7 }, 4, false, 0, 0 }, /* INC ECX */
		{ { 0x0F, 0x22 }, 2, true, 0, 0 },
		{ { 0x0F, 0x21, 0xE0 }, 3, true, 0, 0 }, /* a debug register */
		{ { 0x90 }, 1, true, 0, 0 },
		{ { 0x66, 0x66 }, 2, true, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int gpr = 99;

		ck_assert_uint_eq(
			rules_decode_mov_cr(cases[i].bytes, cases[i].avail, cases[i].code_64, &gpr),
			cases[i].length);
		if (cases[i].length)
			ck_assert_uint_eq(gpr, cases[i].gpr);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guest_rules");
	TCase *tc = tcase_create("guest_rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, cpuid_has_only_what_is_kept);
	tcase_add_test(tc, cpuid_follows_xsave);
	tcase_add_test(tc, cpuid_shows_state);
	tcase_add_test(tc, xcr0_rules);
	tcase_add_test(tc, cpuid_finds_leaves_and_subleaves);
	tcase_add_test(tc, cr4_follows_cpuid);
	tcase_add_test(tc, cr0_and_paging);
	tcase_add_test(tc, efer_and_long_mode);
	tcase_add_test(tc, registers_of_the_module);
	tcase_add_test(tc, pat_types);
	tcase_add_test(tc, events_of_the_module);
	tcase_add_test(tc, debug_registers_and_pdptes_of_the_module);
	tcase_add_test(tc, msrs_are_those_of_the_table);
	tcase_add_test(tc, msrs_have_values_of_their_form);
	tcase_add_test(tc, msrs_have_values_after_reset);
	tcase_add_test(tc, mov_cr_is_decoded);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
