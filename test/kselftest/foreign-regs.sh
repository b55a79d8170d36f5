# SPDX-License-Identifier: GPL-2.0-only
# What extensions made for the original rely on in ids, registers and arguments:
# test/ext/foreign/regs.cc.
. ./tap.sh
. ./verdict.sh

plan 9
snapshot /tmp/state.bare
t "start" start /kselftest/ext/foreign-regs
t "every CPU is a guest" all_guests
t "it finds what extensions rely on" good
t "stop" stop
t "the state of every CPU is what it was" same_state /tmp/state.bare
t "start again" start /kselftest/ext/foreign-regs
t "it finds the same again" good
t "stop again" stop
t "no complaint of the kernel" dmesg_clean
