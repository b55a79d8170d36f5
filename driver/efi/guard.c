// SPDX-License-Identifier: GPL-2.0-only
/* No boot is tried again that did not come up: see efi.h and abi/boot_guard.h. */
#include "efi.h"

#include <abi/boot_guard.h>
#include <abi/firmware.h>
#include <bsl/string.h>

static EFI_GUID guid = BF_FIRMWARE_GUID;
static bool tried; /* this boot */
static CHAR16 name[] = L"" BF_GUARD_NAME;

/* A variable of another version, or none, is one of which nothing is known. */
static uint32_t read_state(void)
{
	struct bf_guard guard = { 0 };
	UINTN size = sizeof(guard);
	EFI_STATUS status = RT->GetVariable(name, &guid, NULL, &size, &guard);

	if (EFI_ERROR(status) || size != sizeof(guard) || guard.version != BF_GUARD_VERSION)
		return BF_GUARD_UP;
	return guard.state;
}

static bool write(uint32_t state, const char *reason)
{
	struct bf_guard guard = { .version = BF_GUARD_VERSION, .state = state };
	size_t length = bsl_strlen(reason);

	if (length >= sizeof(guard.reason))
		length = sizeof(guard.reason) - 1;
	bsl_memcpy(guard.reason, reason, length);
	return !EFI_ERROR(RT->SetVariable(name, &guid, BF_GUARD_ATTRIBUTES, sizeof(guard), &guard));
}

const char *efi_guard_try(void)
{
	switch (read_state()) {
	case BF_GUARD_TRIED:
		write(BF_GUARD_SKIPPED, "");
		return "the last boot with the hypervisor did not come up";
	case BF_GUARD_SKIPPED:
		return "a boot with the hypervisor did not come up, and nobody has asked for "
		       "another";
	default:
		tried = true;
		if (write(BF_GUARD_TRIED, ""))
			return NULL;
		return "the firmware stores no variable, without which a boot that does not come "
		       "up would be tried again and again";
	}
}

void efi_guard_failed(const char *reason)
{
	uint32_t state = read_state();

	/* A boot before this one has not come up: that it is not to be tried again, stays. */
	if (state == BF_GUARD_SKIPPED || (state == BF_GUARD_TRIED && !tried))
		return;
	(void)write(BF_GUARD_FAILED, reason);
}
