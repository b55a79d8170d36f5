// SPDX-License-Identifier: GPL-2.0-only
#include "svm/apic.h"

#include "arch/apic.h"
#include "debug.h"
#include "mem/mem.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/outer.h"
#include "run/fail.h"
#include "run/startup.h"
#include "svm/advance.h"
#include "svm/event.h"
#include "svm/fetch.h"
#include "svm/store.h"
#include "svm/svm.h"

/* --- what exits ------------------------------------------------------------------------------- */

uint32_t svm_root_intercepts(uint32_t wanted)
{
	uint32_t nmi = this_pp()->tlb->recallable ? SVM_INSTR1_NMI : 0;

	return wanted | nmi | (mk.keep_cpus ? SVM_INSTR1_MSR : 0);
}

/* Others use the one in which nothing exits, too, and have it as their map of ports. */
uint64_t svm_root_msrpm(uint64_t spa)
{
	static const uint32_t written[] = { MSR_APIC_BASE, MSR_X2APIC_ICR };
	uint64_t used = spa == svm.passthrough_bitmaps ? svm.root_msrpm : spa;
	uint8_t *map;

	if (!mk.keep_cpus)
		return spa;
	map = phys_to_virt(used);
	for (unsigned int i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		uint32_t bit = written[i] * 2; /* both are in the first range */

		map[bit / 8] |= (uint8_t)(SVM_MSRPM_WRITE << (bit % 8));
	}
	return used;
}

/* --- writes to a local APIC ------------------------------------------------------------------- */

/* A general register by its number in instructions. */
static uint64_t *gpr_by_number(struct vmcb *vmcb, unsigned int number)
{
	static const uint8_t order[16] = { BF_RAX, BF_RCX, BF_RDX, BF_RBX, 0,      BF_RBP,
					   BF_RSI, BF_RDI, BF_R8,  BF_R9,  BF_R10, BF_R11,
					   BF_R12, BF_R13, BF_R14, BF_R15 };

	return number == 4 ? &vmcb->rsp : &abi_gprs()[order[number]];
}

static void write_register(struct pp *pp, unsigned int offset, uint32_t value)
{
	if (offset == XAPIC_ICR_LOW &&
	    startup_icr(pp, (uint64_t)apic_read(XAPIC_ICR_HIGH) << 32 | value, false))
		return;
	apic_write(offset, value);
	startup_follow(pp, offset, value);
}

/* It would have to be executed where the page can be written to, by this CPU alone. */
static __noreturn void refuse_insn(const struct vmcb *vmcb, const uint8_t *bytes, size_t n)
{
	mk_print("a write to the local APIC by an instruction that is not known, at 0x%llx:",
		 (unsigned long long)vmcb->rip);
	for (size_t i = 0; i < n; i++)
		mk_print(" %02x", bytes[i]);
	mk_print("\n");
	pp_fail(BF_ERR_MK_APIC, vmcb->rip, 0, 0);
}

bool svm_hits_apic(const struct vmcb *vmcb)
{
	return mk.apic_page && (vmcb->exitinfo2 & ~(uint64_t)BF_PAGE_MASK) == mk.apic_page &&
	       vmcb->exitinfo1 & SVM_NPF_WRITE;
}

bool svm_write_apic(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	unsigned int offset = (unsigned int)(vmcb->exitinfo2 & BF_PAGE_MASK);
	uint8_t bytes[DECODE_MAX_LENGTH];
	struct store store;
	uint32_t old;
	size_t n;

	if (!vs->root || !svm_hits_apic(vmcb) || vmcb->exitinfo1 & SVM_NPF_WALK)
		return false;
	n = svm_code(this_pp(), vmcb, bytes);
	if (!n) /* another CPU has unmapped it since: the guest is to find that */
		return true;
	/* One that is not aligned may go beyond the page. */
	if (offset % sizeof(uint32_t) || !svm_decode_store(bytes, n, svm_decode_mode(vmcb), &store))
		refuse_insn(vmcb, bytes, n);
	old = store.exchange ? apic_read(offset) : 0;
	write_register(this_pp(), offset,
		       store.immediate ? store.value : (uint32_t)*gpr_by_number(vmcb, store.reg));
	if (store.exchange)
		*gpr_by_number(vmcb, store.reg) = old;
	svm_advance_by(vmcb, store.length);
	return true;
}

/* The place of the page, and x2APIC mode, are for each CPU to choose, but the former stays here. */
static bool write_msr(struct pp *pp, uint32_t msr)
{
	const uint64_t *gpr = abi_gprs();
	uint64_t value = gpr[BF_RDX] << 32 | (uint32_t)gpr[BF_RAX];

	if (msr == MSR_APIC_BASE)
		return (value & BSL_PTE_SPA) == mk.apic_page && outer_wrmsr(msr);
	return (rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD && startup_icr(pp, value, true)) ||
	       outer_wrmsr(msr);
}

bool svm_write_apic_msr(struct vs *vs, uint32_t msr)
{
	if (!mk.keep_cpus || (msr != MSR_APIC_BASE && msr != MSR_X2APIC_ICR) ||
	    !(vmcb_of(vs)->exitinfo1 & SVM_EXITINFO1_WRITE))
		return false;
	if (write_msr(this_pp(), msr))
		(void)svm_vs_advance_ip(vs);
	else
		svm_inject_gp(vmcb_of(vs));
	return true;
}
