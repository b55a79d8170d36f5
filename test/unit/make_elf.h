/* SPDX-License-Identifier: GPL-2.0-only */
/* A small valid executable to start from: RX text, R rodata, RW data with bss. */
#ifndef TEST_MAKE_ELF_H
#define TEST_MAKE_ELF_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define ELF_TEXT 0
#define ELF_RODATA 1
#define ELF_DATA 2
#define ELF_TLS 3
#define ELF_NR_PHDRS 4
#define ELF_FILE_SIZE 0x1000
#define ELF_TEXT_SIZE 0x300
#define ELF_DATA_SIZE 0x100
#define ELF_DATA_MEMSZ 0x2800

struct elf_file {
	Elf64_Ehdr header;
	Elf64_Phdr phdrs[ELF_NR_PHDRS];
	uint8_t bytes[ELF_FILE_SIZE - sizeof(Elf64_Ehdr) - ELF_NR_PHDRS * sizeof(Elf64_Phdr)];
};

static inline void elf_segment(struct elf_file *file, unsigned int index, uint32_t type,
			       uint32_t flags, uint64_t offset, uint64_t va, uint64_t filesz,
			       uint64_t memsz)
{
	file->phdrs[index] = (Elf64_Phdr){ .p_type = type,
					   .p_flags = flags,
					   .p_offset = offset,
					   .p_vaddr = va,
					   .p_filesz = filesz,
					   .p_memsz = memsz,
					   .p_align = 0x1000 };
}

static inline void make_elf(struct elf_file *file, uint64_t base)
{
	memset(file, 0, sizeof(*file));
	memcpy(file->header.e_ident, ELFMAG, SELFMAG);
	file->header.e_ident[EI_CLASS] = ELFCLASS64;
	file->header.e_ident[EI_DATA] = ELFDATA2LSB;
	file->header.e_ident[EI_VERSION] = EV_CURRENT;
	file->header.e_type = ET_EXEC;
	file->header.e_machine = EM_X86_64;
	file->header.e_version = EV_CURRENT;
	file->header.e_entry = base + 0x410;
	file->header.e_phoff = offsetof(struct elf_file, phdrs);
	file->header.e_phentsize = sizeof(Elf64_Phdr);
	file->header.e_phnum = ELF_NR_PHDRS;
	memset((uint8_t *)file + 0x400, 0x90, 0xC00);
	elf_segment(file, ELF_TEXT, PT_LOAD, PF_R | PF_X, 0x400, base + 0x400, ELF_TEXT_SIZE,
		    ELF_TEXT_SIZE);
	elf_segment(file, ELF_RODATA, PT_LOAD, PF_R, 0x800, base + 0x1800, 0x200, 0x200);
	elf_segment(file, ELF_DATA, PT_LOAD, PF_R | PF_W, 0xA00, base + 0x2A00, ELF_DATA_SIZE,
		    ELF_DATA_MEMSZ);
	elf_segment(file, ELF_TLS, PT_TLS, PF_R, 0x800, base + 0x1800, 0x20, 0x40);
}

#endif
