/* SPDX-License-Identifier: GPL-2.0-only */
/* Past the instruction that exited. */
#ifndef MK_VMX_ADVANCE_H
#define MK_VMX_ADVANCE_H

#include "vendor.h"

enum advance vmx_vs_advance_ip(struct vs *vs);
void vmx_vs_advance_ip_and_run(struct vs *vs);

#endif
