// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of /dev/bareflank: abi/ioctl.h. */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <abi/args.h>
#include <abi/ioctl.h>
#include <bsl/elf.h>

#include "../core/channel.h"
#include "../core/check.h"
#include "../core/platform.h"
#include "../core/ring.h"
#include "../core/trace.h"
#include "bareflank.h"

/*
 * Copies the known part of an argument whose first member is its size, with zeros for what an older
 * caller does not have, and refuses what a newer one requests in addition.
 */
static int get_argument(void *argument, size_t known, const void __user *user)
{
	u32 size;

	if (get_user(size, (const u32 __user *)user))
		return -EFAULT;
	if (size < sizeof(size) || size > PAGE_SIZE)
		return -EINVAL;
	return copy_struct_from_user(argument, known, user, size);
}

/* Copies back as much as the caller has room for. size is the caller's, from the private copy. */
static int put_argument(const void *argument, size_t known, u32 size, void __user *user)
{
	return copy_to_user(user, argument, min_t(size_t, known, size)) ? -EFAULT : 0;
}

static void __user *user_pointer(u64 value)
{
	return (void __user *)(uintptr_t)value;
}

/* The files of the last start. */
static struct bf_image_id image_ids[1 + BF_MAX_EXTS];
static u32 nr_image_ids;

/* --- start ------------------------------------------------------------------------------------ */

static void free_source(const struct bf_source *source)
{
	vfree(source->data);
}

/* A private copy: what is validated is what is loaded. */
static int copy_file(struct bf_source *source, const struct bf_file *file, enum bf_error *error)
{
	void *data;

	*error = BF_ERR_OK;
	if (!file->size)
		*error = BF_ERR_ELF_MAGIC;
	else if (file->size > BSL_ELF_MAX_SIZE)
		*error = BF_ERR_ELF_TOO_LARGE;
	if (*error)
		return 0;
	data = vmalloc(file->size);
	if (!data) {
		*error = BF_ERR_NO_MEMORY;
		return 0;
	}
	source->data = data;
	source->size = file->size;
	if (copy_from_user(data, user_pointer(file->data), file->size))
		return -EFAULT;
	if (bf_os_locked_down())
		*error = bf_check_signature(source);
	return 0;
}

static int copy_files(struct bf_start *start, struct bf_ioctl_start *argument)
{
	const struct bf_file __user *files = user_pointer(argument->exts);
	struct bf_file file = argument->microkernel;
	enum bf_error error;
	int result;
	u32 i;

	argument->image = 0;
	result = copy_file(&start->microkernel, &file, &error);
	for (i = 0; !result && !error && i < argument->nr_exts; i++) {
		argument->image = i + 1;
		if (copy_from_user(&file, &files[i], sizeof(file)))
			return -EFAULT;
		result = copy_file(&start->exts[i], &file, &error);
	}
	if (result)
		return result;
	argument->error = error;
	if (!error)
		argument->image = 0;
	start->nr_exts = argument->nr_exts;
	return -bf_errno(error);
}

static bool is_valid_id(const struct bf_image_id *id)
{
	return !id->pad && id->build_id_size <= sizeof(id->build_id) &&
	       strnlen(id->path, sizeof(id->path)) < sizeof(id->path);
}

/* A copy of what the caller says of its images: NULL if that is nothing. */
static int copy_ids(struct bf_image_id **ids, struct bf_ioctl_start *argument)
{
	size_t count = 1 + argument->nr_exts;
	size_t i;

	*ids = NULL;
	if (!argument->image_ids)
		return 0;
	*ids = kvmalloc_array(count, sizeof(**ids), GFP_KERNEL);
	if (!*ids) {
		argument->error = BF_ERR_NO_MEMORY;
		return -ENOMEM;
	}
	if (copy_from_user(*ids, user_pointer(argument->image_ids), count * sizeof(**ids)))
		return -EFAULT;
	for (i = 0; i < count; i++) {
		if (!is_valid_id(&(*ids)[i])) {
			argument->error = BF_ERR_BAD_REQUEST;
			return -EINVAL;
		}
	}
	return 0;
}

/* Those of the last start. With the lock held. */
static void keep_ids(const struct bf_image_id *ids, size_t count)
{
	bf_assert_locked();
	bf_status_lock();
	nr_image_ids = ids ? count : 0;
	if (ids)
		memcpy(image_ids, ids, count * sizeof(*ids));
	bf_status_unlock();
}

static int start_copied(struct bf_start *start, struct bf_ioctl_start *argument,
			const struct bf_image_id *ids)
{
	enum bf_error error;

	start->serial_port = argument->serial_port;
	start->keep_cpus = argument->flags & BF_START_KEEP_CPUS;
	start->pool_size = argument->pool_size;
	start->huge_size = argument->huge_size;
	start->watchdog_ns = argument->watchdog_ns;
	start->repeats = argument->repeats;
	start->channel_size = argument->channel_size;
	if (!bf_lock_killable())
		return -EINTR;
	if (bf_loader.state != BF_STATE_RUNNING && !bf_suspended())
		keep_ids(ids, 1 + start->nr_exts);
	error = bf_start_and_log(start);
	argument->error = error;
	if (error == bf_loader.failure.error) {
		argument->image = bf_loader.failure.image;
		argument->detail = bf_loader.failure.detail;
	}
	bf_unlock();
	return -bf_errno(error);
}

/*
 * What the extensions may not do, which is nothing where the caller does not say, and what differs
 * from that. bf_start checks both.
 */
static int copy_rights(struct bf_start *start, const struct bf_ioctl_start *argument)
{
	if (argument->denied && copy_from_user(start->denied, user_pointer(argument->denied),
					       argument->nr_exts * sizeof(*start->denied)))
		return -EFAULT;
	start->nr_grants = argument->nr_grants;
	if (copy_from_user(start->grants, user_pointer(argument->grants),
			   argument->nr_grants * sizeof(*start->grants)))
		return -EFAULT;
	return 0;
}

/* The arguments of the extensions, none where the caller has none. bf_prepare checks them. */
static int copy_args(struct bf_start *start, struct bf_ioctl_start *argument)
{
	const struct bf_file __user *args = user_pointer(argument->args);
	struct bf_file file;
	void *data;
	u32 i;

	for (i = 0; args && i < argument->nr_exts; i++) {
		if (copy_from_user(&file, &args[i], sizeof(file)))
			return -EFAULT;
		if (!file.size)
			continue;
		if (file.size > MK2_ARGS_MAX) {
			argument->error = BF_ERR_BAD_REQUEST;
			return -EINVAL;
		}
		data = vmalloc(file.size);
		if (!data) {
			argument->error = BF_ERR_NO_MEMORY;
			return -ENOMEM;
		}
		start->args[i].data = data;
		start->args[i].size = file.size;
		if (copy_from_user(data, user_pointer(file.data), file.size))
			return -EFAULT;
	}
	return 0;
}

static bool is_watchdog(u64 ns)
{
	return !ns || ns == BF_WATCHDOG_OFF ||
	       (ns >= BF_WATCHDOG_MIN_NS && ns <= BF_WATCHDOG_MAX_NS);
}

static bool is_repeats(u64 repeats)
{
	return !repeats || repeats == BF_REPEATS_OFF ||
	       (repeats >= BF_REPEATS_MIN && repeats <= BF_REPEATS_MAX);
}

static int do_start(struct bf_ioctl_start *argument)
{
	struct bf_image_id *ids;
	struct bf_start *start;
	int result;
	u32 i;

	argument->error = BF_ERR_OK;
	argument->image = 0;
	argument->detail = 0;
	if (argument->version != BF_IOCTL_VERSION)
		argument->error = BF_ERR_VERSION;
	else if (argument->flags & ~BF_START_KEEP_CPUS || argument->pad2 ||
		 argument->nr_grants > BF_MAX_GRANTS)
		argument->error = BF_ERR_BAD_REQUEST;
	else if (!is_watchdog(argument->watchdog_ns))
		argument->error = BF_ERR_BAD_REQUEST;
	else if (!is_repeats(argument->repeats) ||
		 !bf_channel_size_is_valid(argument->channel_size))
		argument->error = BF_ERR_BAD_REQUEST;
	else if (argument->nr_exts > BF_MAX_EXTS)
		argument->error = BF_ERR_TOO_MANY_EXTS;
	if (argument->error)
		return -bf_errno(argument->error);
	start = kzalloc(sizeof(*start), GFP_KERNEL);
	if (!start) {
		argument->error = BF_ERR_NO_MEMORY;
		return -ENOMEM;
	}
	result = copy_ids(&ids, argument);
	if (!result)
		result = copy_rights(start, argument);
	if (!result)
		result = copy_args(start, argument);
	if (!result)
		result = copy_files(start, argument);
	if (!result)
		result = start_copied(start, argument, ids);
	kvfree(ids);
	free_source(&start->microkernel);
	for (i = 0; i < BF_MAX_EXTS; i++) {
		free_source(&start->exts[i]);
		free_source(&start->args[i]);
	}
	kfree(start);
	return result;
}

static long ioctl_start(void __user *user)
{
	struct bf_ioctl_start argument;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	result = do_start(&argument);
	return put_argument(&argument, sizeof(argument), argument.size, user) ?: result;
}

/* --- stop ------------------------------------------------------------------------------------- */

static long ioctl_stop(void __user *user)
{
	struct bf_ioctl_stop argument;
	enum bf_error error;
	pid_t owner;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	if ((argument.flags & ~BF_STOP_FORCE) || argument.pad) {
		argument.error = BF_ERR_BAD_REQUEST;
		return put_argument(&argument, sizeof(argument), argument.size, user) ?: -EINVAL;
	}
	if (!bf_lock_killable())
		return -EINTR;
	if (argument.flags & BF_STOP_FORCE)
		bf_guests_end();
	owner = bf_loader.state == BF_STATE_RUNNING ? bf_guests_owner(false) : 0;
	error = owner ? BF_ERR_GUESTS : bf_stop_and_log();
	argument.error = error;
	argument.detail = owner                       ? (u64)owner :
			  error == BF_ERR_NOT_RUNNING ? 0 :
							bf_loader.failure.detail;
	bf_unlock();
	/* It has stopped; argument.error says that this took force. */
	if (error == BF_ERR_EXT_STOP_REFUSED)
		error = BF_ERR_OK;
	return put_argument(&argument, sizeof(argument), argument.size, user) ?: -bf_errno(error);
}

/* --- dump ------------------------------------------------------------------------------------- */

static long ioctl_dump(void __user *user)
{
	struct bf_ioctl_dump argument;
	u8 *buffer;
	u64 length;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	if (argument.pad)
		return -EINVAL;
	buffer = kvmalloc(BF_RING_DATA, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	length =
		bf_ring_read((const struct bf_ring *)bf_loader.ring.va, buffer, &argument.position);
	argument.length = min(length, argument.length);
	if (copy_to_user(user_pointer(argument.data), buffer, argument.length))
		result = -EFAULT;
	kvfree(buffer);
	return result ?: put_argument(&argument, sizeof(argument), argument.size, user);
}

static long ioctl_lines(void __user *user)
{
	struct bf_ioctl_lines argument;
	struct bf_line *lines;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	if (argument.pad)
		return -EINVAL;
	lines = kvmalloc_array(BF_RING_LINES, sizeof(*lines), GFP_KERNEL);
	if (!lines)
		return -ENOMEM;
	argument.tsc_khz = bf_os_tsc_khz();
	argument.nr_lines = bf_lines_read((const struct bf_ring *)bf_loader.ring.va, lines,
					  min_t(u32, argument.nr_lines, BF_RING_LINES),
					  &argument.position);
	if (copy_to_user(user_pointer(argument.lines), lines, argument.nr_lines * sizeof(*lines)))
		result = -EFAULT;
	kvfree(lines);
	return result ?: put_argument(&argument, sizeof(argument), argument.size, user);
}

/* --- read ------------------------------------------------------------------------------------- */

static long ioctl_read(struct file *file, void __user *user)
{
	struct bf_ioctl_read argument;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	result = bf_channel_ioctl(file->private_data, &argument);
	return put_argument(&argument, sizeof(argument), argument.size, user) ?: result;
}

/* --- call ------------------------------------------------------------------------------------- */

static long ioctl_call(void __user *user)
{
	struct bf_ioctl_call argument;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	result = bf_request_ioctl(&argument);
	return put_argument(&argument, sizeof(argument), argument.size, user) ?: result;
}

/* --- status ----------------------------------------------------------------------------------- */

/* The state of up to *count CPUs, and how many of them that is; NULL: no memory. */
static struct bf_cpu_status *get_cpus(u32 *count)
{
	struct bf_cpu_status *cpus;
	u32 i;

	*count = min(*count, bf_loader.nr_pps);
	/* At least one: an empty array could look like no memory. */
	cpus = kvcalloc(*count + 1, sizeof(*cpus), GFP_KERNEL);
	if (!cpus)
		return NULL;
	for (i = 0; i < *count; i++) {
		cpus[i].cpu = bf_loader.pps[i].cpu;
		cpus[i].ppid = bf_loader.pps[i].ppid;
		memcpy(&cpus[i].pp, bf_loader.pps[i].status, sizeof(cpus[i].pp));
	}
	return cpus;
}

/* As many VMs as there is room for; NULL: no memory. */
static struct bf_guest_status *get_guests(struct bf_ioctl_status *argument, u32 *count)
{
	u32 room = argument->guests ? min_t(u32, argument->nr_guests, BF_MAX_GUESTS) : 0;
	struct bf_guest_status *guests = kvcalloc(room + 1, sizeof(*guests), GFP_KERNEL);

	if (!guests)
		return NULL;
	argument->nr_guests = bf_guests_status(guests, room);
	*count = min(room, argument->nr_guests);
	return guests;
}

static void get_status(struct bf_ioctl_status *argument)
{
	argument->version = BF_IOCTL_VERSION;
	argument->state = bf_loader.state;
	argument->vendor = bf_loader.vendor;
	argument->error = bf_loader.failure.error;
	argument->error_cpu = bf_loader.failure.cpu;
	argument->detail = bf_loader.failure.detail;
	argument->memory = bf_loader.memory.bytes + bf_loader.ring.size + bf_loader.status.size +
			   bf_loader.ended.size + bf_channels_bytes(&bf_loader) +
			   bf_loader.nr_pps * (u64)BF_TRACE_BYTES;
	argument->start_ns = bf_loader.start_ns;
	argument->stop_ns = bf_loader.stop_ns;
	argument->start_paused_ns = bf_loader.start_paused_ns;
	argument->stop_paused_ns = bf_loader.stop_paused_ns;
	argument->watchdog_ns = bf_loader.watchdog_ns;
	argument->repeats = bf_loader.repeats;
	argument->error_image = bf_loader.failure.image;
	argument->nr_cpus = bf_loader.nr_pps;
	argument->nr_image_ids = nr_image_ids;
}

/* What explains a failure. */
struct explanation {
	struct bf_report report;
	struct bf_ended ended[BF_MAX_EXTS];
	struct bf_image_id ids[1 + BF_MAX_EXTS];
};

/* NULL: no memory. With the lock of the status held. */
static struct explanation *get_explanation(void)
{
	const struct bf_report *report = bf_loader_report(&bf_loader);
	struct explanation *e = kvzalloc(sizeof(*e), GFP_KERNEL);

	if (e) {
		if (report)
			memcpy(&e->report, report, sizeof(e->report));
		memcpy(e->ended, bf_loader_ended_image(&bf_loader, 1), sizeof(e->ended));
		memcpy(e->ids, image_ids, nr_image_ids * sizeof(*image_ids));
	}
	return e;
}

static bool put_explanation(const struct bf_ioctl_status *argument, const struct explanation *e)
{
	return (!argument->report ||
		!copy_to_user(user_pointer(argument->report), &e->report, sizeof(e->report))) &&
	       (!argument->ended ||
		!copy_to_user(user_pointer(argument->ended), e->ended, sizeof(e->ended))) &&
	       (!argument->image_ids ||
		!copy_to_user(user_pointer(argument->image_ids), e->ids, sizeof(e->ids)));
}

static long ioctl_status(void __user *user)
{
	struct bf_ioctl_status argument;
	struct bf_cpu_status *cpus = NULL;
	struct bf_guest_status *guests;
	struct explanation *explanation;
	int result = get_argument(&argument, sizeof(argument), user);
	u32 count, nr_guests = 0;

	if (result)
		return result;
	if (argument.pad || argument.pad2)
		return -EINVAL;
	count = argument.cpus ? argument.nr_cpus : 0;
	bf_status_lock();
	get_status(&argument);
	cpus = get_cpus(&count);
	explanation = get_explanation();
	bf_status_unlock();
	guests = get_guests(&argument, &nr_guests);
	/* User space may block this for any time, so without the lock. */
	if (!cpus || !explanation || !guests)
		result = -ENOMEM;
	else if (copy_to_user(user_pointer(argument.cpus), cpus, count * sizeof(*cpus)) ||
		 copy_to_user(user_pointer(argument.guests), guests, nr_guests * sizeof(*guests)) ||
		 !put_explanation(&argument, explanation))
		result = -EFAULT;
	kvfree(guests);
	kvfree(explanation);
	kvfree(cpus);
	return result ?: put_argument(&argument, sizeof(argument), argument.size, user);
}

/* --- check ------------------------------------------------------------------------------------ */

/* More than there are registers and capability MSRs. */
#define MAX_VALUES 64

static int put_values(struct bf_ioctl_check *argument, const struct bf_cpu_features *features)
{
	struct bf_register_value *values = kcalloc(MAX_VALUES, sizeof(*values), GFP_KERNEL);
	u32 count;
	int result = 0;

	if (!values)
		return -ENOMEM;
	count = bf_features_list(features, values, MAX_VALUES);
	if (argument->values &&
	    copy_to_user(user_pointer(argument->values), values,
			 min3(count, argument->nr_values, (u32)MAX_VALUES) * sizeof(*values)))
		result = -EFAULT;
	argument->nr_values = count;
	kfree(values);
	return result;
}

static long ioctl_check(void __user *user)
{
	struct bf_cpu_features *features;
	struct bf_ioctl_check *argument;
	u32 outer_flags;
	u32 cpu;
	u64 detail;
	int result = -ENOMEM;

	features = kzalloc(sizeof(*features), GFP_KERNEL);
	argument = kzalloc(sizeof(*argument), GFP_KERNEL);
	if (features && argument)
		result = get_argument(argument, sizeof(*argument), user);
	if (!result && !bf_lock_killable())
		result = -EINTR;
	if (!result) {
		/* While it runs, the CPUs show what the extension lets them show. */
		if (bf_loader.state == BF_STATE_RUNNING) {
			*features = bf_loader.features;
			memset(argument->results, 0, sizeof(argument->results));
		} else {
			bf_check_machine(features, argument->results,
					 bf_loader_memory_needed(num_present_cpus(), 1, 0, 0),
					 &detail, &cpu);
		}
		bf_unlock();
		argument->vendor = features->vendor;
		argument->outer = bf_outer_detect(&outer_flags);
		result = put_values(argument, features) ?:
				 put_argument(argument, sizeof(*argument), argument->size, user);
	}
	kfree(argument);
	kfree(features);
	return result;
}

/* --- trace ------------------------------------------------------------------------------------ */

static u32 nr_tracers; /* files that want a trace: those with private data */

/* With the lock held. */
static enum bf_error want_trace(struct bf_open *open, bool on)
{
	bool wanted = nr_tracers;
	enum bf_error error;

	bf_assert_locked();
	if (on && bf_loader.state != BF_STATE_RUNNING)
		return BF_ERR_NOT_RUNNING;
	if (on == open->traces)
		return BF_ERR_OK;
	open->traces = on;
	nr_tracers += on ? 1 : -1;
	if (wanted == !!nr_tracers)
		return BF_ERR_OK;
	error = bf_trace_switch(&bf_loader, on);
	return on ? error : BF_ERR_OK;
}

void bf_trace_close(struct bf_open *open)
{
	if (!open->traces)
		return;
	bf_lock();
	(void)want_trace(open, false);
	bf_unlock();
}

static enum bf_error read_trace(struct bf_ioctl_trace *argument, struct bf_trace_record *records)
{
	enum bf_error error = BF_ERR_BAD_REQUEST;
	const struct bf_pp *pp;

	bf_status_lock();
	argument->nr_pps = bf_loader.nr_pps;
	argument->tsc_khz = bf_os_tsc_khz();
	if (argument->ppid < bf_loader.nr_pps) {
		pp = &bf_loader.pps[argument->ppid];
		argument->cpu = pp->cpu;
		argument->nr_records = bf_trace_read(
			(const struct bf_trace *)pp->trace.va, records,
			min_t(u32, argument->nr_records, BF_TRACE_RECORDS), &argument->position);
		error = BF_ERR_OK;
	}
	bf_status_unlock();
	return error;
}

static int do_read_trace(struct bf_ioctl_trace *argument)
{
	struct bf_trace_record *records =
		kvmalloc_array(BF_TRACE_RECORDS, sizeof(*records), GFP_KERNEL);
	int result = 0;

	argument->error = records ? read_trace(argument, records) : BF_ERR_NO_MEMORY;
	if (!argument->error && copy_to_user(user_pointer(argument->records), records,
					     argument->nr_records * sizeof(*records)))
		result = -EFAULT;
	kvfree(records);
	return result;
}

static long ioctl_trace(struct file *file, void __user *user)
{
	struct bf_ioctl_trace argument;
	int result = get_argument(&argument, sizeof(argument), user);

	if (result)
		return result;
	switch (argument.request) {
	case BF_TRACE_READ:
		result = do_read_trace(&argument);
		break;
	case BF_TRACE_ON:
	case BF_TRACE_OFF:
		if (!bf_lock_killable())
			return -EINTR;
		argument.error = want_trace(file->private_data, argument.request == BF_TRACE_ON);
		bf_unlock();
		break;
	default:
		argument.error = BF_ERR_BAD_REQUEST;
	}
	return result                                                                 ?:
		       put_argument(&argument, sizeof(argument), argument.size, user) ?:
		       -bf_errno(argument.error);
}

long bf_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (command) {
	case BF_IOC_START:
		return ioctl_start(user);
	case BF_IOC_STOP:
		return ioctl_stop(user);
	case BF_IOC_DUMP:
		return ioctl_dump(user);
	case BF_IOC_LINES:
		return ioctl_lines(user);
	case BF_IOC_STATUS:
		return ioctl_status(user);
	case BF_IOC_CHECK:
		return ioctl_check(user);
	case BF_IOC_READ:
		return ioctl_read(file, user);
	case BF_IOC_CALL:
		return ioctl_call(user);
	case BF_IOC_TRACE:
		return ioctl_trace(file, user);
	default:
		return -ENOTTY;
	}
}
