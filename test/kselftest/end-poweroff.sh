# SPDX-License-Identifier: GPL-2.0-only
# The machine goes off with the hypervisor running: test/vm/vm sees how it ends.
insmod /lib/modules/bareflank.ko && bfm start && poweroff -f
