# SPDX-License-Identifier: GPL-2.0-only
# A boot with bareflank.efi that does not say that it has come up is not tried again, until somebody
# wants it. This runs in each of four boots; variables of the firmware's count them.
. ./tap.sh

variables=/sys/firmware/efi/efivars
counter=0a1b2c3d-0000-4000-8000-000000000001
guard=$variables/BareflankBoot-c3b1f3a2-6d0e-4f51-9a52-0d8f5b7e6c11

modprobe -q efivarfs
mount -t efivarfs efivarfs $variables || exit 1
boot=1
for variable in "$variables"/Boot*-$counter; do
	[ ! -e "$variable" ] || boot=$((boot + 1))
done

# After four bytes of attributes and four with a version.
state()
{
	dd if=$guard bs=1 skip=8 count=1 2>/dev/null | od -An -tu1 | tr -d ' '
}

is_state()
{
	[ "$(state)" = "$1" ]
}

hypervisor_is_there()
{
	"$bin/firmware" exits
}

status_says()
{
	bfm status | grep "^firmware .*$1"
}

status_is_silent()
{
	! status_says .
}

reboot_now()
{
	printf "\007\000\000\000x" >"$variables/Boot$boot-$counter" && reboot -f
}

case $boot in
1) # it comes up, but nobody says so
	if hypervisor_is_there && is_state 1; then reboot_now; fi ;;
2) # bare, and stays so
	if ! hypervisor_is_there && is_state 2 && status_says "bfm efi retry" &&
		bfm efi confirm && is_state 2; then reboot_now; fi ;;
3)
	if ! hypervisor_is_there && is_state 2 && bfm efi retry && is_state 0 &&
		status_is_silent; then reboot_now; fi ;;
*)
	plan 6
	t "wanted again, it is there" hypervisor_is_there
	t "nobody has said so yet" is_state 1
	t "bfm efi confirm" bfm efi confirm
	t "the boot has come up" is_state 0
	t "the status says nothing of it" status_is_silent
	t "no complaint of the kernel" dmesg_clean
	exit ;;
esac
echo "boot $boot: state $(state)"
bfm status
exit 1
