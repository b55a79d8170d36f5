// SPDX-License-Identifier: GPL-2.0-only
/* The registers of a VS by their Mk#1 numbers. */
#include <abi/mk1.h>
#include <abi/mk1_regs_amd.h>
#include <bsl/bits.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "mem/mem.h"
#include "mk.h"
#include "svm/apic.h"
#include "svm/asid.h"
#include "svm/fetch.h"
#include "svm/nested.h"
#include "svm/regs.h"
#include "svm/svm.h"

enum access { ACCESS_NONE, ACCESS_RW, ACCESS_GPR, ACCESS_LIVE };

struct reg {
	uint16_t direct; /* = offset, where an access is a load or store of 8 bytes; else 0 */
	uint16_t offset;
	uint8_t bytes;
	uint8_t access; /* enum access */
};

/*
 * A direct register can hold any value: VMRUN checks the state save area, but for what sanitize
 * does, and the CPU reads nothing of what it reports about an exit.
 */
#define IS_SANITIZED(number) \
	((number) == MK1_AMD_cr0 || (number) == MK1_AMD_cr4 || (number) == MK1_AMD_efer)
#define IS_OF_EXIT(number) \
	((number) == MK1_AMD_exitcode || (number) == MK1_AMD_exitinfo1 || \
	 (number) == MK1_AMD_exitinfo2 || (number) == MK1_AMD_exitininfo || \
	 (number) == MK1_AMD_nrip)
#define IS_DIRECT(number, offset, bytes, access) \
	((bytes) == 8 && ACCESS_##access == ACCESS_RW && \
	 (((offset) >= VMCB_SAVE_AREA && !IS_SANITIZED(number)) || IS_OF_EXIT(number)))
#define REG_ENTRY(number, name, offset, bytes, access) \
	[number] = { IS_DIRECT(number, offset, bytes, access) ? (offset) : 0, offset, bytes, \
		     ACCESS_##access },
static const struct reg regs[MK1_AMD_NR_REGS] = { MK1_AMD_REGS(REG_ENTRY) };

static const struct reg *find(uint64_t number)
{
	return number < MK1_AMD_NR_REGS && regs[number].access != ACCESS_NONE ? &regs[number] :
										NULL;
}

/* The field of a register that is direct, or NULL. */
static __always_inline uint64_t *direct_field(const struct vs *vs, uint64_t number)
{
	uint16_t offset = number < MK1_AMD_NR_REGS ? regs[number].direct : 0;

	return likely(offset != 0) ? (uint64_t *)((uint8_t *)vs->block + offset) : NULL;
}

/*
 * With V_INTR_MASKING, which every other VS than Linux's has, CR8 is V_TPR (APM vol. 2 §15.21.2).
 */
static bool has_v_tpr(const struct vs *vs, uint64_t number)
{
	return number == MK1_AMD_cr8 && !vs->root;
}

static bool write_live(struct vs *vs, uint64_t number, uint64_t value)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (!unswitched_write(vs, (enum unswitched_reg)(number - MK1_AMD_cr8), value))
		return false;
	if (has_v_tpr(vs, number)) {
		vmcb->virtual_interrupt = bsl_field_set(vmcb->virtual_interrupt, 0, 4, value);
		vmcb->clean = 0;
	}
	return true;
}

/* A value that no CR8 can have is nowhere but where it was written to. */
static uint64_t read_live(const struct vs *vs, uint64_t number)
{
	uint64_t value = unswitched_read(vs, (enum unswitched_reg)(number - MK1_AMD_cr8));

	return has_v_tpr(vs, number) && value <= SVM_V_TPR ?
		       vmcb_of(vs)->virtual_interrupt & SVM_V_TPR :
		       value;
}

static __cold noinline uint64_t read_other(struct vs *vs, uint64_t number, uint64_t *value)
{
	const struct reg *reg = find(number);

	if (!reg)
		return MK1_INVALID_INPUT_REG(2);
	if (reg->access == ACCESS_GPR) {
		*value = *gpr_of(vs, reg->offset);
		return MK1_SUCCESS;
	}
	if (reg->access == ACCESS_LIVE) {
		*value = read_live(vs, number);
		return MK1_SUCCESS;
	}
	*value = 0;
	bsl_memcpy(value, (const uint8_t *)vs->block + reg->offset, reg->bytes);
	if (number == MK1_AMD_n_cr3 && vs->nested) /* the table is the microkernel's */
		*value = 0;
	else if (number == MK1_AMD_n_cr3 && vs->svm.nested_top && *value == vs->svm.nested_top)
		*value = *(const uint64_t *)phys_to_virt(vs->svm.nested_top) & BSL_PTE_SPA;
	/* What exits only for the microkernel's own purposes is not shown. */
	if (number == MK1_AMD_intercept_exception && !vs->svm.gp_exiting)
		*value &= ~(uint64_t)EXCEPTION_BIT(VECTOR_GP);
	if (number == MK1_AMD_intercept_exception && !vs->mc_exiting)
		*value &= ~(uint64_t)EXCEPTION_BIT(VECTOR_MC);
	if (number == MK1_AMD_intercept_instruction1 && !vs->nmi_exiting)
		*value &= ~(uint64_t)SVM_INSTR1_NMI;
	if (number == MK1_AMD_intercept_instruction1 && !vs->intr_exiting)
		*value &= ~(uint64_t)SVM_INSTR1_INTR;
	if (number == MK1_AMD_intercept_instruction1 && !vs->svm.msr_exiting)
		*value &= ~(uint64_t)SVM_INSTR1_MSR;
	if (number == MK1_AMD_virtual_interrupt_a && !vs->svm.intr_masking)
		*value &= ~(uint64_t)SVM_V_INTR_MASKING;
	if (number == MK1_AMD_intercept_instruction2 && !vs->svm.vmmcall_exiting)
		*value &= ~(uint64_t)SVM_INSTR2_VMMCALL;
	if (number == MK1_AMD_ctls1 && !vs->svm.invlpgb)
		*value &= ~(uint64_t)SVM_INVLPGB_ENABLE;
	return MK1_SUCCESS;
}

uint64_t svm_vs_read(struct vs *vs, uint64_t number, uint64_t *value)
{
	const uint64_t *field = direct_field(vs, number);

	if (!field)
		return read_other(vs, number, value);
	*value = *field;
	return MK1_SUCCESS;
}

/*
 * Permission maps are read by the CPU at every intercepted access: they must stay where they are.
 */
static bool is_map(uint64_t spa, uint64_t size)
{
	const struct bf_region *huge = &mk.handoff->huge_pool;

	return bsl_is_aligned(spa, BF_PAGE_SIZE) &&
	       bsl_range_within(spa, size, huge->spa, huge->size);
}

/*
 * Words of single bits, the first of which are the intercepts: bits that a field has no room for,
 * and those that the CPU lacks, are dropped.
 */
static bool is_control(uint64_t number)
{
	return (number >= MK1_AMD_intercept_cr_read && number <= MK1_AMD_intercept_instruction3) ||
	       number == MK1_AMD_virtual_interrupt_a || number == MK1_AMD_ctls1 ||
	       number == MK1_AMD_ctls2;
}

/* Features that no guest gets: where the CPU has one, it is refused. */
static bool drop_all_but(uint64_t *value, uint64_t kept, uint64_t refused)
{
	if (*value & refused)
		return false;
	*value &= kept;
	return true;
}

/* What translations depend on; CR3 is seen to when the VS becomes active (vs.c). */
static bool is_of_translations(uint64_t number)
{
	return number == MK1_AMD_guest_asid || number == MK1_AMD_n_cr3 || number == MK1_AMD_ctls1 ||
	       number == MK1_AMD_cr0 || number == MK1_AMD_cr4 || number == MK1_AMD_efer;
}

/*
 * The root VS stays behind the table that hides the hypervisor, as on VMX, and a VS that was
 * attached to its VM's table behind that.
 */
static bool sanitize_ctls1(struct vs *vs, uint64_t *value)
{
	uint64_t known = (svm.has_np ? SVM_NP_ENABLE : 0) |
			 (svm.has_invlpgb ? SVM_INVLPGB_ENABLE : 0);

	if (!drop_all_but(value, known, svm.refused_np))
		return false;
	vs->svm.invlpgb = *value & SVM_INVLPGB_ENABLE;
	if (vs->root)
		*value |= svm_root_np_control();
	if (vs->nested)
		*value |= SVM_NP_ENABLE;
	svm_forget_code(this_pp());
	return true;
}

/*
 * Nested tables have as many levels as root mode's (APM vol. 2 §15.25.3), those of extensions
 * always 4: a fifth goes above them where it is needed.
 */
static bool sanitize_nested_root(struct vs *vs, uint64_t *value)
{
	svm_forget_code(this_pp());
	if (vs->nested || !bsl_is_aligned(*value, BF_PAGE_SIZE) || *value >= MK1_SPA_LIMIT)
		return false;
	if (mk.nested_levels < 5 || !*value || *value == mk.root_npt) {
		vs->view = 0;
		return true;
	}
	if (!vs->svm.nested_top) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return false;
		vs->svm.nested_top = spa;
	}
	*(uint64_t *)phys_to_virt(vs->svm.nested_top) = *value | BSL_PTE_P | BSL_PTE_W | BSL_PTE_U;
	*value = vs->svm.nested_top;
	vs->view = 0;
	return true;
}

/* Validates and adjusts a value for a field in which not every value is safe for the host. */
static bool sanitize(struct vs *vs, uint64_t number, uint64_t *value)
{
	switch (number) {
	case MK1_AMD_intercept_exception:
		vs->svm.gp_exiting = *value & EXCEPTION_BIT(VECTOR_GP);
		vs->mc_exiting = *value & EXCEPTION_BIT(VECTOR_MC);
		*value |= vs->root ? EXCEPTION_BIT(VECTOR_GP) : EXCEPTION_BIT(VECTOR_MC);
		return true;
	case MK1_AMD_intercept_instruction1:
		vs->nmi_exiting = *value & SVM_INSTR1_NMI;
		vs->intr_exiting = *value & SVM_INSTR1_INTR;
		vs->svm.msr_exiting = *value & SVM_INSTR1_MSR;
		*value = vs->root ? svm_root_intercepts((uint32_t)*value) :
				    *value | SVM_INSTR1_INTR | SVM_INSTR1_NMI;
		return true;
	case MK1_AMD_intercept_instruction2:
		vs->svm.vmmcall_exiting = *value & SVM_INSTR2_VMMCALL;
		*value |= SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL |
			  (vs->xstate ? SVM_INSTR2_XSETBV : 0);
		return true;
	case MK1_AMD_iopm_base_pa:
		return is_map(*value, 3 * BF_PAGE_SIZE);
	case MK1_AMD_msrpm_base_pa:
		if (!is_map(*value, 2 * BF_PAGE_SIZE))
			return false;
		if (vs->root)
			*value = svm_root_msrpm(*value);
		return true;
	case MK1_AMD_guest_asid:
		return *value && *value < svm.asids &&
		       (!vs->root || svm_claim_root_asid((uint32_t)*value));
	case MK1_AMD_tlb_control:
		return *value == 0 || *value == 1 || *value == 3 || *value == 7;
	case MK1_AMD_virtual_interrupt_a:
		if (!drop_all_but(value, ~(uint64_t)SVM_AVIC_ENABLE, svm.refused_interrupt))
			return false;
		vs->svm.intr_masking = *value & SVM_V_INTR_MASKING;
		if (!vs->root)
			*value |= SVM_V_INTR_MASKING;
		return true;
	case MK1_AMD_ctls1:
		return sanitize_ctls1(vs, value);
	case MK1_AMD_n_cr3:
		return sanitize_nested_root(vs, value);
	case MK1_AMD_ctls2:
		return drop_all_but(value, 0, svm.refused_virt_ext);
	case MK1_AMD_avic_apic_bar:
	case MK1_AMD_guest_pa_of_ghcb:
	case MK1_AMD_avic_apic_backing_page_ptr:
	case MK1_AMD_avic_logical_table_ptr:
	case MK1_AMD_avic_physical_table_ptr:
	case MK1_AMD_vmsa_ptr:
		return *value == 0; /* features that are never on */
	case MK1_AMD_cpl:
		return *value <= 3;
	/* What a guest has is checked by VMRUN; Linux may go on with it in the CPU. */
	case MK1_AMD_cr0:
		return !vs->root || !(*value >> 32);
	case MK1_AMD_cr4:
		return !vs->root || !(*value & ~svm.cr4_bits);
	case MK1_AMD_efer:
		*value |= EFER_SVME; /* VMRUN insists on it */
		return true;
	default:
		return true;
	}
}

static __cold noinline uint64_t write_other(struct vs *vs, uint64_t number, uint64_t value)
{
	const struct reg *reg = find(number);
	bool done = false;

	if (!reg)
		return MK1_INVALID_INPUT_REG(2);
	switch (reg->access) {
	case ACCESS_GPR:
		*gpr_of(vs, reg->offset) = value;
		done = true;
		break;
	case ACCESS_LIVE:
		done = write_live(vs, number, value);
		break;
	case ACCESS_RW:
		if (is_control(number))
			value &= bsl_mask(reg->bytes * 8U);
		if (value & ~bsl_mask(reg->bytes * 8U) || !sanitize(vs, number, &value))
			break;
		bsl_memcpy((uint8_t *)vs->block + reg->offset, &value, reg->bytes);
		vmcb_of(vs)->clean = 0;
		if (is_of_translations(number))
			svm_drop_translations(vs);
		done = true;
		break;
	}
	return done ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(3);
}

uint64_t svm_vs_write(struct vs *vs, uint64_t number, uint64_t value)
{
	uint64_t *field = direct_field(vs, number);

	if (!field)
		return write_other(vs, number, value);
	*field = value;
	vmcb_of(vs)->clean = 0;
	return MK1_SUCCESS;
}
