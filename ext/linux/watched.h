/* SPDX-License-Identifier: MIT */
/* What is watched, for the files of this folder: ext/libext/watch.h is for everybody. */
#ifndef EXT_LINUX_WATCHED_H
#define EXT_LINUX_WATCHED_H

#include <ext/libext/watch.h>

#define WATCHED_VIEW 1 /* of Mk#2: what everybody watches */

/* In the bootstrap of a PP: Linux, in this VS, is watched. false, after a message: it cannot be. */
bool watch_begin(uint64_t vsid);

/* Likewise, if that has changed since. */
void watch_apply(uint64_t vsid);

/* Somebody wants exits of memory, of ports: the first extension or one that follows. */
bool watch_memory(void);
bool watch_ports(uint32_t first, uint32_t count);
bool watches_memory(void);

/* Linux is in a view of its memory, by Mk#2. */
void watch_in_view(uint64_t vsid, uint64_t view);

/* Whether memory, ports or registers can be; false, after a message. */
bool watch_can(uint64_t vsid);

/* Of one instruction: nothing is watched, and again. */
void watch_lift(uint64_t vsid);
void watch_again(uint64_t vsid);

/* The map of the ports, a bit for each; NULL: none is watched. And where it is. */
const uint8_t *watched_ports(uint64_t *spa);

#endif
