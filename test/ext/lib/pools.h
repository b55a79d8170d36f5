/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much there is left in each pool of the microkernel: all of it is taken and given back. The
 * last attempt must say that the pool is empty, and ids come lowest first.
 */
#ifndef TEST_EXT_POOLS_H
#define TEST_EXT_POOLS_H

#include <stdint.h>

extern uint64_t pools_found[];

uint64_t count_vms(void);
uint64_t count_vps(uint64_t vmid);
uint64_t count_vss(uint64_t vpid);
uint64_t count_pages(void);
uint64_t count_huge_blocks(void);

/* The largest size that can be had at once, in bytes. */
uint64_t largest_huge(void);

/* All pages of the pool, n of them: they stay allocated, with their addresses in pools_found. */
uint64_t take_pages(void);
void give_pages_back(uint64_t n);

#endif
