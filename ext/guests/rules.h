/* SPDX-License-Identifier: MIT */
/*
 * What values a guest's registers may have: CPUID, CR0, CR4, EFER, PAT and what the module gives.
 * Nothing here looks at the CPU.
 */
#ifndef EXT_GUESTS_RULES_H
#define EXT_GUESTS_RULES_H

#include <abi/guests.h>

extern bool is_svm; /* the vendor: from the start on */

struct rules_state {
	uint64_t cr0, cr3, cr4, efer;
	bool code_64; /* CS.L */
};

/* Of XSAVE: what guests may have in XCR0 (0: no XSAVE), and the bytes of an area with all of it. */
extern struct rules_xsave {
	uint64_t features;
	uint32_t size;
} guest_xsave;

/* CPUID of guests: takes away what they cannot have from the CPU's own leaf. */
void rules_cpuid(uint32_t leaf, uint32_t subleaf, struct guests_cpuid *regs);

/* The bits of CR4 that the features of this table allow. */
uint64_t rules_cr4(const struct guests_cpuid *table, unsigned int count);

/* The leaf of a guest that has this table; all zeroes if it has no such leaf. */
struct guests_cpuid rules_find_cpuid(const struct guests_cpuid *table, unsigned int count,
				     uint32_t leaf, uint32_t subleaf);

/*
 * That leaf, as a guest with this CR4 and XCR0 sees it: which bits the OS has switched on, and how
 * large an area it needs.
 */
void rules_show_state(const struct guests_cpuid *table, unsigned int count, uint64_t cr4,
		      uint64_t xcr0, uint32_t leaf, uint32_t subleaf, struct guests_cpuid *regs);

/* What a guest that has this table may set in XCR0, and whether it may set just these bits. */
uint64_t rules_xcr0_allowed(const struct guests_cpuid *table, unsigned int count);
bool rules_xcr0(uint64_t value, uint64_t allowed);

/* Whether a guest's instruction may change CR0, CR4 or EFER to value: if not, #GP. */
bool rules_write_cr0(const struct rules_state *now, uint64_t value);
bool rules_write_cr4(const struct rules_state *now, uint64_t value, uint64_t allowed);
bool rules_write_efer(const struct rules_state *now, uint64_t value);

/* EFER with the LMA that belongs to this CR0. */
uint64_t rules_lma(uint64_t cr0, uint64_t efer);

/* Whether registers that the module gives go together; allowed is of rules_cr4. */
bool rules_sregs(const struct guests_sregs *sregs, uint64_t allowed);

/* The same for what is to be delivered, and for debug registers. */
bool rules_events(const struct guests_events *events);
bool rules_debug(const struct guests_debug *debug);

/* Whether these entries have no reserved bit. */
bool rules_pdptes(const struct guests_pdptes *pdptes);

/* Whether all eight types of a PAT are ones that there are. */
bool rules_pat(uint64_t value);

/* MOV to or from a control register: its length, or 0 if these bytes are none. */
unsigned int rules_decode_mov_cr(const uint8_t *bytes, size_t avail, bool code_64,
				 unsigned int *gpr);

#endif
