// SPDX-License-Identifier: MIT
/*
 * Control and debug registers, of whose use the hooks hear. What nobody answers, Linux executes
 * itself, with nothing watched: what MOV checks and flushes, and what a bit means, the CPU knows.
 */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/libext/memory.h>
#include <ext/linux/access.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/step.h>
#include <ext/linux/vendor.h>

#define GPRS_IN_ORDER(X) \
	X(rax) \
	X(rcx) \
	X(rdx) \
	X(rbx) X(rsp) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15)
#define GPR_OF(name) EXT_REG_##name,
static const uint8_t gprs[16] = { GPRS_IN_ORDER(GPR_OF) };

/* Of all PPs: what is in them stays there. */
static unsigned int watched_crs, watched_drs;

void access_watch(unsigned int crs, unsigned int drs)
{
	if (crs || drs)
		hooks_see_all_now(); /* any exit may end a step */
	(void)__atomic_fetch_or(&watched_crs, crs, __ATOMIC_RELEASE);
	(void)__atomic_fetch_or(&watched_drs, drs, __ATOMIC_RELEASE);
}

static unsigned int crs_now(void)
{
	return __atomic_load_n(&watched_crs, __ATOMIC_ACQUIRE);
}

static unsigned int drs_now(void)
{
	return __atomic_load_n(&watched_drs, __ATOMIC_ACQUIRE);
}

bool access_is_watched(void)
{
	return crs_now() || drs_now();
}

static void set_bits(uint64_t vsid, uint64_t reg, uint64_t bits, bool on)
{
	uint64_t value = vs_get(vsid, reg);

	vs_set(vsid, reg, on ? value | bits : value & ~bits);
}

void access_set(uint64_t vsid, bool on)
{
	unsigned int crs = crs_now(), drs = drs_now();

	if (!crs && !drs)
		return;
	if (!linux_is_on_amd()) {
		vmx_watch_access(vsid, crs, drs, on);
		return;
	}
	set_bits(vsid, MK1_AMD_intercept_cr_write, crs, on);
	/* DR4 and DR5 are DR6 and DR7 (APM vol. 2 §13.1.1.5). */
	drs |= drs >> 2 & 0x30;
	set_bits(vsid, MK1_AMD_intercept_dr_read, drs, on);
	set_bits(vsid, MK1_AMD_intercept_dr_write, drs, on);
}

/* AMD: the instruction is read where the CPU does not say which operand it has. */
bool access_can(uint64_t vsid)
{
	uint8_t code[EXT_MEM_CODE_MAX];
	enum ext_mem_status status;
	size_t count;

	if (!linux_is_on_amd())
		return true;
	status = ext_mem_code(vsid, code, &count);
	if (status == EXT_MEM_OK)
		return true;
	ext_print("%s: CR and DR cannot be watched: no code can be read: %s\n", ext_name,
		  ext_mem_why(status));
	return false;
}

/* --- the hooks -------------------------------------------------------------------------------- */

bool access_is_64_bit(uint64_t vsid)
{
	if (!(ext_reg_read(vsid, EXT_REG_efer) & EFER_LMA))
		return false;
	return linux_is_on_amd() ? vs_get(vsid, MK1_AMD_cs_attrib) & SEG_ATTRIB_L :
				   vs_get(vsid, MK1_INTEL_cs_attrib) & VMX_AR_L;
}

uint64_t access_operand(uint64_t vsid, unsigned int gpr, bool mode64)
{
	uint64_t value = ext_reg_read(vsid, (enum ext_reg)gprs[gpr & 0xF]);

	return mode64 ? value : (uint32_t)value;
}

/* Nobody is asked of what faults for lack of privilege, and of what does not change anything. */
void access_cr(struct ext_exit *e, unsigned int number, uint64_t old, uint64_t value)
{
	const struct ext_cr cr = { .number = number, .old = old, .value = value };

	e->step = (number != 3 && value == old) || ext_cpl(e->vsid);
	if (!e->step && !hook_cr(e, &cr))
		e->step = true;
}

void access_dr(struct ext_exit *e, unsigned int number, bool write, unsigned int gpr, bool mode64)
{
	uint64_t value = write ? access_operand(e->vsid, gpr, mode64) : 0;
	struct ext_dr dr = { .number = number, .write = write };

	if (number == 4 || number == 5)
		dr.number += 2;
	e->step = !(drs_now() >> dr.number & 1) || ext_cpl(e->vsid) ||
		  (dr.number != number && ext_reg_read(e->vsid, EXT_REG_cr4) & CR4_DE);
	if (!e->step && !hook_dr(e, &dr, &value))
		e->step = true;
	else if (!e->step && !write && !e->fault && !e->again)
		(void)ext_reg_write(e->vsid, (enum ext_reg)gprs[gpr & 0xF],
				    mode64 ? value : (uint32_t)value);
	if (e->step && write && dr.number == 6)
		svm_step_writes_dr6(value);
}

/* --- AMD -------------------------------------------------------------------------------------- */

/* What LMSW reads. false: only the CPU finds out. */
static bool read_operand(uint64_t vsid, const struct access_insn *insn, uint64_t *value)
{
	uint64_t at = (uint64_t)(int64_t)insn->displacement;
	uint16_t word;

	if (insn->base == ACCESS_RIP)
		at += vs_get(vsid, MK1_AMD_rip) + insn->length;
	else if (insn->base != ACCESS_NO_GPR)
		at += access_operand(vsid, insn->base, true);
	if (insn->index != ACCESS_NO_GPR)
		at += access_operand(vsid, insn->index, true) << insn->scale;
	if (insn->short_address)
		at = (uint32_t)at;
	if (insn->segment == 0x64)
		at += ext_reg_read(vsid, EXT_REG_fs_base);
	else if (insn->segment == 0x65)
		at += ext_reg_read(vsid, EXT_REG_gs_base);
	if (ext_mem_read(vsid, at, &word, sizeof(word), NULL) != EXT_MEM_OK)
		return false;
	*value = word;
	return true;
}

/* What is written to the control register. false: only the CPU finds out. */
static bool value_written(uint64_t vsid, const struct access_insn *insn, bool mode64, uint64_t old,
			  uint64_t *value)
{
	uint64_t source = 0;

	switch (insn->kind) {
	case ACCESS_CLTS:
		*value = old & ~(uint64_t)CR0_TS;
		return true;
	case ACCESS_LMSW_MEMORY:
		if (!mode64 || !read_operand(vsid, insn, &source))
			return false;
		break;
	default:
		source = access_operand(vsid, insn->gpr, mode64);
		break;
	}
	*value = insn->kind == ACCESS_MOV ? source : access_lmsw(old, source);
	return true;
}

static enum ext_reg cr_of(unsigned int number)
{
	return number == 0 ? EXT_REG_cr0 :
	       number == 3 ? EXT_REG_cr3 :
	       number == 4 ? EXT_REG_cr4 :
			     EXT_REG_cr8;
}

/* Other CPUs may have changed the instruction since: the CPU looks again at what is there now. */
void access_svm(struct ext_exit *e)
{
	unsigned int code = (unsigned int)e->reason;
	uint64_t info = vs_get(e->vsid, MK1_AMD_exitinfo1), old, value;
	struct access_insn insn = { .kind = ACCESS_MOV, .gpr = SVM_CR_GPR(info) };
	bool mode64 = access_is_64_bit(e->vsid);

	if (code >= SVM_EXIT_DR_READ || !(info & SVM_CR_DECODED)) {
		uint8_t bytes[EXT_MEM_CODE_MAX];
		size_t count;

		if (ext_mem_code(e->vsid, bytes, &count) != EXT_MEM_OK ||
		    !access_decode(bytes, count, mode64, &insn)) {
			e->again = true;
			return;
		}
	}
	if (code >= SVM_EXIT_DR_READ) {
		access_dr(e, code & 0xF, code >= SVM_EXIT_DR_WRITE, insn.gpr, mode64);
		return;
	}
	code &= 0xF;
	old = ext_reg_read(e->vsid, cr_of(code));
	if (value_written(e->vsid, &insn, mode64, old, &value))
		access_cr(e, code, old, value);
	else
		e->step = true;
}
