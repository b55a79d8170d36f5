# SPDX-License-Identifier: GPL-2.0-only
# Linux starts another Linux with the hypervisor running: by kexec, which finds bare CPUs, and after
# a panic, which leaves the crash kernel a machine under the hypervisor. So the script runs in three
# kernels; BOOT on the command line says in which. PANIC=nmi: the panic is in an NMI handler.
# KEEP=1: CPUs are kept, so the crash kernel has all of them. FIRMWARE=1: bareflank.efi has started
# it, so all three kernels are its guests, and the module adopts it before the panic. And STOPPED=1:
# the first one stops it, and what follows is as if there had been none.
. ./tap.sh

# The archive for the next kernel, but for what $1 matches (a path of find)
pack()
{
	(cd / && find . -xdev ! -path "${1:-}" | cpio -o -H newc) 2>/dev/null >/tmp/initrd
}

# load_kernel load|crash ARGUMENT...: with these kernel arguments instead of BOOT and of what the
# script $drop removes
load_kernel()
{
	how=$1
	shift
	"$bin/kexec" "$how" /boot/vmlinuz /tmp/initrd \
		"$(sed "s/ BOOT=[^ ]*//; $drop" /proc/cmdline) $*"
}

crash()
{
	if [ "${PANIC:-}" = nmi ]; then
		echo 0 >$probe/panic
	else
		echo c >/proc/sysrq-trigger
	fi
}

expect_crash()
{
	crash
	n=0
	while [ $n -lt 60 ]; do
		sleep 1
		n=$((n + 1))
	done
}

is_guest_of_firmware()
{
	"$bin/firmware" exits && "$bin/firmware" reserved && "$bin/firmware" hidden
}

stops_for_good()
{
	load && stop && state_is stopped && no_guests && ! "$bin/firmware" exits
}

# Of what is kept there is nothing to be seen in a kernel that kexec has started.
[ -z "${KEEP:-}" ] || first=second

case ${BOOT:-${first:-first}} in
first) ;;
*) [ -z "${STOPPED:-}" ] || FIRMWARE= ;;
esac

case ${BOOT:-${first:-first}} in
first)
	drop=
	if [ -n "${FIRMWARE:-}" ]; then
		is_guest_of_firmware && { [ -z "${STOPPED:-}" ] || stops_for_good; }
	else
		start && all_guests
	fi && pack && load_kernel load BOOT=second && "$bin/kexec" boot
	echo "kexec did not happen"
	exit 1
	;;
second)
	drop="s/ crashkernel=[^ ]*//"
	snapshot /tmp/state.before
	use=1
	[ -z "${KEEP:-}${FIRMWARE:-}" ] || use=$(cpus)
	if [ -n "${FIRMWARE:-}" ]; then
		is_guest_of_firmware && load && state_is running
	else
		start ${KEEP:+--keep-cpus} && same_state /tmp/state.before
	fi || exit 1
	# Linux starts every CPU but the one that it begins on: that is to be the boot processor.
	all_guests && pack './boot/*' &&
		load_kernel crash "BOOT=crash CRASHED=$(cpus) nr_cpus=$use reset_devices" &&
		on_cpu 0 expect_crash
	echo "no crash kernel came up"
	exit 1
	;;
esac

dump()
{
	makedumpfile -d "$1" /proc/vmcore "/tmp/dump$1" && ls -l "/tmp/dump$1"
}

log_of_the_crash()
{
	makedumpfile --dump-dmesg /proc/vmcore /tmp/log && tail -n 40 /tmp/log
	if [ "${PANIC:-}" = nmi ]; then
		grep 'Kernel panic.*cpustate: in the handler of an NMI' /tmp/log
	else
		grep 'Kernel panic.*sysrq triggered crash' /tmp/log
	fi
}

# On a bare CPU, it has VT-x or AMD-V.
every_cpu_is_inside()
{
	[ "$(cpus)" = "$CRASHED" ] && ! grep -E '^flags.* (vmx|svm)( |$)' /proc/cpuinfo
}

plan 8
if [ -n "${KEEP:-}${FIRMWARE:-}" ]; then
	t "all CPUs, under the hypervisor" every_cpu_is_inside
else
	skip "all CPUs, under the hypervisor" "one is enough"
fi
t "the memory of the kernel that crashed, and all CPUs' registers" \
	"$bin/vmcore" /proc/vmcore "$CRASHED"
t "makedumpfile takes what the kernel used" dump 31
t "makedumpfile finds the log" log_of_the_crash
t "the hypervisor had been running" grep -E 'bareflank: (started|the firmware has started)' /tmp/log
t "a start under the hypervisor is refused" gives 1 \
	"$("$bin/rawctl" sentence STARTED_BEFORE)" bfm start
if [ -n "${FIRMWARE:-}" ]; then
	t "the module has adopted it once more" all_guests
else
	skip "the module has adopted it once more" "its memory is the kernel's that crashed"
fi
t "no complaint of the kernel" dmesg_clean
