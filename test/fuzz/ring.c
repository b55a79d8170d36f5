// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's reader of the debug ring, and bfm's loop around it, while the ring is written
 * between any two of the reader's accesses: by a writer as the microkernel's, of whose text every
 * byte that comes out must be the right one; or by one that stores anything anywhere.
 */
#include <abi/ioctl.h>
#include <bsl/string.h>

#include "fuzz.h"

/* Each load of the reader lets the writer go on. */
#define __atomic_load_n(address, order) \
	(let_write(), *(const volatile __typeof__(*(address)) *)(address))
static void let_write(void);
#include "driver/core/ring.c"
#undef __atomic_load_n

static struct bf_ring *ring;
static struct fuzz_input in;
static bool hostile;
static unsigned int half; /* a byte is stored and not yet counted */

/* What a good writer writes as byte n. */
static uint8_t text_at(uint64_t n)
{
	return (uint8_t)((n ^ n >> 8 ^ n >> 15) * 167 + (n >> 15));
}

static void write_well(uint64_t steps)
{
	while (steps--) {
		if (!half)
			ring->data[ring->written % BF_RING_DATA] = text_at(ring->written);
		else
			ring->written++;
		half ^= 1;
	}
}

static unsigned int patience;

static void let_write(void)
{
	uint64_t what;

	/* Between most loads nothing happens, or an input would be used up within a few bytes. */
	if (!in.left || (patience && patience--))
		return;
	what = fuzz_take(&in, 1);
	patience = (unsigned int)(what >> 3) << (what & 7);
	if (!hostile)
		write_well(fuzz_take(&in, 2));
	else if (what & 1)
		ring->written = fuzz_take(&in, 8);
	else
		ring->data[fuzz_take(&in, 2) % BF_RING_DATA] ^= 0xFF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t options, position, asked, length, reads;
	uint8_t *buffer = malloc(BF_RING_DATA);

	in = (struct fuzz_input){ data, size };
	options = fuzz_take(&in, 1);
	hostile = options & 1;
	half = 0;
	patience = 0;
	ring = calloc(1, sizeof(*ring) + BF_RING_DATA);
	if (!ring || !buffer)
		abort();
	ring->size = hostile ? fuzz_take(&in, 8) : BF_RING_DATA;
	if (hostile) {
		ring->written = fuzz_take(&in, 8);
	} else {
		uint64_t written = fuzz_take(&in, 3);

		/* As if all had been written one after the other. */
		ring->written = written - (written < BF_RING_DATA ? written : BF_RING_DATA);
		write_well(2 * (written - ring->written) + (options >> 1 & 1));
	}
	position = options & 4 ? fuzz_take(&in, 8) : fuzz_take(&in, 3);
	/* As bfm dump does: again from where the last text ended, until there is none. */
	for (reads = 0; reads < 4; reads++) {
		uint64_t before = ring->written;

		asked = position;
		length = bf_ring_read(ring, buffer, &position);
		FUZZ_CHECK(length <= BF_RING_DATA, "%llu bytes", (unsigned long long)length);
		if (!hostile) {
			uint64_t last = before ? before - 1 : 0;

			FUZZ_CHECK(position + length <= ring->written, "more than was written");
			FUZZ_CHECK(position >= asked || asked > before, "an earlier text");
			FUZZ_CHECK(length || position >= last || asked >= before ||
					   ring->written - position >= BF_RING_DATA,
				   "text is withheld");
			for (uint64_t i = 0; i < length; i++)
				FUZZ_CHECK(buffer[i] == text_at(position + i), "byte %llu of %llu",
					   (unsigned long long)i, (unsigned long long)length);
		}
		position += length;
		if (!length)
			break;
	}
	free(ring);
	free(buffer);
	return 0;
}
