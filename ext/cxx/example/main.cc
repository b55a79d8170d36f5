// SPDX-License-Identifier: MIT
/* The start, and the callbacks that are the same on both vendors. */
#include <ext/cxx/example/example.hpp>

namespace example {

namespace {

const Vendor *vendor; /* written by ext_start, then only read */

/* On every PP at the start, and again on one that comes back (CPU hotplug, resume). */
void on_bootstrap(mk1::PpId pp)
{
	const auto vp = mk1::vp_create_vp(handle, mk1::root_vm);

	if (!vp)
		give_up("create_vp failed", VsId{}, static_cast<uint64_t>(vp.status));

	const auto vs = mk1::vs_create_vs(handle, vp.value, pp);

	if (!vs)
		give_up("create_vs failed", VsId{}, static_cast<uint64_t>(vs.status));

	auto status = mk1::vs_init_as_root(handle, vs.value);

	if (!mk1::ok(status))
		give_up("init_as_root failed", vs.value, static_cast<uint64_t>(status));
	vendor->set_up(vs.value);
	status = mk1::vs_set_active(handle, mk1::root_vm, vp.value, vs.value);
	if (!mk1::ok(status))
		give_up("set_active failed", vs.value, static_cast<uint64_t>(status));
	/* What an earlier run left in the TLB under the ASID or VPID that every PP uses. */
	status = mk1::vm_tlb_flush(handle, mk1::root_vm);
	if (!mk1::ok(status))
		give_up("tlb_flush failed", vs.value, static_cast<uint64_t>(status));
	resume(vs.value);
}

/* A bug in this extension: the microkernel takes the PP, Linux goes on. */
void on_fail(mk1::Fault fault, uint64_t address)
{
	ext_print("cxx-example: PP %u: vector %u, error code 0x%x, address 0x%llx\n",
		  unsigned{mk1::tls::pp().value()}, fault.vector(), fault.error_code(),
		  static_cast<unsigned long long>(address));
	mk1::fast_fail();
}

} // namespace

void give_up(const char *what, VsId vs, uint64_t detail)
{
	ext_print("cxx-example: PP %u: %s (0x%llx)\n", unsigned{mk1::tls::pp().value()}, what,
		  static_cast<unsigned long long>(detail));
	if (vs.valid())
		(void)mk1::debug_dump_vs(vs);
	mk1::fast_fail();
}

void resume(VsId vs)
{
	const auto status = mk1::vs_run_current(handle);

	give_up("run_current failed", vs, static_cast<uint64_t>(status));
}

void resume_next(VsId vs)
{
	const auto status = mk1::vs_advance_ip_and_run_current(handle);

	give_up("advance_ip_and_run_current failed", vs, static_cast<uint64_t>(status));
}

} // namespace example

int ext_start(uint64_t specs)
{
	using namespace example;

	if (!mk1::Specs{specs}.has_mk1() || !mk1::handle_open_handle(mk1::SpecId::mk1)) {
		ext_print("cxx-example: the microkernel does not speak Mk#1\n");
		return 1;
	}
	if (!mk1::Specs{specs}.has_mk2() || !mk2::handle_open_handle()) {
		ext_print("cxx-example: the microkernel does not speak Mk#2\n");
		return 1;
	}
	vendor = cpu_is_amd() ? &svm : &vmx;
	if (!vendor->prepare())
		return 1;
	if (!mk1::ok(mk1::callback_register_bootstrap(handle, on_bootstrap)) ||
	    !mk1::ok(mk1::callback_register_vmexit(handle, vendor->on_exit)) ||
	    !mk1::ok(mk1::callback_register_fail(handle, on_fail))) {
		ext_print("cxx-example: the microkernel refuses the callbacks\n");
		return 1;
	}
	return 0;
}
