// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical memory, and page tables that mean something: a page is mapped into the process, from the
 * file that is the physical memory, when the microkernel touches it and its own tables allow it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bsl/paging.h>

#include "cpu.h"

#define MAX_MAPPED 1024

static int phys_file = -1;
static uint8_t *phys;

static struct {
	uint64_t va;
	bool user;
} mapped[MAX_MAPPED];
static unsigned int nr_mapped;

void phys_reset(void)
{
	off_t at = 0, end = 0;

	if (!phys) {
		phys_file = memfd_create("phys", 0);
		if (phys_file < 0 || ftruncate(phys_file, PHYS_SIZE))
			cpu_die("no file of memory");
		phys = mmap(NULL, PHYS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, phys_file, 0);
		if (phys == MAP_FAILED)
			cpu_die("no memory");
		return;
	}
	mmu_flush();
	while ((at = lseek(phys_file, end, SEEK_DATA)) >= 0) {
		end = lseek(phys_file, at, SEEK_HOLE);
		memset(phys + at, 0, (size_t)(end - at));
	}
}

static bool is_phys(uint64_t spa)
{
	return spa >= PHYS_BASE && spa - PHYS_BASE < PHYS_SIZE;
}

void *phys_at(uint64_t spa)
{
	if (!is_phys(spa))
		cpu_die("no memory at 0x%llx", (unsigned long long)spa);
	return phys + (spa - PHYS_BASE);
}

/* The window of the microkernel (mem.h). */
void *phys_to_virt(uint64_t spa);
uint64_t virt_to_phys(const void *va);

void *phys_to_virt(uint64_t spa)
{
	return phys_at(spa);
}

uint64_t virt_to_phys(const void *va)
{
	return (uint64_t)((const uint8_t *)va - phys) + PHYS_BASE;
}

/* Walks the tables of CR3; returns the leaf and, in *all, the rights that all levels grant. */
static bool walk(uint64_t va, uint64_t *spa, uint64_t *all)
{
	uint64_t table = cpu->cr3 & BSL_PTE_SPA;
	uint64_t nx = 0;

	*all = BSL_PTE_P | BSL_PTE_W | BSL_PTE_U;
	for (unsigned int level = cpu->cr4 & CR4_LA57 ? 5 : 4; level > 0; level--) {
		uint64_t entry = ((const uint64_t *)phys_at(table))[bsl_pt_index(va, level)];

		if (!(entry & BSL_PTE_P))
			return false;
		*all &= entry;
		nx |= entry & BSL_PTE_NX;
		if (level > 1 && level < 4 && entry & BSL_PTE_PS)
			cpu_die("a large page at 0x%llx", (unsigned long long)va);
		table = entry & BSL_PTE_SPA;
	}
	*all |= nx;
	*spa = table;
	return true;
}

bool mmu_fault(uint64_t va, bool write, uint64_t *error_code)
{
	uint64_t page = va & ~0xFFFULL, spa, rights;
	int prot = PROT_READ;

	*error_code = write ? 2 : 0;
	if (!walk(page, &spa, &rights))
		return false;
	*error_code |= 1;
	if (write && !(rights & BSL_PTE_W))
		return false;
	if (rights & BSL_PTE_U && cpu->cr4 & CR4_SMAP && !cpu->ac)
		return false;
	if (!is_phys(spa))
		cpu_die("0x%llx leads to 0x%llx, where nothing is", (unsigned long long)va,
			(unsigned long long)spa);
	if (rights & BSL_PTE_W)
		prot |= PROT_WRITE;
	if (mmap((void *)page, 0x1000, prot, MAP_SHARED | MAP_FIXED_NOREPLACE, phys_file,
		 (off_t)(spa - PHYS_BASE)) != (void *)page)
		cpu_die("0x%llx cannot be mapped", (unsigned long long)page);
	if (nr_mapped == MAX_MAPPED)
		cpu_die("too many pages mapped");
	mapped[nr_mapped].va = page;
	mapped[nr_mapped++].user = rights & BSL_PTE_U;
	return true;
}

static void unmap(unsigned int i)
{
	munmap((void *)mapped[i].va, 0x1000);
	mapped[i] = mapped[--nr_mapped];
}

void mmu_flush(void)
{
	while (nr_mapped)
		unmap(0);
}

void mmu_flush_page(uint64_t va)
{
	for (unsigned int i = 0; i < nr_mapped; i++) {
		if (mapped[i].va == (va & ~0xFFFULL)) {
			unmap(i);
			return;
		}
	}
}

void mmu_flush_user(void)
{
	for (unsigned int i = nr_mapped; i-- > 0;) {
		if (mapped[i].user)
			unmap(i);
	}
}

void *mmu_user(uint64_t va, bool write, bool execute)
{
	uint64_t spa, rights;

	if (!walk(va & ~0xFFFULL, &spa, &rights) || !(rights & BSL_PTE_U) ||
	    (write && !(rights & BSL_PTE_W)) || (execute && rights & BSL_PTE_NX))
		return NULL;
	return (uint8_t *)phys_at(spa) + (va & 0xFFF);
}
