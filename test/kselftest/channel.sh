# SPDX-License-Identifier: GPL-2.0-only
# What an extension emits (bfm read) and what it answers (bfm call): test/ext/channel.c.
. ./tap.sh

channel=$exts/channel

# What it emits at its start: in the order in which the PPs came, whichever that is.
read_start()
{
	bfm read "$1" >/tmp/read && [ "$(head -n 1 /tmp/read)" = "hello from channel" ] &&
		[ "$(grep -c '^PP [0-9]*$' /tmp/read)" = "$(cpus)" ] &&
		[ "$(wc -l </tmp/read)" = $(($(cpus) + 1)) ] || { cat /tmp/read; return 1; }
}

# answers TEXT REQUEST...: the reply
answers()
{
	text=$1
	shift
	said=$(bfm call channel "$@") || return
	echo "$said"
	[ "$said" = "$text" ]
}

# What is sent with every byte comes back, also where it fills all there is.
bytes_come_back()
{
	head -c 4091 /dev/urandom >/tmp/bytes
	printf 'x\0\377\0' >/tmp/bytes.short
	for f in /tmp/bytes /tmp/bytes.short; do
		{ printf 'echo '; cat $f; } | bfm call channel - >/tmp/back || return
		cmp $f /tmp/back || return
	done
}

# of_lossless COUNT: how many of so many records of 1,000 bytes are refused
of_lossless()
{
	bfm call channel lossless "$1" 1000 | sed -n 's/ refused, 0 wrong$//p'
}

# Records that nobody reads stay, and the rest is counted.
overflow_counts()
{
	refused=$(of_lossless 100)
	bfm read channel >/tmp/read 2>/tmp/read.err
	kept=$(grep -c '^abcdefg' /tmp/read)
	echo "$refused refused, $kept kept"
	cat /tmp/read.err
	[ $((refused + kept)) = 100 ] && [ "$refused" -ge 36 ] && [ "$refused" -lt 60 ] &&
		grep -q "^bfm: read: $refused of $((100 + 1 + $(cpus))) records were dropped\$" \
			/tmp/read.err
}

# Of records that nobody has read, the oldest are counted, too; but 100 do not fit.
lossy_counts()
{
	answers "0 refused, 0 wrong" lossy 100 1000 || return
	bfm read channel >/tmp/read 2>/tmp/read.err
	cat /tmp/read.err
	[ "$(wc -l </tmp/read)" -ge 60 ] && [ "$(wc -l </tmp/read)" -lt 64 ] &&
		grep -q "records were dropped" /tmp/read.err
}

# both_have COUNT PATTERN: the readers in the background have so many such lines, within 20 seconds.
both_have()
{
	n=0
	until [ "$(grep -c "$2" /tmp/reader.1)" -ge "$1" ] &&
		[ "$(grep -c "$2" /tmp/reader.2)" -ge "$1" ]; do
		n=$((n + 1))
		[ $n -lt 200 ] || { wc -l /tmp/reader.1 /tmp/reader.2; return 1; }
		sleep 0.1
	done
}

# First what there was before they came: the oldest of that gives way to what is emitted then.
two_read_all()
{
	bfm read channel >/tmp/read 2>/dev/null && both_have "$(wc -l </tmp/read)" . || return
	for n in 1 2 3 4 5; do
		bfm call channel emit 20 "tick $n" >/dev/null || return
	done
	both_have 100 '^tick' && cmp /tmp/reader.1 /tmp/reader.2
}

# A reader that stands still keeps lossless records back, until it has died.
a_dead_reader_leaves_nothing()
{
	kill -STOP $reader1
	bfm read channel >/dev/null 2>&1
	first=$(of_lossless 100)
	bfm read channel >/dev/null 2>&1
	second=$(of_lossless 20)
	kill -KILL $reader1
	wait $reader1
	bfm read channel >/dev/null 2>&1
	sleep 0.3 # the other one reads, too
	third=$(of_lossless 20)
	echo "$first, $second, $third"
	[ "$first" -ge 36 ] && [ "$second" = 20 ] && [ "$third" = 0 ]
}

# ends PID: within 10 seconds
ends()
{
	n=0
	while grep -q '^State:	[^Z]' /proc/"$1"/status 2>/dev/null; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
	done
}

# ends_alone REQUEST: the second extension fails, and Linux goes on without it.
ends_alone()
{
	gives 1 "the extension has ended" bfm call channel "$1" || return
	gives 1 "the extension has ended" bfm call channel echo x && state_is running && all_guests
}

plan 47
snapshot /tmp/state.before
t "start" start "$channel"
t "read" read_start channel
t "read, by its number" read_start 1
t "read, a file" read_start "$channel"
t "read, another one" gives 1 "there is no such extension" bfm read nobody
t "read, one beyond" gives 1 "there is no such extension" bfm read 2
t "call" answers "hello" echo hello
t "call, by its number" gives 0 "hello" bfm call 1 echo hello
t "call, any bytes" bytes_come_back
t "call, too long" gives 2 "a request has at most 4096 bytes" \
	bfm call channel "$(head -c 4097 /dev/zero | tr '\0' x)"
t "call, nothing" gives 1 "unknown request" bfm call channel ""
t "call, refused" gives 1 "channel: unknown request: nonsense and more" \
	bfm call channel nonsense and more
t "call, a reply that is too long is cut" test "$(bfm call channel long 5000 | wc -c)" = 4096
t "call, another one" gives 1 "there is no such extension" bfm call nobody x
t "emit on request" answers "2 emitted" emit 2 tick
t "count" test "$(bfm read channel --count 1)" = "hello from channel"
t "hex" gives 0 "0000  74 69 63 6b 20 31                                tick 1" \
	bfm read channel --hex
t "json" gives 0 '"text": "tick 1", "hex": "7469636b2031"}' bfm read channel --json
t "raw" test "$(bfm read channel --raw | tail -c 12)" = "tick 0tick 1"
t "stop" stop
t "stopped: what was emitted is there" gives 0 "tick 1" bfm read channel
t "stopped: no call" gives 1 "the hypervisor is not running" bfm call channel echo x

t "overflow: start" start "$channel"
t "overflow, lossless" overflow_counts
t "overflow: what has been read gives way" test "$(of_lossless 60)" = 0
t "overflow, lossy" lossy_counts
bfm read channel --follow >/tmp/reader.1 2>&1 &
reader1=$!
bfm read channel --follow >/tmp/reader.2 2>&1 &
reader2=$!
t "two readers" two_read_all
t "two readers, one of them dies" a_dead_reader_leaves_nothing
t "two readers: stop" stop
t "two readers: the other one ends" ends $reader2

t "small: start" start --channel 16K "$channel"
t "small" test "$(of_lossless 30)" -ge 15
t "small: stop" stop
t "too small" gives 2 "not a size of channels: 1K" bfm start --channel 1K "$channel"
t "too large" gives 2 "not a size of channels: 8M" bfm start --channel 8M "$channel"

t "no hook: start" start "$channel" --arg quiet=yes
t "no hook" gives 1 "the extension answers no requests" bfm call channel echo x
t "no hook: stop" stop
t "no right" gives 1 "this extension has no right to hypercalls" \
	start "$channel" --allow 1=all,-hypercalls

t "beside another one: start" start default "$channel" \
	--arg 2:alone=yes --allow 2=hypercalls,debug
t "beside another one" answers "hello" echo hello
if [ "$(cpus)" -gt 1 ]; then
	t "beside another one: it loops" ends_alone loop
else
	t "beside another one: it faults" ends_alone fault
fi
t "beside another one: what it has emitted stays" gives 0 "hello from channel" bfm read channel
t "beside another one: stop" stop
t "beside another one: after the stop, too" gives 0 "hello from channel" bfm read channel
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
