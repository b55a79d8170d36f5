// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include "arch.h"
#include "loader.h"
#include "platform.h"

enum bf_error bf_trace_alloc(struct bf_loader *loader)
{
	enum bf_error error = BF_ERR_OK;
	uint32_t i;

	for (i = 0; i < loader->nr_pps && !error; i++)
		error = bf_block_alloc(&loader->pps[i].trace, BF_TRACE_BYTES);
	if (error)
		bf_trace_free(loader);
	return error;
}

void bf_trace_free(struct bf_loader *loader)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++)
		bf_block_free(&loader->pps[i].trace);
}

static void switch_here(void *arg)
{
	const struct bf_pp *pp = arg;

	bf_cpu_switch_trace(pp->loader->vendor);
}

enum bf_error bf_trace_switch(struct bf_loader *loader, bool on)
{
	enum bf_error error, first = BF_ERR_OK;
	uint32_t i;

	loader->tracing = on;
	if (loader->state != BF_STATE_RUNNING)
		return BF_ERR_NOT_RUNNING;
	for (i = 0; i < loader->nr_pps; i++) {
		struct bf_pp *pp = &loader->pps[i];

		if (!pp->inside)
			continue;
		__atomic_store_n(&pp->status->tracing, on, __ATOMIC_RELAXED);
		if (pp->parked) /* it looks there when it comes online */
			continue;
		error = bf_os_on_cpu(pp->cpu, switch_here, pp);
		if (!first)
			first = error;
	}
	return first;
}
