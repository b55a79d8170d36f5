// SPDX-License-Identifier: GPL-2.0-only
/*
 * tables.efi: what Bochs' firmware lacks for Linux to find several CPUs. OVMF has ACPI tables from
 * QEMU only: here come those of a machine with a PIIX4 as Bochs emulates it, then bareflank.efi
 * starts, from the same directory.
 */
#include <efi.h>
#include <efilib.h>

#include <abi/types.h>

#define NEXT L"\\EFI\\BOOT\\bareflank.efi"

#define ACPI_TABLE_PROTOCOL_GUID \
	{ 0xFFE06BDD, 0x6107, 0x46A6, { 0x7B, 0xB2, 0x5A, 0x9C, 0x7E, 0xC5, 0x27, 0x5C } }
#define MP_SERVICES_GUID \
	{ 0x3FDDA605, 0xA76E, 0x4F46, { 0xAD, 0x29, 0x12, 0xF4, 0x53, 0x1B, 0x3D, 0x08 } }

#define MAX_CPUS 32

/* ACPI specification §5.2.6: the firmware fills in the sum. */
struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t sum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

#define HEADER(table, name, version) \
	{ .signature = name, \
	  .length = sizeof(table), \
	  .revision = (version), \
	  .oem = "BOCHS ", \
	  .oem_table = "BAREFLAN", \
	  .creator = "TEST" }

/* §5.2.9, as of ACPI 2.0, up to the registers of the PIIX4, where OVMF puts them. */
struct fadt {
	struct header header;
	uint32_t facs;
	uint32_t dsdt; /* the firmware's to fill in, as x_dsdt */
	uint8_t model, profile;
	uint16_t sci_irq;
	uint32_t smi_command;
	uint8_t acpi_on, acpi_off, s4bios, pstate;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t rest[152];
} __attribute__((packed));

_Static_assert(sizeof(struct fadt) == 244, "a FADT of ACPI 2.0");

/* §5.2.12 */
struct local_apic {
	uint8_t type, length;
	uint8_t uid, id;
	uint32_t flags;
} __attribute__((packed));

struct io_apic {
	uint8_t type, length;
	uint8_t id, reserved;
	uint32_t address, gsi_base;
} __attribute__((packed));

struct irq_override {
	uint8_t type, length;
	uint8_t bus, irq;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt {
	struct header header;
	uint32_t local_apic;
	uint32_t flags; /* there are 8259s, too */
	struct io_apic io_apic;
	struct irq_override timer;
	struct local_apic cpus[MAX_CPUS]; /* as many as there are */
} __attribute__((packed));

static struct header dsdt = HEADER(dsdt, "DSDT", 1);

static struct fadt fadt = {
	.header = HEADER(fadt, "FACP", 3),
	.sci_irq = 9,
	.pm1a_event = 0xB000,
	.pm1a_control = 0xB004,
	.pm_timer = 0xB008,
	.pm1_event_length = 4,
	.pm1_control_length = 2,
	.pm_timer_length = 4,
};

static struct madt madt = {
	.header = HEADER(madt, "APIC", 1),
	.local_apic = 0xFEE00000,
	.flags = 1,
	.io_apic = { .type = 1, .length = sizeof(struct io_apic), .address = 0xFEC00000 },
	.timer = { .type = 2, .length = sizeof(struct irq_override), .gsi = 2 },
};

struct acpi_tables {
	EFI_STATUS(EFIAPI *install)
	(struct acpi_tables *self, const VOID *table, UINTN size, UINTN *key);
	VOID *uninstall;
};

struct mp_services {
	EFI_STATUS(EFIAPI *get_number)
	(struct mp_services *self, UINTN *count, UINTN *enabled);
};

static EFI_STATUS install(struct acpi_tables *tables, const struct header *table)
{
	UINTN key;

	return tables->install(tables, table, table->length, &key);
}

/* Bochs numbers local APICs from 0 on. */
static EFI_STATUS list_cpus(void)
{
	EFI_GUID guid = MP_SERVICES_GUID;
	struct mp_services *mp;
	UINTN count, enabled, i;
	EFI_STATUS status = BS->LocateProtocol(&guid, NULL, (VOID **)&mp);

	if (!EFI_ERROR(status))
		status = mp->get_number(mp, &count, &enabled);
	if (EFI_ERROR(status))
		return status;
	if (count > MAX_CPUS)
		return EFI_BUFFER_TOO_SMALL;
	for (i = 0; i < count; i++)
		madt.cpus[i] = (struct local_apic){ .length = sizeof(madt.cpus[i]),
						    .uid = (uint8_t)i,
						    .id = (uint8_t)i,
						    .flags = 1 };
	madt.header.length = (uint32_t)((uint8_t *)&madt.cpus[count] - (uint8_t *)&madt);
	return EFI_SUCCESS;
}

static EFI_STATUS install_all(void)
{
	EFI_GUID guid = ACPI_TABLE_PROTOCOL_GUID;
	struct acpi_tables *tables;
	EFI_STATUS status = list_cpus();

	if (!EFI_ERROR(status))
		status = BS->LocateProtocol(&guid, NULL, (VOID **)&tables);
	if (!EFI_ERROR(status))
		status = install(tables, &dsdt);
	if (!EFI_ERROR(status))
		status = install(tables, &fadt.header);
	if (!EFI_ERROR(status))
		status = install(tables, &madt.header);
	return status;
}

static EFI_STATUS start_next(EFI_HANDLE self)
{
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE *loaded;
	EFI_DEVICE_PATH *path;
	EFI_HANDLE image;
	EFI_STATUS status = BS->HandleProtocol(self, &guid, (VOID **)&loaded);

	if (EFI_ERROR(status))
		return status;
	path = FileDevicePath(loaded->DeviceHandle, NEXT);
	if (!path)
		return EFI_OUT_OF_RESOURCES;
	status = BS->LoadImage(FALSE, self, path, NULL, 0, &image);
	FreePool(path);
	return EFI_ERROR(status) ? status : BS->StartImage(image, NULL, NULL);
}

/* gnu-efi's startup code calls it. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
	EFI_STATUS status;

	InitializeLib(image, system_table);
	status = install_all();
	if (!EFI_ERROR(status))
		status = start_next(image);
	Print(L"tables: %r\r\n", status);
	return status;
}
