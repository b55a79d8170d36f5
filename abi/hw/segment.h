/* SPDX-License-Identifier: MIT */
/* A segment register as the VMCB has it: for the VMCB and for the captured state of a CPU. */
#ifndef BF_ABI_HW_SEGMENT_H
#define BF_ABI_HW_SEGMENT_H

#ifndef __ASSEMBLER__

#include <abi/types.h>

/* With the hidden part; attrib is packed (APM vol. 2 §15.5.1). */
struct bf_segment {
	uint16_t selector;
	uint16_t attrib;
	uint32_t limit;
	uint64_t base;
};

#endif /* __ASSEMBLER__ */
#endif
