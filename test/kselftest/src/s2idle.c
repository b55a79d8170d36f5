// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspends to idle. The emulators' clocks do not wake Linux from there, but the ACPI timer can: its
 * overflow, every 2.3 s, is an event like that of the power button, for which Linux has no handler,
 * so that it disables it at the first. This is enabled right after an overflow, which leaves time
 * enough to fall asleep. Not by IN and OUT: QEMU refuses these to user space in a guest, however
 * iopl() was called.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TMR_STS 1
#define TMR_EN 1

static int ports;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint8_t in(unsigned int port)
{
	uint8_t value;

	if (pread(ports, &value, 1, port) != 1)
		die("/dev/port");
	return value;
}

static void out(unsigned int port, uint8_t value)
{
	if (pwrite(ports, &value, 1, port) != 1)
		die("/dev/port");
}

/* The first port of the resource of that name. */
static unsigned int find_port(const char *name)
{
	FILE *list = fopen("/proc/ioports", "r");
	char line[128];
	unsigned int port;

	while (list && fgets(line, sizeof(line), list))
		if (strstr(line, name) && sscanf(line, " %x", &port) == 1)
			return port;
	die(name);
	return 0;
}

int main(void)
{
	unsigned int events = find_port("ACPI PM1a_EVT_BLK"), timer = find_port("ACPI PM_TMR");
	int state = open("/sys/power/state", O_WRONLY);
	uint8_t before;

	ports = open("/dev/port", O_RDWR);
	if (state < 0 || ports < 0)
		die("cannot suspend");
	/* An overflow is a change of bit 23. */
	before = in(timer + 2) & 0x80;
	while ((in(timer + 2) & 0x80) == before)
		;
	out(events, TMR_STS);
	out(events + 2, in(events + 2) | TMR_EN);
	if (write(state, "freeze", 6) != 6)
		die("freeze");
	return 0;
}
