// SPDX-License-Identifier: GPL-2.0-only
/* adopt.c: a hypervisor that the firmware has started. */
#include "loader.h"

#include <string.h>

#include <abi/channel.h>
#include <abi/firmware.h>

#define PPS 3
#define EXTS 2

static struct bf_block blocks[5 + EXTS + PPS];
static unsigned int nr_blocks;
static struct bf_firmware *table;
static struct bf_firmware_pp *pps;

static struct bf_region block(uint64_t size)
{
	struct bf_block *b = &blocks[nr_blocks++];

	ck_assert_int_eq(bf_block_alloc(b, size), BF_ERR_OK);
	return (struct bf_region){ b->spa, b->size };
}

static void *at(struct bf_region region)
{
	return bf_os_va(region.spa);
}

/* What the firmware's loader leaves, on CPUs of which this system knows two. */
static void make_hypervisor(enum bf_vendor vendor)
{
	nr_blocks = 0;
	fake.table = block(0x1000).spa;
	table = bf_os_va(fake.table);
	pps = (void *)(table + 1);
	*table = (struct bf_firmware){ .magic = BF_FIRMWARE_MAGIC,
				       .version = BF_HANDOFF_VERSION,
				       .vendor = (uint32_t)vendor,
				       .nr_pps = PPS,
				       .nr_exts = EXTS,
				       .start_ns = 77,
				       .watchdog_ns = 500000000,
				       .ring = block(BF_RING_BYTES),
				       .status = block(PPS * BF_PAGE_SIZE),
				       .ended = block(BF_MAX_EXTS * sizeof(struct bf_ended)),
				       .channels = { block(BF_CHANNEL_MIN), block(BF_CHANNEL_MIN) },
				       .pps = { fake.table + sizeof(*table), PPS } };
	for (unsigned int i = 0; i < PPS; i++) {
		struct bf_pp_status *status = at(table->status);

		status[i].state = BF_PP_GUEST;
		pps[i].apic_id = i == 2 ? 0 : FAKE_APIC_ID(fake.cpus[i].number);
		pps[i].trace = block(BF_TRACE_BYTES);
	}
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		fake.cpus[i].vendor = BF_VENDOR_NONE;
		fake.cpus[i].hides = vendor;
	}
}

static void free_hypervisor(void)
{
	while (nr_blocks)
		bf_block_free(&blocks[--nr_blocks]);
	ck_assert_int_eq(fake.mappings, 0);
}

START_TEST(adopts)
{
	struct bf_pp_status *status;

	make_hypervisor(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	table->keep_cpus = 1;
	fake.cpus[0].online = false;
	status = at(table->status);
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_OK);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert_int_eq(loader.vendor, _i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	ck_assert_uint_eq(loader.failure.error, BF_ERR_OK);
	ck_assert_uint_eq(loader.nr_pps, PPS);
	ck_assert_uint_eq(loader.start_ns, 77);
	ck_assert_ptr_eq(loader.ring.va, at(table->ring));
	ck_assert_ptr_eq(loader.channels[1].va, at(table->channels[1]));
	ck_assert_ptr_null(loader.channels[2].va);
	ck_assert_uint_eq(loader.pps[1].cpu, fake.cpus[1].number);
	ck_assert_ptr_eq(loader.pps[1].status, &status[1]);
	ck_assert(loader.pps[1].inside && !loader.pps[2].inside);
	ck_assert(loader.pps[0].parked && !loader.pps[1].parked && loader.keep_cpus);
	ck_assert(fake.watched);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_STARTED_BEFORE);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_STARTED_BEFORE);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_STARTED_BEFORE);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[3].number), BF_ERR_TOO_MANY_CPUS);
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_OK);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	/* It cannot be taken down, but what has failed is said. */
	status[1].state = BF_PP_FAILED;
	status[1].error = BF_ERR_EXT_FAULT;
	status[1].detail = 14;
	status[1].report.error = BF_ERR_EXT_FAULT;
	status[1].fallback = 1;
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_FAULT);
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[1].number);
	ck_assert_uint_eq(loader.report.error, BF_ERR_EXT_FAULT);
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_STARTED_BEFORE);
	bf_loader_abandon(&loader);
	free_hypervisor();
}
END_TEST

START_TEST(adopts_nothing)
{
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_NOT_RUNNING);
	make_hypervisor(BF_VENDOR_AMD);
	fake.table = 0; /* a kernel before this one has started it */
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_NOT_RUNNING);
	fake.table = (uint64_t)-1000; /* an outer hypervisor's answer */
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_NOT_RUNNING);
	ck_assert(!loader.adopted && loader.ring.va);
	free_hypervisor();
}
END_TEST

/* Each field that is wrong, and the loader is as before; or of a block, and it can be freed. */
START_TEST(refuses_tables)
{
	struct bf_firmware good;

	make_hypervisor(BF_VENDOR_AMD);
	good = *table;
#define REFUSES(field, value, error) \
	do { \
		*table = good; \
		table->field = (value); \
		ck_assert_int_eq(bf_loader_adopt(&loader), error); \
		ck_assert(!loader.adopted); \
		ck_assert_int_eq(fake.mappings, 0); \
	} while (0)
	REFUSES(magic, 0, BF_ERR_MK_VERSION);
	REFUSES(version, BF_HANDOFF_VERSION - 1, BF_ERR_MK_VERSION);
	REFUSES(vendor, 0, BF_ERR_MK_VERSION);
	REFUSES(vendor, 3, BF_ERR_MK_VERSION);
	REFUSES(nr_pps, 0, BF_ERR_MK_VERSION);
	REFUSES(nr_pps, BF_MAX_PPS + 1, BF_ERR_MK_VERSION);
	REFUSES(nr_exts, 0, BF_ERR_MK_VERSION);
	REFUSES(nr_exts, BF_MAX_EXTS + 1, BF_ERR_MK_VERSION);
	REFUSES(pps.count, PPS + 1, BF_ERR_MK_VERSION);
	ck_assert_ptr_nonnull(loader.ring.va);
	REFUSES(ring.spa, 0, BF_ERR_NO_MEMORY);
	REFUSES(ring.spa, good.ring.spa + 8, BF_ERR_NO_MEMORY);
	REFUSES(ring.size, BF_RING_BYTES - 1, BF_ERR_NO_MEMORY);
	REFUSES(status.size, PPS * BF_PAGE_SIZE - 1, BF_ERR_NO_MEMORY);
	REFUSES(status.spa, ~0xFFFULL, BF_ERR_NO_MEMORY);
	REFUSES(ended.size, 1, BF_ERR_NO_MEMORY);
	REFUSES(channels[1].size, BF_CHANNEL_MIN - 1, BF_ERR_NO_MEMORY);
	*table = good;
	pps[2].trace.size = BF_TRACE_BYTES - 1;
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_NO_MEMORY);
	free_hypervisor();
}
END_TEST

START_TEST(survives_every_failure)
{
	uint64_t n, total;

	make_hypervisor(BF_VENDOR_AMD);
	fake.calls = 0;
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_OK);
	total = fake.calls;
	bf_loader_abandon(&loader);
	ck_assert_uint_gt(total, 8);
	for (n = 1; n <= total; n++) {
		ck_assert_int_eq(bf_loader_init(&loader), BF_ERR_OK);
		fake.calls = 0;
		fake.fail_at = n;
		ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_NO_MEMORY);
		fake.fail_at = 0;
		ck_assert(!loader.adopted);
		ck_assert_int_eq(fake.mappings, 0);
		bf_loader_fini(&loader);
	}
	free_hypervisor();
}
END_TEST

TCase *adopt_tests(void)
{
	TCase *tc = loader_case("adopt");

	tcase_add_loop_test(tc, adopts, 0, 2);
	tcase_add_test(tc, adopts_nothing);
	tcase_add_test(tc, refuses_tables);
	tcase_add_test(tc, survives_every_failure);
	return tc;
}
