# SPDX-License-Identifier: GPL-2.0-only
#
# The source tarball, the module's source for DKMS, and Debian packages. Included by the Makefile at
# the root, after bfm/bfm.mk, which has the VERSION; run from there.

DIST := $(O)/bareflank-$(VERSION).tar.xz
DKMS_SOURCES := Kbuild $(shell find abi driver lib -name '*.[chS]')

.PHONY: dist deb install-dkms
dist:
	driver/linux/dist $(VERSION) $(DIST)

# build/deb/*.deb, and a source package
deb:
	test/vm/setup packages
	driver/linux/deb $(VERSION) $(O)/deb

install-dkms:
	for f in $(DKMS_SOURCES); do \
		install -D -m 0644 $$f $(DESTDIR)$(PREFIX)/src/bareflank-$(VERSION)/$$f || exit 1; \
	done
	sed 's/@VERSION@/$(VERSION)/' driver/linux/dkms.conf.in \
		>$(DESTDIR)$(PREFIX)/src/bareflank-$(VERSION)/dkms.conf
