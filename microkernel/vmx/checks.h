/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a VM entry was refused, for the log. */
#ifndef MK_VMX_CHECKS_H
#define MK_VMX_CHECKS_H

#include <abi/types.h>

/* The name of a VM-instruction error. */
const char *vmx_error_name(uint64_t number);
/* What guest state and controls lack for VM entry. */
void vmx_print_checks(void);
void vmx_print_control_checks(void);

#endif
