# SPDX-License-Identifier: GPL-2.0-only
# Arguments of extensions (bfm start --arg): each gets its own, and says so (test/ext/args.c); what
# is wrong with one is said.
. ./tap.sh

args=$exts/args

# said TEXT...: the lines of the last start, one for each extension, and no others. The log goes
# over all starts.
said()
{
	bfm dump >/tmp/dump
	awk '/^microkernel: .* extensions$/ { said = "" }
	     /^args: extension/ { said = said $0 "\n" }
	     END { printf "%s", said }' /tmp/dump >/tmp/said
	printf 'args: extension %s\n' "$@" >/tmp/expected
	diff /tmp/said /tmp/expected
}

# with NAME TEXT ARGUMENT...: one extension, which says TEXT of itself.
with()
{
	name=$1 text=$2
	shift 2
	t "$name: start" start "$@"
	t "$name" said "$text"
	t "$name: every CPU is a guest" all_guests
	t "$name: stop" stop
}

# refuses TEXT ARGUMENT...: the extension ends the start, and bfm says why.
refuses()
{
	text=$1
	shift
	gives 1 "it had said: $text" bfm start "$args" "$@" && no_guests
}

# A name that fills all there is.
fill()
{
	head -c "$1" /dev/zero | tr '\0' x
}

plan 41
snapshot /tmp/state.before
with "none" "1: name (none), 0 bytes, count 0x7, off" "$args"
with "one extension" "1: name a:b=c, 5 bytes, count 0x10, on" \
	"$args" --arg name=a:b=c --arg count=0x10 --arg on=yes
with "by its word" "1: name , 0 bytes, count 0x1e, off" \
	--arg "$args:name=" "$args" --arg "$args:count=30" --arg 1:on=off
with "as much as there can be" "1: name xxxxxxxxxxxxxxxxxxxx, 4090 bytes, count 0x7, off" \
	"$args" --arg "name=$(fill 4090)"
with "after all that, none again" "1: name (none), 0 bytes, count 0x7, off" "$args"
with "without a right to calls" "1: name x, 1 bytes, count 0x7, off" "$args" --arg name=x \
	--allow "1=linux,memory,rdmsr,wrmsr,debug"
t "two: start" start "$args" "$args" --arg 1:name=first --arg 2:name=second --arg 2:count=2
t "two: each its own" said "1: name first, 5 bytes, count 0x7, off" \
	"2: name second, 6 bytes, count 0x2, off"
t "two: every CPU is a guest" all_guests
t "two: stop" stop
t "the second alone: start" start "$args" "$args" --arg 2:on=1
t "the second alone" said "1: name (none), 0 bytes, count 0x7, off" \
	"2: name (none), 0 bytes, count 0x7, on"
t "the second alone: stop" stop
for takes_none in default guests; do
	t "$takes_none takes none" gives 1 \
		"it had said: argument nmae: this extension knows none of this name" \
		bfm start $takes_none --arg nmae=y
done
t "a key that it does not know" refuses \
	"argument nmae: this extension knows none of this name" --arg name=x --arg nmae=y
t "not a number" refuses "argument count: not a number: 5k" --arg count=5k
t "neither yes nor no" refuses "argument on: neither yes nor no: maybe" --arg on=maybe
t "more than there can be" gives 2 "take more than 4096 bytes" \
	bfm start "$args" --arg "name=$(fill 4091)"
t "the module looks itself" "$bin/rawctl" args /usr/local/lib/bareflank/microkernel "$args"
t "nothing runs" no_guests
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
