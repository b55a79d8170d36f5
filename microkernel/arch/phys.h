/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How root mode sees physical memory: the hypervisor's own in the window, all of it at once, and
 * any other page in one of the slots at BF_PP_TEMP, for as long as it is needed.
 */
#ifndef MK_PHYS_H
#define MK_PHYS_H

#include <abi/layout.h>
#include <abi/types.h>

/* Of the BF_PP_TEMP slots; svm/fetch.c has those before. */
#define MK_TEMP_TABLE 6 /* a page that is looked at, or zeroed, for a moment */
#define MK_TEMP_APIC 7

#if __STDC_HOSTED__
void *phys_to_virt(uint64_t spa); /* unit tests bring their own memory */
uint64_t virt_to_phys(const void *va);
#else
/* The address at which the microkernel sees its own page at spa. */
static inline void *phys_to_virt(uint64_t spa)
{
	return (void *)(BF_WINDOW_BASE + spa);
}

static inline uint64_t virt_to_phys(const void *va)
{
	return (uint64_t)va - BF_WINDOW_BASE;
}
#endif

#endif
