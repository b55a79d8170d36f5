// SPDX-License-Identifier: GPL-2.0-only
/* Which instructions exit with which code (APM vol. 2, appendix C; opcodes: vol. 3, appendix A). */
#include <bsl/string.h>

#include "svm/svm.h"

#define GROUP7_REG(modrm) ((modrm) >> 3 & 7)

/* Exit codes of CR accesses: 16 reads, then 16 writes; the same for DRs behind them. */
#define EXIT_CR_WRITE 0x10
#define EXIT_DR_READ 0x20
#define EXIT_DR_WRITE 0x30
#define EXIT_DR_END 0x40
#define EXIT_CR0_SEL_WRITE 0x65

static const struct {
	uint8_t code;
	uint8_t length; /* of what tells the instruction from all others */
	uint8_t opcode[3];
} insns[] = {
	{ 0x6E, 2, { 0x0F, 0x31 } }, /* RDTSC */
	{ 0x6E, 3, { 0x0F, 0x01, 0xF9 } }, /* RDTSCP, as QEMU reports it */
	{ 0x6F, 2, { 0x0F, 0x33 } }, /* RDPMC */
	{ 0x70, 1, { 0x9C } }, /* PUSHF */
	{ 0x71, 1, { 0x9D } }, /* POPF */
	{ SVM_EXIT_CPUID, 2, { 0x0F, 0xA2 } },
	{ 0x73, 2, { 0x0F, 0xAA } }, /* RSM */
	{ 0x74, 1, { 0xCF } }, /* IRET */
	{ 0x75, 1, { 0xCD } }, /* INT n */
	{ 0x76, 2, { 0x0F, 0x08 } }, /* INVD */
	{ 0x77, 1, { 0x90 } }, /* PAUSE */
	{ 0x78, 1, { 0xF4 } }, /* HLT */
	{ 0x7A, 3, { 0x0F, 0x01, 0xDF } }, /* INVLPGA */
	{ SVM_EXIT_VMRUN, 3, { 0x0F, 0x01, 0xD8 } },
	{ SVM_EXIT_VMMCALL, 3, { 0x0F, 0x01, 0xD9 } },
	{ 0x82, 3, { 0x0F, 0x01, 0xDA } }, /* VMLOAD */
	{ 0x83, 3, { 0x0F, 0x01, 0xDB } }, /* VMSAVE */
	{ 0x84, 3, { 0x0F, 0x01, 0xDC } }, /* STGI */
	{ 0x85, 3, { 0x0F, 0x01, 0xDD } }, /* CLGI */
	{ 0x86, 3, { 0x0F, 0x01, 0xDE } }, /* SKINIT */
	{ 0x87, 3, { 0x0F, 0x01, 0xF9 } }, /* RDTSCP */
	{ 0x88, 1, { 0xF1 } }, /* INT1 */
	{ 0x89, 2, { 0x0F, 0x09 } }, /* WBINVD and WBNOINVD */
	{ 0x8A, 3, { 0x0F, 0x01, 0xC8 } }, /* MONITOR */
	{ 0x8B, 3, { 0x0F, 0x01, 0xC9 } }, /* MWAIT */
	{ 0x8C, 3, { 0x0F, 0x01, 0xC9 } }, /* MWAIT with the monitor armed */
	{ 0x8D, 3, { 0x0F, 0x01, 0xD1 } }, /* XSETBV */
	{ 0x8E, 3, { 0x0F, 0x01, 0xFD } }, /* RDPRU */
};

#define NR_INSNS (sizeof(insns) / sizeof(insns[0]))

/* MOV; and SMSW, LMSW and CLTS, which are accesses of CR0. */
static bool accesses_register(uint64_t code, const uint8_t *opcode)
{
	bool write = code == EXIT_CR0_SEL_WRITE || code & EXIT_CR_WRITE;
	bool cr0 = code == 0 || code == EXIT_CR_WRITE || code == EXIT_CR0_SEL_WRITE;

	if (opcode[0] != 0x0F)
		return false;
	if (cr0 && opcode[1] == 0x01)
		return GROUP7_REG(opcode[2]) == (write ? 6 : 4);
	if (cr0 && write && opcode[1] == 0x06)
		return true;
	return opcode[1] == (write ? 0x22 : 0x20) + (code >= EXIT_DR_READ && code < EXIT_DR_END);
}

bool svm_insn_fits(const struct vmcb *vmcb, const uint8_t *bytes, size_t n)
{
	uint64_t code = vmcb->exitcode;
	uint8_t opcode[3] = { 0, 0, 0 };
	bool known = false;

	bsl_memcpy(opcode, bytes, n < sizeof(opcode) ? n : sizeof(opcode));
	if (code < EXIT_DR_END || code == EXIT_CR0_SEL_WRITE)
		return accesses_register(code, opcode);
	if (code == SVM_EXIT_MSR)
		return opcode[0] == 0x0F && opcode[1] == (vmcb->exitinfo1 & 1 ? 0x30 : 0x32);
	for (size_t i = 0; i < NR_INSNS; i++) {
		if (insns[i].code != code)
			continue;
		if (!bsl_memcmp(opcode, insns[i].opcode, insns[i].length))
			return true;
		known = true;
	}
	return !known;
}
