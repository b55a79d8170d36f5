# SPDX-License-Identifier: GPL-2.0-only
#
# libext and the extensions. Included by the top Makefile; needs O (build directory), CC, AR,
# NO_APX; CXX follows CC.
#
#   ext/NAME/*.c or *.cc, ext/NAME.c, ext/examples/NAME.c
#                               an extension: $(O)/ext/NAME
#   ext/NAME.cc, ext/examples/NAME.cc
#                               the same in C++ with the C++ library: see ext/cxx/runtime
#   ext/linux/*.c               what treats Linux as the root VM, part of libext: what the
#                               functions of ext/libext/frame.h do
#   ext/cxx/example/*.cc        $(O)/ext/cxx-example; ext/cxx itself is the C++ API
#   ext/rust/example, .../msr-trace, .../page-guard
#                               $(O)/ext/rust-NAME, where there is a cargo; ext/rust itself is the
#                               Rust API
#   test/ext/NAME.c             an extension that tests the ABI: $(O)/test/ext/NAME; it is linked
#                               with test/ext/lib/*.c, and with test/ext/NAME_cxx.cc if there
#                               is one
#   test/ext/cxx/NAME.cc        one that tests C++ with its library: $(O)/test/ext/cxx/NAME
#   test/ext/rust               one that tests what of libext Rust has
#   test/ext/call/NAME.c        the same, for each call of abi/mk1.h: $(O)/test/ext/call/NAME
#
# Targets: libext (the archive $(O)/libext.a), ext (all extensions), check-ext (their ELF files are
# what Mk#1 asks for), install-headers and install-languages (need PREFIX); ext/sdk.mk has more.

O ?= build
ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),g++)
endif

# Position-independent code linked at a fixed address: RIP-relative accesses reach all of an
# extension, wherever it is linked, and need no large code model.
EXT_ABI_FLAGS := -ffreestanding -fpie -fvisibility=hidden -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -ftls-model=local-exec \
	-fcf-protection=none -mgeneral-regs-only -mno-red-zone
EXT_CXX_ABI_FLAGS := -std=c++17 -fno-exceptions -fno-rtti -fno-threadsafe-statics
EXT_FLAGS := -O2 -g -I. -Ilib $(EXT_ABI_FLAGS) $(NO_APX) \
	-Wall -Wextra -Wconversion -Wshadow -Wundef -Werror
EXT_CFLAGS := -std=gnu11 $(EXT_FLAGS) -Wmissing-prototypes -Wstrict-prototypes
EXT_CXXFLAGS := $(EXT_FLAGS) $(EXT_CXX_ABI_FLAGS)
EXT_ASFLAGS := -I. -Ilib -g
# With the C++ library, which uses SSE: ext/cxx/runtime saves what the guest has there.
EXT_CXXLIB_FLAGS := -std=c++20 -Wno-missing-field-initializers -ffunction-sections -fdata-sections \
	$(filter-out -ffreestanding -mgeneral-regs-only -fno-asynchronous-unwind-tables,\
	$(EXT_FLAGS))
# --no-relax: addresses taken through the GOT do not fit the immediate operands ld would turn them
# into.
EXT_LDFLAGS := -nostdlib -static -Wl,-no-pie -Wl,--no-relax -Wl,--build-id=none \
	-Wl,-z,noexecstack -Wl,-z,norelro -Wl,-z,separate-code -Wl,-z,max-page-size=4096

EXT_O := $(O)/obj/ext
LIBEXT := $(O)/libext.a
EXT_CRT0 := $(EXT_O)/ext/libext/crt0.o
EXT_LINK := $(O)/ext.ld

LIBEXT_SRCS := $(wildcard ext/libext/*.c ext/linux/*.c) \
	$(addprefix lib/bsl/,format.c libc_mem.c string.c x86/mem.c)
LIBEXT_OBJS := $(LIBEXT_SRCS:%.c=$(EXT_O)/%.o)

# Before libext, whose start is another.
LIBEXTCXX := $(O)/libextcxx.a
LIBEXTCXX_OBJS := $(patsubst %,$(EXT_O)/%.o,$(basename $(wildcard ext/cxx/runtime/*.[cS] \
	ext/cxx/runtime/*.cc)))

EXT_DIRS := $(filter-out ext/libext/ ext/linux/ ext/cxx/ ext/rust/ ext/examples/ ext/sdk/,\
	$(sort $(dir $(wildcard ext/*/*.c ext/*/*.cc))))
EXT_DIR_NAMES := $(EXT_DIRS:ext/%/=%)
EXT_FILES := $(wildcard ext/*.c ext/examples/*.c)
EXAMPLE_FILES := $(wildcard ext/examples/*.c ext/examples/*.cc)
EXAMPLES := $(basename $(notdir $(EXAMPLE_FILES)))
EXT_FILE_NAMES := $(notdir $(EXT_FILES:.c=))
# With the C++ library.
CXX_FILES := $(wildcard ext/*.cc ext/examples/*.cc)
CXX_TESTS := $(wildcard test/ext/cxx/*.cc)
CXXLIB_EXTS := $(patsubst %.cc,$(O)/ext/%,$(notdir $(CXX_FILES))) $(CXX_TESTS:%.cc=$(O)/%)
# Every call has its test: the names are those of the list, and those of the files there are.
CALL_NAMES := $(shell echo 'MK1_SYSCALLS(CALL_NAME)' | $(CC) -E -P -I. -include abi/mk1.h \
	'-DCALL_NAME(op,idx,name,...)=@name' -x c - | grep -o '@ *[a-z0-9_]*' | tr -d '@ ')
CALL_TESTS := $(sort $(CALL_NAMES:%=test/ext/call/%.c) $(wildcard test/ext/call/*.c))
EXT_TEST_NAMES := $(patsubst test/ext/%.c,%,$(wildcard test/ext/*.c) $(CALL_TESTS))
EXTS := $(EXT_DIR_NAMES:%=$(O)/ext/%) $(EXT_FILE_NAMES:%=$(O)/ext/%) \
	$(EXT_TEST_NAMES:%=$(O)/test/ext/%) $(O)/ext/cxx-example \
	$(CXXLIB_EXTS)

CARGO ?= $(shell command -v cargo)
RUST_EXTS := $(O)/ext/rust-example $(O)/ext/rust-msr-trace $(O)/ext/rust-page-guard
RUST_TESTS := $(O)/test/ext/rust-wrappers

.PHONY: libext ext check-ext no-rust
libext: $(LIBEXT) $(LIBEXTCXX) $(EXT_CRT0) $(EXT_LINK)
ifeq ($(CARGO),)
ext: $(CALL_TESTS) $(EXTS) no-rust
no-rust:
	@echo "ext: no cargo here: the extensions in Rust are not built (Debian: apt install cargo)"
else
EXTS += $(RUST_EXTS) $(RUST_TESTS)
ext: $(CALL_TESTS) $(EXTS)
endif

$(CALL_TESTS):
	@echo "abi/mk1.h has $(basename $(@F)), but there is no $@" >&2; false

$(EXT_O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXT_CFLAGS) -MMD -MP -c -o $@ $<

$(EXT_O)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(EXT_CXXFLAGS) -MMD -MP -c -o $@ $<

$(EXT_O)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(EXT_ASFLAGS) -MMD -MP -c -o $@ $<

$(LIBEXT): $(LIBEXT_OBJS)
	@rm -f $@
	$(AR) rcsD $@ $^

$(LIBEXTCXX): $(LIBEXTCXX_OBJS)
	@rm -f $@
	$(AR) rcsD $@ $^

# The link address comes from abi/mk1_layout.h, its only source.
$(EXT_LINK): ext/libext/link.ld abi/mk1_layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -x assembler-with-cpp -I. -include abi/mk1_layout.h -o $@ $<

# $(1) sources
ext_objects = $(patsubst %,$(EXT_O)/%.o,$(basename $(1)))

# $(1) output, $(2) sources
define EXT_RULE
$(1): $(call ext_objects,$(2)) $(EXT_CRT0) $(LIBEXT) $(EXT_LINK)
	@mkdir -p $$(@D)
	$$(CC) $$(EXT_LDFLAGS) -Wl,-T,$(EXT_LINK) -o $$@ $(EXT_CRT0) $(call ext_objects,$(2)) \
		$$(EXT_PARTS) $(LIBEXT)
-include $(patsubst %.o,%.d,$(call ext_objects,$(2)))
endef

$(foreach n,$(EXT_DIR_NAMES),\
	$(eval $(call EXT_RULE,$(O)/ext/$(n),$(wildcard ext/$(n)/*.c ext/$(n)/*.cc))))
$(foreach f,$(EXT_FILES),$(eval $(call EXT_RULE,$(O)/ext/$(notdir $(f:.c=)),$(f))))

# Static libraries of the compiler's; what is not used of them does not get into the image.
define CXXLIB_RULE
$(1): EXT_CXXFLAGS := $(EXT_CXXLIB_FLAGS)
$(1): $(call ext_objects,$(2)) $(EXT_CRT0) $(LIBEXTCXX) $(LIBEXT) $(EXT_LINK)
	@mkdir -p $$(@D)
	$$(CXX) $$(EXT_LDFLAGS) -Wl,--eh-frame-hdr -Wl,--gc-sections -Wl,-T,$(EXT_LINK) -o $$@ \
		$(EXT_CRT0) $(call ext_objects,$(2)) -Wl,--start-group $(LIBEXTCXX) $(LIBEXT) \
		-lstdc++ -lgcc_eh -lgcc -Wl,--end-group
-include $(patsubst %.o,%.d,$(call ext_objects,$(2)))
endef

$(LIBEXTCXX): EXT_CXXFLAGS := $(EXT_CXXLIB_FLAGS)
$(foreach f,$(CXX_FILES),$(eval $(call CXXLIB_RULE,$(O)/ext/$(notdir $(f:.cc=)),$(f))))
$(foreach f,$(CXX_TESTS),$(eval $(call CXXLIB_RULE,$(O)/$(f:.cc=),$(f))))
# An extension's stack has 8 pages: MK1_EXT_STACK_SIZE.
$(EXT_O)/ext/guests/%.o $(EXT_O)/ext/libext/emulate.o: EXT_CFLAGS += -Wframe-larger-than=1024
$(foreach n,$(EXT_TEST_NAMES),$(eval $(call EXT_RULE,$(O)/test/ext/$(n),\
	test/ext/$(n).c $(wildcard test/ext/$(n)_cxx.cc))))

# What the test extensions share.
TEST_EXT_LIB := $(EXT_O)/test/ext/lib.a
TEST_EXT_OBJS := $(patsubst %.c,$(EXT_O)/%.o,$(wildcard test/ext/lib/*.c))
$(TEST_EXT_LIB): $(TEST_EXT_OBJS)
	@rm -f $@
	$(AR) rcsD $@ $^
-include $(TEST_EXT_OBJS:.o=.d)
$(EXT_TEST_NAMES:%=$(O)/test/ext/%): EXT_PARTS := -Wl,--undefined=ext_start $(TEST_EXT_LIB)
$(EXT_TEST_NAMES:%=$(O)/test/ext/%): $(TEST_EXT_LIB)

$(eval $(call EXT_RULE,$(O)/ext/cxx-example,$(wildcard ext/cxx/example/*.cc)))

# A target without SSE where the toolchain has one: see ext/rust/.cargo/config.toml.
RUST_TARGET = $(if $(wildcard $(shell rustc --print target-libdir --target x86_64-unknown-none \
	2>/dev/null)),x86_64-unknown-none,x86_64-unknown-linux-gnu)
RUST_SRCS := $(wildcard ext/rust/*.toml ext/rust/Cargo.lock ext/rust/.cargo/*.toml ext/rust/*.rs \
	ext/rust/src/* ext/rust/*/Cargo.toml ext/rust/*/src/*.rs) \
	$(wildcard abi/*.h abi/hw/*.h ext/libext/*.h lib/bsl/*.h)

# Cargo makes an archive; it is linked as every extension is. The environment's own flags would
# take the place of those in ext/rust/.cargo/config.toml.
# $(1) the package, $(2) other arguments of cargo's
define RUST_RULE
	@mkdir -p $(@D)
	cd ext/rust && env -u RUSTFLAGS -u MAKEFLAGS -u MFLAGS CC='$(CC)' \
		CARGO_TARGET_DIR='$(abspath $(O))/obj/rust' \
		$(CARGO) build -q --offline --locked --release --target $(RUST_TARGET) -p $(1) $(2)
	$(CC) $(EXT_LDFLAGS) -Wl,-T,$(EXT_LINK) -o $@ $(EXT_CRT0) \
		$(O)/obj/rust/$(RUST_TARGET)/release/lib$(subst -,_,$(1)).a $(LIBEXT)
	@ext/check-sse $@ || { rm -f $@; false; }
endef

$(RUST_EXTS): $(O)/ext/%: $(RUST_SRCS) $(EXT_CRT0) $(LIBEXT) $(EXT_LINK) ext/check-sse
	$(call RUST_RULE,$*)

$(RUST_TESTS): $(O)/test/ext/%: $(RUST_SRCS) $(EXT_CRT0) $(LIBEXT) $(EXT_LINK) ext/check-sse \
		test/ext/rust/Cargo.toml $(wildcard test/ext/rust/src/*.rs)
	$(call RUST_RULE,$*,--manifest-path ../../test/ext/rust/Cargo.toml)

-include $(LIBEXT_OBJS:.o=.d) $(LIBEXTCXX_OBJS:.o=.d) $(EXT_CRT0:.o=.d)

check-ext: $(EXTS)
	ext/check-elf $(EXTS)

# What extensions in C are built from: the public contracts and the libraries. The rest of abi/ is
# between the loader, the microkernel and bfm.
EXT_HEADERS := $(wildcard abi/mk[12]*.h abi/hw/*.h) abi/args.h abi/errors.h abi/ext_calls.h \
	abi/guests.h abi/linux_hypercall.h abi/request.h abi/types.h \
	$(wildcard ext/libext/*.h lib/bsl/*.h)

.PHONY: install-headers install-languages
install-headers:
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/bareflank/examples \
		$(EXAMPLE_FILES)
	for h in $(EXT_HEADERS); do \
		install -D -m 0644 $$h $(DESTDIR)$(PREFIX)/include/bareflank/$$h || exit 1; done

# In addition: the headers for C++, the crate for Rust.
install-languages:
	for h in ext/cxx/*.hpp ext/cxx/runtime/runtime.h; do \
		install -D -m 0644 $$h $(DESTDIR)$(PREFIX)/include/bareflank/$$h || exit 1; done
	for f in $(filter-out abi/% ext/libext/% lib/%,$(RUST_SRCS)) ext/rust/README.md; do \
		install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/share/bareflank/$${f#ext/} || exit 1; \
	done

include ext/sdk.mk
