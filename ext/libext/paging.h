/* SPDX-License-Identifier: MIT */
/*
 * Guest-virtual to guest-physical addresses, as the CPU translates them: for Linux, see memory.h;
 * for a guest of one's own, by its registers and whatever reaches its memory.
 */
#ifndef LIBEXT_PAGING_H
#define LIBEXT_PAGING_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What of a virtual CPU decides how it translates. */
struct paging_regs {
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
	uint64_t rflags;
	uint32_t pkru;
	uint32_t pkrs; /* IA32_PKRS */
	/*
	 * PAE: the four PDPTEs that the CPU loaded with CR3, which are registers on Intel (SDM vol.
	 * 3, "PDPTE Registers"). NULL: they are read from memory, as AMD does with nested paging
	 * (APM vol. 2 §15.25.10).
	 */
	const uint64_t *pdptes;
	uint8_t physical_bits; /* MAXPHYADDR, at most 52 */
	bool has_1gib_pages; /* CPUID_80000001_EDX_PAGE_1G */
	bool is_amd; /* bit 8 of a PML4E, and of a PDPE that leads to a table, is reserved */
};

/* The kind of an access: bits of a page fault's error code, and one more. */
#define PAGING_WRITE 0x2
#define PAGING_USER 0x4 /* from CPL 3 */
#define PAGING_FETCH 0x10
#define PAGING_IMPLICIT 0x100 /* the CPU's own, to a descriptor table or a TSS */
#define PAGING_ANY 0x200 /* not checked: whatever is present may be accessed */

enum paging_status {
	PAGING_OK,
	PAGING_FAULT, /* #PF */
	PAGING_CHANGED, /* another CPU changed an entry meanwhile: try again */
	PAGING_UNREACHABLE /* a page table is not in memory that can be accessed */
};

/* How page tables are accessed. Entries have 4 or 8 bytes, and are aligned. */
struct paging_ops {
	/* Reads an entry, in one access, zero-extended. Returns false if it cannot be read. */
	bool (*read)(void *ctx, uint64_t gpa, unsigned int bytes, uint64_t *entry);
	/*
	 * Replaces an entry that still is as expected, in one atomic step: PAGING_OK. Otherwise
	 * PAGING_CHANGED or PAGING_UNREACHABLE. NULL: entries are left as they are.
	 */
	enum paging_status (*exchange)(void *ctx, uint64_t gpa, unsigned int bytes,
				       uint64_t expected, uint64_t value);
};

/*
 * Translates linear address la, which is canonical or has 32 bits, for an access of this kind, and
 * sets accessed and dirty bits; with PAGING_ANY not the dirty bit of a page that is not to be
 * written to: that makes it a shadow stack. PAGING_OK: *gpa is valid. PAGING_FAULT: *error is its
 * error code.
 */
enum paging_status paging_translate(const struct paging_regs *regs, const struct paging_ops *ops,
				    void *ctx, uint64_t la, unsigned int access, uint64_t *gpa,
				    uint32_t *error);

#ifdef __cplusplus
}
#endif

#endif
