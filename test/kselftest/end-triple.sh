# SPDX-License-Identifier: GPL-2.0-only
# Linux resets the machine by a triple fault, with the hypervisor running: test/vm/vm sees how it
# ends.
insmod /lib/modules/bareflank.ko && bfm start && echo triple >/sys/kernel/reboot/type &&
	echo b >/proc/sysrq-trigger && sleep 30
exit 1
