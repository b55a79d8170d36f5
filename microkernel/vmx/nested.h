/* SPDX-License-Identifier: GPL-2.0-only */
/* Nested paging by EPT, and the TLB. */
#ifndef MK_VMX_NESTED_H
#define MK_VMX_NESTED_H

#include <abi/types.h>

struct guest_bits;
struct pp;
struct vs;

bool vmx_can_keep(void);
bool vmx_has_nested(void);
bool vmx_nested_has_page(uint64_t size);
bool vmx_nested_type(uint64_t spa, uint64_t size, uint64_t *attr);
bool vmx_nested_types_changed(void);
uint64_t vmx_root_eptp(void);

bool vmx_view_has(uint64_t flags);
void vmx_view_use(struct vs *vs, uint64_t root);

extern const struct guest_bits vmx_guest_bits;
bool vmx_guest_leaf(uint64_t spa, uint64_t size, uint64_t flags, uint64_t *attr);
bool vmx_guest_has_dirty(void);
bool vmx_guest_attach(struct vs *vs, uint64_t root);
void vmx_guest_forget(struct pp *pp);

void vmx_flush_everything(void); /* all EPTs and VPIDs on this PP */
void vmx_flush_ept(uint64_t eptp);
void vmx_flush_vpid(uint64_t vpid); /* 0: all of them */
void vmx_tlb_flush_gla(struct vs *vs, uint64_t gla);
void vmx_tlb_flush_all(struct vs *vs);

#endif
