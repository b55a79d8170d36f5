# SPDX-License-Identifier: GPL-2.0-only
#
# The command line program, its manual page, and completion for shells. Included by the Makefile at
# the root; run from there.

O ?= build
PREFIX ?= /usr/local
VERSION ?= 0.1

BFM := $(O)/bfm/bfm
BFM_MAN := $(O)/bfm/bfm.8 $(O)/bfm/bareflank-mok.8
BFM_SERVICES := $(O)/bfm/bareflank.service $(O)/bfm/bareflank-efi.service
BFM_MOK := $(O)/bfm/bareflank-mok
BFM_SOURCES := $(wildcard bfm/*.c bfm/lib/*.c) driver/efi/config.c \
	$(addprefix lib/bsl/,pe.c string.c x86/mem.c)
BFM_OBJECTS := $(BFM_SOURCES:%.c=$(O)/%.o)
BFM_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror \
	      -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -I. -Ilib $(CFLAGS_COMMON)

BFM_DEFINES := '-DBFM_LIBDIR="$(PREFIX)/lib/bareflank"' '-DBFM_VERSION="$(VERSION)"'

# What programs link with: the same functions, for programs in C and, as bareflank.py, in Python.
LIBBFM_ABI := 1
LIBBFM := $(O)/bfm/libbfm.so.$(LIBBFM_ABI)
LIBBFM_A := $(O)/bfm/libbfm.a
LIBBFM_PC := $(O)/bfm/bareflank.pc

.PHONY: bfm install-bfm install-libbfm
bfm: $(BFM) $(BFM_MAN) $(BFM_SERVICES) $(BFM_MOK) $(LIBBFM) $(LIBBFM_A) $(LIBBFM_PC)

# A change of PREFIX or VERSION is a change of this one object.
$(O)/bfm/config: FORCE
	@mkdir -p $(@D)
	@echo $(BFM_DEFINES) | cmp -s - $@ || echo $(BFM_DEFINES) >$@

.PHONY: FORCE
FORCE:

$(O)/bfm/config.o: $(O)/bfm/config
$(O)/bfm/config.o: BFM_CFLAGS += $(BFM_DEFINES)

# The texts of bfm new, as C: $(1) is FILE:NAME[:WORD], of which WORD becomes the project's name.
BFM_TEMPLATES := ext/templates/common/Makefile:Makefile ext/templates/common/test.sh:test_sh \
	ext/templates/common/README.md:README_md ext/examples/hello.c:hello_c:hello \
	ext/examples/msr-trace.c:trace_c:msr-trace ext/examples/second-vm.c:vm_c:second-vm \
	ext/templates/cxx/hello.cc:hello_cc:hello \
	ext/templates/c/watch.c:watch_c:watcher ext/templates/cxx/trace.cc:trace_cc:tracer \
	ext/templates/cxx/watch.cc:watch_cc:watcher ext/templates/cxx/vm.cc:vm_cc:second-vm \
	ext/templates/rust/lib.rs:hello_rs:hello ext/templates/rust/trace.rs:trace_rs:tracer \
	ext/templates/rust/watch.rs:watch_rs:watcher ext/templates/rust/vm.rs:vm_rs:second-vm \
	ext/templates/rust/Cargo.toml:Cargo_toml \
	ext/templates/rust/Makefile:Makefile_rust ext/rust/.cargo/config.toml:config_toml
BFM_TEMPLATES_H := $(O)/include/bfm/templates.h
template_part = $(word $(2),$(subst :, ,$(1)))
define template_text
{ echo 'static const char template_$(call template_part,$(1),2)[] ='; \
	sed -e 's/[\\"]/\\&/g' -e 's/\t/\\t/g' \
	$(if $(call template_part,$(1),3),-e 's/\<$(call template_part,$(1),3)\>/@NAME@/g') \
	-e 's/.*/\t"&\\n"/' $(call template_part,$(1),1); echo '\t;'; } >>$@

endef

$(BFM_TEMPLATES_H): $(foreach t,$(BFM_TEMPLATES),$(call template_part,$(t),1)) bfm/bfm.mk
	@mkdir -p $(@D)
	echo '/* made by bfm/bfm.mk */' >$@
	$(foreach t,$(BFM_TEMPLATES),$(call template_text,$(t)))
$(O)/bfm/new.o: $(BFM_TEMPLATES_H)
$(O)/bfm/new.o: BFM_CFLAGS += -I$(O)/include

$(BFM_OBJECTS): $(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BFM_CFLAGS) -MMD -MP -c $< -o $@

$(BFM): $(BFM_OBJECTS)
	$(CC) -pie -Wl,-z,relro,-z,now $(BFM_OBJECTS) -ldw -lelf -o $@

# Only what the header names is to be seen.
$(O)/bfm/lib/%.pic.o: bfm/lib/%.c
	@mkdir -p $(@D)
	$(CC) $(filter-out -fPIE,$(BFM_CFLAGS)) -fPIC -fvisibility=hidden -MMD -MP -c $< -o $@

$(LIBBFM): $(O)/bfm/lib/bareflank.pic.o
	$(CC) -shared -Wl,-soname,$(@F) -Wl,-z,relro,-z,now -Wl,-z,defs $< -o $@

$(LIBBFM_A): $(O)/bfm/lib/bareflank.pic.o
	@rm -f $@
	$(AR) rcsD $@ $<

$(LIBBFM_PC): bfm/lib/bareflank.pc.in $(O)/bfm/config
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

$(BFM_MAN): $(O)/%: %.scd
	@mkdir -p $(@D)
	scdoc <$< >$@

# All name places below PREFIX.
$(BFM_SERVICES) $(BFM_MOK): $(O)/%: %.in $(O)/bfm/config
	@mkdir -p $(@D)
	sed 's,@PREFIX@,$(PREFIX),' $< >$@

# No unit is enabled, and an installed configuration stays as it is.
install-bfm: $(BFM) $(BFM_MAN) $(BFM_SERVICES) $(BFM_MOK)
	install -D -m 0755 $(BFM) $(DESTDIR)$(PREFIX)/sbin/bfm
	install -D -m 0755 $(BFM_MOK) $(DESTDIR)$(PREFIX)/sbin/bareflank-mok
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man8 $(BFM_MAN)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(BFM_SERVICES)
	[ -e $(DESTDIR)/etc/default/bareflank ] || install -D -m 0644 bfm/bareflank.default \
		$(DESTDIR)/etc/default/bareflank
	install -D -m 0644 bfm/completion/bfm.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bfm
	install -D -m 0644 bfm/completion/_bfm $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bfm
	install -D -m 0644 bfm/completion/bfm.fish \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/bfm.fish

install-libbfm: $(LIBBFM) $(LIBBFM_A) $(LIBBFM_PC)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib $(LIBBFM) $(LIBBFM_A)
	ln -sf $(notdir $(LIBBFM)) $(DESTDIR)$(PREFIX)/lib/libbfm.so
	install -D -m 0644 bfm/lib/bareflank.h $(DESTDIR)$(PREFIX)/include/bareflank.h
	install -D -m 0644 $(LIBBFM_PC) $(DESTDIR)$(PREFIX)/lib/pkgconfig/bareflank.pc
	install -D -m 0644 bfm/lib/bareflank.py \
		$(DESTDIR)$(PREFIX)/share/bareflank/python/bareflank.py

-include $(BFM_OBJECTS:.o=.d) $(O)/bfm/lib/bareflank.pic.d
