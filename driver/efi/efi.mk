# SPDX-License-Identifier: GPL-2.0-only
#
# bareflank.efi, the loader for UEFI: driver/core as it is, driver/efi, and gnu-efi. Included by the
# Makefile at the root; run from there.

EFI := $(O)/bareflank.efi

# The firmware's functions have Microsoft's calling convention, ours and the microkernel's do not.
# gnu-efi's headers are not ours to warn about.
EFI_CFLAGS := -std=gnu11 -O2 -g -I. -Ilib -isystem /usr/include/efi \
	-isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI -ffreestanding -fpic \
	-fvisibility=hidden -fshort-wchar -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fcf-protection=none -mgeneral-regs-only $(NO_APX) -mno-red-zone \
	-Wall -Wextra -Wconversion -Wshadow -Wundef \
	-Wmissing-prototypes -Wstrict-prototypes -Wframe-larger-than=2048 -Werror
EFI_LDFLAGS := -nostdlib -shared -Bsymbolic --no-undefined -z noexecstack -z nocombreloc \
	--warn-common --fatal-warnings -T /usr/lib/elf_x86_64_efi.lds
EFI_SECTIONS := .text .sdata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc

EFI_O := $(O)/obj/efi
EFI_SRCS := $(wildcard driver/efi/*.c) \
	$(addprefix driver/core/,channel.c check.c image.c loader.c memory.c prepare.c \
		park.c rendezvous.c ring.c trace.c watchdog.c) \
	$(addprefix driver/core/x86/,aspace.c check.c cpu.c features.c hw.c outer.c) \
	$(addprefix lib/bsl/,elf.c paging.c pe.c string.c x86/mem.c)
ifdef FAULTS
EFI_CFLAGS += -DBF_FAULTS
EFI_SRCS += test/faults/efi.c
endif
EFI_ASMS := driver/efi/fault.S driver/core/x86/switch.S
EFI_OBJS := $(EFI_SRCS:%.c=$(EFI_O)/%.o) $(EFI_ASMS:%.S=$(EFI_O)/%.asm.o)

$(EFI_O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(EFI_O)/%.asm.o: %.S
	@mkdir -p $(@D)
	$(CC) -I. -Ilib -g -c -o $@ $<

# Nothing but relocations by the address of the image: who starts it does no others.
%.efi.so:
	ld $(EFI_LDFLAGS) -o $@ /usr/lib/crt0-efi-x86_64.o $^ /usr/lib/libefi.a /usr/lib/libgnuefi.a
	@! readelf -rW $@ | grep R_X86_64 | grep -v R_X86_64_RELATIVE || { rm $@; exit 1; }

%.efi: %.efi.so
	objcopy $(EFI_SECTIONS:%=-j %) --target efi-app-x86_64 $< $@

$(EFI).so: $(EFI_OBJS)

.PHONY: efi
efi: $(EFI)

-include $(EFI_OBJS:.o=.d)
