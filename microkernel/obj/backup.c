// SPDX-License-Identifier: GPL-2.0-only
#include "obj/backup.h"

#include "mk.h"
#include "vendor.h"

bool backup_is_good(const struct pp *pp)
{
	return pp->vs == pp->root_vs ? backup_is_taken(pp) : pp->backup_kept;
}

void backup_take(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (vs != pp->root_vs || !pp->launched || backup_is_good(pp))
		return;
	mk.vendor->vs_capture(vs, &pp->backup);
	pp->backup_exits = pp->exits;
	pp->backup_kept = true;
}

void backup_follow(struct pp *pp, const struct vs *next)
{
	if (pp->vs == pp->root_vs)
		pp->backup_kept = backup_is_good(pp);
	else if (next == pp->root_vs && pp->backup_kept)
		pp->backup_exits = pp->exits;
}
