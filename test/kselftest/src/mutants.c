// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutants SEED COUNT MICROKERNEL EXTENSION FUTILE: spoils images and has the module start them.
 * Each is refused for the reason that its own parser, which is linked in here, gives; or it runs
 * and stops, or fails and the start is undone. Ends with 1 if one does not. The first mutants have
 * one bit of the headers flipped, each bit of each image in turn, all others are spoilt in random
 * places; if COUNT is too small for all bits, it is a random choice of both.
 *
 * What is started depends on what may come of it. The microkernel is the system's own code in ring
 * 0: with a bit of it flipped it may do anything, and so may Linux. What the extension's code and
 * data do decides what Linux sees of its CPUs, and may crash it. So of these two, only such mutants
 * are started as must be refused, or as differ in nothing that is loaded. FUTILE is an extension
 * that never makes Linux a guest: any mistake of it must be contained.
 */
#include <stdbool.h>

#include <abi/layout.h>
#include <bsl/elf.h>

#include "hostile.h"

#define MAX_GROWTH 64
#define NR_ERRORS 128
#define WATCHDOG_NS BF_WATCHDOG_MIN_NS

enum base { MICROKERNEL, EXTENSION, FUTILE, NR_BASES };

static struct bf_file bases[NR_BASES];
static int device;
static unsigned long refused, undone, ran, unlike;
static unsigned long outcomes[NR_ERRORS]; /* of the starts */

/* --- mutations -------------------------------------------------------------------------------- */

static const uint64_t values[] = { 0,
				   1,
				   2,
				   3,
				   7,
				   8,
				   56,
				   63,
				   64,
				   65,
				   0xFFF,
				   0x1000,
				   0x1001,
				   MK1_EXT_CODE_BASE,
				   MK1_EXT_CODE_BASE + 0x1000,
				   MK1_EXT_CODE_BASE + MK1_EXT_CODE_SIZE,
				   BF_MK_BASE,
				   BF_MK_BASE + 0x1000,
				   0x7FFFFFFF,
				   0xFFFFFFFF,
				   1ULL << 63,
				   UINT64_MAX };

/* The ELF header and the program headers, which follow it. */
static size_t headers_of(const uint8_t *image)
{
	return 64 + image[56] * (size_t)56;
}

/* Sets a field to a value that matters, to another field's, or near to one of them. */
static void spoil_header(uint8_t *data, size_t headers)
{
	size_t width = (size_t)1 << next() % 4, at = next() % (headers / width) * width;
	uint64_t value = values[next() % (sizeof(values) / sizeof(values[0]))];

	if (next() % 3 == 0)
		memcpy(&value, data + next() % (headers / 8) * 8, 8);
	if (next() % 3 == 0)
		value += next() % 5 - 2;
	if (next() % 4 == 0)
		data[at] ^= (uint8_t)(1 << next() % 8);
	else
		memcpy(data + at, &value, width);
}

static void flip_bits(uint8_t *data, size_t size)
{
	for (uint64_t n = next() % 8 + 1; n; n--)
		data[next() % size] ^= (uint8_t)(1 << next() % 8);
}

/* A piece of any of the images in place of what is there. */
static void transplant(uint8_t *data, size_t size)
{
	const struct bf_file *other = &bases[next() % NR_BASES];
	size_t length = next() % 512 + 1, at, from;

	if (length > size || length > other->size)
		return;
	at = next() % (size - length + 1);
	from = next() % (other->size - length + 1);
	memcpy(data + at, (const uint8_t *)data_of(other) + from, length);
}

/* Shorter, or longer by something. */
static size_t resize(uint8_t *data, size_t size)
{
	size_t headers = headers_of(data), longer = next() % MAX_GROWTH;

	switch (next() % 4) {
	case 0:
		return next() % (headers + 1);
	case 1:
		memset(data + size, (int)next(), longer);
		return size + longer;
	case 2:
		return size - next() % 64;
	default:
		return next() % size;
	}
}

/* A mutant of a base, in memory from malloc(). */
static struct bf_file mutate(enum base base)
{
	size_t size = bases[base].size, headers = headers_of(data_of(&bases[base]));
	uint8_t *data = malloc(size + MAX_GROWTH);
	bool resized = false;

	if (!data)
		exit(1);
	memcpy(data, data_of(&bases[base]), size);
	for (uint64_t n = next() % 3 + 1; n && !resized; n--) {
		uint64_t what = next() % 8;

		if (what == 0) {
			size = resize(data, size);
			resized = true;
		} else if (base != FUTILE || what < 3) {
			spoil_header(data, headers);
		} else if (what < 7) {
			flip_bits(data, size);
		} else {
			transplant(data, size);
		}
	}
	return (struct bf_file){ (uintptr_t)data, size };
}

/* The mutant with this bit flipped, of all bits of the headers of all images. */
static struct bf_file flip_header(size_t bit, enum base *base)
{
	uint8_t *data;

	for (*base = 0; bit >= 8 * headers_of(data_of(&bases[*base])); ++*base)
		bit -= 8 * headers_of(data_of(&bases[*base]));
	data = malloc(bases[*base].size);
	if (!data)
		exit(1);
	memcpy(data, data_of(&bases[*base]), bases[*base].size);
	data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	return (struct bf_file){ (uintptr_t)data, bases[*base].size };
}

static size_t header_bits(void)
{
	size_t bits = 0;

	for (int i = 0; i < NR_BASES; i++)
		bits += 8 * headers_of(data_of(&bases[i]));
	return bits;
}

/* --- what must come of them ------------------------------------------------------------------- */

static enum bf_error open_image(const struct bf_file *file, enum base base, struct bsl_elf *elf)
{
	bool microkernel = base == MICROKERNEL;
	uint64_t detail;

	if (!file->size)
		return BF_ERR_ELF_MAGIC;
	return bsl_elf_open(elf, data_of(file), file->size,
			    microkernel ? BF_MK_BASE : MK1_EXT_CODE_BASE,
			    microkernel ? BF_MK_SIZE : MK1_EXT_CODE_SIZE, &detail);
}

static bool same_segment(const struct bsl_elf_segment *a, const struct bsl_elf_segment *b)
{
	return a->va == b->va && a->memsz == b->memsz && a->filesz == b->filesz &&
	       a->flags == b->flags && (!a->filesz || !memcmp(a->data, b->data, a->filesz));
}

/* Whether nothing that is loaded differs. */
static bool loads_the_same(const struct bsl_elf *mutant, enum base base)
{
	struct bsl_elf_segment a, b;
	uint32_t i = 0, j = 0;
	struct bsl_elf elf;
	bool more;

	if (open_image(&bases[base], base, &elf) || elf.entry != mutant->entry ||
	    elf.tls_memsz != mutant->tls_memsz || elf.tls_filesz != mutant->tls_filesz ||
	    (elf.tls_filesz && memcmp(elf.tls_data, mutant->tls_data, elf.tls_filesz)))
		return false;
	do {
		more = bsl_elf_next(&elf, &i, &a);
		if (bsl_elf_next(mutant, &j, &b) != more || (more && !same_segment(&a, &b)))
			return false;
	} while (more);
	return true;
}

static bool is_running(void)
{
	struct bf_ioctl_status status = { .size = sizeof(status) };

	return ioctl(device, BF_IOC_STATUS, &status) || status.state == BF_STATE_RUNNING;
}

static bool is_of_elf(uint32_t error)
{
	return error >= BF_ERR_ELF_TRUNCATED && error <= BF_ERR_ELF_TLS;
}

/* Starts a mutant; false with a message if what comes of it is not what must. */
static bool try_mutant(const struct bf_file *mutant, enum base base)
{
	uint32_t expected, error, stopped;
	struct bsl_elf elf;

	expected = open_image(mutant, base, &elf);
	if (!expected && base != FUTILE && !loads_the_same(&elf, base)) {
		unlike++;
		return true;
	}
	error = base == MICROKERNEL ?
			start_images(device, *mutant, bases[EXTENSION], WATCHDOG_NS) :
			start_images(device, bases[MICROKERNEL], *mutant, WATCHDOG_NS);
	if (expected ? error != expected : is_of_elf(error) || error >= NR_ERRORS) {
		fprintf(stderr, "%s, and not %s\n", error_name(error), error_name(expected));
		return false;
	}
	outcomes[error]++;
	if (expected) {
		refused++;
	} else if (error) {
		undone++;
	} else {
		ran++;
		stopped = stop_now(device);
		if (stopped && stopped != BF_ERR_EXT_STOP_REFUSED)
			fprintf(stderr, "# stopped: %s\n", error_name(stopped));
	}
	if (!is_running())
		return true;
	fprintf(stderr, "it still runs\n");
	return false;
}

/* What it became of them. */
static void print_outcomes(const char *name, unsigned long count, size_t bits)
{
	printf("seed %s: %lu mutants%s: %lu refused, %lu undone, %lu ran and stopped; "
	       "%lu too powerful to be started\n",
	       name, count, count < bits ? "" : ", among them one of each bit of the headers",
	       refused, undone, ran, unlike);
	for (uint32_t i = 0; i < NR_ERRORS; i++)
		if (outcomes[i])
			printf("# %5lu %s\n", outcomes[i], error_name(i));
}

int main(int argc, char **argv)
{
	unsigned long count;
	size_t bits;

	if (argc != 6)
		return 2;
	count = strtoul(argv[2], NULL, 0);
	for (int i = 0; i < NR_BASES; i++)
		bases[i] = read_image(argv[3 + i]);
	bits = header_bits();
	device = open_device();
	for (unsigned long i = 0; i < count; i++) {
		enum base base;
		struct bf_file mutant;
		size_t bit = i;

		seed = strtoull(argv[1], NULL, 0) << 32 | i;
		if (count < bits)
			bit = next() % (2 * bits);
		if (bit < bits) {
			mutant = flip_header(bit, &base);
		} else {
			base = next() % 8 == 0 ? MICROKERNEL : next() % 8 < 3 ? EXTENSION : FUTILE;
			mutant = mutate(base);
		}
		if (!try_mutant(&mutant, base)) {
			fprintf(stderr, "mutant %lu of seed %s, of image %d\n", i, argv[1], base);
			return 1;
		}
		free(data_of(&mutant));
	}
	print_outcomes(argv[1], count, bits);
	/* One kind that never comes would mean that the mutations are no good. */
	return count < 100 || (refused && undone && ran) ? 0 : 1;
}
