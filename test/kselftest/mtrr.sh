# SPDX-License-Identifier: GPL-2.0-only
# Linux changes MTRRs while it is a guest: every CPU has the change, and so does the nested table.
. ./tap.sh

plan 8

wants="base=0xd0000000 size=0x100000 type=write-combining"

set_mtrr()
{
	echo "$1" >/proc/mtrr
}

followed()
{
	# AMD's nested tables have no types of their own.
	grep -q AuthenticAMD /proc/cpuinfo || bfm dump | grep "MTRRs have changed$"
}

t "there are MTRRs to change" grep . /proc/mtrr
t "start" start
t "a new range" set_mtrr "$wants"
t "it is there" grep "0d0000000.*write-combining" /proc/mtrr
t "the hypervisor follows" followed
t "the range goes" set_mtrr "disable=$(sed -n 's/^reg\(..\): base=0x0d0000000.*/\1/p' /proc/mtrr)"
t "stop" stop
t "no complaint of the kernel" dmesg_clean
