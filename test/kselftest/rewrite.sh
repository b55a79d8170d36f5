# SPDX-License-Identifier: GPL-2.0-only
# A process that changes an instruction while the hypervisor looks at it harms nobody but itself.
. ./tap.sh

seconds=3
is_slow && seconds=1

plan 5
t "start" start
t "an instruction that changes is executed as a whole or not at all" "$bin/rewrite" $seconds
t "no CPU was stopped by it" all_guests
t "stop" stop
t "no complaint of the kernel" dmesg_clean
