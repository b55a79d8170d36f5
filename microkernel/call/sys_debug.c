// SPDX-License-Identifier: GPL-2.0-only
/* Syscalls: debug. None of them takes a handle. */
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "call/syscall.h"
#include "debug.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "pp.h"
#include "run/exit_log.h"

#define CHUNK 128

static uint32_t this_writer(void)
{
	const struct pp *pp = this_pp();

	return DEBUG_WRITER(pp->handoff.ppid, pp->ext->id);
}

uint64_t sys_debug_out(struct syscall_frame *f)
{
	mk_print("0x%llx 0x%llx\n", (unsigned long long)f->reg[0], (unsigned long long)f->reg[1]);
	return MK1_SUCCESS;
}

uint64_t sys_debug_dump_vm(struct syscall_frame *f)
{
	vm_dump(arg_id(f, 0));
	return vm_find(arg_id(f, 0)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(0);
}

uint64_t sys_debug_dump_vp(struct syscall_frame *f)
{
	vp_dump(arg_id(f, 0));
	return vp_find(arg_id(f, 0)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(0);
}

uint64_t sys_debug_dump_vs(struct syscall_frame *f)
{
	vs_dump(arg_id(f, 0));
	return vs_find(arg_id(f, 0)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(0);
}

uint64_t sys_debug_dump_vmexit_log(struct syscall_frame *f)
{
	return exit_log_dump(arg_id(f, 0), MK_EXIT_LOG_ENTRIES) ? MK1_SUCCESS :
								  MK1_INVALID_INPUT_REG(0);
}

uint64_t sys_debug_write_c(struct syscall_frame *f)
{
	char c = (char)f->reg[0];

	debug_write(this_writer(), &c, 1);
	return MK1_SUCCESS;
}

/* The part of a string that begins at offset. */
static void remember(size_t offset, const char *text, size_t length)
{
	struct last_words *said = &this_pp()->said;
	size_t room = offset < sizeof(said->text) - 1 ? sizeof(said->text) - 1 - offset : 0;
	size_t n = length < room ? length : room;

	said->ext = this_pp()->ext;
	bsl_memcpy(said->text + offset, text, n);
	if (room)
		said->text[offset + n] = '\0';
}

static void print_part(size_t offset, const char *text, size_t length)
{
	remember(offset, text, length);
	debug_write(this_writer(), text, length);
}

/*
 * The string at va, up to a NUL or size bytes, in chunks; false: part of it is not the extension's.
 */
static bool walk_str(uint64_t va, uint64_t size, bool print)
{
	size_t done = 0;

	while (size) {
		uint64_t in_page = BF_PAGE_SIZE - (va & BF_PAGE_MASK);
		uint64_t n = size < CHUNK ? size : CHUNK;
		char text[CHUNK];
		size_t length;

		if (n > in_page)
			n = in_page;
		if (!ext_read(this_pp(), text, va, n))
			return false;
		length = bsl_strnlen(text, n);
		if (print)
			print_part(done, text, length);
		if (length < n)
			break;
		va += n;
		size -= n;
		done += n;
	}
	return true;
}

/* All of it is looked at before any of it is printed. */
uint64_t sys_debug_write_str(struct syscall_frame *f)
{
	if (!walk_str(f->reg[0], f->reg[1], false) || !walk_str(f->reg[0], f->reg[1], true))
		return MK1_INVALID_INPUT_REG(0);
	return MK1_SUCCESS;
}

uint64_t sys_debug_dump_ext(struct syscall_frame *f)
{
	ext_dump(arg_id(f, 0));
	return ext_find(arg_id(f, 0)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(0);
}

uint64_t sys_debug_dump_page_pool(struct syscall_frame *f)
{
	(void)f;
	pool_dump();
	return MK1_SUCCESS;
}

uint64_t sys_debug_dump_huge_pool(struct syscall_frame *f)
{
	(void)f;
	huge_dump();
	return MK1_SUCCESS;
}
