# SPDX-License-Identifier: GPL-2.0-only
# Exceptions that exit for a hook (ext/libext/watch.h): programs get the signals that they get
# without one, and what the hook answers is done.
. ./tap.sh

# counted VECTOR COUNT: at least so many of them, on all PPs
counted()
{
	said_by "exceptions: PP " | grep "vector $1," | tee /tmp/said
	[ "$(awk '{ n += $6 } END { print n + 0 }' /tmp/said)" -ge "$2" ]
}

# signals LAST: what programs get, and what becomes of UD2 with the mark
signals()
{
	"$bin/exceptions" >/tmp/found
	sed '$d' /tmp/expected >/tmp/first
	sed '$d' /tmp/found | diff /tmp/first - && tail -n 1 /tmp/found | grep "^marked: $1"
}

many()
{
	n=0
	while [ $n -lt 10 ]; do
		signals nothing || return 1
		n=$((n + 1))
	done
}

# watched EXTENSION...
watched()
{
	t "$*: start" start "$@"
	t "$*: programs get the same signals, and one less" signals nothing
	t "$*: many times" many
	t "$*: every CPU is a guest" all_guests
	t "$*: stop" stop
	t "$*: #DE was seen" counted 0 11
	t "$*: #UD was seen" counted 6 22
	t "$*: #PF was seen" counted 14 700
	# QEMU's CPU has it not.
	if grep -q "vector 19," /tmp/expected; then
		t "$*: #XM was seen" counted 19 11
	else
		skip "$*: #XM was seen" "this CPU does without it"
	fi
}

# There VMRUN does not load CR2, so no #PF can be delivered.
if [ "$VM_MACHINE" = bochs-svm ]; then
	plan 1
	skip "exceptions for a hook" "Bochs' VMRUN does not load CR2"
	exit 0
fi

plan 22
"$bin/exceptions" >/tmp/expected
t "bare: signals" signals "signal 4"
watched "$exts/exceptions"
watched hello "$exts/exceptions"
t "after the stop: the same signals" signals "signal 4"
t "no complaint of the kernel" dmesg_clean
t "no guest is left" no_guests
