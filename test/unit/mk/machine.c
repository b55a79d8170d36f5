// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <abi/channel.h>
#include <bsl/paging.h>

#include "microkernel/arch/mtrr.h"
#include "microkernel/obj/policy.h"
#include "microkernel/run/start.h"

#define LIST_PAGES 1
#define RING_PAGES 11 /* a header, the text, the lines */
#define RING_DATA 0x4000
#define ENDED_PAGES 4
#define CHANNEL_PAGES (BF_CHANNEL_MIN / PAGE)

struct machine m;
struct ended ended;
struct syscall_frame regs;
void *run_env[5];
struct pp *host_pp;

static uint8_t pp_pages[MACHINE_PPS][BF_PP_DATA_PAGES * PAGE] __attribute__((aligned(4096)));

/* --- the microkernel's ways out: what is assembly elsewhere ----------------------------------- */

const uint8_t trap_stubs[MK_IDT_ENTRIES * 16];

static int run_depth;

void run_begin(void)
{
	run_depth++;
	memset(&ended, 0, sizeof(ended));
}

void run_end(void)
{
	run_depth--;
}

static __noreturn void out(enum end end)
{
	ck_assert_msg(run_depth > 0, "the microkernel left (%d) where it should not", end);
	ended.end = end;
	__builtin_longjmp(run_env, 1);
}

__noreturn void enter_ring3(uint64_t arg0, uint64_t arg1, uint64_t rsp, uint64_t rip)
{
	ended.rip = rip;
	ended.rsp = rsp;
	ended.arg0 = arg0;
	ended.arg1 = arg1;
	out(END_RING3);
}

__noreturn void resume_ring3(const uint64_t *gpr, uint64_t rip, uint64_t rflags, uint64_t rsp)
{
	ended.gpr = gpr;
	ended.rip = rip;
	ended.rflags = rflags;
	ended.rsp = rsp;
	out(END_RESUMED);
}

void (*called_runs)(void);
static void *kept_env[5];
static bool is_kept;

/* Unless it runs, the call does not return: the tests look at what it would take. */
uint64_t call_ring3(struct kept_stack *kept, const uint64_t *gpr, uint64_t rip, uint64_t rsp)
{
	static uint64_t copy[BF_NR_GPRS];

	memcpy(copy, gpr, sizeof(copy));
	kept->rsp = rsp;
	ended.gpr = copy;
	ended.rip = rip;
	ended.rsp = rsp;
	if (!called_runs)
		out(END_RING3);
	is_kept = true;
	if (!__builtin_setjmp(kept_env)) {
		called_runs();
		ck_abort_msg("what was called has neither replied nor failed");
	}
	is_kept = false;
	return ended.status;
}

__noreturn void return_to_kept(struct kept_stack *kept, uint64_t status)
{
	ck_assert_uint_ne(kept->rsp, 0);
	ended.status = status;
	if (is_kept)
		__builtin_longjmp(kept_env, 1);
	out(END_BACK);
}

__noreturn void svm_enter(uint64_t spa)
{
	ended.spa = spa;
	out(END_GUEST);
}

__noreturn void vmx_enter(bool launched)
{
	ended.launched = launched;
	out(END_GUEST);
}

__noreturn void vmx_resume(void)
{
	vmx_enter(true);
}

static void switch_leave(struct bf_switch_page *sp)
{
	ended.sp = sp;
	msr_set(cpu, MSR_EFER,
		sp->cpu.efer); /* CR3, CR4 and CR0, too: the tests look at the page */
	out(END_LEFT);
}

__noreturn void cpu_shutdown(void)
{
	out(END_RESET);
}

__noreturn void halt(void)
{
	out(END_HALTED);
}

/* What comes meanwhile is the test's affair; nothing else interrupts these two. */
void (*machine_waits)(void);

void wait_for_nmi(const uint32_t *word, uint32_t value)
{
	if (*word == value && machine_waits)
		machine_waits();
	else if (*word == value)
		out(END_HALTED);
}

const uint8_t wait_for_nmi_end[1];

/* The local APIC of this CPU gives its first interrupt to the handler. */
void take_interrupt(void)
{
	struct trap_frame frame = { .vector = VECTOR_LAST_EXCEPTION + 1,
				    .cs = BF_SEL_KERNEL_CS,
				    .rip = (uint64_t)take_interrupt };

	msr_set(cpu, MSR_X2APIC + XAPIC_IRR / 16, 0);
	machine_interrupts++;
	trap_dispatch(&frame);
}

const uint8_t take_interrupt_end[1];
unsigned int machine_interrupts;

void mk_syscall(void)
{
}

void mk_syscall_overdue(void)
{
}

void vmx_exit_entry(void)
{
}

/* Something to recognise. */
void save_registers(struct trap_frame *frame)
{
	frame->gpr[BF_RBP] = 0xB0B0;
	frame->rip = 0x1717;
}

/* --- memory ----------------------------------------------------------------------------------- */

static uint64_t carve(uint64_t pages)
{
	uint64_t spa = m.free_spa;

	m.free_spa += pages * PAGE;
	ck_assert_uint_le(m.free_spa, PHYS_BASE + OWNED_SIZE);
	return spa;
}

static uint64_t carve_table(void *ctx)
{
	(void)ctx;
	return carve(1);
}

static uint64_t *table_at(void *ctx, uint64_t spa)
{
	(void)ctx;
	return phys_at(spa);
}

static const struct bsl_tables paging = { .alloc = carve_table,
					  .at = table_at,
					  .branch = BSL_PTE_P | BSL_PTE_W | BSL_PTE_A,
					  .levels = 4 };

static struct bf_list make_list(const struct bf_region *regions, uint64_t count)
{
	struct bf_list list = { carve(LIST_PAGES), count };

	memcpy(phys_at(list.spa), regions, count * sizeof(*regions));
	return list;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void make_lists(struct bf_handoff *h)
{
	const struct bf_region ram[] = { { 0, 0x9F000 },
					 { 0x100000, 0xBFF00000 },
					 { 0x100000000, RAM_TOP - 0x100000000 } };
	const struct bf_region owned[] = { { PHYS_BASE, OWNED_SIZE }, { ODD_OWNED, PAGE } };
	uint64_t first = m.pool_pages < 3 ? m.pool_pages : 3;
	uint64_t spa = carve(3);
	struct bf_region pool[2];

	h->ram = make_list(ram, COUNT(ram));
	h->owned = make_list(owned, COUNT(owned));
	h->huge_pool.spa = carve(m.huge_pages);
	h->huge_pool.size = m.huge_pages * PAGE;
	pool[0] = (struct bf_region){ spa, first * PAGE };
	h->page_pool.spa = carve(1);
	pool[1] = (struct bf_region){ m.free_spa, (m.pool_pages - first) * PAGE };
	(void)carve(m.pool_pages - first);
	h->page_pool.count = pool[1].size ? 2 : 1;
	memcpy(phys_at(h->page_pool.spa), pool, sizeof(pool));
}

/* Text, read-only data, data; beside them a page of thread-local data. */
static void make_ext(struct bf_image *image)
{
	struct bf_image_page pages[3];
	uint64_t spa = carve(3);

	pages[0] = (struct bf_image_page){ MK1_EXT_CODE_BASE + 0x1000, spa | BF_PAGE_X };
	pages[1] = (struct bf_image_page){ EXT_RODATA, spa + PAGE };
	pages[2] = (struct bf_image_page){ EXT_DATA, (spa + 2 * PAGE) | BF_PAGE_W };
	memcpy(phys_at(spa + PAGE), "read-only", 10);
	image->entry = EXT_ENTRY;
	image->tls_spa = carve(1);
	memcpy(phys_at(image->tls_spa + PAGE - EXT_TLS_SIZE), "thread-local", 13);
	image->pages = (struct bf_list){ carve(1), 3 };
	memcpy(phys_at(image->pages.spa), pages, sizeof(pages));
}

static void make_handoff(void)
{
	struct bf_handoff *h = phys_at(carve(1));

	m.handoff = h;
	h->magic = BF_HANDOFF_MAGIC;
	h->version = BF_HANDOFF_VERSION;
	h->vendor = m.vendor;
	h->nr_pps = m.nr_pps;
	h->nr_online = m.nr_pps;
	h->nr_exts = m.nr_exts;
	h->serial_port = m.serial_port;
	h->outer = m.outer;
	h->outer_flags = m.outer_flags;
	h->tsc_khz = 100000;
	h->watchdog_ns = 100000000;
	h->ring = (struct bf_region){ carve(RING_PAGES), RING_PAGES * PAGE };
	m.ring = phys_at(h->ring.spa);
	m.ring->size = RING_DATA;
	h->status = (struct bf_region){ carve(m.nr_pps), m.nr_pps * PAGE };
	h->ended = (struct bf_region){ carve(ENDED_PAGES), ENDED_PAGES * PAGE };
	for (uint32_t i = 0; i < m.nr_exts; i++) {
		make_ext(&h->exts[i]);
		h->args[i].spa = carve(1);
		h->channels[i] = (struct bf_region){ carve(CHANNEL_PAGES), CHANNEL_PAGES * PAGE };
	}
}

/* --- CPUs ------------------------------------------------------------------------------------- */

static const uint64_t plain_msrs[] = { MSR_STAR,
				       MSR_LSTAR,
				       MSR_CSTAR,
				       MSR_FMASK,
				       MSR_FS_BASE,
				       MSR_GS_BASE,
				       MSR_KERNEL_GS_BASE,
				       MSR_SYSENTER_CS,
				       MSR_SYSENTER_ESP,
				       MSR_SYSENTER_EIP,
				       MSR_DEBUGCTL,
				       MSR_PAT,
				       MSR_MTRR_CAP,
				       MSR_MTRR_DEF_TYPE,
				       0x10,
				       MSR_TSC_AUX,
				       0x250,
				       0x258,
				       0x259,
				       0x268,
				       0x269,
				       0x26A,
				       0x26B,
				       0x26C,
				       0x26D,
				       0x26E,
				       0x26F,
				       0x200,
				       0x201,
				       0x202,
				       0x203 };

static void make_cpu(struct cpu *c)
{
	cpu_reset(c);
	for (unsigned int i = 0; i < COUNT(plain_msrs); i++)
		msr_set(c, (uint32_t)plain_msrs[i], 0);
	msr_set(c, MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	msr_set(c, MSR_PAT, 0x0407050600070106);
	msr_set(c, MSR_APIC_BASE, 0xFEE00C00); /* x2APIC */
	msr_set(c, MSR_X2APIC_ID, 0x100 + (uint64_t)(c - m.cpus));
	msr_set(c, MSR_X2APIC_ICR, 0);
	msr_set(c, MSR_MTRR_CAP, 0x502);
	msr_set(c, MSR_MTRR_DEF_TYPE, 0xC06);
	/* 3.5 to 4 GiB is uncacheable, the rest write-back by default. */
	for (uint32_t msr = 0x250; msr <= 0x26F; msr++) {
		if (msr == 0x250 || msr == 0x258 || msr == 0x259 || msr >= 0x268)
			msr_set(c, msr, 0x0606060606060606);
	}
	msr_set(c, MSR_MTRR_PHYSBASE0, 0xE0000000);
	msr_set(c, 0x201, 0xFFE0000800);
	if (m.vendor == BF_VENDOR_AMD) {
		msr_set(c, MSR_VM_CR, 0);
		msr_set(c, MSR_VM_HSAVE_PA, 0x1234000);
		return;
	}
	msr_set(c, MSR_FEATURE_CONTROL, 5);
	msr_set(c, MSR_VMX_BASIC, 0x00DA040000000012); /* TRUE_ controls, revision 0x12 */
	msr_set(c, MSR_VMX_PINBASED_CTLS, 0x000000FF00000016);
	msr_set(c, MSR_VMX_PROCBASED_CTLS, 0xFFF9FFFE0401E172);
	msr_set(c, MSR_VMX_EXIT_CTLS, 0x01FFFFFF00036DFF);
	msr_set(c, MSR_VMX_ENTRY_CTLS, 0x0003FFFF000011FF);
	msr_set(c, MSR_VMX_CR0_FIXED0, 0x80000021);
	msr_set(c, MSR_VMX_CR0_FIXED1, 0xFFFFFFFF);
	msr_set(c, MSR_VMX_CR4_FIXED0, 0x2000);
	msr_set(c, MSR_VMX_CR4_FIXED1, 0x776FFF);
	msr_set(c, MSR_VMX_PROCBASED_CTLS2, 0x0FFFFFFF00000000);
	msr_set(c, MSR_VMX_EPT_VPID_CAP, 0x00000F0106734141);
	msr_set(c, MSR_VMX_TRUE_PINBASED_CTLS, 0x000000FF00000016);
	msr_set(c, MSR_VMX_TRUE_PROCBASED_CTLS, 0xFFF9FFFE04006172);
	msr_set(c, MSR_VMX_TRUE_EXIT_CTLS, 0x01FFFFFF00036DFB);
	msr_set(c, MSR_VMX_TRUE_ENTRY_CTLS, 0x0003FFFF000011FB);
}

static void make_cpuid(void)
{
	cpuid_set(0, 0, 13, 0, 0, 0);
	/* OSXSAVE, PCID, VMX on Intel; MTRR */
	cpuid_set(1, 0, 0, 0, m.vendor == BF_VENDOR_INTEL ? 0x4020020 : 0x4020000, 1U << 12);
	cpuid_set(7, 0, 0, 1U | 1U << 7 | 1U << 20, 1U << 2, 0);
	cpuid_set(0x80000001, 0, 0, 0, m.vendor == BF_VENDOR_AMD ? 1U << 2 : 0, 1U << 26);
	cpuid_set(0x8000000A, 0, 1, m.vendor == BF_VENDOR_AMD ? 16 : 0, 0,
		  m.vendor == BF_VENDOR_AMD ? 1U | 1U << 3 : 0);
}

#define LINUX_PML4 (LINUX_RAM + 0xF00000)

static uint64_t linux_table(void *ctx)
{
	static uint64_t next;

	if (ctx)
		next = LINUX_PML4;
	return next += PAGE;
}

/*
 * Linux's kernel has the code that switches mapped, and what it carries; the rest does not matter.
 */
void machine_maps(uint64_t va, uint64_t spa)
{
	const struct bsl_tables tables = {
		.alloc = linux_table, .at = table_at, .branch = BSL_PTE_P, .levels = m.la57 ? 5 : 4
	};
	uint64_t *entry = bsl_pt_entry(&tables, LINUX_PML4, va, 1, true);

	ck_assert_ptr_nonnull(entry);
	*entry = spa | BSL_PTE_P;
}

static void map_in_linux(const void *va, bool first)
{
	uint64_t unused;

	if (first)
		(void)linux_table(&unused);
	machine_maps((uint64_t)va & ~(PAGE - 1), linux_page(0));
}

/* Linux as the loader found it on a CPU. */
static void make_state(struct bf_cpu_state *s, uint32_t ppid)
{
	const struct bf_segment data = { 0x18, 0xC93, 0xFFFFFFFF, 0 };

	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		s->gpr[i] = 0x1111 * (i + 1);
	s->rsp = 0xFFFFC90000003F00;
	s->rip = 0xFFFFFFFFC0001000;
	s->rflags = 0x46;
	s->cr0 = 0x80050033;
	s->cr2 = 0x7FFF0000;
	s->cr3 = LINUX_PML4;
	s->cr4 = CR4_PAE | CR4_MCE | CR4_OSXSAVE;
	s->xcr0 = 7;
	s->cr8 = 0;
	s->dr6 = DR6_RESET;
	s->dr7 = 0x400;
	s->gdtr = (struct bf_table){ .limit = 0x7F, .base = 0xFFFFFE0000001000 };
	s->idtr = (struct bf_table){ .limit = 0xFFF, .base = 0xFFFFFE0000000000 };
	s->ss = data;
	s->cs = (struct bf_segment){ 0x10, 0xA9B, 0xFFFFFFFF, 0 };
	s->gs.base = 0xFFFF888000000000 + ppid;
	s->tr = (struct bf_segment){ 0x40, 0x8B, 0x206F, 0xFFFFFE0000003000 };
	s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	s->star = 0x0023001000000000;
	s->lstar = 0xFFFFFFFF81000000;
	s->cstar = 0xFFFFFFFF81000100;
	s->fmask = 0x257FD5;
	s->kernel_gs_base = 0x7F00;
	s->sysenter_cs = 0x10;
	s->sysenter_esp = 0xFFFFFE0000002000;
	s->sysenter_eip = 0xFFFFFFFF81000200;
	s->pat = 0x0407050600070106;
	s->debugctl = 0;
}

/*
 * The microkernel leaves on the stack of a switch page. It lies below the stack of the process:
 * when a stack is given up, ASan cleans its notes from the stack pointer up to the top of that.
 */
static uint8_t *switch_pages(void)
{
	static uint8_t *pages;

	if (!pages) {
		uint64_t below = (uint64_t)__builtin_frame_address(0) - 0x1000000;

		pages = mmap((void *)(below & ~(PAGE - 1)), MACHINE_PPS * PAGE,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (pages == MAP_FAILED)
			cpu_die("no memory for switch pages");
	}
	return pages;
}

static struct bf_switch_page *make_switch_page(uint32_t ppid)
{
	uint8_t *page = switch_pages() + ppid * PAGE;

	memset(page, 0, PAGE);
	return (struct bf_switch_page *)page;
}

/* The window on all that is the hypervisor's: the tables of PP 0 serve all. */
static void make_window(uint32_t ppid, uint64_t pml4)
{
	static uint64_t entry;
	uint64_t *own = (uint64_t *)phys_at(pml4) + bsl_pt_index(BF_WINDOW_BASE, 4);

	if (ppid) {
		*own = entry;
		return;
	}
	ck_assert_int_eq(bsl_pt_map_range(&paging, pml4, BF_WINDOW_BASE + PHYS_BASE, PHYS_BASE,
					  OWNED_SIZE, BSL_PTE_W | BSL_PTE_NX),
			 BF_ERR_OK);
	ck_assert_int_eq(bsl_pt_map_range(&paging, pml4, BF_WINDOW_BASE + ODD_OWNED, ODD_OWNED,
					  PAGE, BSL_PTE_W | BSL_PTE_NX),
			 BF_ERR_OK);
	entry = *own;
}

static void make_pp(uint32_t ppid)
{
	struct pp *pp = (struct pp *)pp_pages[ppid];
	struct bf_switch_page *sp = make_switch_page(ppid);
	uint64_t pml4 = carve(1);

	memset(pp_pages[ppid], 0, sizeof(pp_pages[ppid]));
	m.pps[ppid] = pp;
	m.switch_pages[ppid] = sp;
	make_state(&sp->cpu, ppid);
	sp->host_cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_SMEP |
		       CR4_SMAP | CR4_UMIP;
	sp->gdtr = (struct bf_table){ .limit = sizeof(sp->gdt) - 1, .base = (uint64_t)sp->gdt };
	sp->idtr = (struct bf_table){ .limit = sizeof(sp->idt) - 1, .base = (uint64_t)sp->idt };
	pp->handoff.magic = BF_HANDOFF_MAGIC;
	pp->handoff.ppid = ppid;
	pp->handoff.cpu = ppid;
	pp->handoff.handoff = (uint64_t)m.handoff;
	pp->handoff.cr3 = pml4;
	if (m.la57) {
		uint64_t pml5 = carve(1), *entries = phys_at(pml5);

		entries[0] = entries[BSL_PT_ENTRIES - 1] = pml4 | paging.branch;
		entries[0x110] = LINUX_RAM | paging.branch; /* where Linux has the switch page */
		pp->handoff.cr3 = pml5;
		sp->host_cr4 |= CR4_LA57;
		sp->cpu.cr4 |= CR4_LA57;
	}
	make_window(ppid, pml4);
	ck_assert(bsl_pt_entry(&paging, pml4, BF_PP_ABI, 1, true) != NULL);
	pp->handoff.area_pt = virt_to_phys(bsl_pt_entry(&paging, pml4, BF_PP_ABI, 1, false)) &
			      ~(uint64_t)BF_PAGE_MASK;
	pp->handoff.switch_page = (uint64_t)sp;
	pp->handoff.switch_leave = (uint64_t)switch_leave;
	pp->handoff.switch_page_spa = carve(1);
	pp->handoff.switch_code_spa = carve(1);
	pp->handoff.trace = carve(BF_TRACE_BYTES / PAGE);
	map_in_linux(sp, !ppid);
	map_in_linux((const void *)switch_leave, false);
	make_cpu(&m.cpus[ppid]);
	m.cpus[ppid].cr3 = pp->handoff.cr3;
	if (m.la57)
		m.cpus[ppid].cr4_known |= CR4_LA57;
	m.cpus[ppid].cr4 = sp->host_cr4; /* the switch has loaded both */
}

void machine_defaults(uint32_t vendor)
{
	memset(&m, 0, sizeof(m));
	m.vendor = vendor;
	m.nr_pps = 2;
	m.nr_exts = 1;
	m.pool_pages = 600;
	m.huge_pages = 64;
}

void machine_prepare(void)
{
	phys_reset();
	cpu_install();
	(void)switch_pages();
}

void machine_init(void)
{
	machine_prepare();
	memset(&serial, 0, sizeof(serial));
	serial.port = m.serial_port;
	serial.lsr = 0x20;
	m.free_spa = PHYS_BASE;
	make_handoff();
	make_cpuid();
	for (uint32_t i = 0; i < m.nr_pps; i++)
		make_pp(i);
	make_lists(m.handoff);
	on_pp(0);
}

void machine_without_cr4(uint64_t bits)
{
	m.switch_pages[0]->host_cr4 &= ~bits;
	m.cpus[0].cr4 &= ~bits;
	m.cpus[0].cr4_known &= ~bits;
}

void machine_has_x2apics(void)
{
	for (uint32_t i = 0; i < m.nr_pps; i++) {
		struct cpu *c = &m.cpus[i];

		for (uint32_t msr = MSR_X2APIC + XAPIC_VERSION / 16;
		     msr <= MSR_X2APIC + XAPIC_TIMER_DIVIDE / 16; msr++) {
			if (!msr_has(c, msr))
				msr_set(c, msr, 0);
		}
		msr_set(c, MSR_X2APIC + XAPIC_VERSION / 16, 0x60015);
		msr_set(c, MSR_APIC_BASE, 0xFEE00C00 | (i ? 0 : APIC_BASE_BSP));
	}
}

void on_pp(uint32_t ppid)
{
	mmu_flush();
	cpu = &m.cpus[ppid];
	host_pp = m.pps[ppid];
}

void machine_offers(void)
{
	for (uint32_t i = 0; i < BF_NR_VMX_MSRS; i++)
		m.handoff->vmx[i] = msr_has(&m.cpus[0], MSR_VMX_BASIC + i) ?
					    msr_get(&m.cpus[0], MSR_VMX_BASIC + i) :
					    0;
}

void enter(uint32_t ppid)
{
	if (!m.handoff->vmx[0])
		machine_offers();
	on_pp(ppid);
	RUN(mk_main());
	if (ended.end != END_RING3)
		return;
	/* the greeting */
	(void)printed();
	memset(serial.text, 0, sizeof(serial.text));
	serial.length = 0;
}

/* --- the extension, Linux, the loader --------------------------------------------------------- */

uint64_t syscall_run(uint64_t rax)
{
	volatile uint64_t result = NOT_RETURNED;

	RUN(result = syscall_dispatch(&regs, rax));
	return result;
}

void open_handles(struct ext *ext, unsigned int open)
{
	ext->handle_open = open & 1;
	ext->mk2_open = open & 2;
	policy_open(ext, SPEC_MK1, ext->handle_open);
	policy_open(ext, SPEC_MK2, ext->mk2_open);
}

void start(void)
{
	enter(0);
	for (uint32_t i = 0; i < m.nr_exts; i++) {
		ck_assert_int_eq(ended.end, END_RING3);
		ck_assert_uint_eq(ended.rip, EXT_ENTRY);
		ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
		if (!i) {
			ck_assert_uint_eq(SYS(callback_register_bootstrap, HANDLE, EXT_BOOTSTRAP),
					  0);
			ck_assert_uint_eq(SYS(callback_register_vmexit, HANDLE, EXT_VMEXIT), 0);
			ck_assert_uint_eq(SYS(callback_register_fail, HANDLE, EXT_FAIL), 0);
		}
		ck_assert_uint_eq(SYS(control_wait), NOT_RETURNED);
	}
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_BOOTSTRAP);
}

uint16_t launch(void)
{
	uint64_t ppid = host_pp->handoff.ppid, vpid, vsid;

	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, MK1_ROOT_VMID), MK1_SUCCESS);
	vpid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vpid, ppid), MK1_SUCCESS);
	vsid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, MK1_ROOT_VMID, vpid, vsid), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	return (uint16_t)vsid;
}

void start_and_launch(void)
{
	start();
	(void)launch();
}

void guest_exit(uint64_t reason)
{
	struct vs *vs = host_pp->vs;

	memcpy(host_pp->exit_gpr, abi_gprs(), sizeof(host_pp->exit_gpr)); /* as entry.S does */
	if (m.vendor == BF_VENDOR_AMD) {
		vmcb_of(vs)->exitcode = reason;
		cpu->gif = true; /* as entry.S does */
		RUN(svm_exit());
	} else {
		vmcs_put(vs->block_spa, VMCS_exit_reason, reason);
		RUN(vmx_exit());
	}
}

uint64_t reg_read(uint16_t vsid, uint64_t reg)
{
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid, reg), MK1_SUCCESS);
	return regs.reg[0];
}

uint64_t reg_write(uint16_t vsid, uint64_t reg, uint64_t value)
{
	return SYS(vs_write, HANDLE, vsid, reg, value);
}

const char *printed(void)
{
	static char text[RING_DATA + 1];
	size_t n = 0;

	while (m.ring_seen < m.ring->written && n < RING_DATA)
		text[n++] = (char)m.ring->data[m.ring_seen++ % RING_DATA];
	text[n] = '\0';
	return text;
}

void expect_printed(const char *wanted)
{
	const char *text = printed();

	ck_assert_msg(strstr(text, wanted) != NULL, "\"%s\" is not in \"%s\"", wanted, text);
}

struct bf_pp_status *status_of(uint32_t ppid)
{
	return (struct bf_pp_status *)phys_at(m.handoff->status.spa) + ppid;
}

struct bf_ended *ended_of(uint16_t extid)
{
	return (struct bf_ended *)phys_at(m.handoff->ended.spa) + extid;
}

void expect_failed(enum bf_error error)
{
	ck_assert_uint_eq(status_of(host_pp->handoff.ppid)->state, BF_PP_FAILED);
	ck_assert_uint_eq(status_of(host_pp->handoff.ppid)->error, error);
}

uint64_t linux_page(unsigned int n)
{
	return LINUX_RAM + n * PAGE;
}

void drain_pool(unsigned int keep)
{
	static uint64_t pages[0x1000];
	unsigned int n = 0;

	while ((pages[n] = pool_alloc()) != MK_NO_PAGE)
		n++;
	ck_assert_uint_ge(n, keep);
	while (keep--)
		pool_free(pages[--n]);
}

unsigned int nested_walk(uint64_t gpa, uint64_t *entry)
{
	struct bsl_tables nested = paging;

	nested.levels = mk.nested_levels;
	return bsl_pt_walk(&nested, mk.root_npt, gpa, 7, entry);
}

void machine_of(int i)
{
	machine_defaults(i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	machine_init();
}

void machine_amd(void)
{
	machine_of(0);
}

void machine_amd_runs(void)
{
	machine_of(0);
	start_and_launch();
}
