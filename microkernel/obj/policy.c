// SPDX-License-Identifier: GPL-2.0-only
#include "obj/policy.h"

#include <abi/loader.h>
#include <abi/mk1.h>
#include <abi/mk2.h>
#include <bsl/string.h>

#include "lock.h"
#include "mk.h"
#include "obj/objects.h"
#include "pp.h"
#include "vendor.h"

/* Who has all of these is not asked whose an object is. */
#define RIGHTS_ANY_OBJECT (BF_RIGHT_linux | BF_RIGHT_others | BF_RIGHT_physical)

#define RIGHTS_GUESTS (BF_RIGHT_guests | BF_RIGHT_others)
#define RIGHTS_VM (BF_RIGHT_linux | RIGHTS_GUESTS)

/* The calls from first to last of an opcode want one of these rights. What is not here is free. */
static const struct rule {
	uint8_t spec, op, first, last;
	uint16_t any;
} rules[] = {
	{ SPEC_MK1, MK1_OP_DEBUG, 0, 15, BF_RIGHT_debug },
	{ SPEC_MK1, MK1_OP_CALLBACK, 0, 1, BF_RIGHT_linux }, /* bootstrap, vmexit */
	{ SPEC_MK1, MK1_OP_VM, 0, 1, RIGHTS_GUESTS }, /* create, destroy */
	{ SPEC_MK1, MK1_OP_VM, 2, 4, BF_RIGHT_physical }, /* direct maps */
	{ SPEC_MK1, MK1_OP_VM, 5, 15, RIGHTS_VM },
	{ SPEC_MK1, MK1_OP_VP, 0, 15, RIGHTS_VM },
	{ SPEC_MK1, MK1_OP_VS, 5, 8, 0 }, /* runs: what they run is the question */
	{ SPEC_MK1, MK1_OP_VS, 12, 13, 0 },
	{ SPEC_MK1, MK1_OP_VS, 2, 2, BF_RIGHT_linux }, /* init_as_root */
	{ SPEC_MK1, MK1_OP_VS, 9, 9, BF_RIGHT_linux }, /* promote */
	{ SPEC_MK1, MK1_OP_VS, 0, 15, RIGHTS_VM },
	{ SPEC_MK1, MK1_OP_INTRINSIC, 0, 0, BF_RIGHT_rdmsr },
	{ SPEC_MK1, MK1_OP_INTRINSIC, 1, 15, BF_RIGHT_wrmsr },
	{ SPEC_MK1, MK1_OP_MEM, 0, 15, BF_RIGHT_memory },
	{ SPEC_MK2, MK2_OP_EXT, 3, 4, 0 }, /* args, emit: its own */
	{ SPEC_MK2, MK2_OP_EXT, 0, 15, BF_RIGHT_calls },
	{ SPEC_MK2, MK2_OP_CALLBACK, 0, 0, RIGHTS_GUESTS }, /* vm_set_handler */
	{ SPEC_MK2, MK2_OP_CALLBACK, 1, 15, BF_RIGHT_hypercalls },
	{ SPEC_MK2, MK2_OP_VM, 8, 12, BF_RIGHT_linux }, /* views */
	{ SPEC_MK2, MK2_OP_VM, 0, 15, RIGHTS_GUESTS },
	{ SPEC_MK2, MK2_OP_VS, 6, 6, BF_RIGHT_linux }, /* view */
	{ SPEC_MK2, MK2_OP_VS, 0, 15, RIGHTS_VM },
	{ SPEC_MK2, MK2_OP_MEM, 2, 2, BF_RIGHT_physical }, /* mem_ram */
	{ SPEC_MK2, MK2_OP_MEM, 0, 15, BF_RIGHT_donations },
	{ SPEC_MK2, MK2_OP_PP, 1, 2, BF_RIGHT_linux }, /* recall */
	{ SPEC_MK2, MK2_OP_PP, 0, 15, RIGHTS_GUESTS },
};

/* Calls that run a VS, or are about to: indices of MK1_OP_VS. */
enum {
	RUN = 5,
	RUN_CURRENT,
	ADVANCE_AND_RUN,
	ADVANCE_AND_RUN_CURRENT,
	SET_ACTIVE = 12,
	ADVANCE_AND_SET_ACTIVE
};

/* What policy_init makes of the lists of calls. */
static struct call {
	bool known;
	uint16_t any; /* rights; 0: free */
	uint8_t vm, vp, vs; /* the registers with these ids; 0: none, REG0 is the handle */
} calls[NR_SPECS][NR_CALLS];

/* By their order in struct rule, of which the first one counts. */
static uint16_t rights_for(enum spec spec, unsigned int op, unsigned int idx)
{
	for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];

		if (r->spec == spec && r->op == op && idx >= r->first && idx <= r->last)
			return r->any;
	}
	return 0;
}

/* The register of the argument name, which is of one length with all names of ids; 0: none. */
static uint8_t reg_of(const char *args, const char *name)
{
	uint8_t reg = 0;

	for (const char *at = args; *at; at++) {
		if (*at == ' ')
			reg++;
		if ((at == args || at[-1] == ' ') && at[0] == name[0] && at[1] == name[1] &&
		    at[2] == name[2])
			return reg;
	}
	return 0;
}

static void describe(enum spec spec, unsigned int op, unsigned int idx, const char *args)
{
	calls[spec][op << 4 | idx] = (struct call){ .known = true,
						    .any = rights_for(spec, op, idx),
						    .vm = reg_of(args, "vmi"),
						    .vp = reg_of(args, "vpi"),
						    .vs = reg_of(args, "vsi") };
}

static bool is_run(enum spec spec, unsigned int number)
{
	unsigned int idx = number & 15;

	return spec == SPEC_MK1 && number >> 4 == MK1_OP_VS &&
	       ((idx >= RUN && idx <= ADVANCE_AND_RUN_CURRENT) || idx == SET_ACTIVE ||
		idx == ADVANCE_AND_SET_ACTIVE);
}

/* The grants of this kind that ext has for what; NULL, or the last one. */
static const struct bf_grant *find_grant(const struct ext *ext, enum bf_grant_kind kind,
					 uint32_t what)
{
	const struct bf_grant *found = NULL;

	for (uint32_t i = 0; i < mk.handoff->nr_grants; i++) {
		const struct bf_grant *g = &mk.handoff->grants[i];

		if (g->ext == ext->id && g->kind == kind && what >= g->first && what <= g->last)
			found = g;
	}
	return found;
}

/* Whatever it names. */
static bool may_call(const struct ext *ext, enum spec spec, unsigned int number)
{
	uint16_t any = calls[spec][number].any;
	const struct bf_grant *g =
		find_grant(ext, BF_GRANT_CALL, (uint32_t)(spec + 1) << 8 | number);

	return g ? g->allow : !any || any & ext->rights;
}

/* The kind of grants that the call's MSR has; BF_GRANT_CALL: it has none. */
static enum bf_grant_kind msr_kind(enum spec spec, unsigned int number)
{
	if (spec != SPEC_MK1 || number >> 4 != MK1_OP_INTRINSIC)
		return BF_GRANT_CALL;
	return number & 15 ? BF_GRANT_WRMSR : BF_GRANT_RDMSR;
}

static bool has_grants(const struct ext *ext, enum bf_grant_kind kind)
{
	for (uint32_t i = 0; i < mk.handoff->nr_grants; i++) {
		if (mk.handoff->grants[i].ext == ext->id && mk.handoff->grants[i].kind == kind)
			return true;
	}
	return false;
}

static bool is_free(const struct ext *ext, enum spec spec, unsigned int number)
{
	const struct call *c = &calls[spec][number];
	enum bf_grant_kind kind = msr_kind(spec, number);

	if (!c->known || !may_call(ext, spec, number) ||
	    (kind != BF_GRANT_CALL && has_grants(ext, kind)))
		return false;
	return (ext->rights & RIGHTS_ANY_OBJECT) == RIGHTS_ANY_OBJECT ||
	       !(c->vm || c->vp || c->vs || is_run(spec, number));
}

void policy_init(void)
{
#define DESCRIBE_MK1(op, idx, name, in, out, args, results, errors) \
	describe(SPEC_MK1, MK1_OP_##op, idx, args);
#define DESCRIBE_MK2(op, idx, name, in, out, args, results, errors) \
	describe(SPEC_MK2, MK2_OP_##op, idx, args);
	MK1_SYSCALLS(DESCRIBE_MK1)
	MK2_SYSCALLS(DESCRIBE_MK2)
	for (uint16_t i = 0; i < mk.handoff->nr_exts; i++) {
		if (!(ext_find(i)->rights & BF_RIGHT_others))
			mk.limited |= (uint8_t)(1U << i);
	}
}

void policy_open(struct ext *ext, enum spec spec, bool open)
{
	mk_lock(&ext->lock);
	for (unsigned int i = 0; i < NR_CALLS; i++)
		ext->may[spec][i] = open && !ext->ended && is_free(ext, spec, i);
	mk_unlock(&ext->lock);
}

void policy_end(struct ext *ext)
{
	mk_lock(&ext->lock);
	ext->ended = true;
	bsl_memset(ext->may, 0, sizeof(ext->may));
	mk_unlock(&ext->lock);
}

static bool owns(const struct ext *ext, uint16_t owner)
{
	if (owner == OWNER_LINUX)
		return ext->rights & BF_RIGHT_linux;
	return owner == ext->id || ext->rights & BF_RIGHT_others;
}

/*
 * Whether all that the call names is the extension's. What there is not is the call's to refuse;
 * what there is cannot become another's meanwhile (objects.h).
 */
static bool owns_all(const struct ext *ext, const struct call *c, const struct syscall_frame *f)
{
	const struct vm *vm = c->vm ? vm_find((uint16_t)f->reg[c->vm]) : NULL;
	const struct vp *vp = c->vp ? vp_find((uint16_t)f->reg[c->vp]) : NULL;
	const struct vs *vs = c->vs ? vs_find((uint16_t)f->reg[c->vs]) : NULL;

	/* A direct map of the active VM, were it Linux's, shows no more than any other. */
	if (vm && vm->owner == OWNER_LINUX && c->any == BF_RIGHT_physical)
		vm = NULL;
	return (!vm || owns(ext, vm->owner)) && (!vp || owns(ext, vp->owner)) &&
	       (!vs || owns(ext, vs->owner));
}

/* The VS that a call runs, or is to run; NULL: there is none. */
static struct vs *next_of(unsigned int number, const struct syscall_frame *f)
{
	unsigned int idx = number & 15;

	if (idx == RUN_CURRENT || idx == ADVANCE_AND_RUN_CURRENT)
		return this_pp()->vs;
	return vs_find((uint16_t)f->reg[3]);
}

static bool advances(unsigned int number)
{
	unsigned int idx = number & 15;

	return idx == ADVANCE_AND_RUN || idx == ADVANCE_AND_RUN_CURRENT ||
	       idx == ADVANCE_AND_SET_ACTIVE;
}

/* Linux is at the hypercall still, which it has made to this extension. */
static bool is_asked(const struct pp *pp)
{
	uint64_t rip;

	return pp->answering && pp->vs == pp->root_vs &&
	       mk.vendor->vs_read(pp->root_vs, mk.vendor->rip, &rip) == MK1_SUCCESS &&
	       rip == pp->asked_at;
}

/*
 * Who may not use Linux's VM can still let it go on, past the hypercall that it has answered. And
 * without a right to all memory, the table of a guest is the microkernel's.
 */
static bool may_run(const struct ext *ext, unsigned int number, const struct syscall_frame *f)
{
	const struct pp *pp = this_pp();
	const struct vs *next = next_of(number, f), *now = pp->vs;

	if (advances(number) && now && !owns(ext, now->owner) && !is_asked(pp))
		return false;
	if (!next || next == pp->root_vs)
		return true;
	return owns(ext, next->owner) && (next->nested || ext->rights & BF_RIGHT_physical);
}

bool policy_allows(const struct ext *ext, enum spec spec, unsigned int number,
		   const struct syscall_frame *f)
{
	const struct call *c = &calls[spec][number];
	enum bf_grant_kind kind = msr_kind(spec, number);
	const struct bf_grant *g =
		kind == BF_GRANT_CALL ? NULL : find_grant(ext, kind, (uint32_t)f->reg[1]);

	if (g)
		return g->allow;
	if (!may_call(ext, spec, number))
		return false;
	if (is_run(spec, number))
		return may_run(ext, number, f);
	return owns_all(ext, c, f);
}

/* Whether the registers name Linux's VS as a whole, so that the call does not fail. */
static bool names_linux(const struct pp *pp, unsigned int number, const struct syscall_frame *f)
{
	unsigned int idx = number & 15;

	return idx == RUN_CURRENT || idx == ADVANCE_AND_RUN_CURRENT ||
	       ((uint16_t)f->reg[1] == pp->root_vs->vmid &&
		(uint16_t)f->reg[2] == pp->root_vs->vpid);
}

void policy_note_run(enum spec spec, unsigned int number, const struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	unsigned int idx = number & 15;

	if (!pp_is_in(pp, PHASE_ENTRY) && is_run(spec, number) && idx != SET_ACTIVE &&
	    idx != ADVANCE_AND_SET_ACTIVE && pp->root_vs && next_of(number, f) == pp->root_vs &&
	    names_linux(pp, number, f))
		pp->answering = false;
}
