# SPDX-License-Identifier: GPL-2.0-only
# KVM is loaded, but has no virtual machine, when the hypervisor starts: it is refused then in an orderly
# way. And the other way round: while KVM has a virtual machine, the start is refused.
. ./tap.sh

module=kvm-intel
grep -qw svm /proc/cpuinfo && module=kvm-amd

# Kernels from 6.12 on take the hardware when KVM is loaded, unless told not to.
load_kvm()
{
	modprobe kvm && if [ -e /sys/module/kvm/parameters/enable_virt_at_load ]; then
		rmmod kvm
		modprobe kvm enable_virt_at_load=0
	fi
	modprobe $module
}

no_vm()
{
	! "$bin/kvmhold" 0
}

hold()
{
	"$bin/kvmhold" 1000 >/tmp/kvmhold &
	holder=$!
	n=0
	until grep -q ready /tmp/kvmhold; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
	done
}

plan 13
t "KVM loads" load_kvm
t "start beside an idle KVM" start
t "every CPU is a guest" all_guests
t "KVM is refused a virtual machine" no_vm
t "and once more" no_vm
t "every CPU is still a guest" all_guests
t "stop" stop
t "KVM has a virtual machine" "$bin/kvmhold" 0
hold
t "start is refused meanwhile" gives 1 "$("$bin/rawctl" sentence VIRT_BUSY)" bfm start
kill $holder
wait $holder
t "start and stop, 3 times" cycles 3
t "KVM has a virtual machine again" "$bin/kvmhold" 0
t "KVM goes" rmmod $module
t "no complaint of the kernel" dmesg_clean
