# SPDX-License-Identifier: GPL-2.0-only
# Starts and stops under load: nothing is lost, nothing computes wrongly, no state changes.
# Times CYCLES.
. ./tap.sh

count=10
is_slow && count=4
count=$((count * ${CYCLES:-1}))

# Hashes one file over and over; every sum must be the first one's.
hasher()
{
	dd if=/dev/urandom of=/tmp/data bs=64k count=8 2>/dev/null
	sum=$(sha256sum </tmp/data)
	while [ ! -e /tmp/hash.stop ]; do
		cp /tmp/data /tmp/data.copy
		[ "$(sha256sum </tmp/data.copy)" = "$sum" ] || echo wrong >>/tmp/hash.wrong
		echo x >>/tmp/hash.count
	done
}

hashes_right()
{
	[ -s /tmp/hash.count ] && [ ! -e /tmp/hash.wrong ]
}

plan 8
snapshot /tmp/state.before
sleepers_begin
hasher &
hasher=$!
load_begins
t "load on every CPU" kill -0 $load_pid
t "$count starts and stops" cycles $count
load_ends
t "the load never computed wrongly" load_verdict
touch /tmp/hash.stop
wait $hasher
t "files kept their contents" hashes_right
t "no process was lost" sleepers_live
kill $sleepers
t "the same state on every CPU" same_state /tmp/state.before
t "stopped" state_is stopped
t "no complaint of the kernel" dmesg_clean
