# SPDX-License-Identifier: GPL-2.0-only
# Every refusal says why, in the sentence of its error, and leaves everything as it was.
. ./tap.sh

# refuses ERROR STATUS COMMAND...: bfm ends with STATUS and says the sentence of ERROR and a hint.
refuses()
{
	error=$1 wanted=$2
	shift 2
	gives "$wanted" "$("$bin/rawctl" sentence "$error")" "$@" || return 1
	case $said in *hint:*|*Hint:*) ;; *) echo "no hint"; return 1 ;; esac
}

# Every spoilt image of make-images, through bfm and past it.
bad_image()
{
	name=${1##*/}
	error=${name#mk.}
	error=${error%%.*}
	mk=$lib/microkernel
	ext=$1
	status=4
	case $name in mk.*) mk=$1 ext=$lib/default ;; esac
	case $name in mk.MK_*) status=1 ;; esac # the image as such is good
	refuses "$error" $status bfm start --microkernel "$mk" "$ext" &&
		gives 0 "$error" "$bin/rawctl" start "$mk" "$ext" && state_is stopped && return
	bfm stop
	return 1
}

set -- "$images"/*
plan $((15 + $#))
truncate -s 9M "$images/ELF_TOO_LARGE"
for image; do
	t "bad image ${image##*/}" bad_image "$image"
done
t "no such image" gives 4 "No such file" bfm start /nonexistent
t "an empty image" gives 4 "" bfm start /dev/null
t "stop when stopped" refuses NOT_RUNNING 1 bfm stop
t "a pool larger than memory" refuses NO_MEMORY 1 bfm start --pool 900M
t "a pool of 2^62 bytes" gives 0 NO_MEMORY "$bin/rawctl" start $lib/microkernel $lib/default \
	4611686018427387904
t "still stopped" state_is stopped
t "no CPU is a guest" no_guests
t "an unprivileged process, while stopped" "$bin/rawctl" nobody
t "start works all the same" start
t "start when running" refuses RUNNING 1 bfm start
t "start when running, past bfm" gives 0 RUNNING "$bin/rawctl" start $lib/microkernel $lib/default
t "an unprivileged process, while running" "$bin/rawctl" nobody
t "every CPU is still a guest" all_guests
t "stop" stop
t "no complaint of the kernel" dmesg_clean
