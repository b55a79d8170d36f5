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
 * current is where per-CPU data has the pointer to the task: current_task, or pcpu_hot.
 */
#include <abi/hw/x86.h>
#include <ext/libext/arg.h>
#include <ext/libext/hook.h>
#include <ext/libext/log.h>
#include <ext/libext/memory.h>

const char ext_name[] = "syscall-trace";

#define ANY (~0ULL)
#define COMM 16 /* TASK_COMM_LEN */

static uint64_t number, pid, current, pid_at, comm_at;

struct task {
	uint32_t pid;
	char comm[COMM];
};

/* The kernel has not swapped GS yet: its own is in the other register. */
static bool find_task(uint64_t vsid, struct task *task)
{
	uint64_t at = ext_reg_read(vsid, EXT_REG_kernel_gs_base) + current, address;

	*task = (struct task){ 0 };
	if (!current)
		return false;
	if (ext_mem_read(vsid, at, &address, sizeof(address), NULL) != EXT_MEM_OK ||
	    ext_mem_read(vsid, address + pid_at, &task->pid, sizeof(task->pid), NULL) != EXT_MEM_OK)
		return false;
	if (comm_at)
		(void)ext_mem_string(vsid, address + comm_at, task->comm, sizeof(task->comm), NULL);
	return true;
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
