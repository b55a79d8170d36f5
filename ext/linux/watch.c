// SPDX-License-Identifier: MIT
/* ext/libext/watch.h: for the first extension, or for one that follows it. */
#include <ext/libext/mk2_sys.h>
#include <ext/linux/access.h>
#include <ext/linux/exception.h>
#include <ext/linux/follow.h>
#include <ext/linux/linux.h>
#include <ext/linux/live.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

#define NR_PORTS 0x10000u

static const char *reason_of(uint64_t status)
{
	switch (status) {
	case MK1_INVALID_PERM_DENIED:
		return "it is the hypervisor's, or there is none";
	case MK2_FAILURE_NO_MEMORY:
		return "the page pool is exhausted (bfm start --pool)";
	case MK1_FAILURE_UNSUPPORTED:
		return "this CPU has no nested paging";
	case MK1_FAILURE_INVALID_HANDLE:
		return "ext_run_linux comes first, with a microkernel that has Mk#2";
	default:
		return "no whole pages, or too many at once";
	}
}

static bool say(uint64_t gpa, uint64_t size, uint64_t status)
{
	if (status != MK1_SUCCESS)
		ext_print("%s: memory at 0x%llx, 0x%llx bytes, cannot be watched: %s (0x%llx)\n",
			  ext_name, (unsigned long long)gpa, (unsigned long long)size,
			  reason_of(status), (unsigned long long)status);
	return status == MK1_SUCCESS;
}

bool ext_can_watch(void)
{
	return cpu_is_amd() || (linux_open_handle() && vmx_can_step(MK1_INVALID_ID));
}

/* The part of [off, size) that one call may have. */
static uint64_t part(uint64_t off, uint64_t size)
{
	const uint64_t most = MK2_NESTED_MAX_PAGES * (uint64_t)BF_PAGE_SIZE;

	return size - off < most ? size - off : most;
}

static uint64_t clear_rights(uint64_t gpa, uint64_t size)
{
	uint64_t status = MK1_SUCCESS, generation;

	for (uint64_t off = 0; off < size && status == MK1_SUCCESS; off += part(off, size))
		status = mk2_vm_view_clear(MK2_HANDLE, WATCHED_VIEW, gpa + off, part(off, size),
					   &generation);
	return status;
}

/* All of it, or nothing: what a refusal comes too late for is not watched any more. */
static uint64_t set_rights(uint64_t gpa, uint64_t size, uint64_t rights)
{
	uint64_t status = size ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(3), off = 0, generation;

	while (off < size && status == MK1_SUCCESS) {
		status = mk2_vm_view_set(MK2_HANDLE, WATCHED_VIEW, gpa + off, part(off, size),
					 rights, &generation);
		if (status == MK1_SUCCESS)
			off += part(off, size);
	}
	if (status != MK1_SUCCESS)
		(void)clear_rights(gpa, off);
	return status;
}

/* Of the first extension, while Linux runs: what every start asks, is asked now. */
static bool can_now(bool registers)
{
	uint64_t vsid = live_vsid();

	return vsid == MK1_INVALID_ID || (watch_can(vsid) && (!registers || access_can(vsid)));
}

bool ext_watch(uint64_t gpa, uint64_t size, unsigned int access)
{
	uint64_t rights = MK2_NESTED_RWX, status;

	if (!can_now(false))
		return false;
	if (access & EXT_WRITE)
		rights &= ~(uint64_t)MK2_NESTED_W;
	if (access & EXT_READ)
		rights &= ~(uint64_t)(MK2_NESTED_R | MK2_NESTED_W);
	if (access & EXT_EXECUTE)
		rights &= ~(uint64_t)MK2_NESTED_X;
	status = set_rights(gpa, size, rights);
	/* Where nothing can be executed that cannot be read, that exits as well. */
	if (status == MK1_FAILURE_UNSUPPORTED && rights == MK2_NESTED_X)
		status = set_rights(gpa, size, 0);
	return say(gpa, size, status) && (follow_is_one() || watch_memory()) && live_tell();
}

bool ext_unwatch(uint64_t gpa, uint64_t size)
{
	return say(gpa, size, clear_rights(gpa, size)) && live_tell();
}

bool ext_watch_io(uint32_t first, uint32_t count)
{
	if (!linux_is_open() || !count || first >= NR_PORTS || count > NR_PORTS - first) {
		ext_print("%s: ports 0x%x, %u of them, cannot be watched: %s\n", ext_name, first,
			  count,
			  linux_is_open() ? "there are 0x10000" : "ext_run_linux comes first");
		return false;
	}
	if (!live_may("a port") || !can_now(false))
		return false;
	return (follow_is_one() ? follow_wants_io(first, count) : watch_ports(first, count)) &&
	       live_tell();
}

static bool check_mask(const char *name, unsigned int set, unsigned int able)
{
	if (linux_is_open() && set && !(set & ~able))
		return live_may(name);
	ext_print("%s: %s by the mask 0x%x cannot be watched: %s\n", ext_name, name, set,
		  linux_is_open() ? "it has bits for none, or for others" :
				    "ext_run_linux comes first");
	return false;
}

bool ext_watch_cr(unsigned int crs)
{
	if (!check_mask("CR", crs, ACCESS_CRS) || !can_now(true))
		return false;
	if (follow_is_one())
		follow_wants_registers(crs, 0, 0);
	else
		access_watch(crs, 0);
	return live_tell();
}

bool ext_watch_dr(unsigned int drs)
{
	if (!check_mask("DR", drs, ACCESS_DRS) || !can_now(true))
		return false;
	if (follow_is_one())
		follow_wants_registers(0, drs, 0);
	else
		access_watch(0, drs);
	return live_tell();
}

bool ext_watch_exceptions(uint32_t vectors)
{
	if (!check_mask("exceptions", vectors, exception_able()))
		return false;
	if (follow_is_one())
		follow_wants_registers(0, 0, vectors);
	else
		exception_watch(vectors);
	return live_tell();
}
