/* SPDX-License-Identifier: MIT */
/* What the files of the SVM side share. */
#ifndef EXT_LINUX_SVM_H
#define EXT_LINUX_SVM_H

#include <abi/hw/svm.h>
#include <ext/linux/linux.h>

/* What no guest beside Linux does by itself: what is the CPU's, and what would leave the guest. */
#define SVM_GUEST_INTERCEPTS1 \
	(SVM_INSTR1_RDPMC | SVM_INSTR1_CPUID | SVM_INSTR1_INVD | SVM_INSTR1_HLT | \
	 SVM_INSTR1_INVLPGA | SVM_INSTR1_IOIO | SVM_INSTR1_MSR | SVM_INSTR1_TASK_SWITCH | \
	 SVM_INSTR1_SHUTDOWN)
#define SVM_GUEST_INTERCEPTS2 \
	(SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL | SVM_INSTR2_VMLOAD | SVM_INSTR2_VMSAVE | \
	 SVM_INSTR2_STGI | SVM_INSTR2_CLGI | SVM_INSTR2_SKINIT | SVM_INSTR2_WBINVD | \
	 SVM_INSTR2_MONITOR | SVM_INSTR2_MWAIT | SVM_INSTR2_MWAIT_ARMED | SVM_INSTR2_XSETBV | \
	 SVM_INSTR2_RDPRU)

/* svm_init.c: what an INIT, and the start-up IPI after it, do to a CPU, done to the VS. */
void svm_startup(uint64_t vsid, uint64_t vector);

#endif
