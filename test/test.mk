# SPDX-License-Identifier: GPL-2.0-only
#
# Tests, the demonstration and the benchmarks. Included by the Makefile at the root; run from there.

.PHONY: setup-build setup
setup-build:
	test/vm/setup build
setup:
	test/vm/setup all
