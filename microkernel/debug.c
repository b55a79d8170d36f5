// SPDX-License-Identifier: GPL-2.0-only
#include "debug.h"

#include <abi/mk1.h>
#include <bsl/format.h>

#include "arch/intrinsics.h"
#include "arch/phys.h"
#include "lock.h"
#include "mk.h"
#include "pp.h"

#define LINE_SIZE 256
#define LINES_SIZE (BF_RING_LINES * sizeof(struct bf_line))

/* 16550 registers, as offsets from the base port, and the values that we write. */
#define UART_DATA 0 /* with DLAB: the divisor's low byte */
#define UART_IER 1 /* with DLAB: its high byte */
#define UART_FCR 2
#define UART_FCR_ENABLE_AND_CLEAR 0x07
#define UART_LCR 3
#define UART_LCR_8N1 0x03
#define UART_LCR_DLAB 0x80
#define UART_LSR 5
#define UART_LSR_THRE 0x20
#define UART_SPINS 0x10000 /* a port that is not there must not stop us */

static struct {
	struct mk_lock lock;
	struct bf_ring *ring;
	uint64_t size; /* ours: what Linux writes into the shared header changes nothing */
	uint64_t written;
	struct bf_line *lines; /* NULL: there is no room for them */
	uint64_t nr_lines; /* ever begun */
	uint32_t writer; /* the last one, who has ended a line or not */
	bool in_line;
	uint16_t port;
} debug = { .lock = MK_LOCK(LOCK_DEBUG) };

static void serial_register(unsigned int offset, uint8_t value)
{
	outb((uint16_t)(debug.port + offset), value);
}

/* A UART that sends 8 bits a character is in use, maybe as Linux's console: its speed stays. */
static void serial_init(void)
{
	if ((inb((uint16_t)(debug.port + UART_LCR)) & UART_LCR_8N1) == UART_LCR_8N1)
		return;
	serial_register(UART_LCR, UART_LCR_DLAB | UART_LCR_8N1);
	serial_register(UART_DATA, 1); /* 115,200 baud */
	serial_register(UART_IER, 0);
	serial_register(UART_LCR, UART_LCR_8N1);
	serial_register(UART_FCR, UART_FCR_ENABLE_AND_CLEAR);
}

void debug_init(void)
{
	const struct bf_handoff *h = mk.handoff;

	debug.ring = phys_to_virt(h->ring.spa);
	debug.size = debug.ring->size;
	debug.written = debug.ring->written;
	debug.in_line = false;
	debug.port = h->serial_port;
	if (debug.size & (debug.size - 1) || debug.size > h->ring.size - sizeof(struct bf_ring))
		debug.size = 0;
	debug.lines = (struct bf_line *)(void *)(debug.ring->data + debug.size);
	debug.nr_lines = debug.ring->lines;
	if (!debug.size || debug.size % sizeof(uint64_t) ||
	    debug.size + LINES_SIZE > h->ring.size - sizeof(struct bf_ring))
		debug.lines = NULL;
	if (debug.port)
		serial_init();
}

static void serial_write(uint8_t c)
{
	for (unsigned int i = 0; i < UART_SPINS; i++) {
		if (inb((uint16_t)(debug.port + UART_LSR)) & UART_LSR_THRE)
			break;
	}
	serial_register(UART_DATA, c);
}

static void put(const char *text, size_t length)
{
	/* Counted one by one: a reader has to know which of the oldest bytes are overwritten. */
	for (size_t i = 0; debug.size && i < length; i++) {
		debug.ring->data[debug.written++ & (debug.size - 1)] = (uint8_t)text[i];
		__atomic_store_n(&debug.ring->written, debug.written, __ATOMIC_RELEASE);
	}
	for (size_t i = 0; debug.port && i < length; i++) {
		if (text[i] == '\n')
			serial_write('\r');
		serial_write((uint8_t)text[i]);
	}
}

/* Before the first byte of the line: who has read that finds this. */
static void begin_line(uint32_t writer)
{
	if (!debug.lines)
		return;
	debug.lines[debug.nr_lines % BF_RING_LINES] =
		(struct bf_line){ .position = debug.written,
				  .tsc = rdtsc(),
				  .cpu = this_pp()->handoff.cpu,
				  .image = (uint16_t)(DEBUG_WRITER_EXT(writer) + 1) };
	__atomic_store_n(&debug.ring->lines, ++debug.nr_lines, __ATOMIC_RELEASE);
}

/* The first line of a text, with its end, if it has one. */
static size_t first_line(const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && text[n] != '\n')
		n++;
	return n < length ? n + 1 : n;
}

void debug_write(uint32_t writer, const char *text, size_t length)
{
	uint64_t began = debug.port ? rdtsc() : 0;

	if (!length)
		return;
	mk_lock(&debug.lock);
	if (debug.in_line && debug.writer != writer) {
		put("\n", 1);
		debug.in_line = false;
	}
	while (length) {
		size_t n = first_line(text, length);

		if (!debug.in_line)
			begin_line(writer);
		put(text, n);
		debug.in_line = text[n - 1] != '\n';
		text += n;
		length -= n;
	}
	debug.writer = writer;
	mk_unlock(&debug.lock);
	if (debug.port)
		this_pp()->watch.printing += rdtsc() - began;
}

void mk_print(const char *fmt, ...)
{
	char line[LINE_SIZE];
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	debug_write(DEBUG_WRITER(this_pp()->handoff.ppid, MK1_INVALID_ID), line,
		    bsl_vformat(line, sizeof(line), fmt, args));
	__builtin_va_end(args);
}
