# SPDX-License-Identifier: GPL-2.0-only
#
# Tests, the demonstration and the benchmarks. Included by the Makefile at the root; run from there.

# What is installed: all, or what building needs, or that and the machines but for the newest
# kernel.
.PHONY: deps deps-build deps-test
deps:
	test/vm/setup all
deps-build:
	test/vm/setup build
deps-test:
	test/vm/setup build test

include test/unit/unit.mk

# --- what goes into the guest -----------------------------------------------------------------

KSELFTEST := $(O)/kselftest
KSELFTEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -static -s -Wall -Wextra -Wconversion -Wshadow \
	-Wundef -Werror -I. -Ilib
KSELFTEST_BINS := $(patsubst test/kselftest/src/%.c,$(KSELFTEST)/bin/%,\
	$(wildcard test/kselftest/src/*.c))
KSELFTEST_EXTS := $(EXT_TEST_NAMES:%=$(KSELFTEST)/ext/%) $(CXX_TESTS:test/%.cc=$(KSELFTEST)/%) \
	$(RUST_TESTS:$(O)/test/%=$(KSELFTEST)/%)
FOREIGN_EXTS := $(KSELFTEST)/ext/foreign-gnu $(KSELFTEST)/ext/foreign-llvm \
	$(KSELFTEST)/ext/foreign-least $(KSELFTEST)/ext/foreign-regs \
	$(KSELFTEST)/ext/foreign-fpu $(KSELFTEST)/ext/foreign-loop
TEST_KERNELS := 6.1 6.12 6.1-amd64 sid
SLOW_KERNELS := 6.12-amd64

# The module's parser of images, to predict what it says.
$(KSELFTEST)/bin/mutants: lib/bsl/elf.c lib/bsl/string.c lib/bsl/x86/mem.c

$(KSELFTEST)/bin/%: test/kselftest/src/%.c $(wildcard abi/*.h test/ext/*.h test/kselftest/src/*.h)
	@mkdir -p $(@D)
	$(CC) $(KSELFTEST_CFLAGS) -pthread -o $@ $(filter %.c,$^)

$(KSELFTEST)/ext/%: $(O)/test/ext/%
	@mkdir -p $(@D)
	strip -o $@ $<

# With their debug information.
$(KSELFTEST)/ext/backtrace $(KSELFTEST)/ext/cxx/library: $(KSELFTEST)/%: $(O)/test/%
	@mkdir -p $(@D)
	cp $< $@

# Extensions as other people would make them: their own flags and tools, nothing of ours.
FOREIGN := test/ext/foreign
FOREIGN_FLAGS := -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror -ffreestanding \
	-fno-stack-protector -mgeneral-regs-only -mno-red-zone -fno-pic
FOREIGN_CFLAGS := -std=c11 $(FOREIGN_FLAGS)
FOREIGN_CXXFLAGS := -std=c++17 -fno-exceptions -fno-rtti $(FOREIGN_FLAGS)
FOREIGN_LDFLAGS := -static -nostdlib -z max-page-size=4096 -z norelro -z noexecstack

$(KSELFTEST)/ext/foreign-gnu: $(FOREIGN)/ext.cc $(FOREIGN)/mk1.hh $(FOREIGN)/calls.S
	@mkdir -p $(@D) $(KSELFTEST)/obj
	g++ $(FOREIGN_CXXFLAGS) -O0 -mcmodel=large -c -o $(KSELFTEST)/obj/gnu.o $(FOREIGN)/ext.cc
	gcc -c -o $(KSELFTEST)/obj/gnu-calls.o $(FOREIGN)/calls.S
	ld $(FOREIGN_LDFLAGS) -Ttext-segment=0x328000000000 -z noseparate-code -o $@ \
		$(KSELFTEST)/obj/gnu.o $(KSELFTEST)/obj/gnu-calls.o

# Segments that share pages of the file, but not of memory, and no section headers.
$(KSELFTEST)/ext/foreign-llvm: $(FOREIGN)/ext.cc $(FOREIGN)/mk1.hh $(FOREIGN)/calls.S
	@mkdir -p $(@D) $(KSELFTEST)/obj
	clang++ $(FOREIGN_CXXFLAGS) -O3 -mcmodel=large -c -o $(KSELFTEST)/obj/llvm.o \
		$(FOREIGN)/ext.cc
	clang -c -o $(KSELFTEST)/obj/llvm-calls.o $(FOREIGN)/calls.S
	ld.lld $(FOREIGN_LDFLAGS) --image-base=0x328000000000 -s -o $@ $(KSELFTEST)/obj/llvm.o \
		$(KSELFTEST)/obj/llvm-calls.o

$(KSELFTEST)/ext/foreign-least: $(FOREIGN)/least.S $(FOREIGN)/least.ld
	@mkdir -p $(@D) $(KSELFTEST)/obj
	gcc -c -o $(KSELFTEST)/obj/least.o $<
	ld $(FOREIGN_LDFLAGS) -T $(FOREIGN)/least.ld -o $@ $(KSELFTEST)/obj/least.o

$(KSELFTEST)/ext/foreign-regs: $(FOREIGN)/regs.cc $(FOREIGN)/mk1.hh $(FOREIGN)/calls.S
	@mkdir -p $(@D) $(KSELFTEST)/obj
	g++ $(FOREIGN_CXXFLAGS) -O2 -mcmodel=large -c -o $(KSELFTEST)/obj/regs.o $(FOREIGN)/regs.cc
	gcc -c -o $(KSELFTEST)/obj/regs-calls.o $(FOREIGN)/calls.S
	ld $(FOREIGN_LDFLAGS) -Ttext-segment=0x328000000000 -z noseparate-code -o $@ \
		$(KSELFTEST)/obj/regs.o $(KSELFTEST)/obj/regs-calls.o

# The compiler leaves the FPU's registers, which are a guest's, to what the source says of them.
$(KSELFTEST)/ext/foreign-fpu: $(FOREIGN)/fpu.c
	@mkdir -p $(@D) $(KSELFTEST)/obj
	gcc $(FOREIGN_CFLAGS) -O2 -mcmodel=large -c -o $(KSELFTEST)/obj/fpu.o $<
	ld $(FOREIGN_LDFLAGS) -Ttext-segment=0x328000000000 -z noseparate-code -o $@ \
		$(KSELFTEST)/obj/fpu.o

$(KSELFTEST)/ext/foreign-loop: $(FOREIGN)/loop.c $(FOREIGN)/calls.S
	@mkdir -p $(@D) $(KSELFTEST)/obj
	gcc $(FOREIGN_CFLAGS) -O2 -mcmodel=large -c -o $(KSELFTEST)/obj/loop.o $<
	gcc -c -o $(KSELFTEST)/obj/loop-calls.o $(FOREIGN)/calls.S
	ld $(FOREIGN_LDFLAGS) -Ttext-segment=0x328000000000 -z noseparate-code -o $@ \
		$(KSELFTEST)/obj/loop.o $(KSELFTEST)/obj/loop-calls.o

$(KSELFTEST)/images: test/kselftest/make-images $(O)/ext/default $(MICROKERNEL)
	@mkdir -p $@
	strip -o $(KSELFTEST)/default $(O)/ext/default
	strip -o $(KSELFTEST)/microkernel $(MICROKERNEL)
	test/kselftest/make-images $(KSELFTEST)/default $(KSELFTEST)/microkernel $@
	@touch $@

# ACPI tables for firmware that has none, from where bareflank.efi starts.
EFI_TABLES := $(KSELFTEST)/tables.efi
$(EFI_TABLES).so: $(EFI_O)/test/efi/tables.o
-include $(EFI_O)/test/efi/tables.d

# Extensions that do not survive a guest's RDMSR.
$(KSELFTEST)/ext/fragile-%: test/kselftest/make-fragile $(O)/ext/guests
	@mkdir -p $(@D)
	$^ exit_msr $* $@

# What bfm new writes, built outside of this tree with what is installed: ext/new-LANG-TEMPLATE.
$(KSELFTEST)/new: test/sdk $(BFM) $(LIBEXT) $(EXT_CRT0) $(EXT_LINK) $(SDK_FILES) $(RUST_SRCS) \
		$(wildcard ext/cxx/*.hpp)
	test/sdk build $(KSELFTEST)/ext
	@touch $@

$(O)/6.1/bareflank.ko: Kbuild $(shell find abi lib driver -name '*.[chS]')
	test/vm/kbuild 6.1

# Signed with a key that a machine with --uefi-db trusts, and with one that it does not.
$(KSELFTEST)/signed: test/kselftest/make-signed $(KSELFTEST)/images $(BFM) $(O)/6.1/bareflank.ko
	$< $(BFM) "$$(test/vm/kdir 6.1)/scripts/sign-file" $(KSELFTEST) $(O)/6.1/bareflank.ko $@

.PHONY: kselftest test-modules faults test-products slow-products check check-slow \
	check-debug-kernel check-unit coverage format misra lint soak demo shell bench \
	guest-products
kselftest: $(KSELFTEST_BINS) $(KSELFTEST_EXTS) $(FOREIGN_EXTS) $(KSELFTEST)/images \
	$(KSELFTEST)/ext/fragile-fault $(KSELFTEST)/ext/fragile-loop \
	$(KSELFTEST)/signed $(KSELFTEST)/new $(EFI_TABLES)

# modules_for KERNEL,DIRECTORIES: the module, a copy of it under another name, and those of tests.
define modules_for
test/vm/kbuild $(1) && \
	test/kselftest/make-twin $(O)/$(1)/bareflank.ko $(O)/$(1)/twinflank.ko && \
	KBUILD_DIR=test/kselftest test/vm/kbuild $(1) BF_TEST_MODULES="$(2)"
endef

# What is loaded beside ours everywhere: to look at the CPUs with, one that calls an extension, and
# two with the names of other hypervisors.
COMMON_MODULES := cpustate caller neighbours
TEST_MODULES := acpitimer livepatch predictions tamper
TEST_MODULES_FOR := $(patsubst %,test-modules-%,$(TEST_KERNELS) $(SLOW_KERNELS))
.PHONY: $(TEST_MODULES_FOR)
$(TEST_MODULES_FOR): test-modules-%: deps
	$(call modules_for,$*,$(COMMON_MODULES) $(TEST_MODULES))
test-modules: $(TEST_KERNELS:%=test-modules-%)

# The test build: what fails on request (lib/bsl/fault.h). Nobody installs it.
FAULTS_O := $(O)/faults
FAULTS_KERNELS := 6.1
SLOW_FAULTS_KERNELS := 6.1-amd64
define faults_for
for kernel in $(1); do \
	KBUILD_INTO=faults/$$kernel KBUILD_SOURCES="Kbuild abi lib driver test/faults" \
		test/vm/kbuild $$kernel BF_FAULTS=y || exit 1; done
endef
faults: deps
	$(MAKE) --no-print-directory FAULTS=1 O=$(FAULTS_O) $(FAULTS_O)/microkernel
	strip -o $(FAULTS_O)/stripped $(FAULTS_O)/microkernel
	$(MAKE) --no-print-directory FAULTS=1 O=$(FAULTS_O) $(FAULTS_O)/bareflank.efi
	$(call faults_for,$(FAULTS_KERNELS))

# --- the tests --------------------------------------------------------------------------------

# kselftest signs a module that it builds itself, where test-modules would do so at the same time.
PARALLEL := --no-print-directory -j$(shell nproc)
test-products: deps
	$(MAKE) $(PARALLEL) $(MICROKERNEL) libext ext bfm efi
	$(MAKE) $(PARALLEL) kselftest
	$(MAKE) $(PARALLEL) test-modules faults
	test/vm/kvm-selftests >/dev/null
check: test-products
	test/run
# Rows of the matrix that take long and rarely tell more.
slow-products: test-products
	test/vm/setup slow
	$(MAKE) $(PARALLEL) $(SLOW_KERNELS:%=test-modules-%)
	$(call faults_for,$(SLOW_FAULTS_KERNELS))
check-slow: slow-products
	test/run slow
# A kernel with KASAN, UBSAN, lockdep and kmemleak, built here, has to find nothing.
check-debug-kernel: test-products
	test/vm/debug-kernel
	$(call modules_for,debug,$(COMMON_MODULES))
	test/run debug
check-unit: deps-build
	test/run unit

# C as .clang-format wants it.
format: deps-build
	git ls-files '*.c' '*.h' | xargs clang-format-19 -i

# 100 % of the lines and 97 % of the branches of the microkernel: build/coverage/index.html.
coverage: deps-build
	test/coverage

# MISRA C:2012 against the baseline, and what other analysers say.
misra: deps-build
	test/misra
lint: deps-build
	test/run lint

# Many cycles of all that can go wrong, under load: an hour. A new seed each time, unless FUZZ_SEED
# chooses one.
soak: test-products
	FUZZ_SEED=$${FUZZ_SEED:-$$(($$(date +%s) % 100000000))} test/run soak; \
		status=$$?; cat build/soak/*.txt; exit $$status

# --- to see, to try and to measure ------------------------------------------------------------

# One machine and what runs on it; the other kernels are not needed.
guest-products: deps-test
	$(MAKE) --no-print-directory $(MICROKERNEL) libext ext bfm
	test/vm/kbuild 6.1

STRESS := /usr/bin/stress-ng:/usr/bin/stress-ng

demo: guest-products
	test/vm/vm -m qemu-svm -c 4 -t 180 -a $(STRESS) test/demo/demo.sh

shell: guest-products
	@echo "insmod /lib/modules/bareflank.ko, then bfm --help. Ctrl-A x ends the machine."
	test/vm/vm -m qemu-svm -c 4 -a $(STRESS) --interactive

$(O)/bench/cost $(O)/bench/guest_cost: $(O)/bench/%: test/bench/%.c $(wildcard abi/*.h)
	@mkdir -p $(@D)
	$(CC) $(KSELFTEST_CFLAGS) -o $@ $<

# Stripped, so that the instructions of a start do not count the copying of debug information.
$(O)/bench/microkernel: $(MICROKERNEL)
	@mkdir -p $(@D)
	strip -o $@ $<
$(O)/bench/default: $(O)/ext/default
	@mkdir -p $(@D)
	strip -o $@ $<

bench: guest-products
	$(MAKE) --no-print-directory $(addprefix $(O)/bench/,cost guest_cost microkernel default)
	test/bench/run
