// SPDX-License-Identifier: MIT
/*
 * syscall-trace: system calls of programs, by a hidden breakpoint where the CPU enters the kernel.
 * All of them, or those of one number, or of one process; its name and number by offsets that are
 * this kernel's (/proc/kallsyms, and BTF as bpftool shows it):
 *
 *	bfm start syscall-trace --arg number=170
 *	bfm start syscall-trace --arg pid=1234 --arg current=0x1fbc0 --arg pid-at=0x9b8 \
 *		--arg comm-at=0xbb8
 *	bfm dump --follow
 *
 * current is where per-CPU data has the pointer to the task: current_task, or pcpu_hot. Linux may
 * use page-table isolation, or not.
 */
#include <abi/hw/x86.h>
#include <ext/libext/arg.h>
#include <ext/libext/hook.h>
#include <ext/libext/log.h>
#include <ext/libext/memory.h>

const char ext_name[] = "syscall-trace";

#define ANY (~0ULL)
#define COMM 16 /* TASK_COMM_LEN; the name ends within */
#define CR3_OF_PROGRAMS 0x1000 /* page-table isolation: these page tables follow the kernel's */

static uint64_t number, pid, current, pid_at, comm_at;

struct task {
	uint32_t pid;
	char comm[COMM];
};

static enum ext_mem_status find_in(uint64_t vsid, uint64_t cr3, uint64_t at, struct task *task)
{
	uint64_t address;
	enum ext_mem_status status =
		ext_mem_read_as(vsid, cr3, at, &address, sizeof(address), NULL);

	if (status == EXT_MEM_OK)
		status = ext_mem_read_as(vsid, cr3, address + pid_at, &task->pid, sizeof(task->pid),
					 NULL);
	if (status == EXT_MEM_OK && comm_at)
		status = ext_mem_read_as(vsid, cr3, address + comm_at, task->comm, COMM - 1, NULL);
	return status;
}

/*
 * The kernel has not swapped GS yet: its own is in the other register. Nor has it its own page
 * tables, with isolation: those of programs do not show tasks.
 */
static bool find_task(uint64_t vsid, struct task *task)
{
	uint64_t at = ext_reg_read(vsid, EXT_REG_kernel_gs_base) + current;
	uint64_t cr3 = ext_reg_read(vsid, EXT_REG_cr3);
	enum ext_mem_status status;

	*task = (struct task){ 0 };
	if (!current)
		return false;
	status = find_in(vsid, cr3, at, task);
	if (status == EXT_MEM_NOT_PRESENT && cr3 & CR3_OF_PROGRAMS)
		status = find_in(vsid, cr3 & ~(uint64_t)CR3_OF_PROGRAMS, at, task);
	if (status != EXT_MEM_OK)
		ext_log_ratelimited(EXT_WARNING, "no task at 0x%llx: %s", (unsigned long long)at,
				    ext_mem_why(status));
	return status == EXT_MEM_OK;
}

static void called(struct ext_exit *e)
{
	uint64_t vsid = e->vsid, rax = ext_reg_read(vsid, EXT_REG_rax);
	struct task task;

	if (number != ANY && rax != number)
		return;
	if (!find_task(vsid, &task) && pid != ANY)
		return;
	if (pid != ANY && task.pid != pid)
		return;
	ext_log_ratelimited(
		EXT_INFO, "call %llu (0x%llx, 0x%llx, 0x%llx) from 0x%llx, task %u %s, CR3 0x%llx",
		(unsigned long long)rax, (unsigned long long)ext_reg_read(vsid, EXT_REG_rdi),
		(unsigned long long)ext_reg_read(vsid, EXT_REG_rsi),
		(unsigned long long)ext_reg_read(vsid, EXT_REG_rdx),
		(unsigned long long)ext_reg_read(vsid, EXT_REG_rcx), task.pid, task.comm,
		(unsigned long long)ext_reg_read(vsid, EXT_REG_cr3));
}

static bool hook(uint64_t vsid)
{
	uint64_t entry;

	return ext_msr_read(vsid, MSR_LSTAR, &entry) && ext_hook(vsid, entry, called);
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "number", "pid", "current", "pid-at", "comm-at", NULL };
	static const struct ext_ops ops = { .cpu_in = hook };

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("number", ANY, &number) ||
	    !ext_arg_u64("pid", ANY, &pid) || !ext_arg_u64("current", 0, &current) ||
	    !ext_arg_u64("pid-at", 0, &pid_at) || !ext_arg_u64("comm-at", 0, &comm_at))
		return 1;
	if (pid != ANY && !(current && pid_at))
		ext_fail("where tasks are is not said: current=OFFSET, pid-at=OFFSET");
	return ext_run_linux(specs, &ops);
}
