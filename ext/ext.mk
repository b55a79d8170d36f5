# SPDX-License-Identifier: GPL-2.0-only
#
# libext and the extensions. Included by the top Makefile; needs O (build directory), CC, AR.
#
#   ext/NAME/*.c, ext/NAME.c    an extension: $(O)/ext/NAME
#   test/ext/NAME.c             an extension that tests the ABI: $(O)/test/ext/NAME; it may use
#                               the parts of the default extension, but for its main.c
#
# Targets: libext (the archive $(O)/libext.a), ext (all extensions), check-ext (their ELF files are
# what Mk#1 asks for).

O ?= build

# Position-independent code linked at a fixed address: RIP-relative accesses reach all of an
# extension, wherever it is linked, and need no large code model.
EXT_CFLAGS := -std=gnu11 -O2 -g -I. -Ilib -ffreestanding -fpie -fvisibility=hidden \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-ftls-model=local-exec -fcf-protection=none -mgeneral-regs-only -mno-red-zone \
	-Wall -Wextra -Wconversion -Wshadow -Wundef -Wmissing-prototypes -Wstrict-prototypes -Werror
EXT_ASFLAGS := -I. -Ilib -g
# --no-relax: addresses taken through the GOT do not fit the immediate operands ld would turn them into.
EXT_LDFLAGS := -nostdlib -static -Wl,-no-pie -Wl,--no-relax -Wl,--build-id=none \
	-Wl,-z,noexecstack -Wl,-z,norelro -Wl,-z,separate-code -Wl,-z,max-page-size=4096

EXT_O := $(O)/obj/ext
LIBEXT := $(O)/libext.a
EXT_CRT0 := $(EXT_O)/ext/libext/crt0.o
EXT_LINK := $(O)/ext.ld

LIBEXT_SRCS := $(wildcard ext/libext/*.c) lib/bsl/format.c lib/bsl/string.c lib/bsl/libc_mem.c
LIBEXT_OBJS := $(LIBEXT_SRCS:%.c=$(EXT_O)/%.o)

EXT_DIRS := $(filter-out ext/libext/,$(sort $(dir $(wildcard ext/*/*.c))))
EXT_DIR_NAMES := $(EXT_DIRS:ext/%/=%)
EXT_FILE_NAMES := $(patsubst ext/%.c,%,$(wildcard ext/*.c))
EXT_TEST_NAMES := $(patsubst test/ext/%.c,%,$(wildcard test/ext/*.c))
EXTS := $(EXT_DIR_NAMES:%=$(O)/ext/%) $(EXT_FILE_NAMES:%=$(O)/ext/%) \
	$(EXT_TEST_NAMES:%=$(O)/test/ext/%)

.PHONY: libext ext check-ext
libext: $(LIBEXT) $(EXT_CRT0) $(EXT_LINK)
ext: $(EXTS)

$(EXT_O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXT_CFLAGS) -MMD -MP -c -o $@ $<

$(EXT_O)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(EXT_ASFLAGS) -MMD -MP -c -o $@ $<

$(LIBEXT): $(LIBEXT_OBJS)
	@rm -f $@
	$(AR) rcsD $@ $^

# The link address comes from abi/layout.h, its only source.
$(EXT_LINK): ext/libext/link.ld abi/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -x assembler-with-cpp -I. -include abi/layout.h -o $@ $<

# $(1) output, $(2) sources
define EXT_RULE
$(1): $(2:%.c=$(EXT_O)/%.o) $(EXT_CRT0) $(LIBEXT) $(EXT_LINK)
	@mkdir -p $$(@D)
	$$(CC) $$(EXT_LDFLAGS) -Wl,-T,$(EXT_LINK) -o $$@ $(EXT_CRT0) $(2:%.c=$(EXT_O)/%.o) \
		$$(EXT_PARTS) $(LIBEXT)
-include $(2:%.c=$(EXT_O)/%.d)
endef

$(foreach n,$(EXT_DIR_NAMES),$(eval $(call EXT_RULE,$(O)/ext/$(n),$(wildcard ext/$(n)/*.c))))
$(foreach n,$(EXT_FILE_NAMES),$(eval $(call EXT_RULE,$(O)/ext/$(n),ext/$(n).c)))
$(foreach n,$(EXT_TEST_NAMES),$(eval $(call EXT_RULE,$(O)/test/ext/$(n),test/ext/$(n).c)))

DEFAULT_PARTS := $(EXT_O)/default-parts.a
$(DEFAULT_PARTS): $(patsubst %.c,$(EXT_O)/%.o,$(filter-out %/main.c,$(wildcard ext/default/*.c)))
	@rm -f $@
	$(AR) rcsD $@ $^
$(EXT_TEST_NAMES:%=$(O)/test/ext/%): EXT_PARTS := $(DEFAULT_PARTS)
$(EXT_TEST_NAMES:%=$(O)/test/ext/%): $(DEFAULT_PARTS)

-include $(LIBEXT_OBJS:.o=.d) $(EXT_CRT0:.o=.d)

check-ext: $(EXTS)
	ext/check-elf $(EXTS)
