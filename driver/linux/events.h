/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: bareflank:start and so on, for tracefs and perf. docs/debugging.md says what they
 * tell. Exits are not among them: they happen where Linux does not run.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM bareflank

#if !defined(BF_LINUX_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define BF_LINUX_EVENTS_H

#include <linux/tracepoint.h>

#include "bareflank.h"

/* For __print_symbolic, which wants commas between the rows only. */
// clang-format off: lists
#define BF_EVENT_ERROR(number, name, err, text, hint) , { number, #name }
#define bf_show_error(error) __print_symbolic(error, { 0, "OK" } BF_ERRORS(BF_EVENT_ERROR))

/* All CPUs have entered. */
TRACE_EVENT(start,
	TP_PROTO(const struct bf_loader *loader),
	TP_ARGS(loader),
	TP_STRUCT__entry(
		__field(u32, cpus)
		__field(u64, bytes)
		__field(u64, ns)
		__field(u64, paused_ns)
	),
	TP_fast_assign(
		__entry->cpus = loader->nr_online;
		__entry->bytes = loader->memory.bytes;
		__entry->ns = loader->start_ns;
		__entry->paused_ns = loader->start_paused_ns;
	),
	TP_printk("cpus=%u bytes=%llu ns=%llu paused_ns=%llu", __entry->cpus, __entry->bytes,
		  __entry->ns, __entry->paused_ns)
);

/* All CPUs have left, because somebody wanted it. */
TRACE_EVENT(stop,
	TP_PROTO(const struct bf_loader *loader),
	TP_ARGS(loader),
	TP_STRUCT__entry(
		__field(u64, ns)
		__field(u64, paused_ns)
	),
	TP_fast_assign(
		__entry->ns = loader->stop_ns;
		__entry->paused_ns = loader->stop_paused_ns;
	),
	TP_printk("ns=%llu paused_ns=%llu", __entry->ns, __entry->paused_ns)
);

DECLARE_EVENT_CLASS(bf_failure,
	TP_PROTO(const struct bf_failure *failure, u64 rip),
	TP_ARGS(failure, rip),
	TP_STRUCT__entry(
		__field(u32, error)
		__field(u32, cpu)
		__field(u32, image)
		__field(u64, detail)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->error = failure->error;
		__entry->cpu = failure->cpu;
		__entry->image = failure->image;
		__entry->detail = failure->detail;
		__entry->rip = rip;
	),
	TP_printk("error=%s cpu=%u image=%u detail=0x%llx rip=0x%llx",
		  bf_show_error(__entry->error), __entry->cpu, __entry->image, __entry->detail,
		  __entry->rip)
);

/* A start or a stop has failed, or what ran has; rip: 0 if it is not known. */
DEFINE_EVENT(bf_failure, failure,
	TP_PROTO(const struct bf_failure *failure, u64 rip),
	TP_ARGS(failure, rip));

/* One extension has ended, and others go on. */
DEFINE_EVENT(bf_failure, ended,
	TP_PROTO(const struct bf_failure *failure, u64 rip),
	TP_ARGS(failure, rip));

/* On a CPU that has become a guest; in a start, when all have. */
TRACE_EVENT(cpu_enter,
	TP_PROTO(const struct bf_pp *pp),
	TP_ARGS(pp),
	TP_STRUCT__entry(
		__field(u32, cpu)
		__field(u32, pp)
	),
	TP_fast_assign(
		__entry->cpu = pp->cpu;
		__entry->pp = pp->ppid;
	),
	TP_printk("cpu=%u pp=%u", __entry->cpu, __entry->pp)
);

/* On a CPU that is bare again; exits: since it has entered. */
TRACE_EVENT(cpu_leave,
	TP_PROTO(const struct bf_pp *pp),
	TP_ARGS(pp),
	TP_STRUCT__entry(
		__field(u32, cpu)
		__field(u32, pp)
		__field(u64, exits)
		__field(bool, failed)
	),
	TP_fast_assign(
		__entry->cpu = pp->cpu;
		__entry->pp = pp->ppid;
		__entry->exits = READ_ONCE(pp->status->exits);
		__entry->failed = pp->failed;
	),
	TP_printk("cpu=%u pp=%u exits=%llu failed=%d", __entry->cpu, __entry->pp, __entry->exits,
		  __entry->failed)
);

/* A program has asked an extension; sizes in bytes. */
TRACE_EVENT(call,
	TP_PROTO(const struct bf_ioctl_call *call, u64 request_size, u64 ns),
	TP_ARGS(call, request_size, ns),
	TP_STRUCT__entry(
		__field(u32, image)
		__field(u32, error)
		__field(bool, refused)
		__field(u64, request_size)
		__field(u64, reply_size)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->image = call->image;
		__entry->error = call->error;
		__entry->refused = call->refused;
		__entry->request_size = request_size;
		__entry->reply_size = call->error ? 0 : call->reply_size;
		__entry->ns = ns;
	),
	TP_printk("image=%u error=%s refused=%d request_size=%llu reply_size=%llu ns=%llu",
		  __entry->image, bf_show_error(__entry->error), __entry->refused,
		  __entry->request_size, __entry->reply_size, __entry->ns)
);

/* A program has got records of an extension; the counts are those of the extension's start. */
TRACE_EVENT(channel_read,
	TP_PROTO(const struct bf_ioctl_read *read),
	TP_ARGS(read),
	TP_STRUCT__entry(
		__field(u32, image)
		__field(u64, bytes)
		__field(u64, emitted)
		__field(u64, dropped)
	),
	TP_fast_assign(
		__entry->image = read->image;
		__entry->bytes = read->length;
		__entry->emitted = read->emitted;
		__entry->dropped = read->dropped;
	),
	TP_printk("image=%u bytes=%llu emitted=%llu dropped=%llu", __entry->image, __entry->bytes,
		  __entry->emitted, __entry->dropped)
);

#endif

/* Kbuild has the include path for it. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE events
#include <trace/define_trace.h>
