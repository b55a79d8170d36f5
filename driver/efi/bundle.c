// SPDX-License-Identifier: GPL-2.0-only
/* The files within this program: see bundle.h. */
#include "bundle.h"

#include <bsl/bits.h>
#include <bsl/pe.h>
#include <bsl/string.h>

/* The section may be at any address. */
static struct bf_bundle_file file_at(const uint8_t *data, uint32_t index)
{
	struct bf_bundle_file file;

	bsl_memcpy(&file, data + __builtin_offsetof(struct bf_bundle, files) + index * sizeof(file),
		   sizeof(file));
	return file;
}

static bool is_good(const struct bf_bundle_file *file, uint64_t size)
{
	size_t length = bsl_strnlen(file->name, BF_BUNDLE_NAME);

	return length && length < BF_BUNDLE_NAME && bsl_is_aligned(file->offset, BF_BUNDLE_ALIGN) &&
	       bsl_range_within(file->offset, file->size, sizeof(struct bf_bundle),
				size - sizeof(struct bf_bundle));
}

static const char *check(const uint8_t *data, uint64_t size, uint32_t *nr_files)
{
	uint64_t magic;
	uint32_t version, i;

	if (size < sizeof(struct bf_bundle))
		return "the files within this program are cut short";
	bsl_memcpy(&magic, data + __builtin_offsetof(struct bf_bundle, magic), sizeof(magic));
	bsl_memcpy(&version, data + __builtin_offsetof(struct bf_bundle, version), sizeof(version));
	bsl_memcpy(nr_files, data + __builtin_offsetof(struct bf_bundle, nr_files),
		   sizeof(*nr_files));
	if (magic != BF_BUNDLE_MAGIC || version != BF_BUNDLE_VERSION)
		return "the files within this program are of another version of bfm's";
	if (!*nr_files || *nr_files > BF_BUNDLE_FILES)
		return "the files within this program are none, or too many";
	for (i = 0; i < *nr_files; i++) {
		struct bf_bundle_file file = file_at(data, i);

		if (!is_good(&file, size))
			return "a file within this program is not where it should be";
	}
	return NULL;
}

const char *efi_bundle_open(struct efi_bundle *bundle, const void *program, uint64_t size)
{
	const struct bsl_pe_section *section;
	uint32_t nr_files = 0;
	const char *wrong;
	struct bsl_pe pe;

	*bundle = (struct efi_bundle){ NULL, 0 };
	if (bsl_pe_open(&pe, program, size))
		return "the headers of this program are not those of a PE file";
	section = bsl_pe_find(&pe, BF_BUNDLE_SECTION);
	if (!section)
		return NULL;
	if (!bsl_range_within(section->va, section->memsz, 0, size) ||
	    section->memsz > section->filesz)
		return "the files within this program are cut short";
	wrong = check(pe.data + section->va, section->memsz, &nr_files);
	if (!wrong)
		*bundle = (struct efi_bundle){ pe.data + section->va, nr_files };
	return wrong;
}

bool efi_bundle_find(const struct efi_bundle *bundle, const char *name, const void **data,
		     uint64_t *size)
{
	size_t length = bsl_strlen(name);
	uint32_t i;

	for (i = 0; i < bundle->nr_files; i++) {
		struct bf_bundle_file file = file_at(bundle->data, i);

		if (length < BF_BUNDLE_NAME && !file.name[length] &&
		    !bsl_memcmp(file.name, name, length)) {
			*data = bundle->data + file.offset;
			*size = file.size;
			return true;
		}
	}
	return false;
}
