# SPDX-License-Identifier: GPL-2.0-only
# The main job, once: check, start, run as a guest, stop; and again.
. ./tap.sh

plan 13
t "bfm check finds nothing in the way" bfm check
t "stopped at first" state_is stopped
for round in 1 2; do
	t "start ($round)" start
	t "running ($round)" state_is running
	t "every CPU is a guest ($round)" all_guests
	t "stop ($round)" stop
	t "stopped ($round)" state_is stopped
done
t "no complaint of the kernel" dmesg_clean
