/* SPDX-License-Identifier: GPL-2.0-only */
/* Exit traces: their memory, of which each PP has a piece, and who switches them on. */
#ifndef BF_CORE_TRACE_H
#define BF_CORE_TRACE_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/types.h>

struct bf_loader;

/* For all PPs of the loader: NO_MEMORY or SPA_TOO_HIGH, and none has any. Linux may read it. */
enum bf_error bf_trace_alloc(struct bf_loader *loader);
void bf_trace_free(struct bf_loader *loader);

/*
 * All CPUs begin to trace their exits, or end it, those that come in later, too, and those that
 * are parked when they come online. NOT_RUNNING: none is inside. The caller excludes CPU hotplug.
 * CPU_STUCK: one of them does not answer, and goes on as it was.
 */
enum bf_error bf_trace_switch(struct bf_loader *loader, bool on);

#endif
