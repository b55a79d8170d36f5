# SPDX-License-Identifier: GPL-2.0-only
# What bfm new writes, built outside of the tree with gcc and rustc (test/sdk): each does the main
# job, and what its template says.
. ./tap.sh

lstar=0xc0000082

# said TEXT: it is in what was printed since the last start
said()
{
	bfm dump | awk '/^microkernel: .* PPs, / { text = "" } { text = text $0 "\n" }
		END { printf "%s", text }' >/tmp/said
	cat /tmp/said
	grep -q "$1" /tmp/said
}

# greets NAME: once on each CPU, each of which answers the leaf
greets()
{
	said "^$1: PP 0: Linux is about to be a guest at RIP 0xffffffff" || return 1
	[ "$(grep -c "^$1: PP .*: Linux is about to be a guest" /tmp/said)" = "$(cpus)" ] ||
		return 1
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		answer=$("$bin/cpuid" 0x4f000000 0x2a $cpu)
		[ "${answer% *}" = "0000002a 6c6c6548 0000006f" ] || { echo "$answer"; return 1; }
		cpu=$((cpu + 1))
	done
}

traces()
{
	"$bin/msr" 0 $lstar "$old_lstar" &&
		said "^$1: PP .*: MSR $lstar: $old_lstar, then $old_lstar, by RIP 0xffffffff"
}

# works NAME: what the template's name stands for
works()
{
	case $1 in
	*-hello) greets "$1" ;;
	*-trace) traces "$1" ;;
	*) echo "nothing is known of this template"; false ;;
	esac
}

projects=$(cd $exts && ls -d new-*)
modprobe msr
old_lstar=$("$bin/msr" 0 $lstar)
snapshot /tmp/state.bare
bare=$("$bin/cpuid" 0x4f000000 0x2a 0)
plan $((3 + 7 * $(echo "$projects" | wc -l)))
t "the projects are there" test "$(echo "$projects" | wc -l)" -ge 4
for project in $projects; do
	t "$project: bfm check" gives 0 "a valid extension" bfm check "$exts/$project"
	t "$project: start" start "$exts/$project"
	t "$project: every CPU is a guest" all_guests
	t "$project: does its work" works "$project"
	t "$project: stop" stop
	t "$project: no CPU is a guest" no_guests
	t "$project: CPUID is the CPU's again" gives 0 "$bare" "$bin/cpuid" 0x4f000000 0x2a 0
done
t "the same state on every CPU" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
