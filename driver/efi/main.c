// SPDX-License-Identifier: GPL-2.0-only
/*
 * bareflank.efi: starts the hypervisor before any operating system, and then what boots one.
 * Whatever fails is said in a sentence, and the boot goes on without it: docs/uefi.md.
 */
#include "efi.h"

#include <abi/boot_guard.h>
#include <abi/firmware.h>
#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <bsl/elf.h>
#include <bsl/fault.h>
#include <bsl/string.h>

#include "../core/loader.h"
#include "../core/platform.h"
#include "../core/ring.h"
#include "../core/x86/hw.h"
#include "bundle.h"
#include "config.h"

#define CONFIG "bareflank.conf"
#define MAX_CONFIG 0x10000

static EFI_GUID table_guid = BF_FIRMWARE_GUID;
static struct bf_loader loader;
static struct efi_bundle bundle;
static struct efi_config config;

/* --- what is said ----------------------------------------------------------------------------- */

static const char *sentence_of(enum bf_error error)
{
	static const struct {
		enum bf_error error;
		const char *sentence;
	} errors[] = {
#define SENTENCE(number, name, err, text, hint) { BF_ERR_##name, text },
		BF_ERRORS(SENTENCE)
	};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].error == error)
			return errors[i].sentence;
	return "unknown error";
}

static char last_complaint[BF_GUARD_REASON];

static bool complain_as(const CHAR16 *format, ...)
{
	CHAR16 line[2 * BF_GUARD_REASON];
	va_list args;
	size_t i;

	va_start(args, format);
	UnicodeVSPrint(line, sizeof(line), format, args);
	va_end(args);
	Print(L"bareflank: %s\r\n", line);
	for (i = 0; line[i] && i < sizeof(last_complaint) - 1; i++)
		last_complaint[i] = line[i] < 0x7F ? (char)line[i] : '?';
	last_complaint[i] = '\0';
	return false;
}

static bool complain(const char *what, const char *sentence)
{
	return complain_as(L"%a: %a", what, sentence);
}

/* What the microkernel and the extensions have printed. */
static void print_ring(void)
{
	uint8_t *text = bf_os_alloc(BF_RING_DATA + 1);
	uint64_t position = 0, length, i;

	if (!text)
		return;
	length =
		bf_ring_read((const struct bf_ring *)(const void *)loader.ring.va, text, &position);
	for (i = 0; i < length; i++) {
		CHAR16 character[3] = { text[i], 0 };

		if (text[i] == '\n') {
			character[0] = L'\r';
			character[1] = L'\n';
		} else if (text[i] < ' ' || text[i] > '~') {
			character[0] = L'?';
		}
		ST->ConOut->OutputString(ST->ConOut, character);
	}
	bf_os_free(text);
}

static bool complain_of_start(enum bf_error error)
{
	const struct bf_failure *failure = &loader.failure;
	bool file = BF_ERROR_IS_IMAGE(error) || failure->image;

	if (file)
		complain_as(L"start: %a: %a (detail 0x%lx)",
			    failure->image ? config.exts[failure->image - 1] : config.microkernel,
			    sentence_of(error), failure->detail);
	else
		complain_as(L"start: CPU %d: %a (detail 0x%lx)", failure->cpu, sentence_of(error),
			    failure->detail);
	if (!BF_ERROR_IS_MACHINE(error) && !BF_ERROR_IS_IMAGE(error))
		print_ring();
	return false;
}

/* --- what is read ----------------------------------------------------------------------------- */

static const char *sentence_of_file(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return bundle.data ? "there is no such file within this program" :
				     "there is no such file";
	case EFI_BUFFER_TOO_SMALL:
		return "the file is too large";
	case EFI_INVALID_PARAMETER:
		return "the name of the file is too long";
	case EFI_OUT_OF_RESOURCES:
		return "not enough free memory";
	default:
		return "the file cannot be read";
	}
}

/* One that cannot be told is on. */
static bool is_secure_boot(void)
{
	EFI_GUID guid = EFI_GLOBAL_VARIABLE;
	UINTN size = sizeof(uint8_t);
	uint8_t on = 0;
	EFI_STATUS status = RT->GetVariable(L"SecureBoot", &guid, NULL, &size, &on);

	return status != EFI_NOT_FOUND && (EFI_ERROR(status) || on);
}

/*
 * With files within this program, nothing beside it is read, whether it is signed or not: the
 * firmware has checked them with it. Of what is beside it, its signature says nothing.
 */
static bool open_bundle(const EFI_LOADED_IMAGE *self)
{
	const char *sentence = efi_bundle_open(&bundle, self->ImageBase, self->ImageSize);

	if (sentence)
		return complain("start", sentence);
	if (bundle.data || !is_secure_boot())
		return true;
	return complain("start", "Secure Boot is on, and no signature covers the configuration "
				 "and the images beside this program: bfm efi image");
}

/* A copy: the parser writes into it. */
static EFI_STATUS read_bundle(const char *name, uint64_t limit, struct efi_file *file)
{
	const void *data;

	if (!efi_bundle_find(&bundle, name, &data, &file->size))
		return EFI_NOT_FOUND;
	if (file->size > limit)
		return EFI_BUFFER_TOO_SMALL;
	file->data = bf_os_alloc(file->size + 1);
	if (!file->data)
		return EFI_OUT_OF_RESOURCES;
	bsl_memcpy(file->data, data, file->size);
	return EFI_SUCCESS;
}

static EFI_STATUS read_file(const struct efi_directory *directory, const char *name, uint64_t limit,
			    struct efi_file *file)
{
	return bundle.data ? read_bundle(name, limit, file) :
			     efi_file_read(directory, name, limit, file);
}

static bool read_config(const struct efi_directory *directory)
{
	struct efi_config_error error;
	struct efi_file file;
	EFI_STATUS status = read_file(directory, CONFIG, MAX_CONFIG, &file);

	if (EFI_ERROR(status))
		return complain(CONFIG, sentence_of_file(status));
	if (efi_config_parse(&config, file.data, file.size, &error))
		return true;
	if (!error.line)
		return complain(CONFIG, error.sentence);
	return complain_as(*error.word ? L"" CONFIG ", line %d: %a: %a" :
					 L"" CONFIG ", line %d: %a",
			   error.line, error.sentence, error.word);
}

static bool read_image(const struct efi_directory *directory, const char *name,
		       struct bf_source *image)
{
	struct efi_file file;
	EFI_STATUS status = read_file(directory, name, BSL_ELF_MAX_SIZE, &file);

	if (status == EFI_BUFFER_TOO_SMALL)
		return complain(name, sentence_of(BF_ERR_ELF_TOO_LARGE));
	if (EFI_ERROR(status))
		return complain(name, sentence_of_file(status));
	image->data = file.data;
	image->size = file.size;
	return true;
}

static bool read_images(const struct efi_directory *directory)
{
	struct bf_start *start = &config.start;
	uint32_t i;

	if (!read_image(directory, config.microkernel, &start->microkernel))
		return false;
	for (i = 0; i < start->nr_exts; i++)
		if (!read_image(directory, config.exts[i], &start->exts[i]))
			return false;
	return true;
}

/* --- the start -------------------------------------------------------------------------------- */

/* Whether this machine is one for this program. What the CPUs lack, the start itself says. */
static bool can_start(void)
{
	const char *sentence;
	VOID *table;

	if (!EFI_ERROR(LibGetSystemConfigurationTable(&table_guid, &table)))
		return complain("start", sentence_of(BF_ERR_RUNNING));
	sentence = efi_cpus_init();
	if (sentence)
		return complain("start", sentence);
	return efi_memory_init() || complain("start", sentence_of(BF_ERR_NO_MEMORY));
}

static struct bf_region region_of(const struct bf_block *block)
{
	return (struct bf_region){ block->spa, block->size };
}

/* Lists come right behind the table, for which there is room for all blocks that there may be. */
#define TABLE_SIZE 0x10000

static void fill_lists(struct bf_firmware *table)
{
	struct bf_firmware_pp *pps = (void *)(table + 1);
	struct bf_region *owned = (void *)(pps + loader.nr_pps);
	const uint8_t *end = (const uint8_t *)table + TABLE_SIZE;
	const struct bf_block *block;
	uint32_t i;

	table->pps.spa = (uint64_t)(uintptr_t)pps;
	table->pps.count = loader.nr_pps;
	for (i = 0; i < loader.nr_pps; i++) {
		pps[i].apic_id = loader.pps[i].apic_id;
		pps[i].trace = region_of(&loader.pps[i].trace);
		pps[i].switch_page.spa = loader.pps[i].switch_page_spa;
		pps[i].switch_page.size = BF_PAGE_SIZE;
	}
	table->owned.spa = (uint64_t)(uintptr_t)owned;
	for (block = loader.memory.first; block; block = block->next)
		if ((const uint8_t *)(owned + table->owned.count + 1) <= end)
			owned[table->owned.count++] = region_of(block);
}

static void fill_table(struct bf_firmware *table)
{
	uint32_t i;

	table->magic = BF_FIRMWARE_MAGIC;
	table->version = BF_HANDOFF_VERSION;
	table->vendor = (uint32_t)loader.vendor;
	table->keep_cpus = loader.keep_cpus;
	table->nr_pps = loader.nr_pps;
	table->nr_exts = config.start.nr_exts;
	table->tsc_khz = bf_os_tsc_khz();
	table->start_ns = loader.start_ns;
	table->watchdog_ns = loader.watchdog_ns;
	table->repeats = loader.repeats;
	table->ring = region_of(&loader.ring);
	table->status = region_of(&loader.status);
	table->ended = region_of(&loader.ended);
	for (i = 0; i < config.start.nr_exts; i++)
		table->channels[i] = region_of(&loader.channels[i]);
	fill_lists(table);
}

static bool start(const struct efi_directory *directory)
{
	const char *sentence;
	struct bf_block table;
	enum bf_error error;

	if (!read_images(directory) || !can_start())
		return false;
	sentence = config.no_guard ? NULL : efi_guard_try();
	if (sentence)
		return complain("start", sentence);
	error = bf_loader_init(&loader);
	if (!error)
		error = bf_block_alloc(&table, TABLE_SIZE);
	if (error)
		return complain("start", sentence_of(error));
	config.start.stays = true;
	/* The operating system starts all but this one anew, and so does the firmware. */
	config.start.keep_cpus = efi_cpus_online() > 1 && !FAULT_POINT(keep);
	config.start.table = table.spa;
	error = bf_loader_start(&loader, &config.start);
	if (error) {
		bf_block_free(&table);
		return complain_of_start(error);
	}
	fill_table((void *)table.va);
	/* A hypervisor that cannot be found so answers a hypercall nevertheless. */
	if (EFI_ERROR(BS->InstallConfigurationTable(&table_guid, table.va)))
		complain("start", "started, but the firmware does not take a table of it");
	Print(L"bareflank: started on %d CPU%s in %d ms\r\n", loader.nr_online,
	      loader.nr_online == 1 ? L"" : L"s", loader.start_ns / 1000000);
	return true;
}

/* --- and what comes then ---------------------------------------------------------------------- */

/* Whether a shell waits for us, which takes an error for one. */
static bool has_shell(EFI_HANDLE image)
{
	EFI_GUID guid = {
		0x752F3136, 0x4E16, 0x4FDC, { 0xA2, 0x2A, 0xE5, 0xF4, 0x68, 0x12, 0xF4, 0xCA }
	};
	VOID *parameters;

	return !EFI_ERROR(BS->HandleProtocol(image, &guid, &parameters));
}

static EFI_STATUS go_on(EFI_HANDLE image, const struct efi_directory *directory, bool started)
{
	const char *sentence;
	EFI_STATUS status;

	if (config.next) {
		status = efi_start_next(directory, image, config.next, config.options, &sentence);
		if (sentence)
			complain(config.next, sentence);
		return status;
	}
	/* A boot manager goes on with what is next on its list after an error only (§3.1.1). */
	return started && has_shell(image) ? EFI_SUCCESS : EFI_NOT_STARTED;
}

/* gnu-efi's startup code calls it. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	struct efi_directory directory = { 0 };
	EFI_LOADED_IMAGE *self;
	const char *sentence;
	bool started = false;

	InitializeLib(image, system_table);
	/* The boot manager's five minutes are for this program and what it starts together. */
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	if (EFI_ERROR(BS->HandleProtocol(image, &guid, (VOID **)&self)))
		return EFI_LOAD_ERROR;
	sentence = efi_directory_open(&directory, self);
	if (sentence)
		complain("start", sentence);
	else
		started = open_bundle(self) && read_config(&directory) && start(&directory);
	if (!started && !config.no_guard)
		efi_guard_failed(last_complaint);
	if (!started)
		Print(L"bareflank: the boot goes on without the hypervisor\r\n");
	return go_on(image, &directory, started);
}
