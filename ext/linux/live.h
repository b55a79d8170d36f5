/* SPDX-License-Identifier: MIT */
/*
 * What is watched changes while Linux runs: each PP has it in its own VS. A PP that changes it
 * writes down what, changes its own VS, and recalls all others (pp_recall of Mk#2), each of which
 * changes its VS in the exit that it has then. Nobody waits for what another extension, or this one
 * on another PP, is doing.
 */
#ifndef EXT_LINUX_LIVE_H
#define EXT_LINUX_LIVE_H

#include <ext/libext/watch.h>

/*
 * In the bootstrap of a PP: before it has a root VS, false, after a message, if Linux could not be
 * recalled; and once it has.
 */
bool live_begin(void);
void live_has(uint64_t vsid);

/* Linux's VS on this PP, of the first extension; MK1_INVALID_ID: Linux does not run here yet. */
uint64_t live_vsid(void);

/* Whether this exit is a recall; then what has changed is to be done. */
bool live_is_recall(uint64_t reason);
void live_apply(uint64_t vsid);

/*
 * Something has changed: this PP has it before Linux goes on, and no other one executes anything
 * without it. false, after a message: a PP has not come out of Linux in time. If nobody wants that,
 * or Linux does not run yet, there is nothing to do.
 */
bool live_tell(void);

/* Whether something can be watched from now on. false, after a message: not while Linux runs. */
bool live_may(const char *what);

#endif
