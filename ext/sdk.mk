# SPDX-License-Identifier: GPL-2.0-only
#
# The SDK: what is installed for those who write extensions outside of this tree. Included by
# ext/ext.mk; run from the root.
#
#   lib/bareflank                   libext.a, libextcxx.a, crt0.o, ext.ld; check-sse; emulate, and
#                                   qemu_fix.so for it
#   lib/pkgconfig/bareflank-ext.pc  flags for make and others
#   lib/cmake/BareflankExt          the same for CMake
#   include/bareflank               the headers, for C and C++
#   share/bareflank/rust            the crate
#   share/bareflank/examples        the examples
#   share/bareflank/bareflank-gdb.py  commands for gdb
#
# Target: install-sdk (needs PREFIX). What is installed refers to itself by relative paths.

SDK_FILES := $(O)/sdk/bareflank-ext.pc $(O)/sdk/BareflankExtConfig.cmake $(O)/sdk/qemu_fix.so

# Also for an archive that stands before crt0.o on the command line, as cargo's does.
SDK_LDFLAGS := $(EXT_LDFLAGS) -Wl,--undefined=libext_start

.PHONY: sdk install-sdk
sdk: libext $(SDK_FILES)

$(O)/sdk/%: ext/sdk/%.in ext/ext.mk ext/sdk.mk
	@mkdir -p $(@D)
	sed -e 's|@CFLAGS@|$(EXT_ABI_FLAGS)|' -e 's|@CXXFLAGS@|$(EXT_CXX_ABI_FLAGS)|' \
		-e 's|@LDFLAGS@|$(SDK_LDFLAGS)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

$(O)/sdk/qemu_fix.so: ext/sdk/qemu_fix.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wconversion -Wshadow -Wundef -Werror \
		-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIC $(CFLAGS_COMMON) \
		-shared -Wl,-z,relro,-z,now -o $@ $<

install-sdk: sdk install-headers install-languages
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/bareflank $(LIBEXT) $(LIBEXTCXX) \
		$(EXT_CRT0) $(EXT_LINK) $(O)/sdk/qemu_fix.so
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/lib/bareflank ext/check-sse ext/emulate
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/bareflank ext/sdk/bareflank-gdb.py
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/pkgconfig $(O)/sdk/bareflank-ext.pc
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/cmake/BareflankExt \
		$(O)/sdk/BareflankExtConfig.cmake
