// SPDX-License-Identifier: MIT
/*
 * Linux's memory: see ext/libext/memory.h. A page is in the extension's direct map for each access
 * only: what is there cannot be given to the hypervisor, nor to a VM.
 */
#include <abi/layout.h>
#include <abi/mk1_regs_intel.h>
#include <bsl/guest_paging.h>
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/libext/memory.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/linux.h>
#include <ext/linux/vmx.h>

#define PAGE(address) ((address) & ~(uint64_t)BF_PAGE_MASK)
#define OFFSET(address) ((address) & BF_PAGE_MASK)
#define TRIES 64 /* while other CPUs change the same entry of a table */

/* Each PP has one window open at most. */
#define MAX_WINDOWS 1024

/*
 * A direct map has a page once only, but several PPs may want the same one. Who is the last to
 * leave takes it away. Other PPs may keep the translation, which leads to nothing else.
 */
static struct window {
	uint64_t spa, va;
	unsigned int users;
} windows[MAX_WINDOWS];

static unsigned int nr_windows;
static struct {
	uint64_t begin, size;
} ram; /* the range that was asked for last */

static struct bsl_spinlock lock; /* of all that */

/* --- pages ------------------------------------------------------------------------------------ */

static enum ext_mem_status status_of(uint64_t status)
{
	if (status == MK1_SUCCESS)
		return EXT_MEM_OK;
	return status == MK1_INVALID_INPUT_REG(2) ? EXT_MEM_HIDDEN : EXT_MEM_REFUSED;
}

/* The caller has the lock. */
static enum ext_mem_status check_ram(uint64_t spa)
{
	uint64_t begin, size, status;

	if (spa - ram.begin < ram.size)
		return EXT_MEM_OK;
	status = mk2_mem_ram(MK2_HANDLE, spa, &begin, &size);
	if (status == MK1_INVALID_INPUT_REG(1) || (status == MK1_SUCCESS && begin > spa))
		return EXT_MEM_NOT_RAM;
	if (status != MK1_SUCCESS)
		return EXT_MEM_REFUSED;
	ram.begin = begin;
	ram.size = size;
	return EXT_MEM_OK;
}

/* The caller has the lock. */
static enum ext_mem_status find_window(uint64_t spa, struct window **window)
{
	unsigned int i = 0;
	enum ext_mem_status status;

	while (i < nr_windows && windows[i].spa != spa)
		i++;
	*window = &windows[i];
	if (i < nr_windows)
		return EXT_MEM_OK;
	if (nr_windows == MAX_WINDOWS)
		return EXT_MEM_REFUSED;
	status = check_ram(spa);
	if (status != EXT_MEM_OK)
		return status;
	status = status_of(mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, spa, &windows[i].va));
	if (status != EXT_MEM_OK)
		return status;
	windows[i].spa = spa;
	windows[i].users = 0;
	nr_windows++;
	return EXT_MEM_OK;
}

/* *va is where the page's memory is until close_window. */
static enum ext_mem_status open_window(uint64_t spa, uint8_t **va)
{
	struct window *window;
	enum ext_mem_status status;

	if (mk1_tls_vmid() != MK1_ROOT_VMID)
		return EXT_MEM_NOT_LINUX;
	bsl_spin_lock(&lock);
	status = find_window(spa, &window);
	if (status == EXT_MEM_OK) {
		window->users++;
		*va = (uint8_t *)window->va;
	}
	bsl_spin_unlock(&lock);
	return status;
}

static void close_window(const uint8_t *va)
{
	unsigned int i = 0;

	bsl_spin_lock(&lock);
	while (windows[i].va != (uint64_t)va)
		i++;
	if (--windows[i].users == 0) {
		(void)mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, windows[i].va);
		windows[i] = windows[--nr_windows];
	}
	bsl_spin_unlock(&lock);
}

/* Within a page. */
static enum ext_mem_status copy(uint64_t gpa, void *to, const void *from, size_t size)
{
	enum ext_mem_status status;
	uint8_t *va;

	status = open_window(PAGE(gpa), &va);
	if (status != EXT_MEM_OK)
		return status;
	if (to)
		bsl_memcpy(to, va + OFFSET(gpa), size);
	else
		bsl_memcpy(va + OFFSET(gpa), from, size);
	close_window(va);
	return EXT_MEM_OK;
}

/* --- page tables ------------------------------------------------------------------------------ */

static bool read_entry(void *ctx, uint64_t gpa, unsigned int bytes, uint64_t *entry)
{
	enum ext_mem_status *status = ctx;
	uint8_t *va;

	*status = open_window(PAGE(gpa), &va);
	if (*status != EXT_MEM_OK)
		return false;
	va += OFFSET(gpa);
	*entry = bytes == sizeof(uint32_t) ? __atomic_load_n((uint32_t *)va, __ATOMIC_RELAXED) :
					     __atomic_load_n((uint64_t *)va, __ATOMIC_RELAXED);
	close_window(va - OFFSET(gpa));
	return true;
}

static enum paging_status exchange_entry(void *ctx, uint64_t gpa, unsigned int bytes,
					 uint64_t expected, uint64_t value)
{
	enum ext_mem_status *status = ctx;
	uint32_t expected32 = (uint32_t)expected;
	uint8_t *va;
	bool done;

	*status = open_window(PAGE(gpa), &va);
	if (*status != EXT_MEM_OK)
		return PAGING_UNREACHABLE;
	va += OFFSET(gpa);
	done = bytes == sizeof(uint32_t) ?
		       __atomic_compare_exchange_n((uint32_t *)va, &expected32, (uint32_t)value,
						   false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) :
		       __atomic_compare_exchange_n((uint64_t *)va, &expected, value, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	close_window(va - OFFSET(gpa));
	return done ? PAGING_OK : PAGING_CHANGED;
}

static const struct paging_ops look = { .read = read_entry },
			       mark = { .read = read_entry, .exchange = exchange_entry };

/* With PAE Intel's CPUs have read the uppermost entries before: with nested paging into these. */
static bool has_pdptes(uint64_t vsid, const struct bsl_guest_paging *shape)
{
	return shape->levels == 3 && !linux_is_on_amd() &&
	       vs_get(vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls) & VMX_SECONDARY_EPT;
}

static struct paging_regs regs_of(uint64_t vsid)
{
	return (struct paging_regs){
		.cr0 = ext_reg_read(vsid, EXT_REG_cr0),
		.cr3 = ext_reg_read(vsid, EXT_REG_cr3),
		.cr4 = ext_reg_read(vsid, EXT_REG_cr4) & ~(uint64_t)(CR4_PKE | CR4_PKS),
		.efer = ext_reg_read(vsid, EXT_REG_efer),
		.rflags = ext_reg_read(vsid, EXT_REG_rflags),
		.physical_bits = cpuid(0x80000008, 0).eax & 0xFF,
		.has_1gib_pages = cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_PAGE_1G,
		.is_amd = linux_is_on_amd(),
	};
}

static bool exists(const struct bsl_guest_paging *shape, uint64_t gva)
{
	return shape->levels > 3 ? bsl_is_canonical(gva, shape->levels) : !(gva >> 32);
}

#define CURRENT (~(uint64_t)0) /* in place of a CR3, of which none has all bits: what this PP has */

/* *status is why a table cannot be reached: PAGING_UNREACHABLE. */
static enum paging_status walk(uint64_t vsid, uint64_t cr3, const struct paging_ops *ops,
			       uint64_t gva, unsigned int access, uint64_t *gpa, uint32_t *error,
			       enum ext_mem_status *status)
{
	struct paging_regs regs = regs_of(vsid);
	struct bsl_guest_paging shape = bsl_guest_paging_of(regs.cr0, regs.cr4, regs.efer);
	enum paging_status result = PAGING_CHANGED;
	uint64_t pdptes[4];

	*status = EXT_MEM_OK;
	if (!exists(&shape, gva)) {
		*status = EXT_MEM_NOT_CANONICAL;
		return PAGING_UNREACHABLE;
	}
	if (cr3 != CURRENT) {
		regs.cr3 = cr3;
	} else if (has_pdptes(vsid, &shape)) {
		for (unsigned int i = 0; i < 4; i++)
			pdptes[i] = vs_get(vsid, MK1_INTEL_pdpte0 + i);
		regs.pdptes = pdptes;
	}
	for (unsigned int i = 0; i < TRIES && result == PAGING_CHANGED; i++)
		result = paging_translate(&regs, ops, status, gva, access, gpa, error);
	return result;
}

static enum ext_mem_status translate(uint64_t vsid, uint64_t cr3, const struct paging_ops *ops,
				     uint64_t gva, unsigned int access, uint64_t *gpa)
{
	enum ext_mem_status status;
	uint32_t error = 0;

	switch (walk(vsid, cr3, ops, gva, access, gpa, &error, &status)) {
	case PAGING_CHANGED:
		return EXT_MEM_CHANGING;
	case PAGING_FAULT:
		break;
	default:
		return status;
	}
	if (!(error & PF_ERROR_P))
		return EXT_MEM_NOT_PRESENT;
	return error & PF_ERROR_RSV ? EXT_MEM_RESERVED : EXT_MEM_FORBIDDEN;
}

enum paging_status memory_walk(uint64_t vsid, uint64_t la, unsigned int access, uint64_t *gpa,
			       uint32_t *error, enum ext_mem_status *status)
{
	return walk(vsid, CURRENT, &mark, la, access, gpa, error, status);
}

/* --- what extensions call --------------------------------------------------------------------- */

#define EXT_MEM_TEXT(name, text) [EXT_MEM_##name] = text,
static const char *const texts[] = { EXT_MEM_STATUSES(EXT_MEM_TEXT) };

const char *ext_mem_why(enum ext_mem_status status)
{
	return (unsigned int)status < sizeof(texts) / sizeof(texts[0]) ? texts[status] :
									 "unknown status";
}

enum ext_mem_status ext_mem_translate(uint64_t vsid, uint64_t gva, unsigned int access,
				      uint64_t *gpa)
{
	return translate(vsid, CURRENT, &look, gva, access, gpa);
}

/* How an address is found: in an address space of a VS, or it is physical (ops is NULL). */
struct way {
	uint64_t vsid, cr3;
	const struct paging_ops *ops;
	unsigned int access;
};

/* From address to to, or to it from from: whichever is not NULL. */
static enum ext_mem_status transfer(const struct way *way, uint64_t address, uint8_t *to,
				    const uint8_t *from, size_t size, size_t *done)
{
	enum ext_mem_status status = EXT_MEM_OK;
	size_t at = 0;

	while (at < size && status == EXT_MEM_OK) {
		uint64_t next = address + at, gpa = next;
		size_t n = BF_PAGE_SIZE - OFFSET(next);

		if (n > size - at)
			n = size - at;
		if (next < address) /* it has gone over the end of all addresses */
			status = EXT_MEM_NOT_CANONICAL;
		else if (way->ops)
			status = translate(way->vsid, way->cr3, way->ops, next, way->access, &gpa);
		if (status == EXT_MEM_OK)
			status = copy(gpa, to ? to + at : NULL, from ? from + at : NULL, n);
		if (status == EXT_MEM_OK)
			at += n;
	}
	if (done)
		*done = at;
	return status;
}

enum ext_mem_status ext_mem_read(uint64_t vsid, uint64_t gva, void *data, size_t size, size_t *done)
{
	return ext_mem_read_as(vsid, CURRENT, gva, data, size, done);
}

enum ext_mem_status ext_mem_read_as(uint64_t vsid, uint64_t cr3, uint64_t gva, void *data,
				    size_t size, size_t *done)
{
	const struct way way = { vsid, cr3, &look, EXT_MEM_ANY };

	return transfer(&way, gva, data, NULL, size, done);
}

enum ext_mem_status ext_mem_write(uint64_t vsid, uint64_t gva, const void *data, size_t size,
				  unsigned int access, size_t *done)
{
	const struct way way = { vsid, CURRENT, &mark, (access & EXT_MEM_ANY) | EXT_MEM_WRITE };

	return transfer(&way, gva, NULL, data, size, done);
}

enum ext_mem_status ext_mem_read_phys(uint64_t gpa, void *data, size_t size, size_t *done)
{
	const struct way way = { 0 };

	return transfer(&way, gpa, data, NULL, size, done);
}

enum ext_mem_status ext_mem_write_phys(uint64_t gpa, const void *data, size_t size, size_t *done)
{
	const struct way way = { 0 };

	return transfer(&way, gpa, NULL, data, size, done);
}

enum ext_mem_status ext_mem_string(uint64_t vsid, uint64_t gva, char *text, size_t size,
				   size_t *length)
{
	enum ext_mem_status status = EXT_MEM_OK;
	size_t at = 0, end = 0, n;

	/* By pages: what is behind the NUL need not be there. */
	while (at < size && end == at && status == EXT_MEM_OK) {
		n = BF_PAGE_SIZE - OFFSET(gva + at);
		if (n > size - at)
			n = size - at;
		status = gva + at < gva ? EXT_MEM_NOT_CANONICAL :
					  ext_mem_read(vsid, gva + at, text + at, n, &n);
		n = status == EXT_MEM_OK ? n : 0;
		end = at + bsl_strnlen(text + at, n);
		at += n;
	}
	if (status == EXT_MEM_OK && end == at)
		status = EXT_MEM_NO_END;
	if (size && end == size)
		end--;
	if (size)
		text[end] = '\0';
	if (length)
		*length = end;
	return status;
}

enum ext_mem_status ext_mem_code(uint64_t vsid, uint8_t code[EXT_MEM_CODE_MAX], size_t *count)
{
	/* The base is 0 in 64-bit mode (SDM vol. 3 §3.4.4); others have 32 bits. */
	uint64_t la = ext_reg_read(vsid, EXT_REG_cs_base) + ext_reg_read(vsid, EXT_REG_rip);
	enum ext_mem_status status;

	if (!(ext_reg_read(vsid, EXT_REG_efer) & EFER_LMA))
		la = (uint32_t)la;
	status = ext_mem_read(vsid, la, code, EXT_MEM_CODE_MAX, count);
	return *count ? EXT_MEM_OK : status;
}
