# SPDX-License-Identifier: GPL-2.0-only
# With Secure Boot, a signed bareflank.efi that has all files within it has started the hypervisor
# before Linux, which is locked down. What is beside it was not used: it would not have started.
signed=/kselftest/signed
module=$signed/bareflank.ko
. ./tap.sh

variables=/sys/firmware/efi/efivars
lockdown=/sys/kernel/security/lockdown
[ -e $lockdown ] || mount -t securityfs securityfs /sys/kernel/security
modprobe -q efivarfs
mount -t efivarfs efivarfs $variables || exit 1

is_secure_boot()
{
	od -An -tu1 $variables/SecureBoot-* | grep -q ' 1$'
}

# Only the machine's owner can say what is signed.
refuses_unsigned()
{
	! insmod /lib/modules/caller.ko
}

hides_virtualisation()
{
	! grep -qwE 'svm|vmx' /proc/cpuinfo
}

# how many there were, on all CPUs
cpuids()
{
	bfm status --json | sed -n 's/^  "exits": {.*"CPUID": \([0-9]*\).*/\1/p'
}

counts_exits()
{
	for cpu in $(seq 0 $(($(cpus) - 1))); do
		before=$(cpuids)
		on_cpu "$cpu" "$bin/cpuid" 0 || return 1
		after=$(cpuids)
		echo "CPU $cpu: $before, then $after"
		[ "$after" -gt "$before" ] || return 1
	done
}

sentence()
{
	"$bin/rawctl" sentence "$1"
}

plan 11
t "Secure Boot is on" is_secure_boot
t "Linux is locked down" grep -F '[integrity]' $lockdown
t "it takes no unsigned module" refuses_unsigned
t "no VMX and no SVM" hides_virtualisation
t "a signed module has adopted the hypervisor" state_is running
t "and knows each CPU as a guest" all_guests
t "what is executed on each CPU exits" counts_exits
t "bfm dump has what the microkernel said" sh -c "bfm dump | grep '^microkernel: '"
t "a late launch is refused, of signed images, too" gives 1 "$(sentence STARTED_BEFORE)" \
	bfm start --microkernel $signed/microkernel $signed/default
t "bfm efi install asks for a key" gives 1 "--key KEY --cert CERT" bfm efi install
t "no complaint of the kernel" dmesg_clean
