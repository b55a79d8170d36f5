// SPDX-License-Identifier: GPL-2.0-only
/* The VMX instructions (SDM vol. 3 chapter 31) on VMCSs that are arrays of fields. */
#include <stdlib.h>
#include <string.h>

#include <abi/hw/vmx.h>

#include "cpu.h"

#define NR_FIELDS 0x4000 /* encodings are even and below 0x8000 */
#define MAX_VMCS 1100

struct vmcs {
	uint64_t spa;
	struct cpu *active; /* the CPU that may hold parts of it */
	uint64_t fields[NR_FIELDS];
};

static struct vmcs *all[MAX_VMCS]; /* kept for the next test */
static unsigned int nr_used;
static bool absent[NR_FIELDS];
static struct {
	enum insn insn;
	uint64_t arg;
	unsigned int nth;
} failure;

void vmx_reset(void)
{
	nr_used = 0;
	memset(absent, 0, sizeof(absent));
	failure.nth = 0;
}

static struct vmcs *vmcs_at(uint64_t spa)
{
	struct vmcs *new;

	for (unsigned int i = 0; i < nr_used; i++) {
		if (all[i]->spa == spa)
			return all[i];
	}
	if (nr_used == MAX_VMCS)
		cpu_die("too many VMCSs");
	if (!all[nr_used])
		all[nr_used] = malloc(sizeof(*new));
	new = all[nr_used++];
	if (!new)
		cpu_die("no memory for a VMCS");
	new->spa = spa;
	new->active = NULL;
	/* The CPU leaves in it what was there: no zeroes. */
	for (unsigned int f = 0; f < NR_FIELDS; f++)
		new->fields[f] = 0x5A;
	return new;
}

static unsigned int index_of(uint64_t field)
{
	if (field & 1 || field >= 2 * NR_FIELDS)
		cpu_die("no VMCS field 0x%llx", (unsigned long long)field);
	return (unsigned int)field / 2;
}

uint64_t vmcs_get(uint64_t spa, uint32_t field)
{
	return vmcs_at(spa)->fields[index_of(field)];
}

void vmcs_put(uint64_t spa, uint32_t field, uint64_t value)
{
	vmcs_at(spa)->fields[index_of(field)] = value;
}

void vmcs_absent(uint32_t field, bool is_absent)
{
	absent[index_of(field)] = is_absent;
}

void vmx_fail(enum insn insn, uint64_t arg, unsigned int nth)
{
	failure.insn = insn;
	failure.arg = arg;
	failure.nth = nth;
}

static bool injected(enum insn insn, uint64_t arg)
{
	if (!failure.nth || failure.insn != insn || (failure.arg != ~0ULL && failure.arg != arg))
		return false;
	return --failure.nth == 0;
}

/* VMfail: with the error in the current VMCS if there is one (§33.2). */
static uint64_t vmx_error(uint64_t number)
{
	if (!cpu->current)
		return RFLAGS_CF;
	cpu->current->fields[VMCS_vm_instruction_error / 2] = number;
	return RFLAGS_ZF;
}

static bool has_revision(uint64_t spa)
{
	return *(const uint32_t *)phys_at(spa) ==
	       (uint32_t)(msr_get(cpu, MSR_VMX_BASIC) & VMX_BASIC_REVISION);
}

static uint64_t vmptrld(uint64_t spa)
{
	struct vmcs *v;

	if (spa & 0xFFF)
		return vmx_error(9);
	if (!has_revision(spa))
		return vmx_error(11);
	v = vmcs_at(spa);
	if (v->active && v->active != cpu)
		cpu_die("the VMCS at 0x%llx is active on another CPU", (unsigned long long)spa);
	v->active = cpu;
	cpu->current = v;
	return 0;
}

static uint64_t vmclear(uint64_t spa)
{
	struct vmcs *v;

	if (spa & 0xFFF)
		return vmx_error(2);
	v = vmcs_at(spa);
	if (v->active && v->active != cpu)
		cpu_die("VMCLEAR on a CPU that does not have the VMCS");
	v->active = NULL;
	if (cpu->current == v)
		cpu->current = NULL;
	return 0;
}

static uint64_t vmread(uint64_t field, uint64_t *value)
{
	if (!cpu->current)
		return RFLAGS_CF;
	if (absent[index_of(field)])
		return vmx_error(12);
	*value = cpu->current->fields[index_of(field)];
	return 0;
}

/* Fields have a width, and type 1 is read-only (§27.11.2). */
static uint64_t vmwrite(uint64_t field, uint64_t value)
{
	static const uint64_t widths[] = { 0xFFFF, ~0ULL, 0xFFFFFFFF, ~0ULL };

	if (!cpu->current)
		return RFLAGS_CF;
	if (absent[index_of(field)])
		return vmx_error(12);
	if ((field >> 10 & 3) == 1)
		return vmx_error(13);
	cpu->current->fields[index_of(field)] = value & widths[field >> 13 & 3];
	return 0;
}

static void all_clear(void)
{
	for (unsigned int i = 0; i < nr_used; i++) {
		if (all[i]->active == cpu)
			cpu_die("VMXOFF with a VMCS that is not clear");
	}
}

/* a: the operand, or its address for INVEPT and INVVPID; *b: the value read or written. */
uint64_t vmx_exec(enum insn insn, uint64_t a, uint64_t *b)
{
	if (insn == INSN_VMXON) {
		if (cpu->vmxon || !(cpu->cr4 & CR4_VMXE) || !has_revision(a))
			cpu_die("VMXON");
		if (injected(insn, a))
			return RFLAGS_CF;
		cpu->vmxon = true;
		return 0;
	}
	if (!cpu->vmxon)
		cpu_die("a VMX instruction outside of VMX operation");
	if (injected(insn, a))
		return vmx_error(insn == INSN_VMREAD || insn == INSN_VMWRITE ? 12 : 28);
	switch (insn) {
	case INSN_VMXOFF:
		all_clear();
		cpu->vmxon = false;
		cpu->current = NULL;
		return 0;
	case INSN_VMPTRLD:
		return vmptrld(a);
	case INSN_VMCLEAR:
		return vmclear(a);
	case INSN_VMREAD:
		return vmread(a, b);
	case INSN_VMWRITE:
		return vmwrite(a, *b);
	default: /* INVEPT, INVVPID */
		return 0;
	}
}
