# SPDX-License-Identifier: GPL-2.0-only
#
# The microkernel: one image for both vendors. Included by the Makefile at the root; run from there.

MICROKERNEL := $(O)/microkernel

# Position-independent code at a fixed address: RIP-relative accesses reach all of the image at an
# address where neither the small nor the kernel code model does.
MK_CFLAGS := -std=gnu11 -O2 -g -I. -Ilib -Imicrokernel -ffreestanding -fpie -fvisibility=hidden \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-fcf-protection=none -mgeneral-regs-only $(NO_APX) -mno-red-zone \
	-Wall -Wextra -Wconversion -Wshadow -Wundef -Wmissing-prototypes -Wstrict-prototypes \
	-Wframe-larger-than=1024 -Werror
# With assertions; in a directory of its own, as objects are not made anew for it: O=build/debug.
ifdef DEBUG
MK_CFLAGS += -DMK_DEBUG
endif
MK_ASFLAGS := -I. -Ilib -Imicrokernel -g
# With points that fail on request (lib/bsl/fault.h), and assertions: make faults.
ifdef FAULTS
MK_CFLAGS += -DMK_DEBUG -DBF_FAULTS
MK_ASFLAGS += -DBF_FAULTS
endif
MK_LDFLAGS := -nostdlib -static -Wl,-no-pie -Wl,--no-relax -Wl,--build-id=none \
	-Wl,-z,noexecstack -Wl,-z,max-page-size=4096

MK_O := $(O)/obj/mk
MK_LINK := $(O)/microkernel.ld
MK_SRCS := $(wildcard microkernel/*.c microkernel/*/*.c) \
	$(addprefix lib/bsl/,format.c libc_mem.c paging.c string.c x86/mem.c)
ifdef FAULTS
MK_SRCS += test/faults/microkernel.c
endif
MK_ASMS := $(wildcard microkernel/*/*.S)
MK_OBJS := $(MK_SRCS:%.c=$(MK_O)/%.o) $(MK_ASMS:%.S=$(MK_O)/%.asm.o)

$(MK_O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(MK_CFLAGS) -MMD -MP -c -o $@ $<

$(MK_O)/%.asm.o: %.S
	@mkdir -p $(@D)
	$(CC) $(MK_ASFLAGS) -MMD -MP -c -o $@ $<

# The link address comes from abi/layout.h, its only source.
$(MK_LINK): microkernel/link.ld abi/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -x assembler-with-cpp -I. -include abi/layout.h -o $@ $<

$(MICROKERNEL): $(MK_OBJS) $(MK_LINK)
	$(CC) $(MK_LDFLAGS) -Wl,-T,$(MK_LINK) -o $@ $(MK_OBJS)

-include $(MK_OBJS:.o=.d)
