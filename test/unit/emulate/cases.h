/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_UNIT_EMULATE_CASES_H
#define TEST_UNIT_EMULATE_CASES_H

#include <check.h>

/* Addresses, operands and faults in all modes: cases.c. */
TCase *emulate_cases(void);

/* Devices and string instructions: devices.c. */
TCase *emulate_device_cases(void);

#endif
