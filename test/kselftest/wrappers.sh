# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of the wrappers of libext in other languages, which all do the same: asks the
# extension whose name is $wrappers, and looks at what it says.
# shellcheck shell=sh
. ./tap.sh

# answers TEXT REQUEST...: the whole reply
answers()
{
	text=$1
	shift
	said=$(bfm call $wrappers "$@" 2>&1)
	status=$?
	echo "$said"
	[ $status = 0 ] && [ "$said" = "$text" ]
}

# said TEXT COUNT: its lines since the last start
said()
{
	said_by "$wrappers: PP " | tee /tmp/said
	[ "$(grep -c "$1" /tmp/said)" = "$2" ]
}

# use_registers: a program of Linux's, which leaves something in each CPU's DR7, as it does without
use_registers()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		on_cpu $cpu "$bin/debugregs" || return 1
		cpu=$((cpu + 1))
	done
}

registers()
{
	use_registers >/tmp/found && diff /tmp/registers /tmp/found || return 1
	set -- $(bfm call $wrappers seen)
	echo "$1 writes of CR4, $2 reads and $3 writes of debug registers"
	[ "$1" -ge 20 ] && [ "$2" -ge 1 ] && [ "$3" -ge 8 ]
}

# UD2 with a mark does nothing, one without it is Linux's.
exceptions()
{
	"$bin/exceptions" >/tmp/found
	tail -n 1 /tmp/found | grep '^marked: nothing' &&
		grep '^undefined: signal 4, .*, vector 6' /tmp/found
}

# decodes BYTES TEXT
decodes()
{
	answers "$2" decode "$1"
}
