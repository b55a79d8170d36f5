# SPDX-License-Identifier: GPL-2.0-only
# The registers of XSAVE, which guests have of their own: while other values are in those of Linux's
# processes, nobody finds those of another, whatever CPU he goes to. And KVM's ioctls about them.
. ./tap.sh

device=/dev/kvm
case $VM_MACHINE in
bochs-*) rounds=100 ;;
*) rounds=400 ;;
esac
rounds=${KVM_XSAVE_ROUNDS:-$rounds} # on the kernel's command line

# Guests and those who run them, beside processes that hold values of their own on every CPU.
hold_beside_others()
{
	"$bin/fpu" hold 0 0 $((rounds * 4)) >/tmp/fpu &
	holder=$!
	"$bin/kvm_xsave" $device hold $rounds
	status=$?
	wait $holder
	others=$?
	cat /tmp/fpu
	[ $status = 0 ] && [ $others = 0 ]
}

# The ioctls answer as KVM's do, where KVM runs: a table of what is expected, held against it.
ioctls_of_kvm()
{
	modprobe "$(kvm_module)" || return 1
	timeout -s KILL 60 "$bin/kvm_xsave" $device ioctls kvm
	status=$?
	rmmod "$(kvm_module)" kvm
	return $status
}

has_xsave()
{
	grep -qw xsave /proc/cpuinfo
}

plan 9
if ! has_xsave; then
	skip "KVM's own ioctls" "Linux has no XSAVE here"
elif [ "$VM_MACHINE" != qemu-svm ]; then
	skip "KVM's own ioctls" "this machine is too slow"
elif ! find /lib/modules -name 'kvm*' | grep -q .; then
	skip "KVM's own ioctls" "this kernel has no KVM"
else
	t "KVM's own ioctls" ioctls_of_kvm
fi
t "the module" insmod /lib/modules/bareflank_kvm.ko
t "start" start guests
if has_xsave; then
	t "what guests have" "$bin/kvm_xsave" $device features && say_output
	t "ioctls, and XSETBV of a guest" "$bin/kvm_xsave" $device ioctls
	t "everybody keeps his registers" hold_beside_others
else
	skip "what guests have" "Linux has no XSAVE here"
	skip "ioctls, and XSETBV of a guest" "Linux has no XSAVE here"
	skip "everybody keeps his registers" "Linux has no XSAVE here"
fi
t "stop" stop
t "the module goes" rmmod bareflank_kvm
t "no complaint of the kernel" dmesg_clean
