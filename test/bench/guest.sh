#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# guest.sh [load]: measures in the guest; prints "bench: KEY VALUE" lines for test/bench/run.
set -u
seconds=10

# What goes through the kernel log comes out in one piece.
tell()
{
	echo "<0>bench: $*" >/dev/kmsg
}

least()
{
	sort -n | head -n 1
}

exits()
{
	bfm status | sed -n '/^exits by reason/,$p' | awk 'NR > 1 { print $1, $2 }'
}

# Exits by reason during the seconds that COMMAND takes.
exits_during()
{
	name=$1
	shift
	exits >/tmp/before
	"$@" >/dev/null 2>&1
	exits >/tmp/after
	awk -v name="$name" 'NR == FNR { before[$1] = $2; next }
		$2 - before[$1] > 0 { print name, $1, $2 - before[$1] }' /tmp/before /tmp/after |
		while read -r line; do
			tell "exits $line"
		done
}

# guests PREFIX: what exits of guests cost through /dev/kvm
guests()
{
	timeout 120 /bench/guest_cost /dev/kvm | while read -r line; do
		tell "$1_$line"
	done
}

# KVM on the bare machine, if it is there and works in this emulator.
grep -qw svm /proc/cpuinfo && kvm='kvm-amd' || kvm='kvm-intel'
if modprobe $kvm; then
	guests kvm
	rmmod $kvm kvm
fi
insmod /lib/modules/bareflank.ko || exit 1
tell "bare_cpuid $(/bench/cost cpuid)"
for n in 1 2 3; do
	/bench/cost start /bench/microkernel /bench/default >>/tmp/start || exit 1
	/bench/cost stop >>/tmp/stop || exit 1
done
tell "start $(least </tmp/start)"
tell "stop $(least </tmp/stop)"
bfm start --no-wait >/dev/null || exit 1
tell "cpuid $(/bench/cost cpuid)"
tell "memory $(bfm status --json | sed -n 's/.*"memory": \([0-9]*\).*/\1/p')"
if [ "${1:-}" = load ]; then
	exits_during idle sleep $seconds
	exits_during load stress-ng --cpu 1 --vm 1 --vm-bytes 24M --timeout $seconds
fi
bfm stop >/dev/null || exit 1
bfm start --no-wait /bench/calls >/dev/null || exit 1
/bench/cost calls
bfm dump | sed -n 's/.*bench: //p' | while read -r line; do
	tell "$line"
done
bfm stop >/dev/null || exit 1
bfm start --no-wait guests >/dev/null || exit 1
insmod /lib/modules/bareflank_kvm.ko || exit 1
guests vm
bfm stop >/dev/null
