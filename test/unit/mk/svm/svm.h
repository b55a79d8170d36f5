/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of AMD-V share. */
#ifndef TEST_MK_SVM_H
#define TEST_MK_SVM_H

#include <string.h>

#include "../guest.h"

static inline void running(void)
{
	machine_of(0);
	start_and_launch();
}

static inline void in_vmexit(void)
{
	running();
	guest_exit(SVM_EXIT_CPUID);
}

/* Guest code at a virtual address of Linux, without paging. */
static inline void guest_code(const uint8_t *code, size_t n)
{
	memset(phys_at(linux_page(5)), 0x90, PAGE);
	memcpy(phys_at(linux_page(5)), code, n);
	vmcb()->cr0 = CR0_PE;
	vmcb()->efer = EFER_SVME;
	vmcb()->cs.attrib = 0x400;
	vmcb()->cs.base = 0;
	vmcb()->rip = linux_page(5);
}

static inline void gp(uint8_t cpl, uint64_t error_code, uint64_t interrupted)
{
	vmcb()->cpl = cpl;
	vmcb()->exitinfo1 = error_code;
	vmcb()->exitintinfo = interrupted;
	vmcb()->eventinj = 0;
	guest_exit((SVM_EXIT_EXCEPTION + VECTOR_GP));
}

#define INJECTED_GP(code) ((uint64_t)(code) << 32 | EVENT(3, VECTOR_GP) | SVM_EVENT_ERROR_CODE)

#endif
