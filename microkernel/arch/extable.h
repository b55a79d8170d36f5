/* SPDX-License-Identifier: GPL-2.0-only */
/* The exception table: pairs of an instruction that may fault in ring 0 and where to go on then. */
#ifndef MK_EXTABLE_H
#define MK_EXTABLE_H

#define EXTABLE(insn, fixup) \
	".pushsection .extable, \"a\"\n\t" \
	".balign 8\n\t" \
	".quad " #insn ", " #fixup "\n\t" \
	".popsection\n\t"

#endif
