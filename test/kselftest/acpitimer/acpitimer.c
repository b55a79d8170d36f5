// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI timer wakes Linux from sleep to idle, as the emulators' clocks do not. Its overflow,
 * every 2.3 s, is an event like that of the power button, for which Linux has no handler itself.
 */
#include <linux/acpi.h>
#include <linux/module.h>

static u32 on_overflow(void *context)
{
	return ACPI_INTERRUPT_HANDLED;
}

static int __init acpitimer_init(void)
{
	acpi_status status =
		acpi_install_fixed_event_handler(ACPI_EVENT_PMTIMER, on_overflow, NULL);

	return ACPI_SUCCESS(status) ? 0 : -ENODEV;
}

static void __exit acpitimer_exit(void)
{
	acpi_remove_fixed_event_handler(ACPI_EVENT_PMTIMER, on_overflow);
}

module_init(acpitimer_init);
module_exit(acpitimer_exit);
MODULE_DESCRIPTION("Wakes from sleep to idle, for the tests of Bareflank in C");
MODULE_LICENSE("GPL");
