# SPDX-License-Identifier: GPL-2.0-only
# The examples of the SDK (ext/examples), by what they find. That each does the main job, languages
# shows.
. ./tap.sh

lstar=0xc0000082
sysenter_eip=0x176
efer=0xc0000080

# Every CPU answers hello's leaf, with the subleaf and its own PP.
hello_everywhere()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		said=$("$bin/cpuid" 0x4f000000 0x2a $cpu)
		echo "CPU $cpu: $said"
		[ "${said% *}" = "0000002a 6c6c6548 0000006f" ] || return 1
		cpu=$((cpu + 1))
	done
}

greetings()
{
	said_by hello: | tee /tmp/said
	[ "$(grep -c 'Linux is about' /tmp/said)" = "$1" ]
}

# traced MSR OLD NEW: this write is the last one that there was.
traced()
{
	said_by "msr-trace: PP " | tail -n 3 | tee /tmp/said
	tail -n 1 /tmp/said | grep -q "MSR $1: $2, then $3, by RIP 0xffffffff"
}

lines()
{
	said_by "msr-trace: PP " | wc -l
}

# A value goes there and comes back.
writes()
{
	"$bin/msr" 0 "$1" "$2" && gives 0 "$2" "$bin/msr" 0 "$1"
}

# Both, in this order: the second one is asked by the first.
together()
{
	t "$1 $2: start" start "$1" "$2"
	t "$1 $2: every CPU is a guest" all_guests
	t "$1 $2: hello's leaf" hello_everywhere
	t "$1 $2: SYSENTER_EIP is written" writes $sysenter_eip 0xffffffff81234560
	t "$1 $2: and that is a line" traced $sysenter_eip "$old_eip" 0xffffffff81234560
	t "$1 $2: and written back" writes $sysenter_eip "$old_eip"
	t "$1 $2: LSTAR takes no address that is not canonical" \
		gives 1 EIO "$bin/msr" 0 $lstar 0x1234567812345678
	t "$1 $2: stop" stop
}

# Behind an extension that treats Linux and knows no hooks, it does not start, and says so.
refused()
{
	bfm start cxx-example hello 2>/tmp/said && return 1
	cat /tmp/said
	grep -q 'it had said: hello: the first extension treats Linux' /tmp/said || return 1
	bfm dump >/tmp/dump
	tail -n 20 /tmp/dump
	grep -q 'hello: the first extension treats Linux, and asks no others' /tmp/dump && no_guests
}

efer_again()
{
	now=$("$bin/msr" 0 $efer)
	"$bin/msr" 0 $efer "$now" && gives 0 "$now" "$bin/msr" 0 $efer && traced $efer "$now" "$now"
}

plan 41
modprobe msr
old_lstar=$("$bin/msr" 0 $lstar)
old_eip=$("$bin/msr" 0 $sysenter_eip)
old_efer=$("$bin/msr" 0 $efer)
snapshot /tmp/state.bare
bare=$("$bin/cpuid" 0x4f000000 0x2a 0)
t "hello: start" start hello
t "hello: it greets once for each CPU" greetings "$(cpus)"
t "hello: its leaf" hello_everywhere
t "hello: stop" stop
t "hello: the leaf is the CPU's again" gives 0 "$bare" "$bin/cpuid" 0x4f000000 0x2a 0
t "msr-trace: start" start msr-trace
t "msr-trace: nobody has written" test "$(lines)" = 0
t "msr-trace: LSTAR reads as ever" gives 0 "$old_lstar" "$bin/msr" 0 $lstar
t "msr-trace: reading is no line" test "$(lines)" = 0
t "msr-trace: LSTAR is written" writes $lstar "$old_lstar"
t "msr-trace: and that is a line" traced $lstar "$old_lstar" "$old_lstar"
t "msr-trace: SYSENTER_EIP is written" writes $sysenter_eip 0xffffffff81234560
t "msr-trace: and that is a line" traced $sysenter_eip "$old_eip" 0xffffffff81234560
t "msr-trace: it can be written back" writes $sysenter_eip "$old_eip"
t "msr-trace: LSTAR takes no address that is not canonical" \
	gives 1 EIO "$bin/msr" 0 $lstar 0x1234567812345678
t "msr-trace: nor EFER a bit that is reserved" \
	gives 1 EIO "$bin/msr" 0 $efer $((old_efer | 0x200))
t "msr-trace: EFER takes what it has" efer_again
t "msr-trace: LSTAR is what it was" gives 0 "$old_lstar" "$bin/msr" 0 $lstar
t "msr-trace: stop" stop
together hello msr-trace
together msr-trace hello
t "default and both" start default hello msr-trace
t "they do the same" hello_everywhere
t "stop" stop
t "behind one without hooks" refused
t "the same state on every CPU" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
