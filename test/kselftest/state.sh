# SPDX-License-Identifier: GPL-2.0-only
# No register that Linux can see changes, on any CPU: while the hypervisor runs, and behind it (but what
# tap.sh says).
. ./tap.sh

all_present()
{
	awk '{ seen[$1]++ } END { for (cpu in seen) if (seen[cpu] < 40) exit 1 }' /tmp/state.before &&
		[ "$(cut -d' ' -f1 /tmp/state.before | sort -u | wc -l)" = "$(cpus)" ]
}

plan 9
t "state before" snapshot /tmp/state.before
t "the state of every CPU is there" all_present
t "bare, it does not change by itself" same_state /tmp/state.before
t "start" start
t "the same while running" same_state /tmp/state.before
sleep 1
t "the same a second later" same_state /tmp/state.before
t "stop" stop
t "the same after the stop" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
