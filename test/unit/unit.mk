# SPDX-License-Identifier: GPL-2.0-only
#
# The unit tests: programs of libcheck, each with the sources that it tests. Included by
# test/test.mk.
#
# For each test/unit/test_NAME.c, UNIT_SRCS_NAME lists the other sources; UNIT_FLAGS_NAME,
# UNIT_LDFLAGS_NAME and UNIT_LIBS_NAME are optional. The programs are $(O)/unit/VARIANT/test_NAME:
#
#   sanitize   with AddressSanitizer and UBSan: what test/run runs
#   coverage   for gcov: what test/coverage runs
#   plain      neither, quick to build
#
# make unit-NAME [UNIT=VARIANT] [CK_RUN_CASE=CASE] builds and runs one, plain unless told.

BSL_STRING := lib/bsl/string.c lib/bsl/x86/mem.c
FAKE_PLATFORM := $(addprefix test/unit/,fake_aspace.c fake_machine.c fake_platform.c)

# Includes ext/libext/arg.c.
UNIT_SRCS_arg := $(BSL_STRING)

UNIT_SRCS_bfm := $(wildcard test/unit/bfm/*.c) driver/efi/bundle.c driver/efi/config.c \
	lib/bsl/pe.c $(BSL_STRING) \
	$(addprefix bfm/,allow.c args.c backtrace.c boot_entry.c boot_guard.c call.c check.c \
	dump.c efi.c efi_config.c efi_image.c efi_reader.c escape.c esp.c exits.c failure.c hint.c \
	identify.c image.c lines.c local.c machine.c message.c openmetrics.c options.c pe.c \
	program.c read.c report.c sample.c start.c stats.c status.c stop.c suggest.c table.c \
	top.c trace.c wait.c)
UNIT_LIBS_bfm := -ldw -lelf

UNIT_SRCS_bfm_image := bfm/hint.c bfm/image.c bfm/message.c lib/bsl/elf.c $(BSL_STRING)
UNIT_LIBS_bfm_image := -lelf

UNIT_SRCS_bsl := $(BSL_STRING)

UNIT_SRCS_cpuid := ext/linux/cpuid.c

UNIT_SRCS_decode := microkernel/svm/decode.c

UNIT_SRCS_efi_config := driver/efi/config.c $(BSL_STRING)

UNIT_SRCS_elf := lib/bsl/elf.c $(BSL_STRING)

UNIT_SRCS_emulate := $(wildcard test/unit/emulate/*.c) \
	$(addprefix ext/,libext/alu.c libext/emulate.c guests/insn_io.c libext/insn.c \
	libext/insn_op.c) $(BSL_STRING)

# Includes ext/linux/emulate.c.
UNIT_SRCS_ext_emulate := $(addprefix ext/libext/,alu.c emulate.c insn.c insn_op.c) $(BSL_STRING)

UNIT_SRCS_ext_exits := ext/linux/exits.c lib/bsl/format.c $(BSL_STRING)

# Includes ext/linux/hook.c and watch.c.
UNIT_SRCS_ext_hook :=

# Includes ext/linux/memory.c.
UNIT_SRCS_ext_memory := ext/libext/paging.c $(BSL_STRING)

# These two include the sources of the default extension that they test.
UNIT_SRCS_ext_svm := ext/libext/fpu.c
UNIT_SRCS_ext_vmx := ext/libext/fpu.c

UNIT_SRCS_features := $(FAKE_PLATFORM) driver/core/check.c \
	$(addprefix driver/core/x86/,check.c features.c outer.c) $(BSL_STRING)

UNIT_SRCS_format := lib/bsl/format.c $(BSL_STRING)

UNIT_SRCS_guest_paging := ext/libext/paging.c

UNIT_SRCS_guest_rules := $(addprefix ext/guests/,msr_rules.c rules.c)

# Includes ext/libext/heap.c.
UNIT_SRCS_heap := ext/libext/fpu.c $(BSL_STRING)

UNIT_SRCS_insn := ext/libext/insn.c ext/libext/insn_op.c ext/linux/insn.c
UNIT_LIBS_insn := -lZydis

# Includes bfm/lib/bareflank.c.
UNIT_SRCS_libbfm :=

# Includes ext/libext/log.c.
UNIT_SRCS_log := ext/libext/fpu.c ext/libext/status.c lib/bsl/format.c $(BSL_STRING)

UNIT_SRCS_loader := $(wildcard test/unit/loader/*.c) $(FAKE_PLATFORM) \
	$(addprefix driver/core/,adopt.c channel.c check.c image.c loader.c memory.c prepare.c \
		park.c rendezvous.c ring.c trace.c watchdog.c) \
	$(addprefix driver/core/x86/,aspace.c check.c cpu.c features.c outer.c) \
	lib/bsl/elf.c lib/bsl/paging.c $(BSL_STRING)

# All of the microkernel but its assembly, on fake CPUs: test/unit/cpu/cpu.h. The tests of
# microkernel/DIRECTORY/NAME.c are in test/unit/mk/DIRECTORY/NAME.c.
UNIT_SRCS_microkernel := $(wildcard microkernel/*.c microkernel/*/*.c) \
	microkernel/arch/hypercall.S lib/bsl/format.c lib/bsl/paging.c $(BSL_STRING) \
	$(wildcard test/unit/cpu/*.c test/unit/mk/*.c test/unit/mk/*/*.c)
UNIT_FLAGS_microkernel := -include test/unit/cpu/host.h -mno-red-zone -fno-strict-aliasing -fno-pie
# Of these two instructions, a host's hypervisor may answer those of a process.
$(O)/unit/%/microkernel/microkernel/arch/hypercall.S.o: \
	UNIT_FLAGS_microkernel += -include test/unit/cpu/hypercall.inc
UNIT_LDFLAGS_microkernel := -no-pie -Wl,-T,test/unit/cpu/sections.ld

# RDMSR faults in a process: nothing but a CPU without MTRRs is read here.
UNIT_SRCS_mtrr := microkernel/arch/mtrr.c $(BSL_STRING)
UNIT_FLAGS_mtrr := -include test/unit/cpu/host.h

UNIT_SRCS_paging := lib/bsl/paging.c

UNIT_SRCS_pe := bfm/pe.c driver/efi/bundle.c lib/bsl/pe.c $(BSL_STRING)

UNIT_SRCS_regs :=

UNIT_SRCS_switch := driver/core/x86/switch.S

# --- how they are built and run ---------------------------------------------------------------

UNIT ?= plain
UNIT_NAMES := $(patsubst test/unit/test_%.c,%,$(wildcard test/unit/test_*.c))
UNIT_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -I. -Ilib -Imicrokernel -Wall -Wextra -Werror -MMD -MP
UNIT_CFLAGS_plain := -O1
UNIT_CFLAGS_sanitize := -O1 -fsanitize=address,undefined -fno-sanitize-recover
UNIT_CFLAGS_coverage := -O0 --coverage -Wl,-u,__gcov_dump
UNIT_CHECK_CFLAGS = $(shell pkg-config --cflags check)
UNIT_CHECK_LIBS = $(shell pkg-config --libs check)

# $(call UNIT_RULES,VARIANT,NAME)
define UNIT_RULES
$(if $(filter undefined,$(origin UNIT_SRCS_$2)),$(error test/unit/unit.mk has no UNIT_SRCS_$2))
$(O)/unit/$1/test_$2: $(patsubst %,$(O)/unit/$1/$2/%.o,test/unit/test_$2.c $(UNIT_SRCS_$2))
	$$(CC) $(UNIT_CFLAGS_$1) $(UNIT_LDFLAGS_$2) -o $$@ $$^ $(UNIT_LIBS_$2) $$(UNIT_CHECK_LIBS)
$(O)/unit/$1/$2/%.o: % test/unit/unit.mk
	@mkdir -p $$(@D)
	$$(CC) $(UNIT_CFLAGS) $(UNIT_CFLAGS_$1) $$(UNIT_FLAGS_$2) $$(UNIT_CHECK_CFLAGS) \
		-c -o $$@ $$<
-include $(patsubst %,$(O)/unit/$1/$2/%.d,test/unit/test_$2.c $(UNIT_SRCS_$2))
endef
$(foreach variant,plain sanitize coverage,$(foreach name,$(UNIT_NAMES),\
	$(eval $(call UNIT_RULES,$(variant),$(name)))))

# The programs that test the microkernel.
.PHONY: unit-coverage
unit-coverage: $(foreach name,$(UNIT_NAMES),$(if $(filter microkernel/%,$(UNIT_SRCS_$(name))),\
	$(O)/unit/coverage/test_$(name)))

# libcheck's own time limits go by the clock; multiplied so, none is ever reached.
.PHONY: $(UNIT_NAMES:%=unit-%)
$(UNIT_NAMES:%=unit-%): unit-%: $(O)/unit/$(UNIT)/test_%
	CK_TIMEOUT_MULTIPLIER=1000 $<
