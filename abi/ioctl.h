/* SPDX-License-Identifier: MIT */
/*
 * /dev/bareflank. Every argument begins with its own size, set by the caller: the driver uses what
 * it knows, and refuses what it does not know unless it is zero. Pointers travel as 64-bit numbers.
 * A failing call returns an errno and, in error/detail, the precise reason.
 */
#ifndef BF_ABI_IOCTL_H
#define BF_ABI_IOCTL_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/loader.h>

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#define BF_DEVICE "bareflank"
#define BF_IOCTL_VERSION 1

/* One image file, or what else is said to be one of these, in the caller's memory. */
struct bf_file {
	uint64_t data;
	uint64_t size;
};

/*
 * Which file an image came from, for those who want to find it again: by the build id of its ELF
 * notes, or else by size and hash (0 if it has a build id). The module only keeps it.
 */
#define BF_PATH_SIZE 1024
#define BF_BUILD_ID_SIZE 32

struct bf_image_id {
	uint64_t size;
	uint64_t hash;
	uint32_t build_id_size; /* 0: it has none */
	uint32_t pad;
	uint8_t build_id[BF_BUILD_ID_SIZE];
	char path[BF_PATH_SIZE]; /* absolute; ends with a NUL */
};

#define BF_START_KEEP_CPUS 0x1 /* CPUs that go offline stay in the hypervisor */

struct bf_ioctl_start {
	uint32_t size;
	uint32_t version; /* BF_IOCTL_VERSION */
	uint32_t error; /* out: enum bf_error */
	uint32_t image; /* out: which image caused error: 0 microkernel, 1.. extensions */
	uint64_t detail; /* out */
	struct bf_file microkernel;
	uint64_t exts; /* struct bf_file [nr_exts] */
	uint32_t nr_exts;
	uint16_t serial_port; /* 0: none */
	uint16_t flags; /* BF_START_ */
	uint64_t pool_size; /* bytes of the page pool; 0: the default */
	uint64_t huge_size; /* bytes of the huge pool; 0: the default */
	uint64_t watchdog_ns; /* what a callback may take; 0: the default; or BF_WATCHDOG_OFF */
	uint64_t repeats; /* of an exit without progress; 0: the default; or BF_REPEATS_OFF */
	uint64_t image_ids; /* struct bf_image_id [1 + nr_exts], the microkernel's first; or 0 */
	uint64_t denied; /* uint64_t [nr_exts]: rights (abi/loader.h) that each has not; or 0 */
	uint64_t grants; /* struct bf_grant [nr_grants]: what differs from these rights */
	uint32_t nr_grants;
	uint32_t pad2;
	uint64_t args; /* struct bf_file [nr_exts]: the arguments (abi/args.h) of each; or 0 */
	uint64_t channel_size; /* bytes of each channel (abi/channel.h); 0: the default */
};

#define BF_STOP_FORCE 0x1 /* guests do not prevent it: they end */

/* Succeeds with error EXT_STOP_REFUSED when the extension had to be forced. */
struct bf_ioctl_stop {
	uint32_t size;
	uint32_t error; /* out */
	uint64_t detail; /* out */
	uint32_t flags; /* BF_STOP_ */
	uint32_t pad;
};

/*
 * Copies text of the debug ring from byte number position on; older text that was overwritten is
 * skipped. Works while running, after a stop and after a failure, until the module is unloaded.
 */
struct bf_ioctl_dump {
	uint32_t size;
	uint32_t pad;
	uint64_t position; /* in: first byte wanted; out: number of the first byte copied */
	uint64_t data; /* buffer */
	uint64_t length; /* in: its size; out: bytes copied */
};

/* The same of the lines of that text, by their numbers: when each has begun, and whose it is. */
struct bf_ioctl_lines {
	uint32_t size;
	uint32_t nr_lines; /* in: room; out: how many were copied */
	uint64_t position; /* in: first line wanted; out: number of the first one copied */
	uint64_t lines; /* struct bf_line [nr_lines] */
	uint32_t tsc_khz; /* out */
	uint32_t pad;
};

/*
 * Copies records of an extension's channel (abi/channel.h), whole ones, as they lie there, from
 * position on. Works while running, and after that until the next start. What is before position
 * counts as read by this open file; what all open files have read that read this channel is
 * consumed, so that lossless records may take its place. A file that is closed reads nothing more.
 */
struct bf_ioctl_read {
	uint32_t size;
	uint32_t error; /* out: NOT_RUNNING (there has been no start), NO_EXT, BAD_REQUEST */
	uint32_t image; /* which extension: 1.. */
	uint32_t pad;
	/*
	 * in: the first byte wanted, 0: the oldest; out: of the first record copied, later if there
	 * is nothing older any more, earlier if there has been a start since
	 */
	uint64_t position;
	uint64_t data; /* buffer */
	uint64_t length; /* in: its size, at least that of the largest record; out: bytes copied */
	uint64_t emitted; /* out: as in struct bf_channel */
	uint64_t dropped;
	uint64_t start; /* out: which start this was, counted from 1 on */
	uint64_t tsc_khz; /* out: of the times of records */
};

/* A request to an extension, and its reply: abi/request.h. */
struct bf_ioctl_call {
	uint32_t size;
	uint32_t error; /* out: NOT_RUNNING, NO_EXT, NO_CALL, EXT_ENDED, REQUEST_SIZE, REPLY_SIZE */
	uint32_t image; /* which extension: 1.. */
	uint32_t pad;
	uint64_t request;
	uint64_t request_size;
	uint64_t reply; /* buffer */
	uint64_t reply_size; /* in: its size; out: bytes of the reply */
	uint64_t refused; /* out: 1, the extension refuses the request, and the reply says why */
};

struct bf_ioctl_status {
	uint32_t size;
	uint32_t version; /* out: BF_IOCTL_VERSION of the module */
	uint32_t state; /* out: enum bf_state */
	uint32_t vendor; /* out: enum bf_vendor */
	uint32_t error; /* out: the last failure, kept until the next start */
	uint32_t error_cpu; /* out */
	uint64_t detail; /* out */
	uint64_t memory; /* out: bytes that the hypervisor holds */
	uint64_t start_ns; /* out: duration of the last start */
	uint64_t stop_ns; /* out: duration of the last stop */
	uint64_t cpus; /* struct bf_cpu_status [nr_cpus] or 0 */
	uint32_t nr_cpus; /* in: room; out: entries there are */
	uint32_t error_image; /* out: as in bf_ioctl_start */
	uint64_t start_paused_ns; /* out: of the last start, with interrupts off on all CPUs */
	uint64_t stop_paused_ns; /* out: of the last stop */
	uint64_t watchdog_ns; /* out: of the last start; 0: off */
	uint64_t repeats; /* out: of the last start; 0: off */
	/*
	 * struct bf_report: of the last failure, until the next start, or else of an extension that
	 * has ended alone; or 0
	 */
	uint64_t report;
	uint64_t image_ids; /* struct bf_image_id [1 + BF_MAX_EXTS], of the last start; or 0 */
	uint32_t nr_image_ids; /* out: how many of them there are */
	uint32_t pad;
	uint64_t guests; /* struct bf_guest_status [nr_guests] or 0 */
	uint32_t nr_guests; /* in: room; out: entries there are */
	uint32_t pad2;
	uint64_t ended; /* struct bf_ended [BF_MAX_EXTS], of the last start; or 0 */
};

struct bf_cpu_status {
	uint32_t cpu; /* Linux's number, or BF_NO_CPU */
	uint32_t ppid;
	struct bf_pp_status pp;
};

/* Exits of guests, by who went on with the guest. */
enum bf_guest_exit {
	BF_GUEST_EXIT_EXTENSION, /* nobody else had to know */
	BF_GUEST_EXIT_INTERRUPT, /* Linux, which had an interrupt to take */
	BF_GUEST_EXIT_MODULE, /* the module: the guest lacked a page */
	BF_GUEST_EXIT_USER, /* the process that runs it */
	BF_NR_GUEST_EXITS
};

#define BF_GUEST_ENDED 0x1 /* the hypervisor that it ran under does not run it any more */
#define BF_GUEST_ABANDONED 0x2 /* nobody has it, but its memory stays pinned until the stop */
#define BF_MAX_GUESTS \
	64 /* of which entries are to be had: first what runs, last what is abandoned */

/* A virtual machine beside Linux. */
struct bf_guest_status {
	uint32_t pid; /* of the process that has made it */
	uint32_t flags; /* BF_GUEST_ */
	char name[16]; /* that process's then; ends with a NUL */
	uint32_t nr_vcpus;
	uint32_t pad;
	uint64_t pinned; /* bytes of the process's memory */
	uint64_t exits[BF_NR_GUEST_EXITS];
};

struct bf_ioctl_check {
	uint32_t size;
	uint32_t vendor; /* out */
	struct bf_check_result results[BF_NR_CHECKS]; /* out, by enum bf_check_item */
	uint32_t outer; /* out: enum bf_outer */
	uint32_t nr_values; /* in: room; out: entries there are */
	uint64_t values; /* struct bf_register_value [nr_values] or 0 */
};

enum bf_trace_request {
	BF_TRACE_READ,
	BF_TRACE_ON, /* until OFF, or until the file is closed; several may want it at once */
	BF_TRACE_OFF
};

/*
 * READ copies records of a PP from number position on; older ones that were overwritten are
 * skipped. It works while the hypervisor runs, traced or not, and after a stop until the next
 * start.
 */
struct bf_ioctl_trace {
	uint32_t size;
	uint32_t request; /* enum bf_trace_request */
	uint32_t error; /* out: enum bf_error */
	uint32_t ppid; /* READ */
	uint64_t position; /* in: first record wanted; out: number of the first one copied */
	uint64_t records; /* struct bf_trace_record [nr_records] */
	uint32_t nr_records; /* in: room; out: how many were copied */
	uint32_t nr_pps; /* out */
	uint32_t cpu; /* out: Linux's number of that PP */
	uint32_t tsc_khz; /* out */
};

#define BF_IOC_MAGIC 0xBF
#define BF_IOC_START _IOWR(BF_IOC_MAGIC, 1, struct bf_ioctl_start)
#define BF_IOC_STOP _IOWR(BF_IOC_MAGIC, 2, struct bf_ioctl_stop)
#define BF_IOC_DUMP _IOWR(BF_IOC_MAGIC, 3, struct bf_ioctl_dump)
#define BF_IOC_STATUS _IOWR(BF_IOC_MAGIC, 4, struct bf_ioctl_status)
#define BF_IOC_CHECK _IOWR(BF_IOC_MAGIC, 5, struct bf_ioctl_check)
#define BF_IOC_READ _IOWR(BF_IOC_MAGIC, 6, struct bf_ioctl_read)
#define BF_IOC_CALL _IOWR(BF_IOC_MAGIC, 7, struct bf_ioctl_call)
#define BF_IOC_TRACE _IOWR(BF_IOC_MAGIC, 16, struct bf_ioctl_trace)
#define BF_IOC_LINES _IOWR(BF_IOC_MAGIC, 17, struct bf_ioctl_lines)

#endif
