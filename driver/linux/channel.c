// SPDX-License-Identifier: GPL-2.0-only
/* Who reads the channels of extensions, and how far: abi/channel.h, abi/ioctl.h. */
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <abi/ioctl.h>

#include "../core/channel.h"
#include "../core/platform.h"
#include "bareflank.h"
#include "events.h"

static LIST_HEAD(readers);

void bf_channel_open(struct bf_open *open)
{
	bf_status_lock();
	list_add(&open->reader.node, &readers);
	bf_status_unlock();
}

/* What all have read that read this channel is consumed. */
static void consume(u32 ext)
{
	const struct bf_reader *reader;
	u64 least = U64_MAX;

	list_for_each_entry(reader, &readers,
			    node) if (reader->start == bf_loader.starts && reader->reads[ext])
		least = min(least, reader->positions[ext]);
	if (least != U64_MAX && bf_loader.channels[ext].va)
		bf_channel_consume(&bf_loader.channels[ext], least);
}

void bf_channel_close(struct bf_open *open)
{
	struct bf_reader *reader = &open->reader;
	u32 i;

	bf_status_lock();
	list_del(&reader->node);
	for (i = 0; i < BF_MAX_EXTS; i++)
		if (reader->reads[i])
			consume(i);
	bf_status_unlock();
}

static void note(struct bf_reader *reader, u32 ext, u64 position)
{
	if (reader->start != bf_loader.starts) {
		memset(reader->reads, 0, sizeof(reader->reads));
		reader->start = bf_loader.starts;
	}
	reader->reads[ext] = true;
	reader->positions[ext] = position;
	consume(ext);
}

/* Into a buffer of argument->length bytes. */
static enum bf_error read_locked(struct bf_reader *reader, struct bf_ioctl_read *argument,
				 u8 *buffer)
{
	const struct bf_block *block = &bf_loader.channels[argument->image - 1];
	struct bf_channel_counts counts;

	if (!bf_loader.channels[0].va)
		return BF_ERR_NOT_RUNNING;
	if (!block->va)
		return BF_ERR_NO_EXT;
	/* What it asks for of an earlier start is not that of this one. */
	if (reader->start && reader->start != bf_loader.starts)
		argument->position = 0;
	argument->length =
		bf_channel_read(block, buffer, argument->length, &argument->position, &counts);
	note(reader, argument->image - 1, argument->position);
	argument->emitted = counts.emitted;
	argument->dropped = counts.dropped;
	argument->start = bf_loader.starts;
	argument->tsc_khz = bf_os_tsc_khz();
	return BF_ERR_OK;
}

int bf_channel_ioctl(struct bf_open *open, struct bf_ioctl_read *argument)
{
	enum bf_error error = BF_ERR_OK;
	u8 *buffer;
	int result = 0;

	if (argument->pad || argument->length < bf_record_span(MK2_EMIT_MAX))
		error = BF_ERR_BAD_REQUEST;
	else if (!argument->image || argument->image > BF_MAX_EXTS)
		error = BF_ERR_NO_EXT;
	argument->error = error;
	if (error)
		return -bf_errno(error);
	argument->length = min_t(u64, argument->length, BF_CHANNEL_MAX);
	buffer = kvmalloc(argument->length, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	bf_status_lock();
	error = read_locked(&open->reader, argument, buffer);
	bf_status_unlock();
	argument->error = error;
	if (!error && argument->length)
		trace_channel_read(argument);
	if (!error &&
	    copy_to_user((void __user *)(uintptr_t)argument->data, buffer, argument->length))
		result = -EFAULT;
	kvfree(buffer);
	return result ?: -bf_errno(error);
}
