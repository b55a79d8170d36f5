# SPDX-License-Identifier: GPL-2.0-only
# The machine goes off, or begins anew, with the hypervisor that the firmware has started. END on
# the kernel's command line says which: test/vm/vm sees how it ends. STOPPED=1: when it has been
# stopped.
stops()
{
	insmod /lib/modules/bareflank.ko && bfm stop && ! /kselftest/bin/firmware exits
}

/kselftest/bin/firmware exits && { [ -z "${STOPPED:-}" ] || stops; } && "$END" -f
