# SPDX-License-Identifier: GPL-2.0-only
# Every call of Mk#1, by an extension that tests it in ring 3, on every CPU: test/ext/call/. And
# every register, by one more: test/ext/registers.c.
. ./tap.sh

tests=$(cd "$exts" && ls call/*) || exit 1

# The error that is the end of the test, for the calls that end an extension.
end_of()
{
	case $1 in
	call/control_exit) echo EXT_EXIT ;;
	call/control_wait) echo EXT_WAIT ;;
	call/control_again) echo EXT_AGAIN ;;
	esac
}

# On every CPU all checks held.
verdicts()
{
	"$bin/run-verdict" || { bfm dump | grep '^verify: ' | tail -n 20; bfm status; return 1; }
}

# What the extension said that it would print, it has printed since this start, and nothing that it
# should not: see EXPECT_PRINTED.
printed()
{
	bfm dump | awk '
		/^microkernel: / { lines = expected = wrong = 0 }
		sub(/^call: expect /, "") { expect[expected++] = "^" $0 "$"; next }
		/NOT PRINTED/ { wrong = 1 }
		{ line[lines++] = $0 }
		END {
			for (e = 0; e < expected; e++) {
				for (l = 0; l < lines && line[l] !~ expect[e]; l++)
					;
				if (l == lines) {
					print "not printed: " expect[e]
					wrong = 1
				}
			}
			for (l = 0; wrong && l < lines; l++)
				print line[l]
			exit !expected || wrong
		}'
}

failed_with()
{
	"$bin/run-verdict" end
	wait_for failed && says "$1"
}

# It gives every CPU back itself, or bfm has more to say.
stops()
{
	bfm stop >/tmp/stop 2>&1 && ! grep -v '^stopped in' /tmp/stop
}

prints_right()
{
	case $1 in
	call/debug_*) printed ;;
	esac
}

# tests EXTENSION: it starts, all CPUs say that all checks held, and it ends as it should. In an
# emulator, thousands of checks in one exit take a while.
tests()
{
	start --watchdog 10s "$exts/$1" && verdicts && prints_right "$1" || { bfm stop; return 1; }
	if [ -n "$(end_of "$1")" ]; then
		failed_with "$(end_of "$1")"
	else
		stops
	fi
}

set -- $tests registers
plan $(($# + 3))
snapshot /tmp/state.before
for test; do
	t "$test" tests "$test"
done
t "no CPU is a guest" no_guests
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
