# SPDX-License-Identifier: GPL-2.0-only
# What bfm shows of a failure: the functions, with file and line, as long as it can find them.
# The extension and the numbers of its lines: test/ext/backtrace.c.
. ./tap.sh

trigger=0x4000dead
image=/tmp/backtrace
last=$(($(cpus) - 1))
cp "$exts/backtrace" $image

# names FILE: all functions of the chain, from the inside out
names()
{
	set -- "$1" '#0 .* store<unsigned int> (.*backtrace_cxx.cc:2001), inlined' \
		'#1 .* write (.*backtrace_cxx.cc:2002)' '#2 .* in_cxx (.*backtrace_cxx.cc:2003)' \
		'#3 .* in_c (.*backtrace.c:1001)' '#4 .* in_vmexit (.*backtrace.c:1002)'
	[ -z "$bootstrap" ] || set -- "$1" "$2" "$3" "$4" "$5" '#4 .* in_bootstrap (.*'
	file=$1
	shift
	for line in "$@"; do
		grep -q "^  $line" "$file" || { echo "expected: $line"; cat "$file"; return 1; }
	done
}

# has FILE TEXT
has()
{
	grep -qF "$2" "$1" || { echo "expected: $2"; cat "$1"; return 1; }
}

fails()
{
	start $image || return 1
	"$bin/cpuid" $trigger 0 "$last" >/dev/null
	wait_for failed
}

# status TEXT: bfm status shows that
status()
{
	bfm status >/tmp/status
	has /tmp/status "$1"
}

named()
{
	status "last failure: CPU $last, extension 1, $image, in vmexit" &&
		has /tmp/status "#PF (vector 14), error code 0x6, address 0x0" && names /tmp/status
}

dumped()
{
	bfm dump >/tmp/dump && names /tmp/dump
}

logged()
{
	dmesg | grep "CPU $last, extension 1: the extension faulted" >/tmp/log
	has /tmp/log "detail 0xe, in vmexit, vector 14, error code 0x6, address 0x0, rip"
}

kept()
{
	bfm stop
	named
}

changed()
{
	echo >>$image
	status "its file has changed since the start" && rm $image && status "its file is gone"
}

fails_start()
{
	patched backtrace BACKTRACE b $image && ! bfm start $image 2>/tmp/start &&
		bootstrap=1 names /tmp/start
}

gone()
{
	start && stop || return 1
	bfm status >/tmp/status
	! grep "last failure" /tmp/status
}

plan 9
t "an extension faults" fails
t "bfm status names functions and lines" named
t "and so does bfm dump" dumped
t "the kernel log has it in a line" logged
t "the failure is kept after a stop" kept
t "a file that has changed is not used" changed
t "bfm start names functions and lines" fails_start
t "the next start forgets it" gone
t "no complaint of the kernel" dmesg_clean
