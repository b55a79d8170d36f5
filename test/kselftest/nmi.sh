# SPDX-License-Identifier: GPL-2.0-only
# NMIs hit every CPU while the hypervisor comes and goes: none is lost, none hits unprepared code.
. ./tap.sh

count=20
is_bochs && count=5

# The backtraces that sysrq-l prints are wanted here, but not on the console.
dmesg -n 1

storm()
{
	while [ ! -e /tmp/nmi.stop ]; do
		echo l >/proc/sysrq-trigger
		echo x >>/tmp/nmi.count
	done
}

nmis()
{
	awk '$1 == "NMI:" { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

many_nmis()
{
	echo "$1 NMIs"
	[ "$1" -gt $count ]
}

no_bug()
{
	! dmesg | grep -E 'WARNING: (CPU: |[^ ]+:[0-9]+ at )|BUG: |Oops|rcu.*stall|unknown NMI|Dazed'
}

plan 5
if [ "$(cpus)" = 1 ]; then
	for n in 1 2 3 4 5; do
		skip "NMIs $n" "sysrq-l interrupts other CPUs only"
	done
	exit
fi
before=$(nmis)
storm &
storm=$!
t "$count starts and stops" cycles $count
start >/dev/null
sleep 2
t "every CPU is a guest" all_guests
bfm stop >/dev/null
touch /tmp/nmi.stop
wait $storm
t "there were NMIs" many_nmis $(($(nmis) - before))
t "stopped" state_is stopped
t "no complaint of the kernel" no_bug
dmesg -c >/dev/null
dmesg -n 5
