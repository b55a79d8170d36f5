# SPDX-License-Identifier: GPL-2.0-only
# A guest next to Linux, made by an extension: with a VM of its own and on Linux's VP, with nested
# paging and without, on every CPU, and moved from one to another. test/ext/guest.c checks it.
. ./tap.sh

leaf=0x4000f0e5

# guest COMMAND CPU
guest()
{
	"$bin/cpuid" $leaf "$1" "$2" && verified
}

# on_every_cpu COMMAND
on_every_cpu()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		guest "$1" $cpu || return 1
		cpu=$((cpu + 1))
	done
}

# To CPU 1, and back, and away for good.
moved()
{
	guest 2 0 && guest 3 1 && guest 4 0
}

again_and_again()
{
	for round in 1 2 3 4 5 6 7 8 9 10; do
		on_every_cpu $((round % 2)) || return 1
	done
}

plan 10
snapshot /tmp/state.before
t "start" start /kselftest/ext/guest
t "a VM of its own, behind a nested page table" on_every_cpu 0
t "another VS on Linux's VP, without nested paging" on_every_cpu 1
if [ "$(cpus)" -gt 1 ]; then
	t "moved to another CPU and back" moved
else
	skip "moved to another CPU and back" "one CPU"
fi
t "again and again" again_and_again
t "every CPU is a guest" all_guests
t "the same state on every CPU, as Linux sees it" same_state /tmp/state.before
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
