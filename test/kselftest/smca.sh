# SPDX-License-Identifier: GPL-2.0-only
# Linux polls the machine check banks of a CPU with SMCA, whose MSRs no permission map covers, as it
# does on a bare CPU. Linux started with setcpuid=smca does it on any CPU of AMD's.
. ./tap.sh

interval=/sys/devices/system/machinecheck/machinecheck0/check_interval
rounds=10

# How often the CPU that has done it least has polled.
polls()
{
	awk '$1 == "MCP:" { least = $2; for (i = 3; i <= NF && $i ~ /^[0-9]+$/; i++)
		if ($i < least) least = $i; print least }' /proc/interrupts
}

# Every CPU polls some times more, within two minutes.
polled()
{
	wanted=$(($(polls) + rounds))
	n=0
	until [ "$(polls)" -ge $wanted ]; do
		n=$((n + 1))
		[ $n -lt 240 ] || { cat /proc/interrupts; return 1; }
		sleep 0.5
	done
}

if ! grep -qw smca /proc/cpuinfo; then
	plan 1
	skip "polls of the machine check banks" "no SMCA"
	exit
fi
plan 7
echo 1 >$interval
t "it polls the banks" polled
t "start" start
t "it polls them as a guest" polled
t "every CPU is a guest" all_guests
t "stop" stop
t "it polls them after the stop" polled
t "no complaint of the kernel" dmesg_clean
