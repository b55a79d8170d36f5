// SPDX-License-Identifier: MIT
/*
 * vmi: Linux's processes, seen from outside of it: virtual machine introspection. A process that
 * hides from ps, by a library or by a module that filters /proc, is in this list.
 *
 * The list begins at init_task, whose address /proc/kallsyms has for root. Where the members of
 * struct task_struct are, in bytes, pahole -C task_struct says, or what else reads the kernel's
 * type information:
 *
 *	bfm start vmi --arg init_task=0xffffffff82a1aa40 --arg tasks=0x898 --arg pid=0x968 \
 *		--arg comm=0xb80
 *
 * It is printed when the kernel executes CPUID with leaf 0x4F000002: see exit-stats. That makes the
 * walk safe: to RCU, this CPU is within a reader as long as the kernel is not back, and no task
 * that has been found goes.
 */
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>
#include <ext/libext/log.h>
#include <ext/libext/memory.h>

const char ext_name[] = "vmi";

#define LEAF 0x4F000002
#define COMM_SIZE 16 /* TASK_COMM_LEN */
#define MAX_TASKS 100000 /* a list without an end is not Linux's */

static uint64_t init_task, tasks_at, pid_at, comm_at;

/* false, after a message: it is not there. */
static bool get(uint64_t vsid, uint64_t gva, void *data, size_t size)
{
	enum ext_mem_status status = ext_mem_read(vsid, gva, data, size, NULL);

	if (status != EXT_MEM_OK)
		ext_log(EXT_ERROR, "0x%llx: %s", (unsigned long long)gva, ext_mem_why(status));
	return status == EXT_MEM_OK;
}

/* One line, whatever a program has called itself. */
static bool print(uint64_t vsid, uint64_t task)
{
	char comm[COMM_SIZE];
	uint32_t pid;

	if (!get(vsid, task + pid_at, &pid, sizeof(pid)) ||
	    !get(vsid, task + comm_at, comm, sizeof(comm)))
		return false;
	for (unsigned int i = 0; i < COMM_SIZE; i++) {
		if (comm[i] && (comm[i] < ' ' || comm[i] > '~'))
			comm[i] = '?';
	}
	ext_print("%s: %u %.16s\n", ext_name, pid, comm);
	return true;
}

/* The circle of task_struct.tasks, which has one task for each process. */
static void list(uint64_t vsid)
{
	uint64_t task = init_task, next;
	unsigned int n;

	for (n = 0; n < MAX_TASKS; n++) {
		if (!print(vsid, task) || !get(vsid, task + tasks_at, &next, sizeof(next)))
			return;
		task = next - tasks_at;
		if (task == init_task)
			break;
	}
	if (n == MAX_TASKS)
		ext_log(EXT_ERROR, "no end after %u tasks: are the offsets this kernel's?", n);
	else
		ext_print("%s: %u processes\n", ext_name, n + 1);
}

static bool on_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	(void)subleaf, (void)regs;
	if (leaf == LEAF && ext_cpl(e->vsid) == 0)
		list(e->vsid);
	return false;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "init_task", "tasks", "pid", "comm", NULL };
	static uint64_t *const values[] = { &init_task, &tasks_at, &pid_at, &comm_at };
	static const struct ext_ops ops = { .cpuid = on_cpuid };

	if (!ext_args_load() || !ext_args_known(keys))
		return 1;
	for (unsigned int i = 0; keys[i]; i++) {
		if (!ext_arg(keys[i]))
			ext_fail("--arg %s=NUMBER is missing", keys[i]);
		if (!ext_arg_u64(keys[i], 0, values[i]))
			return 1;
	}
	return ext_run_linux(specs, &ops);
}
