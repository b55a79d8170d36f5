# SPDX-License-Identifier: GPL-2.0-only
# No register that Linux can see changes, on any CPU: while the hypervisor runs, and afterwards (but
# what tap.sh says).
. ./tap.sh

all_present()
{
	awk '{ seen[$1]++ } END { for (cpu in seen) if (seen[cpu] < 40) exit 1 }' \
		/tmp/state.before &&
		[ "$(cut -d' ' -f1 /tmp/state.before | sort -u | wc -l)" = "$(cpus)" ]
}

# CR4_HAS on the kernel's command line: bits that Linux must have set, else this is not the machine
# that the row is meant to be.
cr4_as_meant()
{
	awk '$2 == "cr4" { print $3 }' /tmp/state.before | while read -r cr4; do
		[ $((cr4 & ${CR4_HAS:-0})) = $((${CR4_HAS:-0})) ] || { echo "CR4 is $cr4"; exit 1; }
	done
}

plan 10
t "state before" snapshot /tmp/state.before
t "the state of every CPU is there" all_present
t "Linux uses what the machine is meant to have" cr4_as_meant
t "bare, it does not change by itself" same_state /tmp/state.before
t "start" start
t "the same while running" same_state /tmp/state.before
sleep 1
t "the same a second later" same_state /tmp/state.before
t "stop" stop
t "the same after the stop" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
