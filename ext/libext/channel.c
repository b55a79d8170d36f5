// SPDX-License-Identifier: MIT
/* Records and requests: see channel.h. */
#include <bsl/format.h>
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/libext/channel.h>
#include <ext/libext/libext.h>
#include <ext/libext/mk2_sys.h>

/* --- records ---------------------------------------------------------------------------------- */

static uint64_t emit(const void *data, uint64_t size, uint64_t flags)
{
	uint64_t number, handle;
	uint64_t status = mk2_ext_emit(MK2_HANDLE, (uint64_t)data, size, flags, &number);

	if (status != MK1_FAILURE_INVALID_HANDLE)
		return status;
	/* Another PP may just have opened it. */
	(void)mk1_handle_open_handle(MK2_SPEC_ID, &handle);
	return mk2_ext_emit(MK2_HANDLE, (uint64_t)data, size, flags, &number);
}

uint64_t ext_emit(const void *data, uint64_t size)
{
	return emit(data, size, 0);
}

uint64_t ext_emit_lossless(const void *data, uint64_t size)
{
	return emit(data, size, MK2_EMIT_LOSSLESS);
}

uint64_t ext_emit_print(const char *fmt, ...)
{
	char text[EXT_PRINT_SIZE];
	__builtin_va_list args;
	size_t length;

	__builtin_va_start(args, fmt);
	length = bsl_vformat(text, sizeof(text), fmt, args);
	__builtin_va_end(args);
	return length ? emit(text, length, 0) : MK1_SUCCESS;
}

/* --- requests --------------------------------------------------------------------------------- */

static ext_call_fn *hook;
static struct bsl_spinlock lock; /* of what follows */
static char request[BF_REQUEST_BUFFER + 1];
static char reply[BF_REQUEST_BUFFER];

static void get_piece(uint64_t *words)
{
	words[0] = mk1_rsi();
	words[1] = mk1_rdx();
	words[2] = mk1_rcx();
	words[3] = mk1_r8();
	words[4] = mk1_r9();
	words[5] = mk1_r10();
	words[6] = mk1_r11();
}

static void set_piece(const uint64_t *words)
{
	mk1_set_rsi(words[0]);
	mk1_set_rdx(words[1]);
	mk1_set_rcx(words[2]);
	mk1_set_r8(words[3]);
	mk1_set_r9(words[4]);
	mk1_set_r10(words[5]);
	mk1_set_r11(words[6]);
}

static bool answer(uint64_t size)
{
	struct ext_reply out = { .data = reply };
	bool accepted;

	if (size > BF_REQUEST_MAX)
		return false;
	request[size] = '\0';
	bsl_memset(reply, 0, sizeof(reply));
	accepted = hook(request, size, &out);
	mk1_set_rdi(out.size <= BF_REQUEST_MAX ? out.size : BF_REQUEST_MAX);
	mk1_set_rsi(accepted ? 0 : 1);
	return true;
}

static bool do_call(uint64_t op)
{
	uint64_t words[BF_REQUEST_WORDS];
	uint64_t offset = mk1_rdi();

	if (op == BF_REQUEST_RUN)
		return answer(offset);
	if ((op != BF_REQUEST_PUT && op != BF_REQUEST_GET) || !bf_request_is_piece(offset))
		return false;
	if (op == BF_REQUEST_PUT) {
		get_piece(words);
		bsl_memcpy(request + offset, words, sizeof(words));
	} else {
		bsl_memcpy(words, reply + offset, sizeof(words));
		set_piece(words);
	}
	return true;
}

/* The exit of Linux at its hypercall. */
static void on_hypercall(uint64_t vsid, uint64_t reason)
{
	bool done;

	(void)vsid, (void)reason;
	bsl_spin_lock(&lock);
	done = do_call(mk1_rax() & 0xFF);
	bsl_spin_unlock(&lock);
	mk1_set_rax(done ? BF_REQUEST_DONE : BF_REQUEST_WRONG);
	(void)mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
	ext_print("requests: Linux cannot go on\n");
	ext_exit();
}

static uint64_t make_route(void)
{
	uint16_t id = mk1_tls_extid();

	return mk2_hypercall_route(MK2_HANDLE, BF_REQUEST(id), BF_REQUEST_LAST(id),
				   (uint64_t)on_hypercall);
}

bool ext_on_call(ext_call_fn *fn)
{
	uint64_t handle, status;

	hook = fn;
	status = make_route();
	if (status == MK1_FAILURE_INVALID_HANDLE) {
		(void)mk1_handle_open_handle(MK2_SPEC_ID, &handle);
		status = make_route();
	}
	if (status != MK1_SUCCESS)
		ext_print("requests: %s, status 0x%llx\n",
			  status == MK1_INVALID_PERM_DENIED ?
				  "this extension has no right to hypercalls" :
				  "the microkernel has no route for them",
			  (unsigned long long)status);
	return status == MK1_SUCCESS;
}

void ext_reply_print(struct ext_reply *out, const char *fmt, ...)
{
	char text[EXT_PRINT_SIZE];
	__builtin_va_list args;
	uint64_t length;

	__builtin_va_start(args, fmt);
	length = bsl_vformat(text, sizeof(text), fmt, args);
	__builtin_va_end(args);
	if (out->size > BF_REQUEST_MAX)
		out->size = BF_REQUEST_MAX;
	if (length > BF_REQUEST_MAX - out->size)
		length = BF_REQUEST_MAX - out->size;
	bsl_memcpy(out->data + out->size, text, length);
	out->size += length;
}
