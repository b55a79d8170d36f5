// SPDX-License-Identifier: MIT
/*
 * rootkit-watch: says when something has turned off what protects the kernel, or has redirected how
 * it is entered. Each write to CR0 and CR4, to the MSRs of SYSCALL and SYSENTER, and to the page of
 * the IDT exits, and is reported before it is done: CR0.WP, CR4.SMEP, SMAP and UMIP, and where
 * calls and interrupts go. At each exit it also compares these, and where IDT and GDT are, with
 * what was there before, as nothing exits for LIDT and LGDT. A CPU of Intel's that cannot watch
 * memory and registers (ext_can_watch) has the comparison only.
 *
 *	bfm start rootkit-watch --arg text=0xffffffff81000000 --arg text-end=0xffffffff81e00000
 *	bfm dump --follow
 *
 * With text and text-end (_stext and _etext in /proc/kallsyms, or a part of that) it compares the
 * kernel's code, too, four pages at each exit, and says which 64 bytes have changed. Linux changes
 * it for static keys, tracing and probes: look up the address in /proc/kallsyms.
 */
#include <abi/hw/x86.h>
#include <bsl/spinlock.h>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>
#include <ext/libext/log.h>
#include <ext/libext/memory.h>
#include <ext/libext/watch.h>

const char ext_name[] = "rootkit-watch";

#define MAX_PPS 1024
#define PAGE_SIZE 4096
#define LINE 64 /* of code, which has one checksum */
#define PAGES 4 /* of it at each exit */

static const struct {
	const char *name;
	enum ext_reg reg;
	uint64_t bits; /* of it */
	uint32_t msr; /* whose value it is; 0: none's */
} watched[] = {
	{ "CR0.WP", EXT_REG_cr0, CR0_WP, 0 },
	{ "CR4.SMEP", EXT_REG_cr4, CR4_SMEP, 0 },
	{ "CR4.SMAP", EXT_REG_cr4, CR4_SMAP, 0 },
	{ "CR4.UMIP", EXT_REG_cr4, CR4_UMIP, 0 },
	{ "IDT base", EXT_REG_idtr_base, ~0ull, 0 },
	{ "IDT limit", EXT_REG_idtr_limit, ~0ull, 0 },
	{ "GDT base", EXT_REG_gdtr_base, ~0ull, 0 },
	{ "GDT limit", EXT_REG_gdtr_limit, ~0ull, 0 },
	{ "STAR", EXT_REG_star, ~0ull, MSR_STAR },
	{ "LSTAR", EXT_REG_lstar, ~0ull, MSR_LSTAR },
	{ "CSTAR", EXT_REG_cstar, ~0ull, MSR_CSTAR },
	{ "FMASK", EXT_REG_fmask, ~0ull, MSR_FMASK },
	{ "SYSENTER_CS", EXT_REG_sysenter_cs, ~0ull, MSR_SYSENTER_CS },
	{ "SYSENTER_ESP", EXT_REG_sysenter_esp, ~0ull, MSR_SYSENTER_ESP },
	{ "SYSENTER_EIP", EXT_REG_sysenter_eip, ~0ull, MSR_SYSENTER_EIP },
};

#define NR_WATCHED (sizeof(watched) / sizeof(watched[0]))

/* Of each PP, which only that PP uses. */
static struct {
	uint64_t value[NR_WATCHED];
	bool reported[NR_WATCHED]; /* a write that the next comparison is not to report again */
} known[MAX_PPS];

static bool watches; /* CR0, CR4, and the IDT */
static uint64_t idt_gpa; /* its page */

static uint64_t text, text_end, text_gpa;
static uint32_t *sums; /* of each line; 0: not known yet */
static size_t next_page;
static struct bsl_spinlock text_lock; /* of the last two */

static uint64_t value_of(uint64_t vsid, size_t i)
{
	return ext_reg_read(vsid, watched[i].reg) & watched[i].bits;
}

/* Each has a limit of its own, so that none can be hidden by many changes of another one. */
static void report(uint64_t vsid, size_t i, uint64_t old, uint64_t value)
{
	static struct ext_ratelimit limits[NR_WATCHED];

	if (ext_ratelimit_passes(&limits[i]))
		ext_log(EXT_WARNING, "%s was 0x%llx, is 0x%llx, at RIP 0x%llx", watched[i].name,
			(unsigned long long)old, (unsigned long long)value,
			(unsigned long long)ext_reg_read(vsid, EXT_REG_rip));
}

static void compare_registers(uint64_t vsid)
{
	unsigned int pp = mk1_tls_ppid();

	for (size_t i = 0; i < NR_WATCHED; i++) {
		uint64_t value = value_of(vsid, i), old = known[pp].value[i];

		if (value != old && !known[pp].reported[i])
			report(vsid, i, old, value);
		known[pp].value[i] = value;
		known[pp].reported[i] = false;
	}
}

/* FNV-1a by words. Never 0. */
static uint32_t sum_of(const uint64_t *line)
{
	uint64_t sum = 0xCBF29CE484222325;

	for (unsigned int i = 0; i < LINE / sizeof(*line); i++)
		sum = (sum ^ line[i]) * 0x100000001B3;
	return (uint32_t)(sum >> 32 ^ sum) | 1;
}

/* The caller has the lock, and with it the page that the code is copied to. */
static void compare_page(size_t page)
{
	static uint64_t code[PAGE_SIZE / sizeof(uint64_t)];
	uint64_t gpa = text_gpa + page * PAGE_SIZE;
	enum ext_mem_status status = ext_mem_read_phys(gpa, code, PAGE_SIZE, NULL);

	if (status != EXT_MEM_OK) {
		ext_log_ratelimited(EXT_WARNING, "code at physical address 0x%llx: %s",
				    (unsigned long long)gpa, ext_mem_why(status));
		return;
	}
	for (size_t i = 0; i < PAGE_SIZE / LINE; i++) {
		uint32_t *known_sum = &sums[page * (PAGE_SIZE / LINE) + i];
		uint32_t sum = sum_of(&code[i * LINE / sizeof(code[0])]);

		if (*known_sum && *known_sum != sum)
			ext_log_ratelimited(
				EXT_INFO, "code has changed in the %u bytes at 0x%llx", LINE,
				(unsigned long long)(text + page * PAGE_SIZE + i * LINE));
		*known_sum = sum;
	}
}

static void compare_text(void)
{
	if (!sums || !bsl_spin_trylock(&text_lock)) /* another PP is at it */
		return;
	for (unsigned int i = 0; i < PAGES; i++) {
		compare_page(next_page);
		next_page = (next_page + 1) % ((text_end - text) / PAGE_SIZE);
	}
	bsl_spin_unlock(&text_lock);
}

static bool on_exit(struct ext_exit *e)
{
	compare_registers(e->vsid);
	compare_text();
	return false;
}

/* About to be written: it may still fault, and then it is what it was. */
static void written(uint64_t vsid, size_t i, uint64_t value)
{
	unsigned int pp = mk1_tls_ppid();

	if (known[pp].value[i] == value)
		return;
	report(vsid, i, known[pp].value[i], value);
	known[pp].reported[i] = true;
}

static bool on_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value)
{
	for (size_t i = 0; i < NR_WATCHED; i++) {
		if (watched[i].msr == msr)
			written(e->vsid, i, value);
	}
	return false;
}

static bool on_cr(struct ext_exit *e, const struct ext_cr *cr)
{
	enum ext_reg reg = cr->number ? EXT_REG_cr4 : EXT_REG_cr0;

	for (size_t i = 0; i < NR_WATCHED && cr->number != 3 && cr->number != 8; i++) {
		if (watched[i].reg == reg)
			written(e->vsid, i, cr->value & watched[i].bits);
	}
	return false;
}

/* Of Intel's CPUs the address, too. What else is in the page is not ours to tell. */
static bool on_fault(struct ext_exit *e, const struct ext_fault *fault)
{
	if (fault->access & EXT_WRITE && fault->gpa - idt_gpa < PAGE_SIZE)
		ext_log_ratelimited(
			EXT_WARNING,
			"the IDT is written to, at physical address 0x%llx, at RIP 0x%llx",
			(unsigned long long)fault->gpa,
			(unsigned long long)ext_reg_read(e->vsid, EXT_REG_rip));
	return false;
}

/* Linux has one for all CPUs, in a page. */
static bool watch_idt(uint64_t vsid)
{
	enum ext_mem_status status = ext_mem_translate(vsid, ext_reg_read(vsid, EXT_REG_idtr_base),
						       EXT_MEM_READ, &idt_gpa);

	idt_gpa &= ~(uint64_t)(PAGE_SIZE - 1);
	if (status != EXT_MEM_OK)
		ext_log(EXT_ERROR, "the IDT: %s", ext_mem_why(status));
	return status == EXT_MEM_OK && ext_watch(idt_gpa, PAGE_SIZE, EXT_WRITE);
}

/* Programs' page tables may lack the kernel, whose image is in one piece: it is read there. */
static bool find_text(uint64_t vsid)
{
	uint64_t last;
	enum ext_mem_status status = ext_mem_translate(vsid, text, EXT_MEM_FETCH, &text_gpa);

	if (status == EXT_MEM_OK)
		status = ext_mem_translate(vsid, text_end - 1, EXT_MEM_FETCH, &last);
	if (status != EXT_MEM_OK)
		ext_log(EXT_ERROR, "text=0x%llx: %s", (unsigned long long)text,
			ext_mem_why(status));
	else if (last - text_gpa != text_end - 1 - text)
		ext_log(EXT_ERROR, "text=0x%llx: not the kernel's image", (unsigned long long)text);
	else
		return true;
	return false;
}

/* What is there now is good. */
static bool cpu_in(uint64_t vsid)
{
	unsigned int pp = mk1_tls_ppid();

	EXT_ASSERT(pp < MAX_PPS);
	for (size_t i = 0; i < NR_WATCHED; i++)
		known[pp].value[i] = value_of(vsid, i);
	return pp || ((!watches || watch_idt(vsid)) && (!sums || find_text(vsid)));
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .cpu_in = cpu_in,
					    .exit = on_exit,
					    .wrmsr = on_wrmsr,
					    .cr = on_cr,
					    .nested_fault = on_fault };
	static const struct ext_ops compares = { .cpu_in = cpu_in,
						 .exit = on_exit,
						 .wrmsr = on_wrmsr };
	static const char *const keys[] = { "text", "text-end", NULL };
	uint64_t va, spa, status, bytes;

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("text", 0, &text) ||
	    !ext_arg_u64("text-end", text, &text_end))
		return 1;
	if (text % PAGE_SIZE || text > text_end)
		ext_fail("text begins with a page, and text-end is behind it");
	text_end = (text_end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	watches = ext_can_watch();
	if (ext_run_linux(specs, watches ? &ops : &compares) ||
	    (watches && !ext_watch_cr(1u << 0 | 1u << 4)))
		return 1;
	for (size_t i = 0; i < NR_WATCHED; i++) {
		if (watched[i].msr && !ext_msr_intercept(watched[i].msr, EXT_MSR_WRITE))
			return 1;
	}
	bytes = (text_end - text) / LINE * sizeof(*sums);
	if (!bytes)
		return 0;
	status = mk1_mem_alloc_huge(MK1_HANDLE, bytes, &va, &spa);
	if (status != MK1_SUCCESS)
		ext_fail("no 0x%llx bytes for checksums (bfm start --huge): %s",
			 (unsigned long long)bytes, mk1_status_name(status));
	sums = (uint32_t *)va;
	return 0;
}
