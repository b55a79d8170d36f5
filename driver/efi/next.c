// SPDX-License-Identifier: GPL-2.0-only
/* What boots then: see efi.h. */
#include "efi.h"

#include <bsl/string.h>

#include "../core/platform.h"

/* The command line, as a program finds it (UEFI specification §9.1.1). */
static CHAR16 *wide(const char *text, UINT32 *bytes)
{
	size_t i, length = bsl_strlen(text);
	CHAR16 *copy = bf_os_alloc((length + 1) * sizeof(*copy));

	for (i = 0; copy && i < length; i++)
		copy[i] = (CHAR16)text[i];
	*bytes = (UINT32)((length + 1) * sizeof(*copy));
	return copy;
}

static EFI_STATUS load(const struct efi_directory *directory, EFI_HANDLE self, const char *name,
		       EFI_HANDLE *image)
{
	CHAR16 *path = efi_file_path(directory, name);
	EFI_DEVICE_PATH *device_path = path ? FileDevicePath(directory->device, path) : NULL;
	EFI_STATUS status = EFI_OUT_OF_RESOURCES;

	if (device_path) {
		status = BS->LoadImage(FALSE, self, device_path, NULL, 0, image);
		FreePool(device_path);
	}
	bf_os_free(path);
	return status;
}

EFI_STATUS efi_start_next(const struct efi_directory *directory, EFI_HANDLE self, const char *name,
			  const char *options, const char **sentence)
{
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE *loaded;
	EFI_HANDLE image = NULL;
	EFI_STATUS status;

	*sentence = NULL;
	status = load(directory, self, name, &image);
	if (status == EFI_NOT_FOUND)
		*sentence = "the program to be started next is not there";
	else if (status == EFI_SECURITY_VIOLATION || status == EFI_ACCESS_DENIED)
		*sentence = "the firmware does not trust the program to be started next";
	else if (EFI_ERROR(status))
		*sentence = "the program to be started next cannot be loaded";
	if (EFI_ERROR(status)) {
		/* Where the firmware does not trust it, it has been loaded nevertheless. */
		if (image)
			BS->UnloadImage(image);
		return status;
	}
	if (*options && !EFI_ERROR(BS->HandleProtocol(image, &guid, (VOID **)&loaded)))
		loaded->LoadOptions = wide(options, &loaded->LoadOptionsSize);
	return BS->StartImage(image, NULL, NULL);
}
