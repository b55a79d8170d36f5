// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints of events.h are defined here. */
#define CREATE_TRACE_POINTS
#include "events.h"

bool bf_event_inside(unsigned int cpu)
{
	const struct bf_pp *pp = bf_find_pp(&bf_loader, cpu);

	return pp && pp->inside;
}

void bf_event_cpu(unsigned int cpu, bool before)
{
	const struct bf_pp *pp = bf_find_pp(&bf_loader, cpu);

	if (pp && pp->inside && !before)
		trace_cpu_enter(pp);
	else if (pp && !pp->inside && before)
		trace_cpu_leave(pp);
}
