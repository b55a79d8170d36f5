// SPDX-License-Identifier: MIT
/*
 * Hidden breakpoints. A page with some of them has a copy with INT3 that is shown by a view of
 * Mk#2.
 *
 * Intel: what everybody watches shows the copy, which can be executed and nothing else.
 * AMD, which has no such pages: what everybody watches shows Linux's page, which can be read only;
 * another view shows the copy, and nothing else in it can be executed.
 */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <bsl/bits.h>
#include <bsl/spinlock.h>
#include <ext/libext/memory.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/follow.h>
#include <ext/linux/hook.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/live.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

#define MAX_HOOKS 16
#define MAX_PAGES 8
#define COPY_VIEW 2
#define INT3 0xCC

static struct page {
	uint8_t copy[BF_PAGE_SIZE] __attribute__((aligned(BF_PAGE_SIZE)));
	uint64_t gpa, gva;
} pages[MAX_PAGES];

static struct {
	uint64_t gva, gpa;
	ext_hook_fn *fn;
} hooked[MAX_HOOKS];

/*
 * Their number grows, under the lock, each after it is there: who reads them needs none. It shrinks
 * by one that was refused, and has not been shown.
 */
static unsigned int nr_pages, nr_hooked;
static struct bsl_spinlock lock;
static bool want_exits; /* breakpoints are to exit on each PP */
static bool all_exit; /* and they do, on all that are here */

static __thread struct {
	struct page *written; /* by the instruction that is being stepped */
	bool in_copy; /* AMD: Linux is in the other view */
} here;

static struct page *page_of(uint64_t gpa)
{
	unsigned int count = __atomic_load_n(&nr_pages, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++) {
		if (pages[i].gpa == bsl_align_down(gpa, BF_PAGE_SIZE))
			return &pages[i];
	}
	return NULL;
}

/* --- copies ----------------------------------------------------------------------------------- */

static uint64_t show_on_amd(const struct page *page)
{
	uint64_t generation;
	uint64_t status =
		mk2_vm_view_rest(MK2_HANDLE, COPY_VIEW, MK2_NESTED_R | MK2_NESTED_W, &generation);

	if (status == MK1_SUCCESS)
		status = mk2_vm_view_show(MK2_HANDLE, COPY_VIEW, page->gpa,
					  MK2_NESTED_R | MK2_NESTED_X, (uint64_t)page->copy,
					  &generation);
	if (status == MK1_SUCCESS)
		status = mk2_vm_view_set(MK2_HANDLE, WATCHED_VIEW, page->gpa, BF_PAGE_SIZE,
					 MK2_NESTED_R, &generation);
	return status;
}

static uint64_t show(const struct page *page)
{
	uint64_t generation;

	if (linux_is_on_amd())
		return show_on_amd(page);
	return mk2_vm_view_show(MK2_HANDLE, WATCHED_VIEW, page->gpa, MK2_NESTED_X,
				(uint64_t)page->copy, &generation);
}

/* As Linux's page is now, with all breakpoints. */
static enum ext_mem_status copy(struct page *page)
{
	enum ext_mem_status status = ext_mem_read_phys(page->gpa, page->copy, BF_PAGE_SIZE, NULL);

	for (unsigned int i = 0; i < nr_hooked; i++) {
		if (bsl_align_down(hooked[i].gpa, BF_PAGE_SIZE) == page->gpa)
			page->copy[hooked[i].gpa & BF_PAGE_MASK] = INT3;
	}
	return status;
}

void hooked_stepped(void)
{
	struct page *page = here.written;
	enum ext_mem_status read;
	uint64_t status;

	here.in_copy = false;
	here.written = NULL;
	if (!page)
		return;
	bsl_spin_lock(&lock);
	read = copy(page);
	status = show(page);
	bsl_spin_unlock(&lock);
	if (read != EXT_MEM_OK)
		give_up(ext_mem_why(read), mk1_tls_vsid(), page->gpa);
	if (status != MK1_SUCCESS)
		give_up("a page with hooks is not shown any more", mk1_tls_vsid(), status);
}

/* --- making one ------------------------------------------------------------------------------- */

static bool refuse(uint64_t gva, const char *why)
{
	ext_print("%s: no hook at 0x%llx: %s\n", ext_name, (unsigned long long)gva, why);
	return false;
}

/* Of a page that has been refused: what was shown of it is Linux's own again. */
static void hide(const struct page *page)
{
	uint64_t generation;

	if (linux_is_on_amd())
		(void)mk2_vm_view_clear(MK2_HANDLE, COPY_VIEW, page->gpa, BF_PAGE_SIZE,
					&generation);
	(void)mk2_vm_view_clear(MK2_HANDLE, WATCHED_VIEW, page->gpa, BF_PAGE_SIZE, &generation);
}

/* The last hook is none. Its page goes with it if it is new, else it has its other hooks. */
static void drop_last(unsigned int pages_before)
{
	struct page *page = page_of(hooked[nr_hooked - 1].gpa);

	__atomic_store_n(&nr_hooked, nr_hooked - 1, __ATOMIC_RELEASE);
	if (!page)
		return;
	if (nr_pages == pages_before) {
		if (copy(page) == EXT_MEM_OK)
			(void)show(page);
		return;
	}
	hide(page);
	__atomic_store_n(&nr_pages, pages_before, __ATOMIC_RELEASE);
}

/* The page, with this hook counted already. */
static const char *show_page(uint64_t gva, uint64_t gpa)
{
	struct page *page = page_of(gpa);
	enum ext_mem_status status;

	if (!page && nr_pages == MAX_PAGES)
		return "there are hooks on 8 pages already";
	if (!page) {
		page = &pages[nr_pages];
		page->gpa = bsl_align_down(gpa, BF_PAGE_SIZE);
		page->gva = bsl_align_down(gva, BF_PAGE_SIZE);
	}
	status = copy(page);
	if (status != EXT_MEM_OK)
		return ext_mem_why(status);
	/* Before it is shown, so that an exit finds it. */
	if (page == &pages[nr_pages])
		__atomic_store_n(&nr_pages, nr_pages + 1, __ATOMIC_RELEASE);
	if (show(page) != MK1_SUCCESS)
		return "the CPU has no such pages, or there is no memory left for one";
	return NULL;
}

static const char *make(uint64_t vsid, uint64_t gva, ext_hook_fn *fn)
{
	unsigned int pages_before = nr_pages;
	enum ext_mem_status status;
	const char *why;
	uint64_t gpa;

	for (unsigned int i = 0; i < nr_hooked; i++) {
		if (hooked[i].gva == gva)
			return hooked[i].fn == fn ? NULL : "another function is called there";
	}
	if (nr_hooked == MAX_HOOKS)
		return "there are 16 already";
	status = ext_mem_translate(vsid, gva, EXT_MEM_ANY, &gpa);
	if (status != EXT_MEM_OK)
		return ext_mem_why(status);
	hooked[nr_hooked].gva = gva;
	hooked[nr_hooked].gpa = gpa;
	hooked[nr_hooked].fn = fn;
	__atomic_store_n(&nr_hooked, nr_hooked + 1, __ATOMIC_RELEASE);
	why = show_page(gva, gpa);
	if (why)
		drop_last(pages_before);
	return why;
}

/* To QEMU's TCG, which says that it is one, INT3 is an INT n like any other. */
static bool is_tcg(void)
{
	struct cpuid_regs id = cpuid(0x40000000, 0);

	return id.ebx == 0x54474354 && id.ecx == 0x43544743 && id.edx == 0x47435447;
}

static void breakpoints_exit(uint64_t vsid)
{
	uint64_t reg = linux_is_on_amd() ? MK1_AMD_intercept_exception : MK1_INTEL_exception_bitmap;

	vs_set(vsid, reg, vs_get(vsid, reg) | BSL_BIT(VECTOR_BP));
	if (linux_is_on_amd() && is_tcg())
		vs_set(vsid, MK1_AMD_intercept_instruction1,
		       vs_get(vsid, MK1_AMD_intercept_instruction1) | SVM_INSTR1_SWINT);
}

void hook_apply(uint64_t vsid)
{
	here.in_copy = false; /* the caller changes the view */
	if (__atomic_load_n(&want_exits, __ATOMIC_ACQUIRE))
		breakpoints_exit(vsid);
}

/* Before one is shown: on a PP where it does not exit, Linux would take it. */
static bool have_all_exit(void)
{
	bool told = __atomic_load_n(&all_exit, __ATOMIC_ACQUIRE);

	if (told)
		return true;
	__atomic_store_n(&want_exits, true, __ATOMIC_RELEASE);
	told = live_tell();
	__atomic_store_n(&all_exit, told, __ATOMIC_RELEASE);
	return told;
}

/*
 * A new page has a small entry of its own, on all PPs that are in Linux, before another page is in
 * its place. Where a page changes its size together with its address, CPUs of Intel's may find both
 * in the TLB for instructions, and stop with a machine check (CVE-2018-12207).
 */
static bool split(uint64_t vsid, uint64_t gva)
{
	uint64_t gpa, generation, status = MK1_SUCCESS;
	bool is_new;

	if (linux_is_on_amd() || ext_mem_translate(vsid, gva, EXT_MEM_ANY, &gpa) != EXT_MEM_OK)
		return true; /* why there can be no hook is said later */
	bsl_spin_lock(&lock);
	is_new = !page_of(gpa) && nr_pages < MAX_PAGES && nr_hooked < MAX_HOOKS;
	if (is_new)
		status = mk2_vm_view_set(MK2_HANDLE, WATCHED_VIEW,
					 bsl_align_down(gpa, BF_PAGE_SIZE), BF_PAGE_SIZE,
					 MK2_NESTED_RWX, &generation);
	bsl_spin_unlock(&lock);
	return status == MK1_SUCCESS && (!is_new || live_tell());
}

bool ext_hook(uint64_t vsid, uint64_t gva, ext_hook_fn *fn)
{
	unsigned int before;
	const char *why;
	bool is_new;

	if (follow_is_one())
		return refuse(gva, "they are the first extension's");
	if (!watch_memory())
		return false;
	if (!linux_is_on_amd() && !vmx_can_step(vsid))
		return refuse(gva, "this CPU has no monitor trap flag");
	here.written = NULL;
	if (!have_all_exit())
		return refuse(gva, "a PP cannot be told of it");
	if (!split(vsid, gva))
		return refuse(gva, "there is no memory left for its page, or a PP is not told");
	bsl_spin_lock(&lock);
	before = nr_hooked;
	why = make(vsid, gva, fn);
	is_new = nr_hooked != before;
	bsl_spin_unlock(&lock);
	if (why)
		return refuse(gva, why);
	hook_apply(vsid);
	watch_again(vsid);
	return !is_new || live_tell();
}

/* --- exits ------------------------------------------------------------------------------------ */

/* Linux has a breakpoint of its own there, as it has for a moment when it changes code. */
static bool is_own_breakpoint(uint64_t gpa)
{
	uint8_t byte = 0;

	return ext_mem_read_phys(gpa, &byte, 1, NULL) == EXT_MEM_OK && byte == INT3;
}

bool hooked_breakpoint(struct ext_exit *e)
{
	uint64_t rip = ext_reg_read(e->vsid, EXT_REG_rip);
	unsigned int count = __atomic_load_n(&nr_hooked, __ATOMIC_ACQUIRE), i = 0;

	while (i < count && hooked[i].gva != rip)
		i++;
	if (i == count)
		return false;
	hooked[i].fn(e);
	if (e->fault)
		return true;
	if (ext_reg_read(e->vsid, EXT_REG_rip) != rip)
		e->again = true;
	else if (is_own_breakpoint(hooked[i].gpa))
		return false;
	else
		e->step = true;
	return true;
}

/* AMD: into a page with hooks, or out of it. An instruction that is in two pages is stepped. */
static bool fetched(struct ext_exit *e, const struct page *page)
{
	uint64_t rip = ext_reg_read(e->vsid, EXT_REG_rip);
	unsigned int count = __atomic_load_n(&nr_pages, __ATOMIC_ACQUIRE);
	bool begins = false;

	if (!page && !here.in_copy)
		return false;
	for (unsigned int i = 0; i < count; i++)
		begins |= pages[i].gva == bsl_align_down(rip, BF_PAGE_SIZE) && &pages[i] != page;
	if (begins || (page && here.in_copy)) {
		e->step = true;
		return true;
	}
	watch_in_view(e->vsid, page ? COPY_VIEW : WATCHED_VIEW);
	here.in_copy = page;
	e->again = true;
	return true;
}

bool hooked_fault(struct ext_exit *e, const struct ext_fault *fault)
{
	struct page *page = page_of(fault->gpa);

	if (fault->access & EXT_EXECUTE)
		return linux_is_on_amd() && fetched(e, page);
	if (!page)
		return false;
	if (fault->access & EXT_WRITE)
		here.written = page;
	e->step = true;
	return true;
}
