# SPDX-License-Identifier: GPL-2.0-only
# Linux resets the machine at once by the way that RESET names, with the hypervisor running:
# test/vm/vm sees how it ends.
insmod /lib/modules/bareflank.ko && bfm start && echo "$RESET" >/sys/kernel/reboot/type &&
	echo b >/proc/sysrq-trigger && sleep 30
exit 1
