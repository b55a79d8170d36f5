# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced after tap.sh by tests of guests through KVM's interface.
# shellcheck shell=sh

device=/dev/kvm
# What Bochs cannot do: docs/testing.md.
spin=spin_cli
case $VM_MACHINE in bochs-*) spin=spin_sti ;; esac

# transcript CASE DIRECTORY: what the client prints, into a file of that name
transcript()
{
	timeout -s KILL 60 "$bin/kvm_client" $device "$1" >"$2/$1" 2>&1
}

# written CASE: what the client is to print
written()
{
	awk -v name="$1:" '/^[a-z0-9_]+:/ { on = $1 == name } on' kvm.expected
}

# as_written CASE: it ends well, as it is written down, and as KVM has it
as_written()
{
	transcript "$1" /tmp || { cat "/tmp/$1"; bfm dump | tail -n 20; return 1; }
	written "$1" >/tmp/written
	diff -u /tmp/written "/tmp/$1" || return 1
	[ ! -e "/tmp/kvm/$1" ] || diff -u "/tmp/kvm/$1" "/tmp/$1"
}

spin_begins()
{
	: >/tmp/spin
	"$bin/kvm_client" $device $spin >/tmp/spin &
	spinner=$!
	n=0
	until grep -q spinning /tmp/spin || [ $n -ge 600 ]; do
		n=$((n + 1))
		sleep 0.1
	done
}

spin_ends()
{
	kill -KILL $spinner
	wait $spinner
}

# ended_clients N: the client has said N times that each of its ioctls fails now, and nothing else
ended_clients()
{
	eio="Input/output error"
	n=0
	until [ "$(grep -c 'another VM:' /tmp/spin)" = "$1" ] || [ $n -ge 600 ]; do
		n=$((n + 1))
		sleep 0.1
	done
	cat /tmp/spin
	[ "$(grep -c "^  vCPU [0-9]*: $eio\$" /tmp/spin)" = "$(cpus)" ] &&
		for what in run registers "a region" "another vCPU"; do
			[ "$(grep -c "^  $what: $eio\$" /tmp/spin)" = "$1" ] || return 1
		done && kill -0 $spinner
}
