// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks images before they are passed to the module, to say precisely what is wrong with one. The
 * driver validates again and does not rely on this.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bsl/bits.h>

#include "bfm.h"

#define MAX_IMAGE_SIZE MK1_EXT_CODE_SIZE
#define MAX_SEGMENTS 64 /* a linker makes less than ten */

struct image {
	Elf *elf;
	GElf_Ehdr header;
	GElf_Phdr segments[MAX_SEGMENTS];
	unsigned int nr_segments;
	uint64_t size;
	uint64_t base; /* where it has to be linked */
	uint64_t length;
	char *detail;
	size_t detail_size;
};

__attribute__((format(printf, 3, 4))) static enum bf_error wrong(const struct image *image,
								 enum bf_error error,
								 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(image->detail, image->detail_size, format, args);
	va_end(args);
	return error;
}

/* The identification, by hand: libelf takes archives and other classes, too. */
static enum bf_error check_ident(struct image *image, const unsigned char *data)
{
	if (image->size > MAX_IMAGE_SIZE)
		return wrong(image, BF_ERR_ELF_TOO_LARGE, "%llu bytes",
			     (unsigned long long)image->size);
	if (image->size < SELFMAG)
		return wrong(image, BF_ERR_ELF_TRUNCATED, "%u bytes", (unsigned int)image->size);
	if (memcmp(data, ELFMAG, SELFMAG))
		return wrong(image, BF_ERR_ELF_MAGIC, "it begins with %02x %02x %02x %02x", data[0],
			     data[1], data[2], data[3]);
	if (image->size < sizeof(Elf64_Ehdr))
		return wrong(image, BF_ERR_ELF_TRUNCATED, "%u bytes", (unsigned int)image->size);
	if (data[EI_CLASS] != ELFCLASS64 || data[EI_DATA] != ELFDATA2LSB ||
	    data[EI_VERSION] != EV_CURRENT)
		return wrong(image, BF_ERR_ELF_CLASS, "class %u, byte order %u, version %u",
			     data[EI_CLASS], data[EI_DATA], data[EI_VERSION]);
	return BF_ERR_OK;
}

static enum bf_error check_header(struct image *image)
{
	const GElf_Ehdr *h = &image->header;

	if (h->e_machine != EM_X86_64)
		return wrong(image, BF_ERR_ELF_MACHINE, "machine %u", h->e_machine);
	if (h->e_type != ET_EXEC)
		return wrong(image, BF_ERR_ELF_TYPE, "it is %s",
			     h->e_type == ET_DYN ? "position independent or a shared object" :
			     h->e_type == ET_REL ? "an object file" :
						   "of another type");
	if (h->e_phnum == 0)
		return wrong(image, BF_ERR_ELF_NO_SEGMENTS, "no program header");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum > MAX_SEGMENTS)
		return wrong(image, BF_ERR_ELF_PHDRS, "%u program headers of %u bytes", h->e_phnum,
			     h->e_phentsize);
	if (!bsl_range_within(h->e_phoff, (uint64_t)h->e_phnum * sizeof(Elf64_Phdr), 0,
			      image->size))
		return wrong(image, BF_ERR_ELF_TRUNCATED, "program headers at 0x%llx",
			     (unsigned long long)h->e_phoff);
	if (h->e_shoff &&
	    !bsl_range_within(h->e_shoff, (uint64_t)h->e_shnum * h->e_shentsize, 0, image->size))
		return wrong(image, BF_ERR_ELF_TRUNCATED, "section headers at 0x%llx",
			     (unsigned long long)h->e_shoff);
	return BF_ERR_OK;
}

/* What a segment has in the file must be there, and be no more than what it has in memory. */
static enum bf_error check_sizes(struct image *image, unsigned int i)
{
	const GElf_Phdr *s = &image->segments[i];

	if (s->p_filesz > s->p_memsz)
		return wrong(image, s->p_type == PT_TLS ? BF_ERR_ELF_TLS : BF_ERR_ELF_PHDRS,
			     "segment %u has 0x%llx bytes in the file and 0x%llx in memory", i,
			     (unsigned long long)s->p_filesz, (unsigned long long)s->p_memsz);
	if (s->p_filesz && !bsl_range_within(s->p_offset, s->p_filesz, 0, image->size))
		return wrong(image, BF_ERR_ELF_TRUNCATED,
			     "segment %u: 0x%llx bytes at offset 0x%llx", i,
			     (unsigned long long)s->p_filesz, (unsigned long long)s->p_offset);
	return BF_ERR_OK;
}

static enum bf_error check_load(struct image *image, unsigned int i)
{
	const GElf_Phdr *s = &image->segments[i];
	enum bf_error error = check_sizes(image, i);

	if (error)
		return error;
	if ((s->p_flags & PF_W) && (s->p_flags & PF_X))
		return wrong(image, BF_ERR_ELF_WX, "segment %u at 0x%llx", i,
			     (unsigned long long)s->p_vaddr);
	if (s->p_memsz && !bsl_range_within(s->p_vaddr, s->p_memsz, image->base, image->length))
		return wrong(image, BF_ERR_ELF_RANGE,
			     "segment %u at 0x%llx, 0x%llx bytes; allowed: 0x%llx, 0x%llx bytes", i,
			     (unsigned long long)s->p_vaddr, (unsigned long long)s->p_memsz,
			     (unsigned long long)image->base, (unsigned long long)image->length);
	return BF_ERR_OK;
}

/*
 * Segment j against the earlier segment i: addresses ascend, as the System V ABI demands, no byte
 * belongs to both, and no page if their rights differ.
 */
static enum bf_error check_pair(struct image *image, unsigned int i, unsigned int j)
{
	const GElf_Phdr *a = &image->segments[i];
	const GElf_Phdr *b = &image->segments[j];
	uint64_t a_page = bsl_align_down(a->p_vaddr, BF_PAGE_SIZE);
	uint64_t b_page = bsl_align_down(b->p_vaddr, BF_PAGE_SIZE);
	uint64_t a_end, b_end;
	bool pages;

	if (!a->p_memsz || !b->p_memsz)
		return BF_ERR_OK;
	if (b->p_vaddr < a->p_vaddr)
		return wrong(image, BF_ERR_ELF_OVERLAP,
			     "segments %u and %u are not in ascending order", i, j);
	/* check_load() saw that these are in range; the end of the range is a page's. */
	if (!bsl_align_up(a->p_vaddr + a->p_memsz, BF_PAGE_SIZE, &a_end) ||
	    !bsl_align_up(b->p_vaddr + b->p_memsz, BF_PAGE_SIZE, &b_end))
		return wrong(image, BF_ERR_ELF_RANGE, "segments %u and %u", i, j);
	pages = bsl_ranges_overlap(a_page, a_end - a_page, b_page, b_end - b_page) &&
		(a->p_flags & (PF_W | PF_X)) != (b->p_flags & (PF_W | PF_X));
	if (pages || bsl_ranges_overlap(a->p_vaddr, a->p_memsz, b->p_vaddr, b->p_memsz))
		return wrong(image, BF_ERR_ELF_OVERLAP, "segments %u and %u, at 0x%llx and 0x%llx",
			     i, j, (unsigned long long)a->p_vaddr, (unsigned long long)b->p_vaddr);
	return BF_ERR_OK;
}

static enum bf_error check_tls(struct image *image, unsigned int i)
{
	const GElf_Phdr *tls = &image->segments[i];
	enum bf_error error = check_sizes(image, i);

	if (error)
		return error;
	if (tls->p_memsz > BF_PAGE_SIZE)
		return wrong(image, BF_ERR_ELF_TLS, "0x%llx bytes",
			     (unsigned long long)tls->p_memsz);
	return BF_ERR_OK;
}

static enum bf_error check_segment(struct image *image, unsigned int i, bool *tls_seen)
{
	enum bf_error error;

	switch (image->segments[i].p_type) {
	case PT_LOAD:
		error = check_load(image, i);
		for (unsigned int k = 0; k < i && !error; k++) {
			if (image->segments[k].p_type == PT_LOAD)
				error = check_pair(image, k, i);
		}
		return error;
	case PT_INTERP:
		return wrong(image, BF_ERR_ELF_INTERP, "segment %u", i);
	case PT_DYNAMIC:
		return wrong(image, BF_ERR_ELF_RELOC, "segment %u is for a dynamic linker", i);
	case PT_TLS:
		if (*tls_seen)
			return wrong(image, BF_ERR_ELF_TLS, "segment %u is a second one", i);
		*tls_seen = true;
		return check_tls(image, i);
	default: /* notes and the like: not loaded */
		return BF_ERR_OK;
	}
}

static enum bf_error check_entry(struct image *image)
{
	unsigned int loads = 0;

	for (unsigned int i = 0; i < image->nr_segments; i++) {
		const GElf_Phdr *s = &image->segments[i];

		if (s->p_type != PT_LOAD || !s->p_memsz)
			continue;
		loads++;
		if ((s->p_flags & PF_X) &&
		    bsl_range_within(image->header.e_entry, 1, s->p_vaddr, s->p_filesz))
			return BF_ERR_OK;
	}
	if (!loads)
		return wrong(image, BF_ERR_ELF_NO_SEGMENTS, "%u program headers",
			     image->nr_segments);
	return wrong(image, BF_ERR_ELF_ENTRY, "0x%llx", (unsigned long long)image->header.e_entry);
}

/* Relocations that belong to the program, not to a linker's notes (-q keeps those). */
static enum bf_error check_relocations(struct image *image)
{
	Elf_Scn *section = NULL;
	GElf_Shdr s;

	while ((section = elf_nextscn(image->elf, section))) {
		if (!gelf_getshdr(section, &s))
			return wrong(image, BF_ERR_ELF_TRUNCATED, "section headers");
		if ((s.sh_type == SHT_RELA || s.sh_type == SHT_REL) && (s.sh_flags & SHF_ALLOC) &&
		    s.sh_size)
			return wrong(image, BF_ERR_ELF_RELOC, "section %u",
				     (unsigned int)elf_ndxscn(section));
	}
	return BF_ERR_OK;
}

static enum bf_error check_all(struct image *image)
{
	enum bf_error error;
	bool tls_seen = false;

	if (!gelf_getehdr(image->elf, &image->header))
		return wrong(image, BF_ERR_ELF_TRUNCATED, "%s", elf_errmsg(-1));
	error = check_header(image);
	if (error)
		return error;
	image->nr_segments = image->header.e_phnum;
	for (unsigned int i = 0; i < image->nr_segments; i++) {
		if (!gelf_getphdr(image->elf, (int)i, &image->segments[i]))
			return wrong(image, BF_ERR_ELF_PHDRS, "program header %u: %s", i,
				     elf_errmsg(-1));
	}
	for (unsigned int i = 0; i < image->nr_segments; i++) {
		error = check_segment(image, i, &tls_seen);
		if (error)
			return error;
	}
	error = check_entry(image);
	return error ? error : check_relocations(image);
}

enum bf_error image_check(const void *data, size_t size, enum image_kind kind, char *detail,
			  size_t detail_size)
{
	struct image image = { .size = size, .detail = detail, .detail_size = detail_size };
	enum bf_error error;

	image.base = kind == IMAGE_MICROKERNEL ? BF_MK_BASE : MK1_EXT_CODE_BASE;
	image.length = kind == IMAGE_MICROKERNEL ? BF_MK_SIZE : MK1_EXT_CODE_SIZE;
	if (detail_size)
		*detail = '\0';
	error = check_ident(&image, data);
	if (error)
		return error;
	elf_version(EV_CURRENT);
	/* libelf only reads an image that it is given in memory, whatever its prototype says. */
	image.elf = elf_memory((char *)(uintptr_t)data, size);
	if (!image.elf)
		return wrong(&image, BF_ERR_ELF_MAGIC, "%s", elf_errmsg(-1));
	error = check_all(&image);
	elf_end(image.elf);
	return error;
}

void *image_read(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data = NULL;
	size_t done = 0;
	ssize_t n = 1;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st)) {
		n = -1;
	} else if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		n = -1;
	} else {
		/* One byte more than allowed is enough to be refused as too large. */
		*size = (uint64_t)st.st_size;
		if (*size > MAX_IMAGE_SIZE)
			*size = MAX_IMAGE_SIZE + 1;
		data = malloc(*size + 1);
	}
	while (data && n > 0 && done < *size) {
		n = read(fd, data + done, *size - done);
		if (n > 0)
			done += (size_t)n;
	}
	close(fd);
	*size = done;
	if (n < 0) {
		free(data);
		return NULL;
	}
	return data;
}

int image_load(const char *what, const char *path, enum image_kind kind, struct bf_file *file)
{
	char name[512], detail[160];
	enum bf_error error;
	uint64_t size = 0;
	void *data = image_read(path, &size);

	snprintf(name, sizeof(name), "%s: %s", what, path);
	if (!data) {
		fail_message(name, "install Bareflank, set BAREFLANK_LIBDIR, or give a path", "%s",
			     strerror(errno));
		return EXIT_BAD_IMAGE;
	}
	error = image_check(data, size, kind, detail, sizeof(detail));
	if (error) {
		fail_error(name, error, detail);
		free(data);
		return EXIT_BAD_IMAGE;
	}
	file->data = (uintptr_t)data;
	file->size = size;
	return EXIT_OK;
}
