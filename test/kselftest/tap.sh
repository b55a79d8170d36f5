# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by every test. A test says `plan N` first and then makes N calls of t or skip.
# shellcheck shell=sh

bin=/kselftest/bin # programs and files made on the host
lib=/usr/local/lib/bareflank # where bfm looks
number=0

plan()
{
	echo "1..$1"
}

# t DESCRIPTION COMMAND [ARGUMENT...]: ok if the command succeeds; else what it printed is shown.
t()
{
	description=$1
	shift
	number=$((number + 1))
	if output=$("$@" 2>&1); then
		echo "ok $number $description"
		return 0
	fi
	echo "not ok $number $description"
	echo "$output" | sed 's/^/# /'
	return 1
}

# skip DESCRIPTION REASON
skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# gives STATUS TEXT COMMAND...: the command ends with STATUS, and TEXT (a fixed string) is in its output.
gives()
{
	wanted=$1 text=$2
	shift 2
	said=$("$@" 2>&1)
	status=$?
	echo "$* -> $status"
	echo "$said"
	[ "$status" = "$wanted" ] && case $said in *"$text"*) ;; *) false ;; esac
}

load()
{
	[ -c /dev/bareflank ] || insmod /lib/modules/bareflank.ko
}

start()
{
	bfm start "$@" || { bfm dump; return 1; }
}

stop()
{
	bfm stop
}

# state_is running|stopped|failed
state_is()
{
	bfm status | grep -q "^state *$1\$" || { bfm status; return 1; }
}

# Every CPU that is online runs as a guest.
all_guests()
{
	guests=$(bfm status | awk '$1 ~ /^[0-9]+$/ && $3 == "guest"' | wc -l)
	[ "$guests" = "$(grep -c ^processor /proc/cpuinfo)" ] || { bfm status; return 1; }
}

# The kernel has found nothing wrong.
dmesg_clean()
{
	! dmesg | grep -E 'WARNING: (CPU: |[^ ]+:[0-9]+ at )|BUG: |Oops|Call Trace|rcu.*stall|unchecked MSR'
}

online_cpus()
{
	grep -c ^processor /proc/cpuinfo
}

is_bochs()
{
	case $VM_MACHINE in bochs-*) ;; *) false ;; esac
}

load || exit 1
