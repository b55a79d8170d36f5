// SPDX-License-Identifier: GPL-2.0-only
/* The emulator of guests' instructions, against this CPU and against what the manuals say. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <ext/libext/emulate.h>

#include "emulate/native.h"
#include "emulate/cases.h"

#define NR_RANDOM 1000000
#define SEED 20261126
#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* libcheck's assertions write a file each time. */
#define REQUIRE(condition, ...) \
	do { \
		if (!(condition)) \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

static uint64_t seed;

static uint64_t random_bits(void)
{
	/* xorshift64* */
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545F4914F6CDD1D;
}

static unsigned int random_below(unsigned int n)
{
	return (unsigned int)(random_bits() >> 32) % n;
}

static bool one_in(unsigned int n)
{
	return random_below(n) == 0;
}

/* --- memory: a copy of what the CPU works on ---------------------------------------------------*/

static uint8_t copy[NATIVE_DATA_SIZE];

static bool is_data(uint64_t address, unsigned int bytes)
{
	return address >= NATIVE_DATA && address - NATIVE_DATA <= NATIVE_DATA_SIZE - bytes;
}

static enum emulate_access translate(void *ctx, uint64_t la, bool write, uint64_t *gpa,
				     uint32_t *error)
{
	(void)ctx, (void)write, (void)error;
	if (!is_data(la, 1))
		return EMULATE_ACCESS_UNSUPPORTED;
	*gpa = la;
	return EMULATE_ACCESS_DONE;
}

static enum emulate_access read_copy(void *ctx, uint64_t gpa, void *data, unsigned int bytes)
{
	(void)ctx;
	REQUIRE(is_data(gpa, bytes), "0x%llx", (unsigned long long)gpa);
	if (one_in(4))
		return EMULATE_ACCESS_PENDING;
	memcpy(data, copy + (gpa - NATIVE_DATA), bytes);
	return EMULATE_ACCESS_DONE;
}

static enum emulate_access write_copy(void *ctx, uint64_t gpa, const void *data, unsigned int bytes,
				      const void *expected)
{
	(void)ctx;
	REQUIRE(is_data(gpa, bytes), "0x%llx", (unsigned long long)gpa);
	if (one_in(4))
		return EMULATE_ACCESS_PENDING;
	REQUIRE(!expected || !memcmp(copy + (gpa - NATIVE_DATA), expected, bytes), "not expected");
	memcpy(copy + (gpa - NATIVE_DATA), data, bytes);
	return EMULATE_ACCESS_DONE;
}

/* The SSE registers, of the emulator and of the CPU. */
static uint8_t our_xmm[16][16], cpu_xmm[16][16];

static void read_xmm(void *ctx, unsigned int reg, void *data)
{
	(void)ctx;
	memcpy(data, our_xmm[reg], sizeof(our_xmm[reg]));
}

static void write_xmm(void *ctx, unsigned int reg, const void *data)
{
	(void)ctx;
	memcpy(our_xmm[reg], data, sizeof(our_xmm[reg]));
}

static const struct emulate_ops copy_ops = { translate, read_copy, write_copy, read_xmm,
					     write_xmm };

/* What a device would do. */
static void answer(struct emulate *e)
{
	uint8_t *at = copy + (e->mmio.gpa - NATIVE_DATA);

	if (e->mmio.write)
		memcpy(at, &e->mmio.data, e->mmio.bytes);
	else
		memcpy(&e->mmio.data, at, e->mmio.bytes);
}

static enum emulate_status emulate(struct emulate_regs *regs, const uint8_t *bytes, size_t length)
{
	enum emulate_status status;
	struct emulate e;

	status = emulate_begin(&e, regs, &copy_ops, NULL, bytes, length);
	while (status == EMULATE_MORE || status == EMULATE_PENDING) {
		if (status == EMULATE_PENDING)
			answer(&e);
		status = emulate_run(&e, 1 + random_below(3));
	}
	return status;
}

/* --- random instructions -----------------------------------------------------------------------*/

struct sample {
	uint8_t bytes[INSN_MAX_LENGTH];
	unsigned int displacement; /* where that is, if there is one */
	bool is_offset; /* A0 to A3: it is as long as an address */
	struct insn insn;
};

static void put(struct sample *sample, unsigned int *at, unsigned int byte)
{
	sample->bytes[(*at)++] = (uint8_t)byte;
}

/* Prefixes, one of the opcodes, then anything. */
static void random_insn(struct sample *sample)
{
	static const uint8_t prefixes[] = { 0x66, 0x66, 0x66, 0x67, 0x67, 0x65,
					    0x36, 0x3E, 0xF0, 0xF2, 0xF3 };
	static const uint8_t one_byte[] = { 0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
					    0x89, 0x8A, 0x8B, 0x8F, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4,
					    0xA5, 0xA4, 0xA5, 0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD,
					    0xC6, 0xC7, 0xF6, 0xF7, 0xFE, 0xFF };
	static const uint8_t two_byte[] = { 0xA3, 0xAB, 0xB0, 0xB1, 0xB3, 0xB6, 0xB7, 0xBA, 0xBB,
					    0xBE, 0xBF, 0xC0, 0xC1, 0xC3, 0x10, 0x11, 0x28, 0x29,
					    0x2B, 0x6E, 0x6F, 0x7E, 0x7F, 0xD6, 0xE7 };
	unsigned int at = 0, opcode;
	bool two = one_in(3);
	uint8_t modrm = (uint8_t)random_bits();

	while (one_in(2) && at < 3)
		put(sample, &at, prefixes[random_below(sizeof(prefixes))]);
	if (!one_in(3))
		put(sample, &at, 0x40 + random_below(16));
	if (two) {
		put(sample, &at, 0x0F);
		opcode = two_byte[random_below(sizeof(two_byte))];
	} else if (one_in(2)) {
		opcode = one_byte[random_below(sizeof(one_byte))];
	} else {
		opcode = random_below(8) << 3 | random_below(6);
	}
	put(sample, &at, opcode);
	sample->is_offset = opcode >= 0xA0 && opcode <= 0xA3 && !two;
	if (!sample->is_offset)
		put(sample, &at, modrm);
	sample->displacement = at + (!sample->is_offset && (modrm & 7) == 4);
	while (at < INSN_MAX_LENGTH)
		put(sample, &at, (uint8_t)random_bits());
}

static uint64_t random_value(void)
{
	static const uint64_t values[] = { 0,
					   1,
					   0x7F,
					   0x80,
					   0xFF,
					   0x7FFF,
					   0x8000,
					   0x7FFFFFFF,
					   0x80000000,
					   0x7FFFFFFFFFFFFFFF,
					   0x8000000000000000,
					   0xFFFFFFFFFFFFFFFF };

	if (one_in(4))
		return values[random_below(sizeof(values) / sizeof(values[0]))];
	return one_in(4) ? random_bits() & 0xF : random_bits();
}

/* A number whose higher bits do not matter. */
static uint64_t any_above(uint64_t value, unsigned int size)
{
	return size == 8 ? value : (value & ((1ULL << 8 * size) - 1)) | random_bits() << 8 * size;
}

static void random_regs(struct emulate_regs *regs)
{
	*regs = (struct emulate_regs){
		.rip = NATIVE_CODE,
		.rflags = RFLAGS_FIXED | RFLAGS_IF |
			  (random_bits() & (ARITHMETIC_FLAGS | RFLAGS_DF)),
		.cr0 = CR0_PE | CR0_PG,
		.cr4 = CR4_PAE | CR4_OSFXSR,
		.efer = EFER_LME | EFER_LMA,
		.segment[INSN_CS].attrib = SEG_ATTRIB_P | SEG_ATTRIB_L | SEG_ATTRIB_CODE,
		.segment[INSN_GS].base = NATIVE_GS_BASE,
		.cpl = 3,
	};
	for (unsigned int i = 0; i < 16; i++)
		regs->gpr[i] = random_value();
}

/* Chooses registers, or the displacement, such that the operands are in the data. */
static void aim(struct sample *sample, struct emulate_regs *regs)
{
	const struct insn *insn = &sample->insn;
	unsigned int size = insn->address_size;
	uint64_t target = NATIVE_DATA + NATIVE_DATA_SIZE / 2 - 8 + random_below(16);
	uint64_t rest;
	bool bit = insn->op >= INSN_BT && insn->op <= INSN_BTC && insn->src.kind == INSN_REG;

	if (insn->aligned)
		target &= ~15ULL;
	rest = target - (insn->segment == INSN_GS ? NATIVE_GS_BASE : 0);

	if (insn->op == INSN_CMPXCHG && one_in(2))
		memcpy(&regs->gpr[INSN_RAX], copy + (target - NATIVE_DATA), 8);
	if (bit)
		regs->gpr[insn->src.reg] = any_above(
			(uint64_t)(int64_t)((int)random_below(4096) - 2048), insn->src.size);
	/* If ECX counts and is 0, Intel's CPUs clear the upper half, AMD's do not. */
	if (insn->repeat)
		regs->gpr[INSN_RCX] = any_above(random_below(8) + (size == 4), size);
	if (insn->src.kind == INSN_SI)
		regs->gpr[INSN_RSI] = any_above(rest, size);
	if (insn->dst.kind == INSN_DI)
		regs->gpr[INSN_RDI] = any_above(target + random_below(32) - random_below(32), size);
	if (insn->src.kind == INSN_STACK || insn->dst.kind == INSN_STACK)
		regs->gpr[INSN_RSP] = target + random_below(32);
	if (insn->src.kind != INSN_MEM && insn->dst.kind != INSN_MEM)
		return;
	if (insn->index != INSN_NO_REG) {
		regs->gpr[insn->index] = any_above(random_below(64) - 32ULL, size);
		rest -= regs->gpr[insn->index] << insn->scale;
	}
	if (insn->base < 16) {
		regs->gpr[insn->base] = any_above(rest - insn->displacement, size);
		return;
	}
	if (insn->base == INSN_RIP)
		rest -= NATIVE_CODE + insn->length;
	memcpy(sample->bytes + sample->displacement, &rest, sample->is_offset ? size : 4);
}

/* The flags that an instruction leaves undefined, by both manuals. */
static uint64_t undefined_flags(const struct insn *insn)
{
	switch (insn->op) {
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
	case INSN_TEST:
		return RFLAGS_AF;
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
		return RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF;
	default:
		return 0;
	}
}

static const char *hex(const struct sample *sample)
{
	static char text[2 * INSN_MAX_LENGTH + 1];

	for (unsigned int i = 0; i < sample->insn.length; i++)
		sprintf(text + 2 * i, "%02X", sample->bytes[i]);
	return text;
}

static void say_difference(const struct sample *sample)
{
	unsigned int at = 0;

	while (copy[at] == native_data()[at])
		at++;
	ck_abort_msg("%s: memory at 0x%x: 0x%02X, not 0x%02X; the base of GS is 0x%llx",
		     hex(sample), at, copy[at], native_data()[at],
		     (unsigned long long)native_gs_base());
}

/* Whether a random instruction could be compared. */
static bool compare_one(void)
{
	struct emulate_regs before, ours, cpu;
	struct sample sample;
	enum emulate_status status;

	random_insn(&sample);
	if (insn_decode(sample.bytes, sizeof(sample.bytes), INSN_64, &sample.insn) != INSN_OK)
		return false;
	random_regs(&before);
	aim(&sample, &before);
	ours = cpu = before;
	status = emulate(&ours, sample.bytes, sizeof(sample.bytes));
	if (status != EMULATE_DONE) {
		/* Not where there is memory, or not canonical. */
		REQUIRE(status == EMULATE_UNSUPPORTED || status == EMULATE_FAULT, "%s: %d",
			hex(&sample), status);
		memcpy(copy, native_data(), sizeof(copy));
		return false;
	}
	native_execute(sample.bytes, sample.insn.length, &cpu, cpu_xmm);
	REQUIRE(ours.rip == NATIVE_CODE + sample.insn.length, "%s: RIP", hex(&sample));
	REQUIRE(!((ours.rflags ^ cpu.rflags) & ~undefined_flags(&sample.insn)),
		"%s: flags 0x%llx, not 0x%llx", hex(&sample), (unsigned long long)ours.rflags,
		(unsigned long long)cpu.rflags);
	for (unsigned int i = 0; i < 16; i++)
		REQUIRE(ours.gpr[i] == cpu.gpr[i], "%s: register %u: 0x%llx, not 0x%llx",
			hex(&sample), i, (unsigned long long)ours.gpr[i],
			(unsigned long long)cpu.gpr[i]);
	if (memcmp(copy, native_data(), sizeof(copy)))
		say_difference(&sample);
	REQUIRE(!memcmp(our_xmm, cpu_xmm, sizeof(our_xmm)), "%s: SSE registers", hex(&sample));
	return true;
}

START_TEST(agrees_with_this_cpu)
{
	unsigned long compared = 0, tried = 0;

	seed = SEED;
	printf("emulate: %d instructions, seed %d\n", NR_RANDOM, SEED);
	native_setup();
	for (size_t i = 0; i < NATIVE_DATA_SIZE; i++)
		copy[i] = native_data()[i] = (uint8_t)random_bits();
	memcpy(our_xmm, copy, sizeof(our_xmm));
	memcpy(cpu_xmm, copy, sizeof(cpu_xmm));
	while (compared < NR_RANDOM) {
		REQUIRE(tried++ < 10 * NR_RANDOM, "%lu compared", compared);
		compared += compare_one();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emulate");
	TCase *tc = tcase_create("native");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, agrees_with_this_cpu);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, emulate_cases());
	suite_add_tcase(suite, emulate_device_cases());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
