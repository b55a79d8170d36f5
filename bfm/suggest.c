// SPDX-License-Identifier: GPL-2.0-only
/* "Did you mean": the word that somebody may have meant. */
#include <string.h>

#include "bfm.h"

#define MAX_WORD 32
#define MAX_DISTANCE 2

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many letters are missing, too many, wrong, or two of them exchanged, from a to b. */
static unsigned int distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned int d[MAX_WORD + 1][MAX_WORD + 1];

	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			unsigned int change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			d[i][j] = least(change, least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[la][lb];
}

const char *suggest(const char *word, size_t length, const char *const *names, size_t count)
{
	/* A short word is near to nearly all others. */
	unsigned int best = length > 3 ? MAX_DISTANCE + 1 : MAX_DISTANCE;
	const char *found = NULL;

	if (length > MAX_WORD)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(names[i]);
		unsigned int far = n > MAX_WORD ? best + 1 : distance(word, length, names[i], n);

		if (far < best)
			found = names[i];
		else if (far == best)
			found = NULL; /* it could be either */
		best = least(best, far);
	}
	return found;
}
