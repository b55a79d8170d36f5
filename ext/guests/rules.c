// SPDX-License-Identifier: MIT
/*
 * What values a guest's registers may have: a guest has no feature here of which the registers
 * would not be its own.
 */
#include <abi/hw/x86.h>
#include <bsl/bits.h>
#include <ext/libext/insn.h>
#include <ext/guests/rules.h>

/* --- CPUID: SDM vol. 2 CPUID, APM vol. 3 appendix E ------------------------------------------- */

#define LAST_BASIC 0xD
#define LAST_EXTENDED 0x80000008
#define EXTENDED 0x80000000
#define HYPERVISOR_FIRST 0x40000000
#define HYPERVISOR_LAST 0x4000FFFF

/*
 * The bits of leaves of features that a guest may have if the CPU has them. What is missing: local
 * APIC, MTRR, MCE and MCA (their MSRs), MONITOR, VMX, SVM, PCID, INVPCID, XSAVES, AMX, MPX, LA57,
 * CET, performance counters, speculation control.
 */
/* FPU VME DE PSE TSC MSR PAE CX8 SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define LEAF1_EDX 0x078BA97F
/* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define LEAF1_ECX 0x42D82203
/* FSGSBASE BMI1 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
#define LEAF7_EBX 0x219C0389
/* UMIP GFNI RDPID */
#define LEAF7_ECX 0x00400104
/* SYSCALL NX MMXEXT 1GB RDTSCP LM, and what AMD repeats of leaf 1 */
#define LEAF81_EDX 0x2DD3A97F
/* LAHF ALTMOVCR8 ABM SSE4A MISALIGNSSE 3DNOWPREFETCH */
#define LEAF81_ECX 0x000001F1

/* With AVX: FMA AVX F16C; AVX2; VAES VPCLMULQDQ */
#define AVX_LEAF1_ECX 0x30001000
#define AVX_LEAF7_EBX 0x00000020
#define AVX_LEAF7_ECX 0x00000600
/* With AVX-512: F DQ IFMA CD BW VL; VBMI VBMI2 VNNI BITALG VPOPCNTDQ; VP2INTERSECT FP16 */
#define AVX512_LEAF7_EBX 0xD0230000
#define AVX512_LEAF7_ECX 0x00005842
#define AVX512_LEAF7_EDX 0x00800100
/* XSAVEOPT XSAVEC XGETBV1 */
#define LEAFD_1_EAX 0x7

#define FIRST_EXTENDED 2 /* component of XSAVE */
#define NR_COMPONENTS 63
#define HEADER_END 576 /* where it may begin */
#define COMPONENT_ALIGNED 0x2

#define LEAF1_EDX_MCE_MCA_APIC_MTRR 0x5280

BF_STATIC_ASSERT(!(LEAF1_EDX & LEAF1_EDX_MCE_MCA_APIC_MTRR), "not in leaf 1");
BF_STATIC_ASSERT(!(LEAF81_EDX & LEAF1_EDX_MCE_MCA_APIC_MTRR), "not in leaf 8000_0001");

static void no_leaf(struct guests_cpuid *regs)
{
	regs->eax = regs->ebx = regs->ecx = regs->edx = 0;
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

static bool may_have(uint64_t features)
{
	return (guest_xsave.features & features) == features;
}

static void leaf_1(struct guests_cpuid *regs)
{
	uint32_t ecx = LEAF1_ECX;

	if (guest_xsave.features)
		ecx |= CPUID_1_ECX_XSAVE;
	if (may_have(XCR0_AVX))
		ecx |= AVX_LEAF1_ECX;
	/* APIC id, and how many CPUs share it: of one CPU alone. */
	regs->ebx &= 0xFF00;
	regs->ecx = (regs->ecx & ecx) | CPUID_1_ECX_HYPERVISOR;
	regs->edx &= LEAF1_EDX;
}

static void leaf_7(struct guests_cpuid *regs)
{
	uint32_t ebx = LEAF7_EBX, ecx = LEAF7_ECX, edx = 0;

	if (may_have(XCR0_AVX)) {
		ebx |= AVX_LEAF7_EBX;
		ecx |= AVX_LEAF7_ECX;
	}
	if (may_have(XCR0_AVX512)) {
		ebx |= AVX512_LEAF7_EBX;
		ecx |= AVX512_LEAF7_ECX;
		edx |= AVX512_LEAF7_EDX;
	}
	if (may_have(XCR0_PKRU))
		ecx |= CPUID_7_ECX_PKU;
	regs->eax = 0;
	regs->ebx = (regs->ebx & ebx) | CPUID_7_EBX_TSC_ADJUST;
	regs->ecx &= ecx;
	regs->edx &= edx;
}

/* How large an area is by the current XCR0: rules_show_state. */
static void leaf_d(uint32_t subleaf, struct guests_cpuid *regs)
{
	if (!guest_xsave.features) {
		no_leaf(regs);
	} else if (subleaf == 0) {
		regs->eax = (uint32_t)guest_xsave.features;
		regs->edx = (uint32_t)(guest_xsave.features >> 32);
		regs->ebx = regs->ecx = guest_xsave.size;
	} else if (subleaf == 1) {
		regs->eax &= LEAFD_1_EAX;
		regs->ebx = regs->ecx = regs->edx = 0;
	} else if (subleaf < NR_COMPONENTS && may_have(BSL_BIT(subleaf))) {
		regs->ecx &= COMPONENT_ALIGNED;
		regs->edx = 0;
	} else {
		no_leaf(regs);
	}
}

void rules_cpuid(uint32_t leaf, uint32_t subleaf, struct guests_cpuid *regs)
{
	switch (leaf) {
	case 0:
		regs->eax = at_most(regs->eax, LAST_BASIC);
		break;
	case 1:
		leaf_1(regs);
		break;
	case 2:
		break;
	case 7:
		if (subleaf)
			no_leaf(regs);
		else
			leaf_7(regs);
		break;
	case 0xD:
		leaf_d(subleaf, regs);
		break;
	case EXTENDED:
		regs->eax = at_most(regs->eax, LAST_EXTENDED);
		break;
	case EXTENDED + 1:
		regs->ebx = 0;
		regs->ecx &= LEAF81_ECX;
		regs->edx &= LEAF81_EDX;
		break;
	case EXTENDED + 2:
	case EXTENDED + 3:
	case EXTENDED + 4:
	case EXTENDED + 5:
	case EXTENDED + 6:
		break;
	case EXTENDED + 8:
		/* 48 bits of linear address; those of physical ones are what the tables hold. */
		regs->eax = 48 << 8 | at_most(regs->eax & 0xFF, GUESTS_GPA_BITS);
		regs->ebx = regs->ecx = regs->edx = 0;
		break;
	default:
		no_leaf(regs);
	}
}

static bool is_leaf(const struct guests_cpuid *entry, uint32_t leaf, uint32_t subleaf)
{
	return entry->leaf == leaf &&
	       (!(entry->flags & GUESTS_CPUID_SUBLEAF) || entry->subleaf == subleaf);
}

/* The highest leaf of the range that this one is in, by the first entry of that. */
static uint32_t last_leaf(const struct guests_cpuid *table, unsigned int count, uint32_t leaf)
{
	uint32_t first = leaf & 0xFFFF0000;

	for (unsigned int i = 0; i < count; i++) {
		if (table[i].leaf == first)
			return table[i].eax;
	}
	return 0;
}

struct guests_cpuid rules_find_cpuid(const struct guests_cpuid *table, unsigned int count,
				     uint32_t leaf, uint32_t subleaf)
{
	const bool hypervisor = leaf >= HYPERVISOR_FIRST && leaf <= HYPERVISOR_LAST;

	for (unsigned int i = 0; i < count; i++) {
		if (is_leaf(&table[i], leaf, subleaf))
			return table[i];
	}
	/* Beyond the last leaf, Intel has the last basic one: SDM vol. 2, CPUID. */
	if (!hypervisor && !is_svm && leaf > last_leaf(table, count, leaf)) {
		uint32_t last = last_leaf(table, count, 0);

		for (unsigned int i = 0; i < count; i++) {
			if (is_leaf(&table[i], last, subleaf))
				return table[i];
		}
	}
	return (struct guests_cpuid){ .leaf = leaf };
}

/* --- XSAVE: SDM vol. 1 chapter 13 ------------------------------------------------------------- */

/* The bytes of an area that has the components of features: §13.4. */
static uint32_t area_size(const struct guests_cpuid *table, unsigned int count, uint64_t features,
			  bool compacted)
{
	uint32_t size = HEADER_END;

	for (uint32_t i = FIRST_EXTENDED; i < NR_COMPONENTS; i++) {
		struct guests_cpuid leaf;

		if (!(features & BSL_BIT(i)))
			continue;
		leaf = rules_find_cpuid(table, count, 0xD, i);
		if (!compacted) {
			size = leaf.ebx + leaf.eax > size ? leaf.ebx + leaf.eax : size;
			continue;
		}
		if (leaf.ecx & COMPONENT_ALIGNED)
			size = (size + 63) & ~63u;
		size += leaf.eax;
	}
	return size;
}

static uint32_t with_bit(uint32_t value, uint32_t bit, bool on)
{
	return on ? value | bit : value & ~bit;
}

void rules_show_state(const struct guests_cpuid *table, unsigned int count, uint64_t cr4,
		      uint64_t xcr0, uint32_t leaf, uint32_t subleaf, struct guests_cpuid *regs)
{
	if (leaf == 1)
		regs->ecx = with_bit(regs->ecx, CPUID_1_ECX_OSXSAVE, cr4 & CR4_OSXSAVE);
	else if (leaf == 7 && subleaf == 0)
		regs->ecx = with_bit(regs->ecx, CPUID_7_ECX_OSPKE, cr4 & CR4_PKE);
	else if (leaf == 0xD && subleaf == 0 && regs->eax)
		regs->ebx = area_size(table, count, xcr0, false);
	else if (leaf == 0xD && subleaf == 1 && (regs->eax & CPUID_D_1_EAX_XSAVEC))
		regs->ebx = area_size(table, count, xcr0, true);
}

uint64_t rules_xcr0_allowed(const struct guests_cpuid *table, unsigned int count)
{
	struct guests_cpuid leaf = rules_find_cpuid(table, count, 0xD, 0);
	uint64_t of_table = leaf.leaf == 0xD ? (uint64_t)leaf.edx << 32 | leaf.eax : 0;

	return (of_table & guest_xsave.features) | XCR0_X87;
}

/* §13.3 */
bool rules_xcr0(uint64_t value, uint64_t allowed)
{
	if (!(value & XCR0_X87) || (value & ~allowed))
		return false;
	if ((value & XCR0_AVX) && !(value & XCR0_SSE))
		return false;
	return !(value & XCR0_AVX512) ||
	       ((value & XCR0_AVX512) == XCR0_AVX512 && (value & XCR0_AVX));
}

/* --- control registers: SDM vol. 2 MOV to CR, vol. 3 §2.5; APM vol. 2 §3.1 -------------------- */

#define KNOWN_CR0 \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define ALWAYS_CR4 \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | \
	 CR4_OSFXSR | CR4_OSXMMEXCPT)
#define KNOWN_EFER (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

uint64_t rules_cr4(const struct guests_cpuid *table, unsigned int count)
{
	struct guests_cpuid basic = rules_find_cpuid(table, count, 1, 0);
	struct guests_cpuid features = rules_find_cpuid(table, count, 7, 0);
	uint64_t allowed = ALWAYS_CR4;

	if (basic.leaf == 1 && (basic.ecx & CPUID_1_ECX_XSAVE))
		allowed |= CR4_OSXSAVE;
	if (features.leaf != 7)
		return allowed;
	if (features.ebx & CPUID_7_EBX_FSGSBASE)
		allowed |= CR4_FSGSBASE;
	if (features.ebx & CPUID_7_EBX_SMEP)
		allowed |= CR4_SMEP;
	if (features.ebx & CPUID_7_EBX_SMAP)
		allowed |= CR4_SMAP;
	if (features.ecx & CPUID_7_ECX_UMIP)
		allowed |= CR4_UMIP;
	if (features.ecx & CPUID_7_ECX_PKU)
		allowed |= CR4_PKE;
	return allowed;
}

uint64_t rules_lma(uint64_t cr0, uint64_t efer)
{
	bool active = (cr0 & CR0_PG) && (efer & EFER_LME);

	return (efer & ~(uint64_t)EFER_LMA) | (active ? EFER_LMA : 0);
}

static bool is_cr0(uint64_t value)
{
	return !(value & ~(uint64_t)KNOWN_CR0) && !((value & CR0_PG) && !(value & CR0_PE)) &&
	       !((value & CR0_NW) && !(value & CR0_CD));
}

bool rules_write_cr0(const struct rules_state *now, uint64_t value)
{
	uint64_t changed = now->cr0 ^ value;

	/* Reserved bits of the lower half are ignored. */
	if (value >> 32 || !is_cr0(value & KNOWN_CR0))
		return false;
	if (!(changed & CR0_PG))
		return true;
	if (value & CR0_PG)
		return !(now->efer & EFER_LME) || ((now->cr4 & CR4_PAE) && !now->code_64);
	return !now->code_64;
}

bool rules_write_cr4(const struct rules_state *now, uint64_t value, uint64_t allowed)
{
	if (value & ~allowed)
		return false;
	return !(now->efer & EFER_LMA) || (value & CR4_PAE);
}

bool rules_write_efer(const struct rules_state *now, uint64_t value)
{
	/* LMA is not the guest's to change: what it writes there does not count. */
	if (value & ~(uint64_t)KNOWN_EFER)
		return false;
	return !((now->efer ^ value) & EFER_LME) || !(now->cr0 & CR0_PG);
}

bool rules_sregs(const struct guests_sregs *sregs, uint64_t allowed)
{
	bool long_mode = sregs->efer & EFER_LMA;

	if (!is_cr0(sregs->cr0) || (sregs->efer & ~(uint64_t)KNOWN_EFER) ||
	    (sregs->cr4 & ~allowed) || sregs->cr8 > 15)
		return false;
	if (sregs->efer != rules_lma(sregs->cr0, sregs->efer))
		return false;
	if (long_mode && !(sregs->cr4 & CR4_PAE))
		return false;
	if (long_mode ? sregs->cr3 >> GUESTS_GPA_BITS : sregs->cr3 >> 32)
		return false;
	if (sregs->gdt.limit > 0xFFFF || sregs->idt.limit > 0xFFFF)
		return false;
	return long_mode || !(sregs->cs.attrib & SEG_ATTRIB_L);
}

bool rules_events(const struct guests_events *events)
{
	if (events->kind > GUESTS_EVENT_EXCEPTION || events->has_error > 1 ||
	    events->nmi_masked > 1 ||
	    (events->shadow & ~(GUESTS_SHADOW_MOV_SS | GUESTS_SHADOW_STI)))
		return false;
	if (events->kind == GUESTS_EVENT_NMI)
		return events->vector == VECTOR_NMI && !events->has_error;
	if (events->kind != GUESTS_EVENT_EXCEPTION)
		return !events->has_error;
	/* VM entry takes an error code with those that have one: §27.2.1.3. Real mode has none. */
	return events->vector <= VECTOR_LAST_EXCEPTION && events->vector != VECTOR_NMI &&
	       (!events->has_error ||
		(VECTOR_HAS_ERROR_CODE(events->vector) && !(events->error >> 16)));
}

bool rules_debug(const struct guests_debug *debug)
{
	return !(debug->dr6 >> 32) && !(debug->dr7 >> 32);
}

/* PAE: SDM vol. 3, "PDPTE Registers" */
#define PDPTE_P 0x1
#define PDPTE_RESERVED 0x1E6

bool rules_pdptes(const struct guests_pdptes *pdptes)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t entry = pdptes->entry[i];

		if ((entry & PDPTE_P) && ((entry & PDPTE_RESERVED) || (entry >> GUESTS_GPA_BITS)))
			return false;
	}
	return true;
}

bool rules_pat(uint64_t value)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = value >> i & 0xFF;

		/* UC, WC, WT, WP, WB, UC- */
		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* --- MOV to and from control registers, where the CPU does not decode it: SDM vol. 2 ---------- */

static bool is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0x67 || byte == 0xF2 || byte == 0xF3 || byte == 0x26 ||
	       byte == 0x2E || byte == 0x36 || byte == 0x3E || byte == 0x64 || byte == 0x65;
}

unsigned int rules_decode_mov_cr(const uint8_t *bytes, size_t avail, bool code_64,
				 unsigned int *gpr)
{
	uint8_t rex = 0;
	size_t i = 0;

	while (i < avail && is_prefix(bytes[i]))
		i++;
	if (i < avail && code_64 && (bytes[i] & 0xF0) == 0x40)
		rex = bytes[i++];
	if (i + 3 > avail || i + 3 > INSN_MAX_LENGTH || bytes[i] != 0x0F ||
	    (bytes[i + 1] != 0x20 && bytes[i + 1] != 0x22))
		return 0;
	*gpr = (bytes[i + 2] & 7u) | (rex & 1u) << 3;
	return (unsigned int)i + 3;
}
