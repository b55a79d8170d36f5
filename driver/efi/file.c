// SPDX-License-Identifier: GPL-2.0-only
/* Files of the volume that this program was loaded from: see efi.h. */
#include "efi.h"

#include <bsl/string.h>

#include "../core/platform.h"

#define MAX_PATH 512 /* with the NUL */

static UINTN length_of(const CHAR16 *text)
{
	UINTN length = 0;

	while (text[length])
		length++;
	return length;
}

/* Puts the directories of a file's device path together (UEFI specification §10.3.5.4). */
static bool append_path(CHAR16 *path, const EFI_DEVICE_PATH *node)
{
	UINTN used = 0;

	for (; !IsDevicePathEnd(node); node = NextDevicePathNode(node)) {
		const FILEPATH_DEVICE_PATH *file = (const void *)node;
		UINTN i, length;

		if (DevicePathType(node) != MEDIA_DEVICE_PATH ||
		    DevicePathSubType(node) != MEDIA_FILEPATH_DP)
			return false;
		length = ((UINTN)DevicePathNodeLength(node) - sizeof(*node)) / sizeof(CHAR16);
		if (used && path[used - 1] != L'\\')
			path[used++] = L'\\';
		for (i = 0; i < length && file->PathName[i]; i++) {
			if (used + 2 >= MAX_PATH)
				return false;
			path[used++] = file->PathName[i];
		}
	}
	while (used && path[used - 1] != L'\\')
		used--;
	path[used] = 0;
	return true;
}

const char *efi_directory_open(struct efi_directory *directory, EFI_LOADED_IMAGE *self)
{
	EFI_GUID guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
	EFI_FILE_IO_INTERFACE *volume;

	directory->device = self->DeviceHandle;
	directory->path = bf_os_alloc(MAX_PATH * sizeof(CHAR16));
	if (!directory->path)
		return "not enough free memory";
	if (!self->DeviceHandle || !self->FilePath || !append_path(directory->path, self->FilePath))
		return "this program was not loaded from a file";
	if (EFI_ERROR(BS->HandleProtocol(self->DeviceHandle, &guid, (VOID **)&volume)) ||
	    EFI_ERROR(volume->OpenVolume(volume, &directory->root)))
		return "the volume that this program was loaded from cannot be read";
	return NULL;
}

/* The path of a file, as efi_file_read takes it. */
static bool path_of(const struct efi_directory *directory, const char *name, CHAR16 *path)
{
	bool absolute = *name == '\\' || *name == '/';
	UINTN used = absolute ? 0 : length_of(directory->path);

	if (used + bsl_strlen(name) >= MAX_PATH)
		return false;
	bsl_memcpy(path, directory->path, used * sizeof(CHAR16));
	for (; *name; name++)
		path[used++] = *name == '/' ? L'\\' : (CHAR16)*name;
	path[used] = 0;
	return true;
}

CHAR16 *efi_file_path(const struct efi_directory *directory, const char *name)
{
	CHAR16 *path = bf_os_alloc(MAX_PATH * sizeof(CHAR16));

	if (path && path_of(directory, name, path))
		return path;
	bf_os_free(path);
	return NULL;
}

static EFI_STATUS read_all(EFI_FILE_PROTOCOL *handle, uint64_t limit, struct efi_file *file)
{
	EFI_FILE_INFO *information = LibFileInfo(handle);
	EFI_STATUS status;
	UINTN size;

	if (!information)
		return EFI_DEVICE_ERROR;
	size = information->FileSize;
	status = information->Attribute & EFI_FILE_DIRECTORY ? EFI_NOT_FOUND : EFI_SUCCESS;
	FreePool(information);
	if (status)
		return status;
	if (size > limit)
		return EFI_BUFFER_TOO_SMALL;
	file->data = bf_os_alloc(size + 1);
	if (!file->data)
		return EFI_OUT_OF_RESOURCES;
	file->size = size;
	status = handle->Read(handle, &size, file->data);
	return !EFI_ERROR(status) && size != file->size ? EFI_DEVICE_ERROR : status;
}

EFI_STATUS efi_file_read(const struct efi_directory *directory, const char *name, uint64_t limit,
			 struct efi_file *file)
{
	CHAR16 *path = efi_file_path(directory, name);
	EFI_FILE_PROTOCOL *handle;
	EFI_STATUS status;

	if (!path)
		return EFI_INVALID_PARAMETER;
	status = directory->root->Open(directory->root, &handle, path, EFI_FILE_MODE_READ, 0);
	bf_os_free(path);
	if (EFI_ERROR(status))
		return status;
	status = read_all(handle, limit, file);
	handle->Close(handle);
	return status;
}
