# SPDX-License-Identifier: GPL-2.0-only
#
# make deps            installs what all of this needs, on Debian, as root (test/vm/setup)
# make                 the module, the microkernel, libext, the default extension and bfm
# make check           unit tests and the matrix of emulated machines
# make check-slow      more machines
# make soak            1,000 starts and stops of all that can go wrong, under load
# make check-debug-kernel  the module under a kernel with KASAN, UBSAN, lockdep and kmemleak
# make demo            the main job, shown on a machine with 4 CPUs
# make shell           the same machine, to try bfm by hand
# make fuzz            fuzz targets, FUZZ_SECONDS=600 each
# make bench           exact instruction counts
# make efi             bareflank.efi, which starts the hypervisor from UEFI (takes gnu-efi)
# make docs            the documentation as a site, build/site, and tables of the ABI, build/docs
# make install         DESTDIR= PREFIX=
# make dist            the source tarball: build/bareflank-VERSION.tar.xz
# make deb             Debian packages: build/deb/
#
# CC=clang selects the compiler (of everything but the module, which is built as its kernel was),
# DEBUG=1 O=build/debug a microkernel that asserts its locks,
# FAULTS=1 O=build/faults one that fails on request, too (make faults, which builds its module),
# KDIR= the kernel for which the module is built: by default the running one if its headers are
# here, else Debian's 6.1 if `make deps` has fetched it.

.DEFAULT_GOAL := all

O ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
RUNNING_KDIR := $(wildcard /lib/modules/$(shell uname -r)/build)
KDIR ?= $(firstword $(RUNNING_KDIR) $(shell test/vm/kdir 6.1 2>/dev/null))
# R16 to R31 (APX) are the guest's in root mode: no exit saves them.
NO_APX := $(shell $(CC) -mno-apxf -E -x c /dev/null >/dev/null 2>&1 && echo -mno-apxf)
KREL = $(shell make -s -C $(KDIR) kernelrelease 2>/dev/null)

include microkernel/microkernel.mk
include ext/ext.mk
include bfm/bfm.mk
include docs/docs.mk
include driver/efi/efi.mk
include driver/linux/packages.mk
include test/test.mk
include test/fuzz/fuzz.mk

# Nothing makes these; to look for what might takes most of the time of a make with nothing to do.
.SUFFIXES:
%.d %.mk: ;
Makefile: ;

.PHONY: all module user install install-user clean
all: module $(MICROKERNEL) libext ext bfm

ifeq ($(KDIR),)
module:
	$(error The headers of the running kernel are missing: install \
		linux-headers-$(shell uname -r), or name another kernel's (make KDIR=...), or \
		fetch those of Linux 6.1 (make deps))
else
MODULE := $(O)/module/bareflank.ko
MODULE_KVM := $(O)/module/bareflank_kvm.ko
module:
	KDIR=$(KDIR) test/vm/kbuild module
	@[ "$(origin KDIR)" != file ] || [ -n "$(RUNNING_KDIR)" ] || \
		echo "The module is for Linux $(KREL), not for the running kernel, whose" \
		"headers are missing: linux-headers-$$(uname -r)"
endif

install: all install-user
	install -D -m 0644 -t $(DESTDIR)/lib/modules/$$(modinfo -F vermagic $(MODULE) | \
		cut -d' ' -f1)/extra $(MODULE) $(MODULE_KVM)

# All but the modules, which are built for one kernel.
IMAGES := $(MICROKERNEL) $(O)/ext/default $(O)/ext/guests $(EXAMPLES:%=$(O)/ext/%)
# Where gnu-efi is there.
EFI_IF_POSSIBLE := $(if $(wildcard /usr/lib/elf_x86_64_efi.lds),$(EFI))
user: $(IMAGES) $(EFI_IF_POSSIBLE) sdk bfm man
install-user: user install-bfm install-libbfm install-sdk install-man
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/bareflank $(IMAGES) $(EFI_IF_POSSIBLE)

clean:
	rm -rf $(O)
