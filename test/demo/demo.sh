#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The main job, in the guest: Linux with a load on every CPU goes under the hypervisor and comes
# back.
set -u
cpus=$(nproc)

say()
{
	printf '\n\033[1m%s\033[0m\n' "$*"
}

# step TITLE COMMAND...: shows both, runs it, tells how long it took
step()
{
	say "# $1"
	shift
	echo "\$ $*"
	began=$(cut -d' ' -f1 /proc/uptime)
	"$@"
	result=$?
	ended=$(cut -d' ' -f1 /proc/uptime)
	echo "[$(awk "BEGIN { printf \"%.2f\", $ended - $began }") s, exit status $result]"
	[ $result = 0 ] || exit 1
}

# Two loads that check themselves: computing, and files.
load()
{
	stress-ng --cpu "$cpus" --vm 1 --vm-bytes 32M --verify --timeout 3600 >/tmp/stress 2>&1 &
	stress=$!
	dd if=/dev/urandom of=/tmp/file bs=64k count=16 2>/dev/null
	sum=$(sha256sum </tmp/file)
	while [ ! -e /tmp/enough ]; do
		cp /tmp/file /tmp/copy
		[ "$(sha256sum </tmp/copy)" = "$sum" ] || echo wrong >>/tmp/wrong
		echo >>/tmp/rounds
	done &
	files=$!
	sleep 2
	kill -0 $stress
}

load_is_right()
{
	touch /tmp/enough
	kill -INT $stress
	wait $stress || return 1
	wait $files
	grep -E 'successful run' /tmp/stress || return 1
	echo "$(wc -l </tmp/rounds) copies of a file hashed," \
		"$(cat /tmp/wrong 2>/dev/null | wc -l) wrong"
	[ ! -e /tmp/wrong ]
}

say "Linux $(uname -r) on $cpus CPUs: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
step "The module" insmod /lib/modules/bareflank.ko
step "Can this machine run it?" bfm check
step "A load on every CPU that checks its own results" load
step "Linux becomes a guest, under load" bfm start
step "... and works on as before" sleep 5
step "What every CPU does, and why it left the guest" bfm status
step "What the hypervisor wrote" bfm dump
step "Linux gets its CPUs back, still under load" bfm stop
step "Did the load ever compute wrongly?" load_is_right
step "Nothing is left behind" rmmod bareflank
say "Done."
