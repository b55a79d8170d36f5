# SPDX-License-Identifier: GPL-2.0-only
# Linux resets the machine in every way it knows, with the hypervisor running. After each the
# script runs again; the disk has how often it did.
. ./tap.sh

disk_begins

# reset TYPE: with interrupts off and the other CPUs wherever they are
reset()
{
	echo "$1" >/sys/kernel/reboot/type
	echo b >/proc/sysrq-trigger
}

done=$(dd if=$disk bs=1 count=8 2>/dev/null | tr -d '\0')
if [ ${#done} -lt 6 ]; then
	printf %s "${done}x" | dd of=$disk conv=fsync 2>/dev/null
	start && all_guests || exit 1
	case ${#done} in
	0) reset kbd ;;
	1) reset acpi ;;
	2) reset pci ;;
	3) reset triple ;;
	4) reboot -f ;;
	5) echo 1 >/proc/sys/kernel/panic && echo c >/proc/sysrq-trigger ;;
	esac
	sleep 30
	exit 1
fi

plan 2
# keyboard controller, ACPI, port 0xCF9, triple fault, orderly, after a panic
t "the machine came up again after six resets" test "$done" = xxxxxx
t "the hypervisor starts" cycles 1
