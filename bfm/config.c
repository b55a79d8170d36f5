// SPDX-License-Identifier: GPL-2.0-only
/* Settings of the build: the only file that is compiled with them. */
#include "bfm.h"

const char *const config_libdir = BFM_LIBDIR;
const char *const config_version = BFM_VERSION;
