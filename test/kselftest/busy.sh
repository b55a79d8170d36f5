# SPDX-License-Identifier: GPL-2.0-only
# KVM has the hardware: the start is refused until KVM lets go of it.
. ./tap.sh

module=kvm-intel
grep -qw svm /proc/cpuinfo && module=kvm-amd

hold()
{
	"$bin/kvmhold" 1000 >/tmp/kvmhold &
	holder=$!
	for n in 1 2 3 4 5 6 7 8 9 10; do
		grep -q ready /tmp/kvmhold && return
		sleep 0.3
	done
}

refused()
{
	gives 1 "$("$bin/rawctl" sentence VIRT_BUSY)" bfm start
}

plan 7
t "KVM loads" modprobe $module
hold
t "a virtual machine exists" grep -q ready /tmp/kvmhold
t "start is refused" refused
t "bfm check says why" gives 1 "$("$bin/rawctl" sentence VIRT_BUSY)" bfm check
kill $holder
wait $holder
t "KVM goes" rmmod $module
t "start and stop" cycles 1
t "no complaint of the kernel" dmesg_clean
