# SPDX-License-Identifier: GPL-2.0-only
# Several extensions: each in an address space of its own, with its own handle, memory and direct
# maps; exits go to the one that registered for them. What fails is named. The parts:
# test/ext/several.c.
. ./tap.sh

leaf=0x4000f5ef

for part in b v n q f; do
	patched several SEVERAL $part /tmp/part-$part
done
patched misbehave MISBEHAVE 'start exit' /tmp/bad

# On every CPU: the exits' extension has not the page that belongs to part $1.
page_of()
{
	page=$(bfm dump |
		sed -n "s/^several: $1 is extension .* and has page \(0x[0-9a-f]*\)\$/\1/p" |
		tail -n 1)
	echo "page $page"
	on_every_cpu $((page << 8))
}

on_every_cpu()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		"$bin/cpuid" $leaf "$1" $cpu && verified || return 1
		cpu=$((cpu + 1))
	done
}

# names IMAGE ERROR CPU EXTENSION...: the start fails, and bfm says which extension it was.
names()
{
	wanted="$1: CPU $3: $("$bin/rawctl" sentence "$2")"
	shift 3
	gives 1 "$wanted" bfm start "$@" && no_guests
}

# fails_as NUMBER: triggered, the exits' extension fails, and bfm says which one it was.
fails_as()
{
	"$bin/cpuid" $leaf 2 0 >/dev/null
	wait_for failed && no_guests || return 1
	bfm status >/tmp/status
	bfm status --json >/tmp/status.json
	cat /tmp/status
	sentence=$("$bin/rawctl" sentence EXT_FAULT)
	grep -q "^last error  CPU 0, extension $1: $sentence" /tmp/status &&
		grep -q "\"image\": $1," /tmp/status.json
}

plan 20
snapshot /tmp/state.before
t "two: one bootstraps, the other has the exits" start /tmp/part-b /tmp/part-v
t "every CPU is a guest" all_guests
t "the other's page is out of reach" page_of b
t "so is what it has mapped" on_every_cpu 1
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.before
t "three, in another order" start /tmp/part-v /tmp/part-b /tmp/part-n
t "the second's page is out of reach" page_of b
t "the third's page is out of reach" page_of n
t "so is what the others have mapped" on_every_cpu 1
t "the exits' extension fails: it is the first" fails_as 1
t "two again" start /tmp/part-b /tmp/part-v
t "the exits' extension fails: it is the second" fails_as 2
t "the second fails in _start" names /tmp/bad EXT_EXIT 0 /tmp/part-b /tmp/bad
t "the first fails in _start" names /tmp/bad EXT_EXIT 0 /tmp/bad /tmp/part-v
t "the second fails in bootstrap" names /tmp/part-f EXT_FAULT 0 /tmp/part-v /tmp/part-f
t "nobody has the exits" gives 1 "$("$bin/rawctl" sentence EXT_NO_VMEXIT)" \
	bfm start /tmp/part-b /tmp/part-q
t "nobody bootstraps" gives 1 "$("$bin/rawctl" sentence EXT_NO_BOOTSTRAP)" \
	bfm start /tmp/part-v /tmp/part-q
t "the same state on every CPU at the end" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
