# SPDX-License-Identifier: GPL-2.0-only
#
# make                 the module, the microkernel, libext, the default extension and bfm
# make check           unit tests and the matrix of emulated machines (installs what it needs)
# make demo | shell    a 4-CPU machine that shows the main job | to try bfm by hand
# make bench           exact instruction counts
# make install         DESTDIR= PREFIX=
#
# CC=clang selects the compiler, KDIR= the kernel the module is built for.

O ?= build
PREFIX ?= /usr/local
KREL ?= $(shell uname -r)
KDIR ?= $(shell test/vm/setup kdir)

include scripts/build.mk
include scripts/test.mk
