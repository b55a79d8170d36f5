// SPDX-License-Identifier: MIT
#include <ext/libext/libext.h>

void (*ext_fpu_restore)(void);
