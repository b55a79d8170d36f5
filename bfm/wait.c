// SPDX-License-Identifier: GPL-2.0-only
/* For commands that look again and again: how long between, and until when. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sample.h"

bool parse_interval(const char *text, double *seconds)
{
	char *end;

	/* strtod() takes signs, blanks, hexadecimal numbers and infinities. */
	if (strspn(text, "0123456789.") == 0)
		return false;
	errno = 0;
	*seconds = strtod(text, &end);
	if (errno || strspn(text, "0123456789.") != (size_t)(end - text))
		return false;
	if (!strcmp(end, "ms"))
		*seconds /= 1000;
	else if (*end && strcmp(end, "s") != 0)
		return false;
	return *seconds >= 0.01 && *seconds <= 3600;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

void wait_begin(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	interrupted = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool wait_interrupted(void)
{
	return interrupted;
}

void wait_seconds(double seconds)
{
	struct timespec pause = { .tv_sec = (time_t)seconds };

	pause.tv_nsec = (long)((seconds - (double)pause.tv_sec) * 1e9);
	if (!interrupted)
		nanosleep(&pause, NULL);
}
