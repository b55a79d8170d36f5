// SPDX-License-Identifier: GPL-2.0-only
/* Requests of user space to extensions: abi/request.h. */
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <abi/ioctl.h>
#include <abi/linux_hypercall.h>
#include <abi/mk1.h>
#include <abi/request.h>

#include "bareflank.h"
#include "events.h"

/* A CPU that comes or goes answers nothing for a moment: so often this tries again, once a tick. */
#define TRIES 10

/* A request is several hypercalls, which the extension takes from one caller at a time. */
static DEFINE_MUTEX(lock);

static bool is_running(void)
{
	return READ_ONCE(bf_loader.state) == BF_STATE_RUNNING;
}

/* One of the hypercalls. regs is what it takes and gives. */
static enum bf_error hypercall(u32 ext, enum bf_request_op op, struct bf_hypercall_regs *regs)
{
	const struct bf_hypercall_regs before = *regs;
	unsigned int i;

	for (i = 0; i < TRIES && is_running(); i++) {
		*regs = before;
		regs->rax = BF_REQUEST(ext) | op;
		if (bf_hypercall(regs) && regs->rax == BF_REQUEST_DONE)
			return BF_ERR_OK;
		if (regs->rax == BF_REQUEST_WRONG)
			return BF_ERR_BAD_REQUEST;
		if (regs->rax == MK1_FAILURE_UNSUPPORTED)
			return BF_ERR_EXT_ENDED;
		schedule_timeout_uninterruptible(1);
	}
	return is_running() ? BF_ERR_NO_CALL : BF_ERR_NOT_RUNNING;
}

static enum bf_error put(u32 ext, const u8 *request, u64 size)
{
	enum bf_error error = BF_ERR_OK;
	u64 offset;

	for (offset = 0; !error && offset < size; offset += BF_REQUEST_PIECE) {
		struct bf_hypercall_regs regs = { .rdi = offset };
		u64 words[BF_REQUEST_WORDS];

		memcpy(words, request + offset, sizeof(words));
		regs.rsi = words[0];
		regs.rdx = words[1];
		regs.rcx = words[2];
		regs.r8 = words[3];
		regs.r9 = words[4];
		regs.r10 = words[5];
		regs.r11 = words[6];
		error = hypercall(ext, BF_REQUEST_PUT, &regs);
	}
	return error;
}

static enum bf_error get(u32 ext, u8 *reply, u64 size)
{
	enum bf_error error = BF_ERR_OK;
	u64 offset;

	for (offset = 0; !error && offset < size; offset += BF_REQUEST_PIECE) {
		struct bf_hypercall_regs regs = { .rdi = offset };

		error = hypercall(ext, BF_REQUEST_GET, &regs);
		if (!error) {
			const u64 words[BF_REQUEST_WORDS] = { regs.rsi, regs.rdx, regs.rcx, regs.r8,
							      regs.r9,  regs.r10, regs.r11 };

			memcpy(reply + offset, words, sizeof(words));
		}
	}
	return error;
}

/* The buffer has the request, and then the reply, whose size *size becomes. */
static enum bf_error call(u32 ext, u8 *buffer, u64 *size, bool *refused)
{
	struct bf_hypercall_regs regs = { .rdi = *size };
	enum bf_error error = put(ext, buffer, *size);

	if (!error)
		error = hypercall(ext, BF_REQUEST_RUN, &regs);
	if (error)
		return error;
	*size = min_t(u64, regs.rdi, BF_REQUEST_MAX);
	*refused = regs.rsi;
	return get(ext, buffer, *size);
}

/* Whether the last start had this extension, and it can be asked. */
static enum bf_error check(u32 image)
{
	enum bf_error error = BF_ERR_OK;

	bf_status_lock();
	if (!is_running())
		error = BF_ERR_NOT_RUNNING;
	else if (!image || image > BF_MAX_EXTS || !bf_loader.channels[image - 1].va)
		error = BF_ERR_NO_EXT;
	else if (bf_loader_ended_image(&bf_loader, image)->report.error)
		error = BF_ERR_EXT_ENDED;
	bf_status_unlock();
	return error;
}

static int do_call(struct bf_ioctl_call *argument, u8 *buffer)
{
	void __user *reply = (void __user *)(uintptr_t)argument->reply;
	u64 size = argument->request_size;
	u64 asked = size, ns;
	bool refused = false;
	enum bf_error error;

	if (copy_from_user(buffer, (void __user *)(uintptr_t)argument->request, size))
		return -EFAULT;
	if (mutex_lock_killable(&lock))
		return -EINTR;
	ns = ktime_get_ns();
	error = call(argument->image - 1, buffer, &size, &refused);
	ns = ktime_get_ns() - ns;
	mutex_unlock(&lock);
	if (!error && size > argument->reply_size)
		error = BF_ERR_REPLY_SIZE;
	argument->error = error;
	if (!error) {
		argument->reply_size = size;
		argument->refused = refused;
	}
	trace_call(argument, asked, ns);
	if (error)
		return -bf_errno(error);
	return copy_to_user(reply, buffer, size) ? -EFAULT : 0;
}

int bf_request_ioctl(struct bf_ioctl_call *argument)
{
	enum bf_error error;
	u8 *buffer;
	int result;

	if (argument->pad || argument->refused)
		error = BF_ERR_BAD_REQUEST;
	else if (argument->request_size > BF_REQUEST_MAX)
		error = BF_ERR_REQUEST_SIZE;
	else
		error = check(argument->image);
	argument->error = error;
	if (error)
		return -bf_errno(error);
	buffer = kzalloc(BF_REQUEST_BUFFER, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	result = do_call(argument, buffer);
	kfree(buffer);
	return result;
}
