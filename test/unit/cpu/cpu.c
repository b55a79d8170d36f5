// SPDX-License-Identifier: GPL-2.0-only
/* Privileged instructions, emulated when they fault in the test process. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <asm/prctl.h>

#include "microkernel/pp.h"
#include "microkernel/arch/trap.h"
#include "cpu.h"

#define ALT_STACK_SIZE 0x80000
#define MAX_LEAVES 32

struct cpu *cpu;
void (*cpu_watch)(enum insn insn, uint64_t arg);
bool (*cpu_outer)(enum insn insn, uint64_t *gpr);
struct serial serial;
uint64_t cpu_tsc = 1ULL << 40;

static unsigned long process_fs_base;
static struct sigaction old_segv, old_ill;
static bool is_installed;

static struct {
	uint32_t leaf, subleaf;
	struct cpuid_regs regs;
} leaves[MAX_LEAVES];
static unsigned int nr_leaves;

void cpu_die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("fake CPU: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

static void note(enum insn insn, uint64_t a, uint64_t b)
{
	if (cpu_watch)
		cpu_watch(insn, a);
	cpu->count[insn]++;
	cpu->arg[insn][0] = a;
	cpu->arg[insn][1] = b;
}

/* --- MSRs and CPUID --------------------------------------------------------------------------- */

static int msr_find(struct cpu *c, uint32_t number)
{
	for (unsigned int i = 0; i < c->nr_msrs; i++) {
		if (c->msrs[i].number == number)
			return (int)i;
	}
	return -1;
}

void msr_set(struct cpu *c, uint32_t number, uint64_t value)
{
	int i = msr_find(c, number);

	if (i < 0) {
		if (c->nr_msrs == CPU_MSRS)
			cpu_die("too many MSRs");
		i = (int)c->nr_msrs++;
		c->msrs[i].number = number;
		c->msrs[i].known = ~0ULL;
	}
	c->msrs[i].value = value;
}

void msr_restrict(struct cpu *c, uint32_t number, uint64_t known)
{
	c->msrs[msr_find(c, number)].known = known;
}

void msr_drop(struct cpu *c, uint32_t number)
{
	int i = msr_find(c, number);

	if (i >= 0)
		c->msrs[i] = c->msrs[--c->nr_msrs];
}

bool msr_has(struct cpu *c, uint32_t number)
{
	return msr_find(c, number) >= 0;
}

uint64_t msr_get(struct cpu *c, uint32_t number)
{
	int i = msr_find(c, number);

	if (i < 0)
		cpu_die("no MSR 0x%x", number);
	return c->msrs[i].value;
}

void cpuid_set(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
	       uint32_t edx)
{
	unsigned int i = 0;

	while (i < nr_leaves && (leaves[i].leaf != leaf || leaves[i].subleaf != subleaf))
		i++;
	if (i == MAX_LEAVES)
		cpu_die("too many CPUID leaves");
	if (i == nr_leaves)
		nr_leaves++;
	leaves[i].leaf = leaf;
	leaves[i].subleaf = subleaf;
	leaves[i].regs = (struct cpuid_regs){ eax, ebx, ecx, edx };
}

struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r = { 0, 0, 0, 0 };

	for (unsigned int i = 0; i < nr_leaves; i++) {
		if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
			r = leaves[i].regs;
	}
	/* Two bits show CR4: OSXSAVE and OSPKE. */
	if (leaf == 1)
		r.ecx = (r.ecx & ~(1U << 27)) | (uint32_t)(cpu->cr4 >> 18 & 1) << 27;
	if (leaf == 7 && !subleaf)
		r.ecx = (r.ecx & ~(1U << 4)) | (uint32_t)(cpu->cr4 >> 22 & 1) << 4;
	return r;
}

uint64_t fake_xgetbv0(void)
{
	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_die("XGETBV without OSXSAVE");
	return cpu->xcr0;
}

/* --- time ------------------------------------------------------------------------------------- */

#define A_WHILE 1000 /* of RDTSCs: nothing but a loop that waits has so many */

static void (*meanwhile)(void);
static unsigned int reads_left;

void cpu_in_a_while(void (*then)(void))
{
	meanwhile = then;
	reads_left = A_WHILE;
}

uint64_t fake_rdtsc(void)
{
	void (*then)(void) = meanwhile;

	cpu_tsc += TSC_STEP;
	if (then && !--reads_left) {
		meanwhile = NULL;
		then();
	}
	return cpu_tsc;
}

/* --- extended state: SDM vol. 1 chapter 13 ---------------------------------------------------- */

#define X87_ADDRESSES 8 /* offset; of two words */
#define MXCSR 24
#define XSTATE_BV 512
#define KNOWN_ADDRESS 0x4E574F4E4BULL

/* Where the bytes of a component are; those of x87 without MXCSR, which goes by itself. */
static void component(unsigned int i, size_t *offset, size_t *size)
{
	struct cpuid_regs r = fake_cpuid(0xD, i);

	*offset = i == 0 ? 32 : i == 1 ? 160 : r.ebx;
	*size = i == 0 ? 128 : i == 1 ? 256 : r.eax;
}

static void save_component(uint8_t *area, unsigned int i)
{
	size_t offset, size;

	component(i, &offset, &size);
	memcpy(area + offset, cpu->xstate + offset, size);
	if (i == 0)
		memcpy(area, cpu->xstate, MXCSR);
}

static void save_mxcsr(uint8_t *area)
{
	memcpy(area + MXCSR, cpu->xstate + MXCSR, 4);
	memcpy(area + MXCSR + 4, &cpu->mxcsr_mask, 4);
}

/* from NULL: as after reset. */
static void load_component(const uint8_t *from, unsigned int i)
{
	static const uint8_t initial[0x1000] = { 0x7F, 0x03 };
	const uint8_t *area = from ? from : initial;
	uint8_t addresses[16];
	size_t offset, size;

	component(i, &offset, &size);
	memcpy(cpu->xstate + offset, area + offset, size);
	if (i)
		return;
	memcpy(addresses, cpu->xstate + X87_ADDRESSES, sizeof(addresses));
	memcpy(cpu->xstate, area, MXCSR);
	if (cpu->amd_x87)
		memcpy(cpu->xstate + X87_ADDRESSES, addresses, sizeof(addresses));
}

static bool load_mxcsr(const uint8_t *area)
{
	uint32_t known = cpu->mxcsr_mask ? cpu->mxcsr_mask : 0xFFBF, value;

	memcpy(&value, area + MXCSR, 4);
	if (value & ~known)
		return false;
	memcpy(cpu->xstate + MXCSR, &value, 4);
	return true;
}

static void check_area(const void *area, uint64_t alignment)
{
	if ((uint64_t)area % alignment)
		cpu_die("an area at %p", area);
	if (cpu->cr0 & (CR0_EM | CR0_TS))
		cpu_die("FPU instructions with CR0.EM or CR0.TS");
}

void fake_fxsave(void *area)
{
	note(INSN_FXSAVE, 3, 0);
	check_area(area, 16);
	save_component(area, 0);
	save_component(area, 1);
	save_mxcsr(area);
}

void fake_xsave(void *area, uint64_t mask)
{
	uint64_t done = mask & cpu->xcr0, bv;

	note(INSN_XSAVE, mask, 0);
	check_area(area, 64);
	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_die("XSAVE without OSXSAVE");
	for (unsigned int i = 0; i < 64; i++) {
		if (done >> i & 1)
			save_component(area, i);
	}
	if (done & 6)
		save_mxcsr(area);
	memcpy(&bv, (uint8_t *)area + XSTATE_BV, 8);
	bv = (bv & ~done) | (cpu->xinuse & done);
	memcpy((uint8_t *)area + XSTATE_BV, &bv, 8);
}

bool fake_fxrstor(const void *area)
{
	note(INSN_FXRSTOR, 3, 0);
	check_area(area, 16);
	if (!load_mxcsr(area))
		return false;
	load_component(area, 0);
	load_component(area, 1);
	return true;
}

bool fake_xrstor(const void *area, uint64_t mask)
{
	uint64_t done = mask & cpu->xcr0, header[8];

	note(INSN_XRSTOR, mask, 0);
	check_area(area, 64);
	if (!(cpu->cr4 & CR4_OSXSAVE))
		cpu_die("XRSTOR without OSXSAVE");
	memcpy(header, (const uint8_t *)area + XSTATE_BV, sizeof(header));
	if (header[0] & ~cpu->xcr0 || header[1] || header[2])
		return false;
	if (done & 6 && !load_mxcsr(area))
		return false;
	for (unsigned int i = 0; i < 64; i++) {
		if (done >> i & 1)
			load_component(header[0] >> i & 1 ? area : NULL, i);
	}
	cpu->xinuse = (cpu->xinuse & ~done) | (header[0] & done);
	return true;
}

void fake_forget_x87_addresses(void)
{
	const uint64_t known[2] = { KNOWN_ADDRESS, KNOWN_ADDRESS };

	note(INSN_FORGET_X87, 0, 0);
	memcpy(cpu->xstate + X87_ADDRESSES, known, sizeof(known));
}

void fake_sgdt(struct bf_table *t)
{
	*t = cpu->gdtr;
}

void cpu_reset(struct cpu *c)
{
	memset(c, 0, sizeof(*c));
	c->cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	c->cr4 = CR4_PAE | CR4_MCE | CR4_OSXSAVE;
	c->cr4_known = 0x7FF | CR4_UMIP | CR4_VMXE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP;
	c->xcr0 = 7;
	c->xcr0_known = 7;
	c->dr[6] = DR6_RESET;
	c->dr[7] = 0x400;
	c->gif = true;
}

/* --- the instruction at RIP ------------------------------------------------------------------- */

static const int greg_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
				 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
				 REG_R12, REG_R13, REG_R14, REG_R15 };

struct decoded {
	greg_t *gregs;
	const uint8_t *at; /* after what has been looked at */
	bool operand_size; /* 66 */
	uint8_t repeat; /* F2, F3 or 0 */
	uint8_t rex;
	unsigned int reg, rm; /* of ModRM, with REX */
	bool is_memory;
	uint64_t address;
};

static uint64_t *greg(struct decoded *d, unsigned int number)
{
	return (uint64_t *)&d->gregs[greg_of[number]];
}

static int32_t take_disp(struct decoded *d, unsigned int bytes)
{
	int32_t disp = (int8_t)d->at[0];

	if (bytes == 4)
		memcpy(&disp, d->at, 4);
	d->at += bytes;
	return disp;
}

static void take_address(struct decoded *d, uint8_t modrm)
{
	unsigned int mod = modrm >> 6, base = modrm & 7;

	d->address = 0;
	if (base == 4) {
		uint8_t sib = *d->at++;
		unsigned int index = (sib >> 3 & 7) | (unsigned int)(d->rex & 2) << 2;

		base = sib & 7;
		if (index != 4)
			d->address += *greg(d, index) << (sib >> 6);
	} else if (!mod && base == 5) {
		int32_t disp = take_disp(d, 4);

		d->address = (uint64_t)d->at + (uint64_t)(int64_t)disp;
		return;
	}
	if (!mod && base == 5)
		d->address += (uint64_t)(int64_t)take_disp(d, 4);
	else
		d->address += *greg(d, base | (unsigned int)(d->rex & 1) << 3);
	if (mod)
		d->address += (uint64_t)(int64_t)take_disp(d, mod == 1 ? 1 : 4);
}

static void take_modrm(struct decoded *d)
{
	uint8_t modrm = *d->at++;

	d->reg = (modrm >> 3 & 7) | (unsigned int)(d->rex & 4) << 1;
	d->rm = (modrm & 7) | (unsigned int)(d->rex & 1) << 3;
	d->is_memory = modrm >> 6 != 3;
	if (d->is_memory)
		take_address(d, modrm);
}

/* What an emulation says: done, none of mine, or an exception (vector << 32 | error code). */
#define DONE 0
#define NOT_MINE 1
#define FAULT(vector, code) ((uint64_t)(vector) << 32 | (code))
#define GP FAULT(13, 0)
#define UD FAULT(6, 0)

static uint64_t write_cr(unsigned int number, uint64_t value)
{
	note(INSN_WRITE_CR, number, value);
	switch (number) {
	case 0:
		if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)))
			return GP;
		cpu->cr0 = value;
		return DONE;
	case 2:
		cpu->cr2 = value;
		return DONE;
	case 3:
		cpu->cr3 = value;
		mmu_flush();
		return DONE;
	case 4:
		if (value & ~cpu->cr4_known || (cpu->vmxon && !(value & CR4_VMXE)))
			return GP;
		cpu->cr4 = value;
		mmu_flush();
		return DONE;
	case 8:
		if (value > 15)
			return GP;
		cpu->cr8 = value;
		return DONE;
	default:
		return UD;
	}
}

static uint64_t read_cr(unsigned int number, uint64_t *value)
{
	const uint64_t crs[] = { cpu->cr0, 0, cpu->cr2, cpu->cr3, cpu->cr4, 0, 0, 0, cpu->cr8 };

	note(INSN_READ_CR, number, 0);
	if (number > 8 || number == 1 || (number > 4 && number < 8))
		return UD;
	*value = crs[number];
	return DONE;
}

static uint64_t do_rdmsr(struct decoded *d)
{
	uint32_t number = (uint32_t)d->gregs[REG_RCX];
	int i = msr_find(cpu, number);

	note(INSN_RDMSR, number, 0);
	if (i < 0)
		return GP;
	d->gregs[REG_RAX] = (greg_t)(uint32_t)cpu->msrs[i].value;
	d->gregs[REG_RDX] = (greg_t)(cpu->msrs[i].value >> 32);
	return DONE;
}

static uint64_t edx_eax(const struct decoded *d)
{
	return (uint64_t)d->gregs[REG_RDX] << 32 | (uint32_t)d->gregs[REG_RAX];
}

static uint64_t do_wrmsr(struct decoded *d)
{
	uint32_t number = (uint32_t)d->gregs[REG_RCX];
	int i = msr_find(cpu, number);

	note(INSN_WRMSR, number, edx_eax(d));
	if (i < 0 || edx_eax(d) & ~cpu->msrs[i].known)
		return GP;
	cpu->msrs[i].value = edx_eax(d);
	return DONE;
}

static uint64_t do_xsetbv(struct decoded *d)
{
	note(INSN_XSETBV, edx_eax(d), 0);
	if (!(cpu->cr4 & CR4_OSXSAVE))
		return UD;
	if ((uint32_t)d->gregs[REG_RCX] || !(edx_eax(d) & 1) || edx_eax(d) & ~cpu->xcr0_known)
		return GP;
	cpu->xcr0 = edx_eax(d);
	return DONE;
}

static uint64_t do_table(struct decoded *d, enum insn insn, struct bf_table *t)
{
	note(insn, d->address, 0);
	memcpy(&t->limit, (const void *)d->address, 10);
	return DONE;
}

static uint64_t do_ac(enum insn insn)
{
	note(insn, 0, 0);
	if (!(cpu->cr4 & CR4_SMAP))
		return UD;
	cpu->ac = insn == INSN_STAC;
	if (!cpu->ac)
		mmu_flush_user();
	return DONE;
}

static uint64_t do_svm(struct decoded *d, enum insn insn)
{
	note(insn, (uint64_t)d->gregs[REG_RAX], (uint64_t)d->gregs[REG_RCX]);
	if (!(msr_get(cpu, MSR_EFER) & EFER_SVME))
		return UD;
	if (insn == INSN_CLGI || insn == INSN_STGI)
		cpu->gif = insn == INSN_STGI;
	if (insn == INSN_STGI && cpu->on_stgi)
		cpu->on_stgi();
	else if (insn == INSN_VMSAVE)
		(void)phys_at((uint64_t)d->gregs[REG_RAX]);
	return DONE;
}

static uint64_t do_vmx(struct decoded *d, enum insn insn, uint64_t a, uint64_t *b)
{
	uint64_t flags;

	note(insn, a, b ? *b : 0);
	flags = vmx_exec(insn, a, b);
	d->gregs[REG_EFL] = (greg_t)(((uint64_t)d->gregs[REG_EFL] & ~0x8D5ULL) | flags);
	return DONE;
}

/* The general registers of a trap frame, in its order. */
static const int frame_gregs[BF_NR_GPRS] = { REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RBP,
					     REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10,
					     REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

static uint64_t do_outer(struct decoded *d, enum insn insn)
{
	uint64_t gpr[BF_NR_GPRS];

	note(insn, (uint64_t)d->gregs[REG_RAX], 0);
	if (!cpu_outer)
		return UD;
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		gpr[i] = (uint64_t)d->gregs[frame_gregs[i]];
	if (!cpu_outer(insn, gpr))
		d->gregs[REG_EFL] |= RFLAGS_CF;
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		d->gregs[frame_gregs[i]] = (greg_t)gpr[i];
	return DONE;
}

/* 0F 01 with a register form: the third byte is the instruction. */
static uint64_t group7_register(struct decoded *d, uint8_t third)
{
	switch (third) {
	case 0xC1:
		return do_outer(d, INSN_VMCALL);
	case 0xC4:
		return do_vmx(d, INSN_VMXOFF, 0, NULL);
	case 0xCA:
		return do_ac(INSN_CLAC);
	case 0xCB:
		return do_ac(INSN_STAC);
	case 0xD1:
		return do_xsetbv(d);
	case 0xD9:
		return do_outer(d, INSN_VMMCALL);
	case 0xDB:
		return do_svm(d, INSN_VMSAVE);
	case 0xDC:
		return do_svm(d, INSN_STGI);
	case 0xDD:
		return do_svm(d, INSN_CLGI);
	case 0xDF:
		return do_svm(d, INSN_INVLPGA);
	default:
		return NOT_MINE;
	}
}

static uint64_t group7(struct decoded *d)
{
	uint8_t third = *d->at;

	take_modrm(d);
	if (!d->is_memory)
		return group7_register(d, third);
	switch (d->reg & 7) {
	case 2:
		return do_table(d, INSN_LGDT, &cpu->gdtr);
	case 3:
		return do_table(d, INSN_LIDT, &cpu->idtr);
	case 7:
		note(INSN_INVLPG, d->address, 0);
		mmu_flush_page(d->address);
		return DONE;
	default:
		return NOT_MINE;
	}
}

/* LLDT and LTR; LTR wants an available TSS in the table, and marks it busy (SDM vol. 2A, LTR). */
static uint64_t group6(struct decoded *d)
{
	uint16_t selector;

	take_modrm(d);
	selector = d->is_memory ? *(const uint16_t *)d->address : (uint16_t)*greg(d, d->rm);
	if ((d->reg & 7) == 2) {
		note(INSN_LLDT, selector, 0);
		cpu->ldtr = selector;
		return DONE;
	}
	if ((d->reg & 7) != 3)
		return NOT_MINE;
	note(INSN_LTR, selector, 0);
	if (!(selector & ~7U) || (selector | 15U) > cpu->gdtr.limit)
		return FAULT(13, selector);
	uint64_t *desc = (uint64_t *)(cpu->gdtr.base + (selector & ~7U));
	if ((*desc >> 40 & 0xFF) != 0x89)
		return FAULT(13, selector);
	*desc |= 1ULL << 41;
	cpu->tr = selector;
	return DONE;
}

static uint64_t group9(struct decoded *d)
{
	enum insn insn = d->repeat == 0xF3 ? INSN_VMXON :
			 d->operand_size   ? INSN_VMCLEAR :
					     INSN_VMPTRLD;

	take_modrm(d);
	if (!d->is_memory || (d->reg & 7) != 6)
		return NOT_MINE;
	return do_vmx(d, insn, *(const uint64_t *)d->address, NULL);
}

static uint64_t two_byte(struct decoded *d)
{
	uint8_t opcode = *d->at++;

	switch (opcode) {
	case 0x00:
		return group6(d);
	case 0x01:
		return group7(d);
	case 0x20:
		take_modrm(d);
		return read_cr(d->reg, greg(d, d->rm));
	case 0x21:
		take_modrm(d);
		note(INSN_READ_DR, d->reg, 0);
		*greg(d, d->rm) = cpu->dr[d->reg & 7];
		return DONE;
	case 0x22:
		take_modrm(d);
		return write_cr(d->reg, *greg(d, d->rm));
	case 0x23:
		take_modrm(d);
		note(INSN_WRITE_DR, d->reg, *greg(d, d->rm));
		if (d->reg >= 6 && *greg(d, d->rm) >> 32)
			return GP;
		cpu->dr[d->reg & 7] = *greg(d, d->rm);
		return DONE;
	case 0x30:
		return do_wrmsr(d);
	case 0x32:
		return do_rdmsr(d);
	case 0x38:
		opcode = *d->at++;
		take_modrm(d);
		if (opcode != 0x80 && opcode != 0x81)
			return NOT_MINE;
		return do_vmx(d, opcode == 0x80 ? INSN_INVEPT : INSN_INVVPID, *greg(d, d->reg),
			      (uint64_t *)d->address);
	case 0x78:
		take_modrm(d);
		return do_vmx(d, INSN_VMREAD, *greg(d, d->reg), greg(d, d->rm));
	case 0x79:
		take_modrm(d);
		return do_vmx(d, INSN_VMWRITE, *greg(d, d->reg), greg(d, d->rm));
	case 0xC7:
		return group9(d);
	default:
		return NOT_MINE;
	}
}

static uint64_t do_in(struct decoded *d, uint16_t port)
{
	bool is_lcr = port == serial.port + 3;

	note(INSN_IN, port, 0);
	if (is_lcr || port == serial.port + 5)
		d->gregs[REG_RAX] = (greg_t)(((uint64_t)d->gregs[REG_RAX] & ~0xFFULL) |
					     (is_lcr ? serial.lcr : serial.lsr));
	return DONE;
}

static uint64_t do_out(struct decoded *d, uint16_t port)
{
	uint8_t value = (uint8_t)d->gregs[REG_RAX];
	bool dlab = serial.lcr & 0x80;

	note(INSN_OUT, port, value);
	if (port == serial.port + 3)
		serial.lcr = value;
	else if (dlab && port == serial.port)
		serial.divisor = (uint16_t)((serial.divisor & 0xFF00) | value);
	else if (dlab && port == serial.port + 1)
		serial.divisor = (uint16_t)((serial.divisor & 0xFF) | value << 8);
	else if (port == serial.port && serial.length < sizeof(serial.text) - 1)
		serial.text[serial.length++] = (char)value;
	return DONE;
}

/* IRETQ to ring 0: the test process has other selectors, so only RIP, RFLAGS and RSP are taken. */
static uint64_t do_iret(struct decoded *d)
{
	const uint64_t *frame = (const uint64_t *)d->gregs[REG_RSP];

	note(INSN_IRET, frame[0], 0);
	if (frame[1] != BF_SEL_KERNEL_CS || frame[4] != BF_SEL_KERNEL_SS)
		cpu_die("IRET to 0x%llx", (unsigned long long)frame[1]);
	d->at = (const uint8_t *)frame[0];
	d->gregs[REG_RSP] = (greg_t)frame[3];
	return DONE;
}

static uint64_t execute(struct decoded *d)
{
	for (;; d->at++) {
		if (*d->at == 0x66)
			d->operand_size = true;
		else if (*d->at == 0xF2 || *d->at == 0xF3)
			d->repeat = *d->at;
		else if (*d->at != 0xF0 || d->at[1] != 0x0F || d->at[2] != 0x01) /* hypercall.inc */
			break;
	}
	if ((*d->at & 0xF0) == 0x40)
		d->rex = *d->at++;
	switch (*d->at++) {
	case 0x0F:
		return two_byte(d);
	case 0x8E:
		take_modrm(d);
		if ((d->reg & 7) != 2)
			return NOT_MINE;
		note(INSN_MOV_SS, *greg(d, d->rm), 0);
		cpu->ss = (uint16_t)*greg(d, d->rm);
		return DONE;
	case 0xCF:
		return d->rex == 0x48 ? do_iret(d) : NOT_MINE;
	case 0xE4:
		return do_in(d, *d->at++);
	case 0xE6:
		return do_out(d, *d->at++);
	case 0xEC:
		return do_in(d, (uint16_t)d->gregs[REG_RDX]);
	case 0xEE:
		return do_out(d, (uint16_t)d->gregs[REG_RDX]);
	default:
		return NOT_MINE;
	}
}

/* --- signals ---------------------------------------------------------------------------------- */

static void deliver(greg_t *gregs, uint64_t vector, uint64_t error_code)
{
	struct trap_frame frame = {
		.vector = vector,
		.error_code = error_code,
		.rip = (uint64_t)gregs[REG_RIP],
		.cs = BF_SEL_KERNEL_CS,
		.rflags = (uint64_t)gregs[REG_EFL],
		.rsp = (uint64_t)gregs[REG_RSP],
		.ss = BF_SEL_KERNEL_SS,
	};

	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		frame.gpr[i] = (uint64_t)gregs[frame_gregs[i]];
	trap_dispatch(&frame);
	gregs[REG_RIP] = (greg_t)frame.rip;
}

static bool emulate(greg_t *gregs)
{
	struct decoded d = { .gregs = gregs, .at = (const uint8_t *)gregs[REG_RIP] };
	uint64_t outcome = execute(&d);

	if (outcome == NOT_MINE)
		return false;
	if (outcome == DONE)
		gregs[REG_RIP] = (greg_t)d.at;
	else
		deliver(gregs, outcome >> 32, (uint32_t)outcome);
	return true;
}

/* Addresses that only the fake MMU maps: those of Mk#1 and the PP area. */
static bool is_emulated_address(uint64_t va)
{
	return va >= MK1_PAGE_POOL_BASE && va < BF_PP_BASE + 0x100000;
}

static void page_fault(greg_t *gregs, uint64_t va)
{
	uint64_t error_code;

	if (mmu_fault(va, gregs[REG_ERR] & 2, &error_code))
		return;
	cpu->cr2 = va;
	deliver(gregs, 14, error_code);
}

/* Where it is measured, what an assertion ends counts, too. */
extern void __gcov_dump(void) __attribute__((weak));

/* Nothing before FS base is right again may use thread-local storage: MOV to FS zeroes it. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *gregs = uc->uc_mcontext.gregs;
	long ignored;

	__asm__ volatile("syscall"
			 : "=a"(ignored)
			 : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(process_fs_base)
			 : "rcx", "r11", "memory");
	if (number == SIGSEGV && info->si_code != SI_KERNEL) {
		if (cpu && is_emulated_address((uint64_t)info->si_addr)) {
			page_fault(gregs, (uint64_t)info->si_addr);
			return;
		}
	} else if (cpu && emulate(gregs)) {
		return;
	} else if (cpu && cpu->count[INSN_LIDT] && !cpu->idtr.limit) {
		cpu_shutdown();
	}
	fprintf(stderr, "fake CPU: signal %d at rip %p, address %p\n", number,
		(void *)gregs[REG_RIP], info->si_addr);
	if (__gcov_dump)
		__gcov_dump();
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGILL, &old_ill, NULL);
}

void cpu_install(void)
{
	static uint8_t alt_stack[ALT_STACK_SIZE] __attribute__((aligned(16)));
	stack_t stack = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

	nr_leaves = 0;
	vmx_reset();
	if (is_installed)
		return;
	syscall(SYS_arch_prctl, ARCH_GET_FS, &process_fs_base);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, &old_segv);
	sigaction(SIGILL, &action, &old_ill);
	is_installed = true;
}
