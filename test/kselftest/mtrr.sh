# SPDX-License-Identifier: GPL-2.0-only
# Linux changes MTRRs and the PAT while it is a guest: every CPU has the change, and so has, of the
# MTRRs, the nested table. Microcode is not loaded meanwhile.
. ./tap.sh

plan 14

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

# set_pat VALUE: on every CPU
set_pat()
{
	for cpu in $(seq 0 $(($(cpus) - 1))); do
		"$bin/msr" "$cpu" 0x277 "$1" || return 1
	done
}

# How many accesses to MSRs have been exits.
msr_exits()
{
	bfm status | awk '$1 == "MSR" || $1 == "WRMSR" { n += $2 } END { print n + 0 }'
}

# The register takes the address of microcode, which is nothing here; the extension drops the write.
load_microcode()
{
	register=0x79
	grep -q AuthenticAMD /proc/cpuinfo && register=0xc0010020
	before=$(msr_exits)
	"$bin/msr" 0 $register 0x1000 && all_guests && [ "$(msr_exits)" -gt "$before" ]
}

# pat_is VALUE: on every CPU
pat_is()
{
	cat $probe/state >/tmp/state
	[ "$(awk -v value="$1" '$2 == "pat" && $3 == value' /tmp/state | wc -l)" = "$(cpus)" ] ||
		{ grep pat /tmp/state; return 1; }
}

modprobe msr
echo on >/sys/module/msr/parameters/allow_writes
snapshot /tmp/state.before
pat=$(awk '$2 == "pat" { print $3; exit }' /tmp/state.before)
# PA5, which is write-protected and hardly used, becomes write-back.
changed=$(printf '0x%x' $((pat & ~0xFF0000000000 | 0x060000000000)))
t "there are MTRRs to change" grep . /proc/mtrr
t "start" start
t "a new range" set_mtrr "$wants"
t "it is there" grep "0d0000000.*write-combining" /proc/mtrr
t "the hypervisor follows" followed
t "the range goes" set_mtrr "disable=$(sed -n 's/^reg\(..\): base=0x0d0000000.*/\1/p' /proc/mtrr)"
t "another PAT" set_pat "$changed"
t "every CPU has it" pat_is "$changed"
t "microcode goes to the extension" load_microcode
t "stop" stop
if [ "$VM_MACHINE" = qemu-svm ]; then
	skip "every CPU still has it" "QEMU has one PAT for guest and host"
else
	t "every CPU still has it" pat_is "$changed"
fi
t "the old PAT" set_pat "$pat"
t "no other register has changed" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
