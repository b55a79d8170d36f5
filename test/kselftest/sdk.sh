# SPDX-License-Identifier: GPL-2.0-only
# What bfm new writes, built outside of the tree with gcc and rustc (test/sdk): each does the main
# job, and what its template says.
. ./tap.sh

lstar=0xc0000082

# said TEXT: it is in what was printed since the last start
said()
{
	said_by "" | tee /tmp/said
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

# watches NAME: the ports of the clock, and, started anew, a page that a program writes to.
watches()
{
	cat /sys/class/rtc/rtc0/date && said "^$1: PP .*: in 0x71, by RIP 0xf" &&
		said "^$1: PP .*: out 0x70, 0x7, by RIP 0xf" && stop || return 1
	rm -f /tmp/go /tmp/guarded
	mkfifo /tmp/go
	"$bin/guarded" </tmp/go >/tmp/guarded 2>&1 &
	exec 4>/tmp/go
	until [ -s /tmp/guarded ]; do sleep 0.05; done
	start "$exts/$1" --arg "start=$(head -n 1 /tmp/guarded)" || return 1
	echo go >&4
	until grep -q '^done$' /tmp/guarded; do sleep 0.05; done
	# Who has the page next must not be bfm: what it prints would be new lines, without end.
	said "^$1: PP .*: 0x[0-9a-f]* written by RIP 0x[0-9a-f]*, CPL 3, CR3 0x"
	status=$?
	stop
	exec 4>&-
	wait
	start "$exts/$1" # as it was
	return $status
}

# On emulated CPUs of Intel's without the monitor trap flag nothing can be watched, which is said.
cannot_watch()
{
	case $1 in
	*-watch) gives 1 "nothing can be watched: this CPU has no monitor" bfm start "$exts/$1" ;;
	*) false ;;
	esac
}

# runs NAME: turns until its guest has come to its end, after a line
runs()
{
	n=0
	until said=$(bfm call "$1" run) && [ "$said" = "halted, RAX = 5000050000" ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || { echo "$said"; return 1; }
	done
	said "^$1: .*guest: hello from the second VM"
}

# works NAME: what the template's name stands for
works()
{
	case $1 in
	*-hello) greets "$1" ;;
	*-vm) runs "$1" ;;
	*-trace) traces "$1" ;;
	*-watch) watches "$1" ;;
	*) echo "nothing is known of this template"; false ;;
	esac
}

projects=$(cd $exts && ls -d new-*)
watchable=yes
if bfm start io-trace 2>/tmp/refusal; then
	stop >/dev/null
else
	watchable=no
fi
modprobe msr
old_lstar=$("$bin/msr" 0 $lstar)
snapshot /tmp/state.bare
bare=$("$bin/cpuid" 0x4f000000 0x2a 0)
plan $((3 + 7 * $(echo "$projects" | wc -l)))
t "the projects are there" test "$(echo "$projects" | wc -l)" -ge 12
for project in $projects; do
	if [ $watchable = no ] && cannot_watch "$project"; then
		for test in 1 2 3 4 5 6 7; do
			skip "$project: $test" "nothing can be watched here"
		done
		continue
	fi
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
