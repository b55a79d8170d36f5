#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test.sh IMAGE: starts @NAME@ under Linux in an emulated machine, and looks at what it prints. On a
# host without QEMU, only the image is checked. `emulate` of the SDK says in its head what it needs,
# and which variables name the kernel and the module.
set -u
image=$1
lib=$(${PKG_CONFIG:-pkg-config} --variable=libdir bareflank-ext) || exit 1
PATH=$PATH:$lib/../../sbin

bfm check "$image" || exit 1
output=$("$lib/emulate" "$image" <<'END'
bfm start ./@NAME@ || exit 1
@COMMANDS@
bfm dump
bfm stop
END
)
case $? in
0) ;;
125)
	echo "not run: there is no machine for it here"
	exit 0
	;;
*)
	echo "$output"
	echo "FAILED: it did not start or stop"
	exit 1
	;;
esac
echo "$output"
if echo "$output" | grep -q '@EXPECTED@'; then
	echo "passed"
else
	echo 'FAILED: it did not print: @EXPECTED@'
	exit 1
fi
