// SPDX-License-Identifier: MIT
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/follow.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/live.h>
#include <ext/linux/watched.h>

/*
 * A recall waits for 200,000,000 ticks of the TSC, which is no more on any CPU, and so often at
 * most in all: for as long as somebody may wait for a PP anywhere else.
 */
#define RECALL_NS 200000000
#define RECALL_TRIES 10

static __thread bool has_vs;
static __thread uint64_t root_vsid;

bool live_begin(void)
{
	uint64_t status = hooks_live ? mk2_pp_recall_attach(MK2_HANDLE) : MK1_SUCCESS;

	has_vs = false;
	if (status != MK1_SUCCESS)
		ext_print("%s: Linux cannot be recalled: the microkernel is an older one, or the "
			  "right \"linux\" is missing (0x%llx)\n",
			  ext_name, (unsigned long long)status);
	return status == MK1_SUCCESS;
}

void live_has(uint64_t vsid)
{
	root_vsid = vsid;
	has_vs = true;
}

uint64_t live_vsid(void)
{
	return has_vs ? root_vsid : MK1_INVALID_ID;
}

/* In ext_start no VS is active; those after the first extension know no more of Linux's. */
static bool linux_runs(void)
{
	return has_vs || mk1_tls_vsid() != MK1_INVALID_ID;
}

bool live_is_recall(uint64_t reason)
{
	return hooks_live &&
	       reason == (linux_is_on_amd() ? SVM_EXIT_INTR : VMX_EXIT_EXTERNAL_INTERRUPT);
}

void live_apply(uint64_t vsid)
{
	follow_ask_again();
	hook_apply(vsid);
	watch_apply(vsid);
}

/* One that an outer hypervisor has stopped comes out later, as from the handler of an NMI. */
static uint64_t recall(uint64_t ppid, unsigned int *tries)
{
	uint64_t status = mk2_pp_recall(MK2_HANDLE, ppid);

	for (; status == MK2_FAILURE_BUSY && *tries; (*tries)--) {
		(void)ext_more_time(RECALL_NS);
		status = mk2_pp_recall(MK2_HANDLE, ppid);
	}
	return status;
}

static const char *why(uint64_t status)
{
	return status == MK2_FAILURE_BUSY        ? "its Linux is in the handler of an NMI" :
	       status == MK1_INVALID_PERM_DENIED ? "the right \"linux\" is missing" :
						   "it cannot be recalled";
}

/* Those after the first extension have it done here, too, by a recall of this PP. */
bool live_tell(void)
{
	unsigned int tries = RECALL_TRIES;
	uint64_t status = MK1_SUCCESS;
	bool told = true;

	if (!hooks_live || !linux_runs())
		return true;
	if (has_vs)
		live_apply(root_vsid);
	/* What is denied for one is for all. */
	for (uint64_t ppid = 0; status != MK1_INVALID_PERM_DENIED; ppid++) {
		if (has_vs && ppid == mk1_tls_ppid())
			continue;
		status = recall(ppid, &tries);
		if (status == MK1_INVALID_INPUT_REG(1))
			break;
		if (status == MK1_SUCCESS)
			continue;
		told = false;
		ext_print("%s: what is watched has changed: PP %u sees it later: %s (0x%llx)\n",
			  ext_name, (unsigned int)ppid, why(status), (unsigned long long)status);
	}
	return told;
}

bool live_may(const char *what)
{
	if (hooks_live || !linux_runs())
		return true;
	ext_print(
		"%s: %s cannot be watched: Linux runs already, and ext_watch_live was not called\n",
		ext_name, what);
	return false;
}

bool ext_watch_live(void)
{
	if (!linux_is_open() || linux_runs()) {
		ext_print("%s: ext_watch_live is for ext_start, after ext_run_linux\n", ext_name);
		return false;
	}
	hooks_live = true;
	return true;
}
