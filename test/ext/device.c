// SPDX-License-Identifier: GPL-2.0-only
/*
 * An extension with a device that is not there, in a page of Linux's that an argument names. Each
 * byte of it reads as its offset tells until it is written to; what is written to the upper half is
 * dropped. The byte at FAULTS raises #PF, by injection, and an access to that at INTERRUPTS, an
 * interrupt that Linux counts and that nothing else sends. What is not emulated is counted, and
 * said as a PP leaves.
 */
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/libext/arg.h>
#include <ext/libext/device.h>
#include <ext/libext/inject.h>
#include <ext/libext/watch.h>

#define FAULTS 4095
#define INTERRUPTS 4094
#define PF 14
#define VECTOR 0xF2 /* "PIN" in /proc/interrupts: of KVM, which does not run */

const char ext_name[] = "device";

static uint8_t content[BF_PAGE_SIZE];
static struct bsl_spinlock lock; /* of it */
static __thread uint64_t emulated, refused, injected, interrupts;
static __thread const char *reason;

static void read(void *ctx, uint64_t offset, void *data, unsigned int bytes)
{
	(void)ctx;
	bsl_spin_lock(&lock);
	bsl_memcpy(data, content + offset, bytes);
	bsl_spin_unlock(&lock);
}

static bool write(void *ctx, uint64_t offset, const void *data, const void *expected,
		  unsigned int bytes)
{
	bool same;

	(void)ctx;
	bsl_spin_lock(&lock);
	same = !expected || !bsl_memcmp(content + offset, expected, bytes);
	if (same && offset < BF_PAGE_SIZE / 2)
		bsl_memcpy(content + offset, data, bytes);
	bsl_spin_unlock(&lock);
	return same;
}

static struct ext_device device = { .size = BF_PAGE_SIZE, .read = read, .write = write };

/* A page that may not be accessed, though Linux says that it may. */
static bool inject(struct ext_exit *e, const struct ext_fault *fault)
{
	const struct ext_exception pf = { .vector = PF,
					  .error_code = fault->access == EXT_WRITE ? 7 : 5,
					  .address = ext_reg_read(e->vsid, EXT_REG_rbx) };

	if (ext_inject_exception(e, &pf))
		return false;
	injected++;
	return true;
}

static bool found(struct ext_exit *e, const struct ext_fault *fault)
{
	const char *why;

	if (fault->gpa - device.gpa >= device.size)
		return false;
	if (fault->gpa - device.gpa == FAULTS && ext_cpl(e->vsid) == 3)
		return inject(e, fault);
	why = ext_emulate(e, &device);
	if (why) {
		refused++;
		reason = why;
	} else {
		emulated++;
		if (fault->gpa - device.gpa == INTERRUPTS && !ext_inject_interrupt(e, VECTOR))
			interrupts++;
	}
	return !why;
}

static void cpu_out(uint64_t vsid)
{
	(void)vsid;
	if (emulated || refused)
		ext_print("device: PP %u: %llu emulated, %llu injected, %llu interrupts, "
			  "%llu refused%s%s\n",
			  (unsigned int)mk1_tls_ppid(), (unsigned long long)emulated,
			  (unsigned long long)injected, (unsigned long long)interrupts,
			  (unsigned long long)refused, reason ? ", the last: " : "",
			  reason ? reason : "");
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .nested_fault = found, .cpu_out = cpu_out };

	for (unsigned int i = 0; i < BF_PAGE_SIZE; i++)
		content[i] = (uint8_t)(i * 7 + 1);
	return !ext_args_load() || !ext_arg_u64("gpa", 0, &device.gpa) ||
	       ext_run_linux(specs, &ops) || !ext_watch(device.gpa, device.size, EXT_READ);
}
