// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's ioctls, with any request in any memory that changes between any two accesses: they
 * stay within what is theirs and the caller's, trust nothing that they read twice, touch no user
 * memory while the lock is held, free what they allocate, and start nothing that they refuse.
 */
#include "driver/linux/ioctl.c"

#include "fuzz.h"

#define USER 0x1000 /* where user memory begins; small numbers make good pointers */
#define USER_SIZE 0x4000
#define MAX_CPUS 4

struct bf_loader bf_loader;

static struct fuzz_input in;
static uint8_t user[USER_SIZE];
static size_t user_size;
static unsigned int allocated, left_to_allocate, changes;
static bool locked, status_locked, killed, privileged, locked_down, started;
static bool guests_ended;
static enum bf_error outcome;

/* --- Linux ------------------------------------------------------------------------------------ */

bool capable(int capability)
{
	(void)capability;
	return privileged;
}

unsigned int num_present_cpus(void)
{
	return MAX_CPUS;
}

void *fuzz_alloc(size_t size, bool zero)
{
	void *memory;

	if (!left_to_allocate)
		return NULL;
	left_to_allocate--;
	memory = zero ? calloc(1, size) : malloc(size);
	if (!memory)
		abort();
	allocated++;
	return memory;
}

void fuzz_free(const void *memory)
{
	allocated -= memory != NULL;
	free((void *)(uintptr_t)memory);
}

/* Another thread of the caller. */
static void change_user_memory(void)
{
	if (!changes || !user_size)
		return;
	changes--;
	user[fuzz_take(&in, 2) % user_size] ^= (uint8_t)fuzz_take(&in, 1);
}

/* How many bytes from there on are mapped. */
static size_t mapped(const void *at, size_t size)
{
	uintptr_t address = (uintptr_t)at;

	FUZZ_CHECK(!locked && !status_locked, "user memory is accessed with a lock held");
	if (address < USER || address - USER >= user_size)
		return 0;
	return min(size, user_size - (address - USER));
}

unsigned long copy_from_user(void *to, const void *from, size_t size)
{
	size_t good = mapped(from, size);

	change_user_memory();
	if (good)
		memcpy(to, user + ((uintptr_t)from - USER), good);
	memset((uint8_t *)to + good, 0, size - good);
	return size - good;
}

unsigned long copy_to_user(void *to, const void *from, size_t size)
{
	size_t good = mapped(to, size);
	uint8_t *copy = fuzz_copy(from, size); /* all of it must be readable */

	if (good)
		memcpy(user + ((uintptr_t)to - USER), copy, good);
	free(copy);
	change_user_memory();
	return size - good;
}

int copy_struct_from_user(void *to, size_t known, const void *from, size_t size)
{
	size_t i;

	memset(to, 0, known);
	for (i = known; i < size; i++) {
		uint8_t byte;

		if (copy_from_user(&byte, (const uint8_t *)from + i, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return copy_from_user(to, from, min(known, size)) ? -EFAULT : 0;
}

/* --- the rest of the module ------------------------------------------------------------------- */

void bf_lock(void)
{
	FUZZ_CHECK(!locked, "locked twice");
	locked = true;
}

bool bf_lock_killable(void)
{
	if (!killed)
		bf_lock();
	return !killed;
}

void bf_status_lock(void)
{
	FUZZ_CHECK(!status_locked, "the status is locked twice");
	status_locked = true;
}

/* Some VMs. */
u32 bf_guests_status(struct bf_guest_status *status, u32 room)
{
	u32 count = changes % (2 * BF_MAX_GUESTS);

	FUZZ_CHECK(room <= BF_MAX_GUESTS, "more VMs than there can be");
	FUZZ_CHECK(!status_locked, "VMs are asked for with the status locked");
	for (u32 i = 0; i < room && i < count; i++)
		status[i].pid = i;
	return count;
}

void bf_status_unlock(void)
{
	FUZZ_CHECK(status_locked, "the status is not locked");
	status_locked = false;
}

void bf_unlock(void)
{
	FUZZ_CHECK(locked, "not locked");
	locked = false;
}

void bf_assert_locked(void)
{
	FUZZ_CHECK(locked, "not locked");
}

int bf_errno(enum bf_error error)
{
	return error ? EIO : 0;
}

bool bf_suspended(void)
{
	return outcome == BF_ERR_HOTPLUG;
}

pid_t bf_guests_owner(bool ended_too)
{
	bf_assert_locked();
	FUZZ_CHECK(bf_loader.state == BF_STATE_RUNNING, "guests of no hypervisor");
	return outcome == BF_ERR_GUESTS && !guests_ended ? 1000 : 0;
}

void bf_guests_end(void)
{
	bf_assert_locked();
	guests_ended = true;
}

bool bf_os_locked_down(void)
{
	return locked_down;
}

static void read_all(const struct bf_source *source)
{
	FUZZ_CHECK(source->size && source->size <= BSL_ELF_MAX_SIZE, "an image of %llu bytes",
		   (unsigned long long)source->size);
	free(fuzz_copy(source->data, source->size));
}

enum bf_error bf_check_signature(struct bf_source *source)
{
	read_all(source);
	if (source->size < 2)
		return BF_ERR_IMAGE_UNSIGNED;
	source->size /= 2;
	return BF_ERR_OK;
}

enum bf_error bf_start_and_log(const struct bf_start *start)
{
	uint32_t i;

	bf_assert_locked();
	FUZZ_CHECK(start->nr_exts <= BF_MAX_EXTS, "%u extensions", start->nr_exts);
	FUZZ_CHECK(!start->watchdog_ns || start->watchdog_ns >= BF_WATCHDOG_MIN_NS, "watchdog");
	read_all(&start->microkernel);
	for (i = 0; i < start->nr_exts; i++) {
		read_all(&start->exts[i]);
		FUZZ_CHECK(start->args[i].size <= MK2_ARGS_MAX, "arguments");
		if (start->args[i].size)
			read_all(&start->args[i]);
	}
	started = true;
	bf_loader.failure.error = outcome;
	return outcome;
}

bool bf_channel_size_is_valid(uint64_t size)
{
	return size < 8;
}

uint64_t bf_channels_bytes(const struct bf_loader *loader)
{
	return loader->nr_pps;
}

int bf_channel_ioctl(struct bf_open *open, struct bf_ioctl_read *argument)
{
	(void)open;
	argument->error = outcome;
	return -bf_errno(outcome);
}

uint32_t bf_os_tsc_khz(void)
{
	return 1000000;
}

enum bf_error bf_trace_switch(struct bf_loader *loader, bool on)
{
	(void)loader;
	bf_assert_locked();
	return on ? outcome : BF_ERR_OK;
}

/* Within the room that there is, as much as the test says. */
static uint32_t some(uint32_t max)
{
	return max < 3 ? max : 3;
}

uint32_t bf_trace_read(const struct bf_trace *trace, struct bf_trace_record *records, uint32_t max,
		       uint64_t *position)
{
	(void)trace;
	memset(records, 0, some(max) * sizeof(*records));
	++*position;
	return some(max);
}

uint32_t bf_lines_read(const struct bf_ring *ring, struct bf_line *lines, uint32_t max,
		       uint64_t *position)
{
	(void)ring;
	memset(lines, 0, some(max) * sizeof(*lines));
	++*position;
	return some(max);
}

int bf_request_ioctl(struct bf_ioctl_call *argument)
{
	argument->error = outcome;
	return -bf_errno(outcome);
}

enum bf_error bf_stop_and_log(void)
{
	bf_assert_locked();
	return outcome;
}

const struct bf_report *bf_loader_report(const struct bf_loader *loader)
{
	return loader->report.error ? &loader->report : NULL;
}

const struct bf_ended *bf_loader_ended_image(const struct bf_loader *loader, uint32_t image)
{
	return (const struct bf_ended *)(const void *)loader->ended.va + (image - 1);
}

uint64_t bf_loader_memory_needed(uint32_t nr_pps, uint32_t nr_exts, uint64_t pool_size,
				 uint64_t huge_size)
{
	return nr_pps + nr_exts + pool_size + huge_size;
}

enum bf_error bf_check_machine(struct bf_cpu_features *features, struct bf_check_result *results,
			       uint64_t memory, uint64_t *detail, uint32_t *cpu)
{
	(void)memory;
	bf_assert_locked();
	memset(features, 1, sizeof(*features));
	memset(results, 1, BF_NR_CHECKS * sizeof(*results));
	*detail = *cpu = 0;
	return outcome;
}

uint32_t bf_features_list(const struct bf_cpu_features *features, struct bf_register_value *values,
			  uint32_t max)
{
	(void)features;
	memset(values, 1, max * sizeof(*values));
	return max;
}

enum bf_outer bf_outer_detect(uint32_t *flags)
{
	*flags = 0;
	return BF_OUTER_NONE;
}

/* The input says what is there; status pages and the ring may hold anything. */
static uint64_t begin_reading;

uint64_t bf_ring_read(const struct bf_ring *ring, uint8_t *buffer, uint64_t *position)
{
	uint64_t length = (ring->written ^ begin_reading) % (BF_RING_DATA + 1);

	memset(buffer, 1, length);
	*position = ring->written;
	return length;
}

/* --- one request ------------------------------------------------------------------------------ */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int commands[] = { BF_IOC_START,  BF_IOC_STOP,  BF_IOC_DUMP,
						 BF_IOC_STATUS, BF_IOC_CHECK, BF_IOC_READ,
						 BF_IOC_CALL,   BF_IOC_TRACE, BF_IOC_LINES };
	static struct bf_pp_status statuses[MAX_CPUS];
	static struct bf_pp pps[MAX_CPUS];
	static struct bf_ended ended[BF_MAX_EXTS];
	static struct bf_ring ring;
	struct bf_open open = { .traces = false };
	struct file file = { .private_data = &open };
	uint64_t options, command, argument;
	long result;

	in = (struct fuzz_input){ data, size };
	options = fuzz_take(&in, 1);
	command = fuzz_take(&in, 1);
	command = command < sizeof(commands) / sizeof(commands[0]) ? commands[command] :
								     fuzz_take(&in, 4);
	left_to_allocate = (unsigned int)fuzz_take(&in, 1);
	changes = options & 1 ? (unsigned int)fuzz_take(&in, 1) : 0;
	outcome = (enum bf_error)(options & 2 ? fuzz_take(&in, 1) : 0);
	argument = USER + (options & 4 ? fuzz_take(&in, 2) : 0);
	privileged = !(options & 8);
	killed = options & 128;
	locked_down = options & 16;
	started = false;
	guests_ended = false;
	ring.written = options;
	begin_reading = size;
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		pps[i] = (struct bf_pp){ .cpu = i, .ppid = i, .status = &statuses[i] };
	bf_loader = (struct bf_loader){ .state = options & 32 ? BF_STATE_RUNNING : BF_STATE_STOPPED,
					.nr_pps = options & 64 ? MAX_CPUS : 0,
					.pps = options & 64 ? pps : NULL };
	bf_loader.ring.va = (uint8_t *)&ring;
	bf_loader.ended.va = (uint8_t *)ended;
	/* Half of the rest is memory when memory changes: the other half is how. */
	user_size = min(in.left, USER_SIZE);
	memset(user, 0, sizeof(user));
	memcpy(user, in.data, user_size);
	result = bf_ioctl(&file, (unsigned int)command, argument);
	bf_trace_close(&open);
	FUZZ_CHECK(result <= 0 && result > -4096, "%ld", result);
	FUZZ_CHECK(privileged || result == -EPERM, "without privileges: %ld", result);
	FUZZ_CHECK(!locked && !status_locked, "still locked");
	FUZZ_CHECK(!guests_ended || command == BF_IOC_STOP, "guests end for nothing");
	FUZZ_CHECK(!allocated, "%u allocations are left", allocated);
	FUZZ_CHECK(command != BF_IOC_START || result || (started && !outcome),
		   "a start that did not take place");
	return 0;
}
