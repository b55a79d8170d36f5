// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include <bsl/string.h>

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
		error = bf_os_on_cpu(pp->cpu, switch_here, pp);
		if (!first)
			first = error;
	}
	return first;
}

/* The number of the first record that is not overwritten when so many have been written. */
static uint64_t oldest(uint64_t written)
{
	return written > BF_TRACE_RECORDS ? written - BF_TRACE_RECORDS : 0;
}

uint32_t bf_trace_read(const struct bf_trace *trace, struct bf_trace_record *records, uint32_t max,
		       uint64_t *position)
{
	uint64_t end = __atomic_load_n(&trace->written, __ATOMIC_ACQUIRE);
	uint64_t begin = *position, first, n;

	if (begin > end)
		begin = end;
	if (begin < oldest(end))
		begin = oldest(end);
	if (end - begin > max)
		end = begin + max;
	for (n = begin; n < end; n++)
		bsl_memcpy(&records[n - begin], &trace->records[n % BF_TRACE_RECORDS],
			   sizeof(*records));
	/*
	 * What was overwritten during the copy is dropped, with the record that may be being written:
	 * it is counted only afterwards.
	 */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	first = oldest(__atomic_load_n(&trace->written, __ATOMIC_RELAXED) + 1);
	if (first > end)
		first = end;
	if (first > begin) {
		bsl_memmove(records, records + (first - begin), (end - first) * sizeof(*records));
		begin = first;
	}
	*position = begin;
	return (uint32_t)(end - begin);
}
