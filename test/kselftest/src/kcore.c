// SPDX-License-Identifier: GPL-2.0-only
/* kcore ADDRESS COUNT: bytes of the kernel's memory as a program reads them, by /proc/kcore. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open("/proc/kcore", O_RDONLY);
	uint64_t address = argc == 3 ? strtoull(argv[1], NULL, 16) : 0;
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	uint8_t bytes[4096];
	Elf64_Ehdr header;
	Elf64_Phdr part;

	if (!count || count > sizeof(bytes) ||
	    pread(fd, &header, sizeof(header), 0) != sizeof(header)) {
		perror("kcore ADDRESS COUNT");
		return 1;
	}
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), (off_t)(header.e_phoff + i * sizeof(part))) !=
		    sizeof(part))
			return 1;
		if (part.p_type != PT_LOAD || address < part.p_vaddr ||
		    address - part.p_vaddr + count > part.p_filesz)
			continue;
		if (pread(fd, bytes, count, (off_t)(part.p_offset + address - part.p_vaddr)) !=
		    (ssize_t)count) {
			perror("/proc/kcore");
			return 1;
		}
		for (size_t n = 0; n < count; n++)
			printf("%02x", bytes[n]);
		printf("\n");
		return 0;
	}
	fprintf(stderr, "there is no such address\n");
	return 1;
}
