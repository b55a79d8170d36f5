# SPDX-License-Identifier: GPL-2.0-only
#
# Fuzz targets (libFuzzer). make fuzz runs each for FUZZ_SECONDS; make check for a few seconds.

FUZZ_SECONDS ?= 600
FUZZ_TARGETS := decode elf emulate escape format insn ioctl paging pe ring
FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -O1 -I. -Ilib -Imicrokernel -Wall -Wextra -Werror \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_SRCS_decode := microkernel/svm/decode.c
FUZZ_HEADERS_decode := test/fuzz/zydis.h
FUZZ_LIBS_decode := -lZydis
FUZZ_SRCS_elf := bfm/hint.c bfm/image.c bfm/message.c driver/core/image.c \
	driver/core/memory.c lib/bsl/elf.c lib/bsl/string.c lib/bsl/x86/mem.c
FUZZ_LIBS_elf := -lelf
FUZZ_SRCS_emulate := ext/guests/insn_io.c ext/libext/insn.c ext/libext/insn_op.c
FUZZ_HEADERS_emulate := test/fuzz/zydis.h
FUZZ_LIBS_emulate := -lZydis
FUZZ_SRCS_escape := bfm/escape.c
FUZZ_SRCS_format := lib/bsl/format.c lib/bsl/string.c lib/bsl/x86/mem.c
FUZZ_SRCS_insn := ext/libext/insn.c ext/libext/insn_op.c
FUZZ_HEADERS_insn := test/fuzz/insn_oracle.h test/fuzz/zydis.h
FUZZ_LIBS_insn := -lZydis
# The module's source, on a Linux of its own: with empty headers and what kernel.h has. User
# pointers are any numbers.
FUZZ_FLAGS_ioctl := -include test/fuzz/kernel.h -I$(O)/fuzz/include -Wno-unused-parameter \
	-Wno-sign-compare -fno-sanitize=pointer-overflow
FUZZ_HEADERS_ioctl := $(addprefix $(O)/fuzz/include/linux/,capability.h fs.h list.h minmax.h \
	mutex.h slab.h uaccess.h vmalloc.h)
FUZZ_SRCS_paging := lib/bsl/paging.c
FUZZ_SRCS_pe := bfm/pe.c driver/efi/bundle.c lib/bsl/pe.c lib/bsl/string.c lib/bsl/x86/mem.c
FUZZ_HEADERS_pe := test/unit/make_pe.h
FUZZ_SRCS_ring := lib/bsl/string.c lib/bsl/x86/mem.c

FUZZERS := $(FUZZ_TARGETS:%=$(O)/fuzz/%)

.SECONDEXPANSION:
$(FUZZERS): $(O)/fuzz/%: test/fuzz/%.c test/fuzz/fuzz.h $$(FUZZ_SRCS_$$*) \
		$$(FUZZ_HEADERS_$$*) $(wildcard driver/linux/*.[ch] driver/core/*.[ch])
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) $(FUZZ_FLAGS_$*) -o $@ $< $(FUZZ_SRCS_$*) $(FUZZ_LIBS_$*)

$(FUZZ_HEADERS_ioctl):
	@mkdir -p $(@D)
	touch $@

.PHONY: fuzz fuzzers fuzz-targets
fuzz-targets:
	@echo $(FUZZ_TARGETS)
fuzzers: $(FUZZERS)
fuzz: fuzzers $(O)/ext/default $(MICROKERNEL)
	for target in $(FUZZ_TARGETS); do \
		O=$(O) test/fuzz/run $$target $(FUZZ_SECONDS) || exit 1; done
