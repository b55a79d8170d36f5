// SPDX-License-Identifier: MIT
/*
 * The MSRs of guests: read and written by a guest's instructions, and by the module for whoever
 * saves and restores a vCPU.
 */
#include <bsl/string.h>
#include <ext/guests/guests.h>
#include <ext/linux/cpuid.h>

/* --- the TSC ---------------------------------------------------------------------------------- */

/*
 * Times of vCPUs that are less apart are meant to be the same: who sets the TSC of one after the
 * other takes a while. About a second.
 */
#define SAME_TIME (1ull << 31)

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* The module sets a vCPU's TSC: those of a VM stay together. */
static bool set_tsc(struct vcpu *v, uint64_t value)
{
	struct vm *vm = v->vm;
	uint64_t offset = value - read_tsc();
	uint64_t ahead;

	bsl_spin_lock(&vm->tsc_lock);
	ahead = offset - vm->tsc_offset;
	if (!vm->has_tsc || (ahead > SAME_TIME && -ahead > SAME_TIME))
		vm->tsc_offset = offset;
	vm->has_tsc = true;
	offset = vm->tsc_offset;
	bsl_spin_unlock(&vm->tsc_lock);
	return mk1_vs_write(MK1_HANDLE, v->vsid, REG(tsc_offset), offset) == MK1_SUCCESS;
}

/* A new vCPU's begins with 0, or with what those of its VM have by now. */
static bool reset_tsc(struct vcpu *v)
{
	struct vm *vm = v->vm;
	uint64_t offset;

	bsl_spin_lock(&vm->tsc_lock);
	if (!vm->has_tsc)
		vm->tsc_offset = -read_tsc();
	vm->has_tsc = true;
	offset = vm->tsc_offset;
	bsl_spin_unlock(&vm->tsc_lock);
	return mk1_vs_write(MK1_HANDLE, v->vsid, REG(tsc_offset), offset) == MK1_SUCCESS;
}

/* The guest moves its TSC, and with it TSC_ADJUST (SDM vol. 3, "Time-Stamp Counter Adjustment"). */
static void move_tsc(struct vcpu *v, uint64_t by)
{
	vs_set(v->vsid, REG(tsc_offset), vs_get(v->vsid, REG(tsc_offset)) + by);
	v->tsc_adjust += by;
}

static uint64_t get_tsc(struct vcpu *v)
{
	return read_tsc() + vs_get(v->vsid, REG(tsc_offset));
}

/* --- others that mean something --------------------------------------------------------------- */

static bool write_efer(struct vcpu *v, uint64_t value)
{
	const struct rules_state now = {
		.cr0 = vendor->get_cr0(v), .efer = vs_get(v->vsid, REG(efer)) & ~(uint64_t)EFER_SVME
	};

	if (!rules_write_efer(&now, value))
		return false;
	value = (value & ~(uint64_t)EFER_LMA) | (now.efer & EFER_LMA);
	vs_set(v->vsid, REG(efer), value | (is_svm ? EFER_SVME : 0));
	return true;
}

/* TSC_AUX is in the CPU together with the guest, and in its extended state otherwise. */

static bool read_tsc_aux(struct vcpu *v, uint64_t *value)
{
	struct xstate_legacy legacy;

	if (v == current_vcpu())
		return mk1_intrinsic_rdmsr(MK1_HANDLE, MSR_TSC_AUX, value) == MK1_SUCCESS;
	if (!xstate_read(v->vsid, &legacy, sizeof(legacy)))
		return false;
	bsl_memcpy(value, legacy.bytes + MK2_XSAVE_TSC_AUX, sizeof(*value));
	return true;
}

static bool write_tsc_aux(struct vcpu *v, uint64_t value)
{
	struct xstate_legacy legacy;

	/* SDM vol. 4: bits 63:32 are reserved. AMD's CPUs ignore them. */
	if (is_svm)
		value = (uint32_t)value;
	if (value >> 32)
		return false;
	if (v == current_vcpu())
		return mk1_intrinsic_wrmsr(MK1_HANDLE, MSR_TSC_AUX, value) == MK1_SUCCESS;
	if (!xstate_read(v->vsid, &legacy, sizeof(legacy)))
		return false;
	bsl_memcpy(legacy.bytes + MK2_XSAVE_TSC_AUX, &value, sizeof(value));
	return xstate_write(v->vsid, &legacy, sizeof(legacy));
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct msr_rule *find(uint32_t msr)
{
	return msr == MSR_TSC_AUX && !has_tsc_aux() ? NULL : msr_find(msr);
}

static uint64_t reg_of(const struct msr_rule *rule)
{
	return is_svm ? rule->amd : rule->intel;
}

bool msr_get(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	const struct msr_rule *rule = find(msr);

	if (!rule)
		return false;
	if (rule->place == MSR_IN_VS) {
		*value = vs_get(v->vsid, reg_of(rule));
		return true;
	}
	if (rule->place == MSR_IN_VCPU) {
		*value = v->msr[rule->kept];
		return true;
	}
	switch (msr) {
	case MSR_EFER:
		*value = vs_get(v->vsid, REG(efer)) & ~(uint64_t)EFER_SVME;
		return true;
	case MSR_TSC:
		*value = get_tsc(v);
		return true;
	case MSR_TSC_ADJUST:
		*value = v->tsc_adjust;
		return true;
	default: /* MSR_TSC_AUX */
		return read_tsc_aux(v, value);
	}
}

static bool set(struct vcpu *v, uint32_t msr, uint64_t value, bool by_guest)
{
	const struct msr_rule *rule = find(msr);

	if (!rule || !msr_check(rule, &value))
		return false;
	if (rule->place == MSR_IN_VS)
		return mk1_vs_write(MK1_HANDLE, v->vsid, reg_of(rule), value) == MK1_SUCCESS;
	if (rule->place == MSR_IN_VCPU) {
		if (!by_guest || rule->form != MSR_MICROCODE)
			v->msr[rule->kept] = value;
		return true;
	}
	switch (msr) {
	case MSR_EFER:
		return write_efer(v, value);
	case MSR_TSC:
		if (!by_guest)
			return set_tsc(v, value);
		move_tsc(v, value - get_tsc(v));
		return true;
	case MSR_TSC_ADJUST:
		/* Whoever restores it restores the TSC, too. */
		if (by_guest)
			move_tsc(v, value - v->tsc_adjust);
		v->tsc_adjust = value;
		return true;
	default: /* MSR_TSC_AUX */
		return write_tsc_aux(v, value);
	}
}

bool msr_set(struct vcpu *v, uint32_t msr, uint64_t value)
{
	return set(v, msr, value, false);
}

void msr_set_tsc_offset(struct vcpu *v, uint64_t offset)
{
	bsl_spin_lock(&v->vm->tsc_lock);
	v->vm->tsc_offset = offset;
	bsl_spin_unlock(&v->vm->tsc_lock);
	vs_set(v->vsid, REG(tsc_offset), offset);
}

bool msr_list(uint64_t n, uint32_t *msr)
{
	const struct msr_rule *rule;

	for (unsigned int i = 0; (rule = msr_listed(i)); i++) {
		if (!find(rule->msr) || n--)
			continue;
		*msr = rule->msr;
		return true;
	}
	return false;
}

bool msr_reset(struct vcpu *v)
{
	for (unsigned int i = 0; i < MSR_NR_KEPT; i++)
		v->msr[i] = msr_reset_value((enum msr_kept)i);
	return reset_tsc(v);
}

void exit_msr(struct vcpu *v, bool write)
{
	uint32_t msr = (uint32_t)mk1_rcx();
	uint64_t value = 0;
	bool good;

	if (vendor->get_cpl(v))
		give_error(v, VECTOR_GP, 0);
	good = write ? set(v, msr, guest_edx_eax(), true) : msr_get(v, msr, &value);
	if (!good)
		give_error(v, VECTOR_GP, 0);
	if (!write)
		set_guest_edx_eax(value);
	advance(v);
	go_on(v);
}
