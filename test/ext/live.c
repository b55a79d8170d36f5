// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which changes what it watches while Linux runs (ext_watch_live). What is
 * watched, a program on another CPU does in a loop, and counts before each time, in the first word
 * of a page (test/kselftest/src/spin.c). By requests:
 *
 *   store|port|ud|cr|call PP GPA [GVA]
 *               watches the page for writes, port 0x71, #UD, CR4, or the kernel's function at GVA;
 *               and keeps what the program has counted when that has returned
 *   unwatch GPA
 *   result      of the last one of the former, on PP: how often it was seen, whether the program
 *               was seen from then on, and each time
 *
 * CPUID with EAX = LIVE_LEAF, by any program, watches the page whose number is in ECX, and ends
 * that, on whatever PP it is: several do so at the same time. The answer is EAX = 1.
 *
 * For test/kselftest/live.sh.
 */
#include <abi/hw/x86.h>
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/libext/channel.h>
#include <ext/libext/hook.h>
#include <ext/libext/log.h>
#include <ext/libext/memory.h>
#include <ext/libext/watch.h>

const char ext_name[] = "live";

#define LIVE_LEAF 0x4000C1FE
#define PAGE 4096
#define PORT 0x71 /* of the real-time clock */

static struct bsl_spinlock lock; /* of all below */
static uint64_t counter_gpa, watched_pp;
static uint64_t returned; /* what had been counted when the function returned */
static uint64_t first, last, hits;
static bool missed, failed;

static uint64_t counted(void)
{
	uint64_t value = 0;
	enum ext_mem_status status = ext_mem_read_phys(counter_gpa, &value, sizeof(value), NULL);

	if (status != EXT_MEM_OK)
		ext_fail("the counter: %s", ext_mem_why(status));
	return value;
}

/*
 * Something happens on this PP: once or more, as an interrupt may come first, with each number that
 * is counted.
 */
static void seen(void)
{
	uint64_t value;

	if (mk1_tls_ppid() != watched_pp)
		return;
	bsl_spin_lock(&lock);
	if (counter_gpa) {
		value = counted();
		if (!hits++)
			first = value;
		else if (value > last + 1)
			missed = true;
		last = value;
	}
	bsl_spin_unlock(&lock);
}

static bool on_fault(struct ext_exit *e, const struct ext_fault *fault)
{
	(void)e;
	if (fault->access & EXT_WRITE)
		seen();
	return false;
}

static bool on_io(struct ext_exit *e, const struct ext_io *io, uint32_t *value)
{
	(void)e, (void)value;
	if (io->port == PORT)
		seen();
	return false;
}

static bool on_cr(struct ext_exit *e, const struct ext_cr *cr)
{
	(void)e, (void)cr;
	seen();
	return false;
}

static bool on_exception(struct ext_exit *e, const struct ext_exception *exception)
{
	(void)e, (void)exception;
	seen();
	return false;
}

static void on_hook(struct ext_exit *e)
{
	(void)e;
	seen();
}

static bool on_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	uint64_t gpa = (uint64_t)subleaf * PAGE;

	(void)e;
	if (leaf != LIVE_LEAF)
		return false;
	regs->eax = ext_watch(gpa, PAGE, EXT_WRITE) && ext_unwatch(gpa, PAGE);
	return true;
}

/* The hexadecimal number at *at, which is passed with the space behind it. */
static uint64_t number(const char **at)
{
	uint64_t value = 0;

	if (!bsl_memcmp(*at, "0x", 2))
		*at += 2;
	for (;; (*at)++) {
		char c = **at;
		unsigned int digit = c >= '0' && c <= '9' ? (unsigned int)(c - '0') :
				     c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a' + 10) :
							    16;

		if (digit == 16)
			break;
		value = value * 16 + digit;
	}
	*at += **at == ' ';
	return value;
}

static bool watch(const char *kind, const char *at)
{
	uint64_t pp = number(&at), gpa = number(&at), gva = number(&at);
	bool good;

	bsl_spin_lock(&lock);
	watched_pp = pp;
	counter_gpa = gpa;
	hits = 0;
	missed = false;
	bsl_spin_unlock(&lock);
	good = *kind == 's'   ? ext_watch(gpa, PAGE, EXT_WRITE) :
	       *kind == 'p'   ? ext_watch_io(PORT, 1) :
	       *kind == 'u'   ? ext_watch_exceptions(1u << VECTOR_UD) :
	       kind[1] == 'r' ? ext_watch_cr(1u << 4) :
				ext_hook(mk1_tls_vsid(), gva, on_hook);
	bsl_spin_lock(&lock);
	returned = counted();
	failed = !good;
	bsl_spin_unlock(&lock);
	return good;
}

static bool unwatch(const char *at)
{
	uint64_t gpa = number(&at);

	bsl_spin_lock(&lock);
	counter_gpa = 0;
	bsl_spin_unlock(&lock);
	return ext_unwatch(gpa, PAGE);
}

/*
 * What was counted, but not seen, by the time that the function returned: of the first event it may
 * have been counted before, and the event come behind.
 */
static void result(struct ext_reply *reply)
{
	bsl_spin_lock(&lock);
	ext_reply_print(reply, "%s %s, %s, %llu times\n", failed ? "failed" : "done",
			!hits                 ? "never" :
			first <= returned + 1 ? "at once" :
						"late",
			missed ? "not always" : "always", (unsigned long long)hits);
	bsl_spin_unlock(&lock);
}

static bool on_call(const char *request, uint64_t size, struct ext_reply *reply)
{
	static const char *const kinds[] = { "store ", "port ", "ud ", "cr ", "call " };

	(void)size;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!bsl_memcmp(request, kinds[i], bsl_strlen(kinds[i])))
			return watch(request, request + bsl_strlen(kinds[i]));
	}
	if (!bsl_memcmp(request, "unwatch ", 8))
		return unwatch(request + 8);
	if (!bsl_memcmp(request, "result", 6)) {
		result(reply);
		return true;
	}
	ext_reply_print(reply, "unknown request: %s", request);
	return false;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .nested_fault = on_fault,
					    .io = on_io,
					    .cr = on_cr,
					    .exception = on_exception,
					    .cpuid = on_cpuid };

	if (ext_run_linux(specs, &ops) || !ext_watch_live())
		return 1;
	return ext_on_call(on_call) ? 0 : 1;
}
