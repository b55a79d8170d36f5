// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmcore FILE CPUS: whether a kernel's memory dump can be read to its end, and has the registers of
 * so many CPUs, each with an instruction pointer and a stack that a running CPU can have.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#define KERNEL_TEXT 0xFFFFFFFF80000000ULL
#define USER_END (1ULL << 47)

static const char *path;
static int file;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void read_at(void *to, size_t size, uint64_t offset)
{
	if (pread(file, to, size, (off_t)offset) != (ssize_t)size)
		die(path);
}

static int plausible(const struct user_regs_struct *regs)
{
	if (regs->cs & 3)
		return regs->rip < USER_END && regs->rsp < USER_END;
	return regs->rip >= KERNEL_TEXT && regs->rsp >= USER_END;
}

/* How many CPUs' registers the notes have, or -1. */
static int count_cpus(const uint8_t *notes, size_t size)
{
	size_t at = 0;
	int cpus = 0;

	while (at + sizeof(Elf64_Nhdr) <= size) {
		const Elf64_Nhdr *note = (const void *)(notes + at);
		size_t desc = at + sizeof(*note) + ((note->n_namesz + 3) & ~3U);
		struct elf_prstatus status;
		struct user_regs_struct regs;

		at = desc + ((note->n_descsz + 3) & ~3U);
		if (at > size)
			return -1;
		if (note->n_type != NT_PRSTATUS || note->n_descsz < sizeof(status))
			continue;
		memcpy(&status, notes + desc, sizeof(status));
		memcpy(&regs, &status.pr_reg, sizeof(regs));
		printf("CPU note %d: rip 0x%llx rsp 0x%llx cs 0x%llx rflags 0x%llx\n", cpus++,
		       regs.rip, regs.rsp, regs.cs, regs.eflags);
		if (!plausible(&regs))
			return -1;
	}
	return cpus;
}

static uint64_t read_load(const Elf64_Phdr *header)
{
	static uint8_t buffer[1 << 20];
	uint64_t done, step;

	for (done = 0; done < header->p_filesz; done += step) {
		step = header->p_filesz - done;
		if (step > sizeof(buffer))
			step = sizeof(buffer);
		read_at(buffer, step, header->p_offset + done);
	}
	return done;
}

int main(int argc, char **argv)
{
	uint64_t memory = 0;
	Elf64_Ehdr elf;
	Elf64_Phdr header;
	int cpus = 0;

	if (argc != 3)
		return 2;
	path = argv[1];
	file = open(path, O_RDONLY);
	if (file < 0)
		die(path);
	read_at(&elf, sizeof(elf), 0);
	if (memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_type != ET_CORE)
		return 1;
	for (unsigned int i = 0; i < elf.e_phnum; i++) {
		read_at(&header, sizeof(header), elf.e_phoff + i * sizeof(header));
		if (header.p_type == PT_LOAD) {
			memory += read_load(&header);
		} else if (header.p_type == PT_NOTE) {
			uint8_t *notes = malloc(header.p_filesz);

			if (!notes)
				die("memory");
			read_at(notes, header.p_filesz, header.p_offset);
			cpus = count_cpus(notes, header.p_filesz);
			free(notes);
		}
	}
	printf("%llu MB of memory, registers of %d CPUs\n", (unsigned long long)memory >> 20, cpus);
	return cpus == atoi(argv[2]) && memory ? 0 : 1;
}
