/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose translations the TLB of a PP has: those of the VS that was active last with their ASID.
 * Each VS has a tag, which no VS had before; it gets another one whenever its translations are not
 * to be used any more. So a PP that knows, by ASID, the tag of the VS that was active last flushes
 * only where another tag comes.
 */
#ifndef MK_SVM_ASID_H
#define MK_SVM_ASID_H

#include <abi/types.h>

struct pp;
struct vs;

/*
 * To be called when a VS becomes active, or its ASID changes then: the next entry flushes, and
 * loads the whole VMCB, if translations with this ASID are another tag's.
 */
void svm_own_asid(struct pp *pp, struct vs *vs);
/* Nobody's translations on this PP are to be used any more. */
void svm_disown_asids(struct pp *pp);
/* Those of this VS, on any PP. */
void svm_drop_translations(struct vs *vs);

/*
 * Whether Linux may have this ASID. INVLPGB reaches the translations of one ASID on all CPUs (APM
 * vol. 3), so Linux must have the same one everywhere. The first to ask decides.
 */
bool svm_claim_root_asid(uint32_t asid);

#endif
