# SPDX-License-Identifier: GPL-2.0-only
# A CPU without VT-x and AMD-V.
. ./tap.sh

plan 3
t "start is refused" gives 1 "$("$bin/rawctl" sentence NO_VIRT)" bfm start
t "bfm check says why" gives 1 "$("$bin/rawctl" sentence NO_VIRT)" bfm check
t "stopped" state_is stopped
