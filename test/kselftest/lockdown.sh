# SPDX-License-Identifier: GPL-2.0-only
# A kernel that is locked down starts what is signed with a key of its own, and says why nothing
# else.
. ./tap.sh

signed=/kselftest/signed
lockdown=/sys/kernel/security/lockdown
[ -e $lockdown ] || mount -t securityfs securityfs /sys/kernel/security

sentence()
{
	"$bin/rawctl" sentence "$1"
}

# refuses ERROR IMAGE...: bfm start, with the microkernel first, ends so
refuses()
{
	error=$1 microkernel=$2
	shift 2
	gives 4 "$(sentence "$error")" bfm start --microkernel "$microkernel" "$@"
}

start_signed()
{
	start --microkernel $signed/microkernel $signed/default
}

plan 15
t "a kernel that is not locked down starts what is unsigned" cycles 1
t "and what is signed" start_signed
t "stop" stop
t "lockdown" sh -c "echo integrity >$lockdown"
t "bfm check says what it means" gives 0 "$(sentence LOCKDOWN)" bfm check
t "an unsigned microkernel" refuses IMAGE_UNSIGNED $lib/microkernel $signed/default
t "an unsigned extension" refuses IMAGE_UNSIGNED $signed/microkernel $lib/default
t "the image is named" gives 4 "$lib/default" \
	bfm start --microkernel $signed/microkernel $lib/default
t "a key that the kernel does not trust" \
	refuses IMAGE_KEY $signed/microkernel.unknown $signed/default
t "an image that has changed since" \
	refuses IMAGE_SIGNATURE $signed/microkernel $signed/default.changed
t "a signature without its end" refuses IMAGE_UNSIGNED $signed/microkernel $signed/default.short
t "what is signed starts" start_signed
t "every CPU is a guest" all_guests
t "stop" stop
t "no complaint of the kernel" dmesg_clean
