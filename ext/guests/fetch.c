// SPDX-License-Identifier: MIT
/* Linear addresses of the guest, and its instructions. */
#include <ext/guests/guests.h>
#include <ext/linux/cpuid.h>

#define TRIES 64 /* while other CPUs change the same entry of a table */

static bool read_entry(void *ctx, uint64_t gpa, unsigned int bytes, uint64_t *entry)
{
	*entry = 0;
	return memory_read(ctx, gpa, entry, bytes);
}

static enum paging_status exchange_entry(void *ctx, uint64_t gpa, unsigned int bytes,
					 uint64_t expected, uint64_t value)
{
	bool changed;

	if (!memory_exchange(ctx, gpa, &value, &expected, bytes, &changed))
		return PAGING_UNREACHABLE;
	return changed ? PAGING_CHANGED : PAGING_OK;
}

static const struct paging_ops ops = { .read = read_entry, .exchange = exchange_entry };

enum paging_status translate(struct vcpu *v, const struct emulate_regs *regs, uint64_t la,
			     unsigned int access, uint64_t *gpa, uint32_t *error)
{
	struct paging_regs paging = {
		.cr0 = regs->cr0,
		.cr3 = vs_get(v->vsid, REG(cr3)),
		.cr4 = regs->cr4,
		.efer = regs->efer,
		.rflags = regs->rflags,
		.pkru = regs->cr4 & CR4_PKE ? guest_pkru(v) : 0,
		.physical_bits = cpuid(0x80000008, 0).eax & 0xFF,
		.has_1gib_pages = cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_PAGE_1G,
		.is_amd = is_svm,
	};
	enum paging_status status = PAGING_CHANGED;
	uint64_t pdptes[4];

	if (!is_svm) {
		for (unsigned int i = 0; i < 4; i++)
			pdptes[i] = vs_get(v->vsid, MK1_INTEL_pdpte0 + i);
		paging.pdptes = pdptes;
	}
	if (regs->cpl == 3)
		access |= PAGING_USER;
	for (unsigned int i = 0; i < TRIES && status == PAGING_CHANGED; i++)
		status = paging_translate(&paging, &ops, v, la, access, gpa, error);
	return status;
}

size_t fetch(struct vcpu *v, const struct emulate_regs *regs, uint8_t *bytes,
	     enum paging_status *status, uint32_t *error)
{
	uint64_t la = regs->segment[INSN_CS].base + regs->rip;
	size_t n;

	for (n = 0; n < INSN_MAX_LENGTH; n++) {
		uint64_t at = regs->efer & EFER_LMA ? la + n : (uint32_t)(la + n);
		uint64_t gpa;

		*status = translate(v, regs, at, PAGING_FETCH, &gpa, error);
		if (*status == PAGING_OK && !memory_read(v, gpa, &bytes[n], 1))
			*status = PAGING_UNREACHABLE;
		if (*status != PAGING_OK)
			break;
	}
	return n;
}
