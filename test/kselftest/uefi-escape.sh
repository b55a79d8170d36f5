# SPDX-License-Identifier: GPL-2.0-only
# The control of what uefi.sh looks at: bareflank.efi does not keep the CPUs, so all but the first
# one escape when the firmware and Linux start them by INIT. That has to be seen.
. ./tap.sh

# A bare CPU tells what it has.
seen_by()
{
	awk -v cpu="$1" '$1 == "processor" { here = $3 == cpu }
		here && $1 == "flags"' /proc/cpuinfo | grep -qwE 'svm|vmx'
}

plan 5
t "the hypervisor is there" "$bin/firmware" table
t "the first CPU is its guest" gives 1 "CPU 0 is PP 0" "$bin/firmware" exits
t "another one is not" gives 1 "CPU 1 has no PP of its own" "$bin/firmware" exits
t "the first CPU sees no VMX and no SVM" eval '! seen_by 0'
t "another one does" seen_by 1
