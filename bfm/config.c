/* SPDX-License-Identifier: GPL-2.0-only */
/* What the build decides: the one file that is compiled with its settings. */
#include "bfm.h"

const char *const config_libdir = BFM_LIBDIR;
const char *const config_version = BFM_VERSION;
