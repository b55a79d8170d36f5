// SPDX-License-Identifier: GPL-2.0-only
#include "debug.h"

#include <bsl/format.h>

#include "intrinsics.h"
#include "lock.h"
#include "mem.h"
#include "mk.h"

#define LINE_SIZE 256

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
	struct bsl_spinlock lock;
	struct bf_ring *ring;
	uint64_t size; /* ours: what Linux writes into the shared header changes nothing */
	uint64_t written;
	uint16_t port;
} debug;

static void serial_register(unsigned int offset, uint8_t value)
{
	outb((uint16_t)(debug.port + offset), value);
}

/* A UART that sends 8 bits a character is in use, maybe as Linux' console: its speed stays. */
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

	debug.ring = window(h->ring.spa);
	debug.size = debug.ring->size;
	debug.written = debug.ring->written;
	debug.port = h->serial_port;
	if (debug.size & (debug.size - 1) ||
	    debug.size > h->ring.size - sizeof(struct bf_ring))
		debug.size = 0;
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

void debug_write(const char *text, size_t length)
{
	mk_lock(&debug.lock);
	for (size_t i = 0; debug.size && i < length; i++)
		debug.ring->data[debug.written++ & (debug.size - 1)] = (uint8_t)text[i];
	if (debug.size)
		__atomic_store_n(&debug.ring->written, debug.written, __ATOMIC_RELEASE);
	for (size_t i = 0; debug.port && i < length; i++) {
		if (text[i] == '\n')
			serial_write('\r');
		serial_write((uint8_t)text[i]);
	}
	mk_unlock(&debug.lock);
}

void mk_print(const char *fmt, ...)
{
	char line[LINE_SIZE];
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	debug_write(line, bsl_vformat(line, sizeof(line), fmt, args));
	__builtin_va_end(args);
}
