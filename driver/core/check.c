// SPDX-License-Identifier: GPL-2.0-only
/* Checks all CPUs and the machine: see check.h. */
#include "check.h"

#include <abi/features.h>
#include <bsl/string.h>

#include "platform.h"

bool bf_check_is_fatal(enum bf_check_item item)
{
	return item != BF_CHECK_NESTED && item != BF_CHECK_LOCKDOWN;
}

enum bf_error bf_features_usable(const struct bf_cpu_features *features, uint64_t *detail)
{
	unsigned int item;

	for (item = 0; item < BF_NR_CHECKS; item++) {
		enum bf_error error = bf_features_check(features, (enum bf_check_item)item, detail);

		if (error && bf_check_is_fatal((enum bf_check_item)item))
			return error;
	}
	*detail = 0;
	return BF_ERR_OK;
}

static void read_features(void *features)
{
	bf_features_read(features);
}

/* What the check of a machine gathers; the features are too large for a kernel stack. */
struct survey {
	uint32_t cpus[BF_MAX_PPS];
	struct bf_check_result results[BF_NR_CHECKS];
	uint32_t failed_on[BF_NR_CHECKS];
	struct bf_cpu_features one;
};

/* Notes the first failure of an item. */
static void note(struct survey *survey, unsigned int item, enum bf_error error, uint64_t detail,
		 uint32_t cpu)
{
	struct bf_check_result *result = &survey->results[item];

	if (!error || result->error)
		return;
	result->error = (uint32_t)error;
	result->fatal = bf_check_is_fatal((enum bf_check_item)item);
	result->detail = detail;
	survey->failed_on[item] = cpu;
}

static void survey_cpus(struct survey *survey, struct bf_cpu_features *first)
{
	uint32_t online = 0;
	uint32_t count = bf_os_cpus(survey->cpus, BF_MAX_PPS, &online);
	uint32_t i;

	if (count > BF_MAX_PPS) {
		note(survey, BF_CHECK_CPUS, BF_ERR_TOO_MANY_CPUS, count, 0);
		if (online > BF_MAX_PPS)
			online = BF_MAX_PPS;
	}
	for (i = 0; i < online; i++) {
		struct bf_cpu_features *features = i ? &survey->one : first;
		uint32_t cpu = survey->cpus[i];
		enum bf_error error = bf_os_on_cpu(cpu, read_features, features);
		unsigned int item;
		uint64_t detail;
		uint32_t place;

		if (error) {
			note(survey, BF_CHECK_CPUS, error, cpu, cpu);
			continue;
		}
		for (item = 0; item < BF_NR_CHECKS; item++) {
			error = bf_features_check(features, (enum bf_check_item)item, &detail);
			note(survey, item, error, detail, cpu);
		}
		place = i ? bf_features_join(first, features) : 0;
		if (place)
			note(survey, BF_CHECK_CPUS, BF_ERR_CPUS_DIFFER,
			     BF_DIFFER_DETAIL(place, cpu), cpu);
	}
}

enum bf_error bf_check_machine(struct bf_cpu_features *features, struct bf_check_result *results,
			       uint64_t memory, uint64_t *detail, uint32_t *cpu)
{
	struct survey *survey = bf_os_alloc(sizeof(*survey));
	enum bf_error error = BF_ERR_OK;
	unsigned int item;
	uint32_t flags;
	uint64_t end;

	*detail = 0;
	*cpu = 0;
	bsl_memset(features, 0, sizeof(*features));
	if (!survey)
		return BF_ERR_NO_MEMORY;
	survey_cpus(survey, features);
	note(survey, BF_CHECK_OUTER, bf_outer_check(bf_outer_detect(&flags)), 0, 0);
	if (bf_os_locked_down())
		note(survey, BF_CHECK_LOCKDOWN, BF_ERR_LOCKDOWN, 0, 0);
	end = bf_os_memory_end();
	if (end > BF_ADDRESS_LIMIT)
		note(survey, BF_CHECK_ADDRESSES, BF_ERR_ADDRESS_TOO_HIGH, end - 1, 0);
	if (bf_os_free_memory() < memory)
		note(survey, BF_CHECK_MEMORY, BF_ERR_NO_MEMORY, memory, 0);
	for (item = 0; item < BF_NR_CHECKS && !error; item++) {
		if (!survey->results[item].fatal)
			continue;
		error = (enum bf_error)survey->results[item].error;
		*detail = survey->results[item].detail;
		*cpu = survey->failed_on[item];
	}
	if (results)
		bsl_memcpy(results, survey->results, sizeof(survey->results));
	bf_os_free(survey);
	return error;
}
