// SPDX-License-Identifier: GPL-2.0-only
/* Which instructions exit with which code (APM vol. 2, appendix C; opcodes: vol. 3, appendix A). */
#include <bsl/string.h>

#include "svm/insns.h"
#include "svm/svm.h"

#define GROUP7_REG(modrm) ((modrm) >> 3 & 7)

static const struct {
	uint8_t code;
	uint8_t length; /* of what tells the instruction from all others */
	uint8_t opcode[3];
} insns[] = {
	{ SVM_EXIT_RDTSC, 2, { 0x0F, 0x31 } },
	{ SVM_EXIT_RDTSC, 3, { 0x0F, 0x01, 0xF9 } }, /* RDTSCP, as QEMU reports it */
	{ SVM_EXIT_RDPMC, 2, { 0x0F, 0x33 } },
	{ SVM_EXIT_PUSHF, 1, { 0x9C } },
	{ SVM_EXIT_POPF, 1, { 0x9D } },
	{ SVM_EXIT_CPUID, 2, { 0x0F, 0xA2 } },
	{ SVM_EXIT_RSM, 2, { 0x0F, 0xAA } },
	{ SVM_EXIT_IRET, 1, { 0xCF } },
	{ SVM_EXIT_SWINT, 1, { 0xCD } }, /* INT n */
	{ SVM_EXIT_INVD, 2, { 0x0F, 0x08 } },
	{ SVM_EXIT_PAUSE, 1, { 0x90 } },
	{ SVM_EXIT_HLT, 1, { 0xF4 } },
	{ SVM_EXIT_INVLPGA, 3, { 0x0F, 0x01, 0xDF } },
	{ SVM_EXIT_VMRUN, 3, { 0x0F, 0x01, 0xD8 } },
	{ SVM_EXIT_VMMCALL, 3, { 0x0F, 0x01, 0xD9 } },
	{ SVM_EXIT_VMLOAD, 3, { 0x0F, 0x01, 0xDA } },
	{ SVM_EXIT_VMSAVE, 3, { 0x0F, 0x01, 0xDB } },
	{ SVM_EXIT_STGI, 3, { 0x0F, 0x01, 0xDC } },
	{ SVM_EXIT_CLGI, 3, { 0x0F, 0x01, 0xDD } },
	{ SVM_EXIT_SKINIT, 3, { 0x0F, 0x01, 0xDE } },
	{ SVM_EXIT_RDTSCP, 3, { 0x0F, 0x01, 0xF9 } },
	{ SVM_EXIT_ICEBP, 1, { 0xF1 } }, /* INT1 */
	{ SVM_EXIT_WBINVD, 2, { 0x0F, 0x09 } }, /* WBINVD and WBNOINVD */
	{ SVM_EXIT_MONITOR, 3, { 0x0F, 0x01, 0xC8 } },
	{ SVM_EXIT_MWAIT, 3, { 0x0F, 0x01, 0xC9 } },
	{ SVM_EXIT_MWAIT_ARMED, 3, { 0x0F, 0x01, 0xC9 } },
	{ SVM_EXIT_XSETBV, 3, { 0x0F, 0x01, 0xD1 } },
	{ SVM_EXIT_RDPRU, 3, { 0x0F, 0x01, 0xFD } },
};

#define NR_INSNS (sizeof(insns) / sizeof(insns[0]))

/* MOV; and SMSW, LMSW and CLTS, which are accesses of CR0. */
static bool accesses_register(uint64_t code, const uint8_t *opcode)
{
	bool write = code == SVM_EXIT_CR0_SEL_WRITE || code & SVM_EXIT_CR_WRITE;
	bool cr0 = code == SVM_EXIT_CR_READ || code == SVM_EXIT_CR_WRITE ||
		   code == SVM_EXIT_CR0_SEL_WRITE;

	if (opcode[0] != 0x0F)
		return false;
	if (cr0 && opcode[1] == 0x01)
		return GROUP7_REG(opcode[2]) == (write ? 6 : 4);
	if (cr0 && write && opcode[1] == 0x06)
		return true;
	return opcode[1] ==
	       (write ? 0x22 : 0x20) + (code >= SVM_EXIT_DR_READ && code < SVM_EXIT_EXCEPTION);
}

bool svm_insn_fits(const struct vmcb *vmcb, const uint8_t *bytes, size_t n)
{
	uint64_t code = vmcb->exitcode;
	uint8_t opcode[3] = { 0, 0, 0 };
	bool known = false;

	bsl_memcpy(opcode, bytes, n < sizeof(opcode) ? n : sizeof(opcode));
	if (code < SVM_EXIT_EXCEPTION || code == SVM_EXIT_CR0_SEL_WRITE)
		return accesses_register(code, opcode);
	if (code == SVM_EXIT_MSR)
		return opcode[0] == 0x0F &&
		       opcode[1] == (vmcb->exitinfo1 & SVM_EXITINFO1_WRITE ? 0x30 : 0x32);
	for (size_t i = 0; i < NR_INSNS; i++) {
		if (insns[i].code != code)
			continue;
		if (!bsl_memcmp(opcode, insns[i].opcode, insns[i].length))
			return true;
		known = true;
	}
	return !known;
}
