# SPDX-License-Identifier: GPL-2.0-only
# The machine halts with the hypervisor running: test/vm/vm sees how it ends.
insmod /lib/modules/bareflank.ko && bfm start && halt -f
