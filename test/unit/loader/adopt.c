// SPDX-License-Identifier: GPL-2.0-only
/* adopt.c: a hypervisor that the firmware has started. */
#include "loader.h"

#include <string.h>

#include <abi/channel.h>
#include <abi/firmware.h>

#define PPS 3
#define EXTS 2

static struct bf_block blocks[5 + EXTS + 2 * PPS];
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
		if (i == 2)
			fake.stranger = &status[i];
		else
			fake.cpus[i].status = &status[i];
		pps[i].apic_id = i == 2 ? 0 : FAKE_APIC_ID(fake.cpus[i].number);
		pps[i].trace = block(BF_TRACE_BYTES);
		pps[i].switch_page = block(BF_PAGE_SIZE);
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
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_MK_FIRMWARE);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[3].number), BF_ERR_TOO_MANY_CPUS);
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_OK);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	/* It may be that it cannot be taken down, but what has failed is said. */
	fake.bind_answer = BF_ERR_MK_LEVELS;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_MK_LEVELS);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[1].number);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert(loader.adopted && loader.pps[1].inside && !status[1].leaving);
	fake.bind_answer = 4711; /* none of its errors */
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_BAD_REQUEST);
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

static void adopt_running(int i)
{
	make_hypervisor(i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	table->keep_cpus = 1;
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_OK);
}

/* Also those that are offline, and one that this system does not know; a start is as any other. */
START_TEST(stops)
{
	uint64_t starts;

	make_hypervisor(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	table->keep_cpus = 1;
	fake.cpus[0].online = false;
	/* CPUs that are no PPs' are bare */
	for (unsigned int i = 2; i < fake.nr_cpus; i++) {
		fake.cpus[i].vendor = fake.cpus[i].hides;
		fake.cpus[i].hides = BF_VENDOR_NONE;
	}
	fake_stand_on(&fake.cpus[1]);
	ck_assert_int_eq(bf_loader_adopt(&loader), BF_ERR_OK);
	starts = loader.starts;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
	ck_assert(!loader.adopted && !loader.entered);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert(!fake.cpus[i].hides && !loader.pps[i].inside && !loader.pps[i].parked);
		ck_assert_uint_eq(loader.pps[i].status->state, BF_PP_BARE);
	}
	ck_assert_uint_eq(fake.cpus[1].inits, 0);
	ck_assert_uint_eq(fake.cpus[0].inits, _i ? 2 : 1);
	ck_assert_uint_eq(fake.stranger_inits, _i ? 2 : 1);
	ck_assert(!loader.pps[2].stranger);
	ck_assert_uint_eq(fake.cpus[1].passed, 1);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_NOT_RUNNING);
	fake.cpus[0].online = true;
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[0].number), BF_ERR_OK);
	ck_assert(!loader.pps[0].inside);
	/* the ring and what tells of extensions that have ended stay those of the firmware */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(loader.starts, starts + 1);
	ck_assert_int_eq(fake.mappings, 2);
	ck_assert_uint_eq(loader.ring.spa, table->ring.spa);
	ck_assert(fake.cpus[0].guest && fake.cpus[1].guest);
	ck_assert_int_eq(bf_loader_suspend(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_resume(&loader), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	ck_assert(!fake.cpus[0].guest && !fake.cpus[1].guest);
	bf_loader_fini(&loader);
	free_hypervisor();
}
END_TEST

/* A reset of the boot processor would start the firmware. */
START_TEST(needs_the_boot_processor)
{
	struct bf_pp_status *status;

	adopt_running(_i);
	status = at(table->status);
	status[0].boot_cpu = 1;
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[0].number), BF_ERR_OK);
	fake.cpus[0].online = false;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_MK_BOOT_CPU);
	ck_assert_uint_eq(loader.failure.cpu, fake.cpus[0].number);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert(loader.adopted && fake.cpus[0].hides && fake.cpus[1].hides);
	ck_assert(!status[1].leaving);
	bf_loader_abandon(&loader);
	free_hypervisor();
}
END_TEST

/* One has been reset: nothing takes it in again before the next start. */
START_TEST(loses_one_that_was_reset)
{
	adopt_running(_i);
	ck_assert_int_eq(bf_loader_cpu_down(&loader, fake.cpus[0].number), BF_ERR_OK);
	fake_stand_on(&fake.cpus[0]);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[0].number), BF_ERR_MK_ESCAPED);
	ck_assert_int_eq(bf_loader_cpu_up(&loader, fake.cpus[0].number), BF_ERR_MK_ESCAPED);
	ck_assert(!loader.pps[0].inside);
	bf_loader_abandon(&loader);
	free_hypervisor();
}
END_TEST

/* What fails is taken down, as after a start. */
START_TEST(follows_a_failure)
{
	struct bf_pp_status *status;

	adopt_running(_i);
	status = at(table->status);
	status[1].state = BF_PP_FAILED;
	status[1].error = BF_ERR_EXT_FAULT;
	status[1].report.error = BF_ERR_EXT_FAULT;
	status[1].fallback = 1;
	fake.cpus[0].silent = true;
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_CPU_STUCK);
	ck_assert_int_eq(loader.state, BF_STATE_RUNNING);
	ck_assert_uint_eq(loader.failure.error, BF_ERR_EXT_FAULT);
	fake.cpus[0].silent = false;
	fake.stranger_inits = 0;
	ck_assert_int_eq(bf_loader_poll(&loader), BF_ERR_EXT_FAULT);
	ck_assert_int_eq(loader.state, BF_STATE_FAILED);
	ck_assert(!loader.adopted && !fake.cpus[0].hides && !fake.cpus[1].hides);
	ck_assert_uint_eq(loader.report.error, BF_ERR_EXT_FAULT);
	bf_loader_fini(&loader);
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
	pps[2].trace.size = BF_TRACE_BYTES;
	pps[2].switch_page.spa++;
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
	tcase_add_loop_test(tc, stops, 0, 2);
	tcase_add_loop_test(tc, needs_the_boot_processor, 0, 2);
	tcase_add_loop_test(tc, loses_one_that_was_reset, 0, 2);
	tcase_add_loop_test(tc, follows_a_failure, 0, 2);
	tcase_add_test(tc, adopts_nothing);
	tcase_add_test(tc, refuses_tables);
	tcase_add_test(tc, survives_every_failure);
	return tc;
}
