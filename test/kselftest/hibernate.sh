# SPDX-License-Identifier: GPL-2.0-only
# Hibernation to a disk, with the hypervisor running. The machine boots a second time, starts the
# hypervisor there as well, and goes on with what the disk has.
. ./tap.sh

disk_begins

if [ "$(dd if=$disk bs=1 skip=4086 count=9 2>/dev/null)" = S1SUSPEND ]; then
	start && all_guests && cat /sys/block/sda/dev >/sys/power/resume
	echo "the machine that hibernated did not come back"
	exit 1
fi

# hibernate MODE: of /sys/power/disk
hibernate()
{
	echo "$1" >/sys/power/disk && echo disk >/sys/power/state
}

# The smallest image is the fastest.
swap()
{
	mkswap $disk && swapon $disk && echo 0 >/sys/power/image_size
}

plan 11
snapshot /tmp/state.before
t "a disk to hibernate to" swap
t "start" start
load_begins
case $(uname -r) in
6.1.*) skip "an image is written, and resumed from at once" "this kernel cannot" ;;
*) t "an image is written, and resumed from at once" hibernate test_resume ;;
esac
t "every CPU is a guest" all_guests
# Bochs' BIOS does not survive a reboot.
case $VM_MACHINE in
bochs-*) skip "the machine goes, boots again, and goes on here" "no reboot on Bochs" ;;
*) t "the machine goes, boots again, and goes on here" hibernate reboot ;;
esac
t "every CPU is a guest still" all_guests
load_ends
t "the load never computed wrongly" load_verdict
t "the same state on every CPU" same_state /tmp/state.before
t "stop" stop
t "the same state on every CPU at the end" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
