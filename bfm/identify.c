// SPDX-License-Identifier: GPL-2.0-only
/* Which file an image came from, and whether that file is still the same. */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <libelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bfm.h"

/*
 * As FNV-1a, but of eight bytes at a time: byte by byte, a microkernel with its debug information
 * took longer than all the rest of a start. It tells a file from its next version, and need not
 * withstand anybody.
 */
#define FNV_BASIS 0xCBF29CE484222325
#define FNV_PRIME 0x100000001B3

static uint64_t hash(const unsigned char *data, size_t size)
{
	uint64_t value = FNV_BASIS;
	uint64_t word;

	for (; size >= sizeof(word); data += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		value = (value ^ word) * FNV_PRIME;
	}
	word = 0;
	memcpy(&word, data, size);
	return (value ^ word) * FNV_PRIME;
}

static void set_build_id(struct bf_image_id *id, const void *data, size_t size)
{
	const void *bytes;
	ssize_t length;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)(uintptr_t)data, size);
	length = elf ? dwelf_elf_gnu_build_id(elf, &bytes) : -1;
	if (length > 0 && (size_t)length <= sizeof(id->build_id)) {
		memcpy(id->build_id, bytes, (size_t)length);
		id->build_id_size = (uint32_t)length;
	}
	elf_end(elf);
}

void image_identify(struct bf_image_id *id, const char *path, const void *data, size_t size)
{
	char *absolute = realpath(path, NULL);

	*id = (struct bf_image_id){ .size = size };
	if (absolute && strlen(absolute) < sizeof(id->path))
		memcpy(id->path, absolute, strlen(absolute) + 1);
	free(absolute);
	set_build_id(id, data, size);
	if (!id->build_id_size)
		id->hash = hash(data, size);
}

/* Whether both are of the same build. One that was stripped meanwhile is. */
static bool is_same(const struct bf_image_id *a, const struct bf_image_id *b)
{
	if (a->build_id_size)
		return a->build_id_size == b->build_id_size &&
		       !memcmp(a->build_id, b->build_id, sizeof(a->build_id));
	return a->size == b->size && a->hash == b->hash;
}

void *image_find_as(const struct bf_image_id *id, const char *path, size_t *size,
		    const char **problem)
{
	struct bf_image_id now;
	uint64_t length;
	void *data = image_read(path, &length);

	if (!data) {
		*problem = "the file that --image names cannot be read";
		return NULL;
	}
	image_identify(&now, path, data, length);
	if (id->build_id_size && now.build_id_size && !is_same(id, &now)) {
		*problem = "the file that --image names is of another build";
		free(data);
		return NULL;
	}
	*size = length;
	return data;
}

void *image_find(const struct bf_image_id *id, size_t *size, const char **problem)
{
	struct bf_image_id now;
	uint64_t length;
	void *data;

	if (!*id->path || id->path[sizeof(id->path) - 1] ||
	    id->build_id_size > sizeof(id->build_id)) {
		*problem = "its file is not known";
		return NULL;
	}
	data = image_read(id->path, &length);
	if (!data) {
		*problem = errno == ENOENT ? "its file is gone" : "its file cannot be read";
		return NULL;
	}
	image_identify(&now, id->path, data, length);
	if (!is_same(id, &now)) {
		*problem = "its file has changed since the start";
		free(data);
		return NULL;
	}
	*size = length;
	return data;
}
