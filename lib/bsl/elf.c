// SPDX-License-Identifier: MIT
/* Validates ELF64 executables: see elf.h. */
#include <abi/mk1_layout.h>
#include <bsl/bits.h>
#include <bsl/elf.h>
#include <bsl/string.h>

#define EI_CLASS 4
#define EI_DATA 5
#define EI_VERSION 6
#define CLASS_64 2
#define DATA_LSB 1
#define VERSION_CURRENT 1
#define TYPE_EXEC 2
#define MACHINE_X86_64 62

#define PT_LOAD 1
#define PT_DYNAMIC 2
#define PT_INTERP 3
#define PT_TLS 7

struct elf_header {
	uint8_t ident[16];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint64_t entry;
	uint64_t phoff;
	uint64_t shoff;
	uint32_t flags;
	uint16_t ehsize;
	uint16_t phentsize;
	uint16_t phnum;
	uint16_t shentsize;
	uint16_t shnum;
	uint16_t shstrndx;
};

struct program_header {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t va;
	uint64_t pa;
	uint64_t filesz;
	uint64_t memsz;
	uint64_t align;
};

BF_STATIC_ASSERT(sizeof(struct elf_header) == 64, "Elf64_Ehdr");
BF_STATIC_ASSERT(sizeof(struct program_header) == 56, "Elf64_Phdr");

/* The headers may be unaligned, so they are copied rather than pointed to. */
static struct program_header read_phdr(const struct bsl_elf *elf, uint32_t index)
{
	struct program_header ph;

	bsl_memcpy(&ph, elf->data + elf->phoff + (uint64_t)index * sizeof(ph), sizeof(ph));
	return ph;
}

static enum bf_error check_header(struct bsl_elf *elf)
{
	struct elf_header header;

	if (elf->size > BSL_ELF_MAX_SIZE)
		return BF_ERR_ELF_TOO_LARGE;
	if (elf->size < 4 || bsl_memcmp(elf->data, "\177ELF", 4) != 0)
		return BF_ERR_ELF_MAGIC;
	if (elf->size < sizeof(header))
		return BF_ERR_ELF_TRUNCATED;
	bsl_memcpy(&header, elf->data, sizeof(header));
	if (header.ident[EI_CLASS] != CLASS_64 || header.ident[EI_DATA] != DATA_LSB ||
	    header.ident[EI_VERSION] != VERSION_CURRENT)
		return BF_ERR_ELF_CLASS;
	if (header.machine != MACHINE_X86_64)
		return BF_ERR_ELF_MACHINE;
	if (header.type != TYPE_EXEC)
		return BF_ERR_ELF_TYPE;
	if (!header.phnum)
		return BF_ERR_ELF_NO_SEGMENTS;
	if (header.phentsize != sizeof(struct program_header) || header.phnum > BSL_ELF_MAX_PHDRS)
		return BF_ERR_ELF_PHDRS;
	if (!bsl_range_within(header.phoff, header.phnum * sizeof(struct program_header), 0,
			      elf->size))
		return BF_ERR_ELF_TRUNCATED;
	elf->phoff = header.phoff;
	elf->nr_phdrs = header.phnum;
	elf->entry = header.entry;
	return BF_ERR_OK;
}

static enum bf_error check_phdr(const struct bsl_elf *elf, const struct program_header *ph,
				uint64_t base, uint64_t length)
{
	switch (ph->type) {
	case PT_INTERP:
		return BF_ERR_ELF_INTERP;
	case PT_DYNAMIC:
		return BF_ERR_ELF_RELOC;
	case PT_LOAD:
	case PT_TLS:
		break;
	default:
		return BF_ERR_OK;
	}
	if (ph->filesz > ph->memsz)
		return ph->type == PT_TLS ? BF_ERR_ELF_TLS : BF_ERR_ELF_PHDRS;
	/* Linkers place segments of zeros anywhere, even after the end of the file. */
	if (ph->filesz && !bsl_range_within(ph->offset, ph->filesz, 0, elf->size))
		return BF_ERR_ELF_TRUNCATED;
	if (ph->type == PT_TLS)
		return ph->memsz <= BF_PAGE_SIZE ? BF_ERR_OK : BF_ERR_ELF_TLS;
	if ((ph->flags & BSL_ELF_W) && (ph->flags & BSL_ELF_X))
		return BF_ERR_ELF_WX;
	if (ph->memsz && !bsl_range_within(ph->va, ph->memsz, base, length))
		return BF_ERR_ELF_RANGE;
	return BF_ERR_OK;
}

/* Segments ascend, as the ABI demands, and a page has one set of rights. */
static enum bf_error check_neighbours(const struct bsl_elf_segment *before,
				      const struct bsl_elf_segment *after)
{
	uint64_t end = before->va + before->memsz;
	uint32_t rights = BSL_ELF_W | BSL_ELF_X;

	if (after->va < end)
		return BF_ERR_ELF_OVERLAP;
	if (bsl_align_down(end - 1, BF_PAGE_SIZE) == bsl_align_down(after->va, BF_PAGE_SIZE) &&
	    (before->flags & rights) != (after->flags & rights))
		return BF_ERR_ELF_OVERLAP;
	return BF_ERR_OK;
}

static enum bf_error check_segments(const struct bsl_elf *elf, uint64_t *detail)
{
	struct bsl_elf_segment before = { 0 };
	struct bsl_elf_segment segment;
	bool entry_found = false;
	uint32_t index = 0;

	while (bsl_elf_next(elf, &index, &segment)) {
		*detail = index - 1;
		if (before.memsz) {
			enum bf_error error = check_neighbours(&before, &segment);

			if (error)
				return error;
		}
		if ((segment.flags & BSL_ELF_X) && elf->entry >= segment.va &&
		    elf->entry - segment.va < segment.filesz)
			entry_found = true;
		before = segment;
	}
	*detail = 0;
	if (!before.memsz)
		return BF_ERR_ELF_NO_SEGMENTS;
	return entry_found ? BF_ERR_OK : BF_ERR_ELF_ENTRY;
}

/*
 * The initial thread_local data is what the file has: its address need not be that of a loadable
 * segment, and one at the same address may hold something else.
 */
static void take_tls(struct bsl_elf *elf, const struct program_header *ph)
{
	elf->tls_data = ph->filesz ? elf->data + ph->offset : NULL;
	elf->tls_filesz = ph->filesz;
	elf->tls_memsz = ph->memsz;
}

enum bf_error bsl_elf_open(struct bsl_elf *elf, const void *data, uint64_t size, uint64_t base,
			   uint64_t length, uint64_t *detail)
{
	uint32_t i, nr_tls = 0;
	enum bf_error error;

	*elf = (struct bsl_elf){ .data = data, .size = size };
	*detail = 0;
	error = check_header(elf);
	for (i = 0; !error && i < elf->nr_phdrs; i++) {
		struct program_header ph = read_phdr(elf, i);

		*detail = i;
		error = check_phdr(elf, &ph, base, length);
	}
	if (!error)
		error = check_segments(elf, detail);
	for (i = 0; !error && i < elf->nr_phdrs; i++) {
		struct program_header ph = read_phdr(elf, i);

		*detail = i;
		if (ph.type != PT_TLS)
			continue;
		if (nr_tls++)
			error = BF_ERR_ELF_TLS;
		else
			take_tls(elf, &ph);
	}
	if (!error)
		*detail = 0;
	return error;
}

bool bsl_elf_next(const struct bsl_elf *elf, uint32_t *index, struct bsl_elf_segment *segment)
{
	while (*index < elf->nr_phdrs) {
		struct program_header ph = read_phdr(elf, (*index)++);

		if (ph.type != PT_LOAD || !ph.memsz)
			continue;
		segment->va = ph.va;
		segment->memsz = ph.memsz;
		segment->filesz = ph.filesz;
		segment->data = ph.filesz ? elf->data + ph.offset : NULL;
		segment->flags = ph.flags & (BSL_ELF_R | BSL_ELF_W | BSL_ELF_X);
		return true;
	}
	return false;
}
