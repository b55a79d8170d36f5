// SPDX-License-Identifier: MIT
/* Names of what calls return. */
#include <abi/mk2.h>
#include <ext/libext/log.h>

#define NAMED(spec, name) { spec##_##name, #name }
#define NAMED_REG(name, n) { MK1_##name(n), #name #n }
#define NAMED_REGS(name) \
	NAMED_REG(name, 0), NAMED_REG(name, 1), NAMED_REG(name, 2), NAMED_REG(name, 3), \
		NAMED_REG(name, 4), NAMED_REG(name, 5)

static const struct {
	uint64_t status;
	const char *name;
} names[] = {
	NAMED(MK1, SUCCESS),
	NAMED(MK1, FAILURE_UNKNOWN),
	NAMED(MK1, FAILURE_INVALID_HANDLE),
	NAMED(MK1, FAILURE_UNSUPPORTED),
	NAMED(MK1, INVALID_PERM_DENIED),
	NAMED_REGS(INVALID_INPUT_REG),
	NAMED_REGS(INVALID_OUTPUT_REG),
	NAMED(MK2, FAILURE_NO_MEMORY),
	NAMED(MK2, FAILURE_EXISTS),
	NAMED(MK2, FAILURE_LIST),
	NAMED(MK2, FAILURE_BUSY),
	NAMED(MK2, FAILURE_ENDED),
};

const char *mk1_status_name(uint64_t status)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].status == status)
			return names[i].name;
	}
	return "unknown status";
}
