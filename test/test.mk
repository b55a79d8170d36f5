# SPDX-License-Identifier: GPL-2.0-only
#
# Tests, the demonstration and the benchmarks. Included by the Makefile at the root; run from there.

.PHONY: setup-build setup
setup-build:
	test/vm/setup build
setup:
	test/vm/setup all

.PHONY: check check-unit check-products
# Everything that the tests look at.
check-products: setup
	$(MAKE) --no-print-directory $(MICROKERNEL) libext ext bfm
	for kernel in 6.1 6.12 sid; do test/vm/kbuild $$kernel || exit 1; done
check: check-products
	test/run
check-unit: setup-build
	test/run unit
