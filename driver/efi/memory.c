// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory, as platform.h wants it (UEFI specification §7.2). Pages are of the type
 * EfiReservedMemoryType: all others the operating system may take for its own, or map elsewhere.
 */
#include "efi.h"

#include <efipciio.h>

#include <abi/layout.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "../core/platform.h"

struct range {
	uint64_t spa;
	uint64_t size;
};

static struct range *ram; /* ascending, none adjacent to the next */
static uint32_t nr_ram;
static uint64_t map_end; /* of the last thing in the firmware's map */

void *bf_os_alloc_pages(unsigned int order, uint64_t *spa)
{
	uint64_t pages = BSL_BIT(order), size = pages * BF_PAGE_SIZE;
	uint64_t room = 2 * pages - 1, end;
	EFI_PHYSICAL_ADDRESS at;

	/* With so many, there is an aligned block between what goes back at both ends. */
	if (EFI_ERROR(BS->AllocatePages(AllocateAnyPages, EfiReservedMemoryType, room, &at)))
		return NULL;
	end = at + room * BF_PAGE_SIZE;
	*spa = (at + size - 1) & ~(size - 1);
	if (*spa > at)
		BS->FreePages(at, (*spa - at) / BF_PAGE_SIZE);
	if (end > *spa + size)
		BS->FreePages(*spa + size, (end - *spa - size) / BF_PAGE_SIZE);
	return (void *)(uintptr_t)*spa;
}

void bf_os_free_pages(void *va, unsigned int order)
{
	BS->FreePages((EFI_PHYSICAL_ADDRESS)(uintptr_t)va, BSL_BIT(order));
}

/* The firmware maps all memory one to one (§2.3.4). */
void *bf_os_va(uint64_t spa)
{
	return (void *)(uintptr_t)spa;
}

void *bf_os_alloc(size_t size)
{
	void *memory;

	if (EFI_ERROR(BS->AllocatePool(EfiLoaderData, size, &memory)))
		return NULL;
	bsl_memset(memory, 0, size);
	return memory;
}

void bf_os_free(void *memory)
{
	if (memory)
		BS->FreePool(memory);
}

/* --- the firmware's map ----------------------------------------------------------------------- */

/* Calls fn for each entry; false: out of memory. */
static bool for_each_entry(void (*fn)(void *arg, const EFI_MEMORY_DESCRIPTOR *entry), void *arg)
{
	UINTN count, key, size, i;
	UINT32 version;
	EFI_MEMORY_DESCRIPTOR *map = LibMemoryMap(&count, &key, &size, &version);

	if (!map)
		return false;
	for (i = 0; i < count; i++)
		fn(arg, (const void *)((const uint8_t *)map + i * size));
	FreePool(map);
	return true;
}

/*
 * What can be read without an effect: memory that an operating system will use, and the firmware's
 * own, whose code goes on running. What is reserved may be that, too, or a device, which cannot be
 * cached.
 */
static bool is_ram(const EFI_MEMORY_DESCRIPTOR *entry)
{
	switch (entry->Type) {
	case EfiReservedMemoryType:
		return entry->Attribute & EFI_MEMORY_WB;
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
	case EfiConventionalMemory:
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return true;
	default:
		return false;
	}
}

static void count_entry(void *count, const EFI_MEMORY_DESCRIPTOR *entry)
{
	(void)entry;
	++*(uint32_t *)count;
}

/* In its place by address; the map has some hundreds of entries, and is nearly in order. */
static void insert(void *room, const EFI_MEMORY_DESCRIPTOR *entry)
{
	struct range new = { entry->PhysicalStart, entry->NumberOfPages * BF_PAGE_SIZE };
	uint32_t at = nr_ram;

	if (new.spa + new.size > map_end)
		map_end = new.spa + new.size;
	if (!is_ram(entry) || nr_ram == *(const uint32_t *)room)
		return;
	for (; at && ram[at - 1].spa > new.spa; at--)
		ram[at] = ram[at - 1];
	ram[at] = new;
	nr_ram++;
}

static void merge(void)
{
	uint32_t i, merged = 0;

	for (i = 1; i < nr_ram; i++) {
		if (ram[merged].spa + ram[merged].size == ram[i].spa)
			ram[merged].size += ram[i].size;
		else
			ram[++merged] = ram[i];
	}
	nr_ram = nr_ram ? merged + 1 : 0;
}

bool efi_memory_init(void)
{
	uint32_t room = 0;

	if (!for_each_entry(count_entry, &room))
		return false;
	room += 16; /* which the list itself may add */
	ram = bf_os_alloc(room * sizeof(*ram));
	if (!ram || !for_each_entry(insert, &room))
		return false;
	merge();
	return true;
}

void bf_os_ram(bool (*fn)(void *arg, uint64_t spa, uint64_t size), void *arg)
{
	uint32_t i;

	for (i = 0; i < nr_ram; i++)
		if (!fn(arg, ram[i].spa, ram[i].size))
			return;
}

static void add_free(void *bytes, const EFI_MEMORY_DESCRIPTOR *entry)
{
	if (entry->Type == EfiConventionalMemory)
		*(uint64_t *)bytes += entry->NumberOfPages * BF_PAGE_SIZE;
}

uint64_t bf_os_free_memory(void)
{
	uint64_t bytes = 0;

	return for_each_entry(add_free, &bytes) ? bytes : 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

#define NR_BARS 6
#define ACPI_ADDRESS_SPACE 0x8A /* ACPI specification §6.4.3.5.1: QWORD address space */

/* How a BAR is described (UEFI specification §14.4, GetBarAttributes). */
struct __attribute__((packed)) address_space {
	uint8_t tag;
	uint16_t length;
	uint8_t type; /* 0: memory */
	uint8_t flags[2];
	uint64_t granularity;
	uint64_t minimum;
	uint64_t maximum;
	uint64_t translation;
	uint64_t size;
};

static uint64_t bar_end(EFI_PCI_IO_PROTOCOL *device, UINT8 bar)
{
	const struct address_space *space;
	uint64_t end = 0;
	UINT64 supports;
	VOID *resources;

	if (EFI_ERROR(device->GetBarAttributes(device, bar, &supports, &resources)))
		return 0;
	space = resources;
	if (space->tag == ACPI_ADDRESS_SPACE && space->type == 0)
		end = space->minimum + space->size;
	FreePool(resources);
	return end;
}

uint64_t bf_os_memory_end(void)
{
	EFI_GUID guid = EFI_PCI_IO_PROTOCOL_GUID;
	uint64_t end = map_end;
	EFI_HANDLE *handles;
	UINTN count, i;
	UINT8 bar;

	if (EFI_ERROR(BS->LocateHandleBuffer(ByProtocol, &guid, NULL, &count, &handles)))
		return end;
	for (i = 0; i < count; i++) {
		EFI_PCI_IO_PROTOCOL *device;

		if (EFI_ERROR(BS->HandleProtocol(handles[i], &guid, (VOID **)&device)))
			continue;
		for (bar = 0; bar < NR_BARS; bar++)
			end = bar_end(device, bar) > end ? bar_end(device, bar) : end;
	}
	FreePool(handles);
	return end;
}
