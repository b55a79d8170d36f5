// SPDX-License-Identifier: GPL-2.0-only
/* Linux's memory by ext/libext/memory.h, as a program has laid it out: see test/ext/memory.h. */
#include <abi/hw/x86.h>
#include <bsl/string.h>
#include <ext/libext/frame.h>
#include <ext/libext/memory.h>
#include <test/ext/lib/verify.h>
#include <test/ext/memory.h>

const char ext_name[] = "memory";

#define LOCAL_APIC 0xFEE00000
#define VGA 0xA0000

#define SAYS(call, status) VERIFY((call) == EXT_MEM_##status)

/* Neither devices nor the hypervisor's own. */
static void others(void)
{
	uint64_t va, spa;
	uint8_t byte;
	size_t done;

	SAYS(ext_mem_read_phys(LOCAL_APIC, &byte, 1, &done), NOT_RAM);
	SAYS(ext_mem_read_phys(VGA, &byte, 1, &done), NOT_RAM);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_SUCCESS);
	SAYS(ext_mem_read_phys(spa, &byte, 1, &done), HIDDEN);
	SAYS(ext_mem_write_phys(spa, &byte, 1, &done), HIDDEN);
	VERIFY(done == 0);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, va), MK1_SUCCESS);
}

/* The CPUID that is being executed, by all ways. */
static void code(uint64_t vsid)
{
	uint64_t rip = ext_reg_read(vsid, EXT_REG_rip), gpa = 0;
	uint8_t bytes[EXT_MEM_CODE_MAX], same[EXT_MEM_CODE_MAX];
	size_t count, done;

	SAYS(ext_mem_code(vsid, bytes, &count), OK);
	VERIFY(count >= 2 && bytes[0] == 0x0F && bytes[1] == 0xA2);
	SAYS(ext_mem_read(vsid, rip, same, count, &done), OK);
	VERIFY(done == count && !bsl_memcmp(bytes, same, count));
	SAYS(ext_mem_read_as(vsid, ext_reg_read(vsid, EXT_REG_cr3), rip, same, count, &done), OK);
	VERIFY(done == count && !bsl_memcmp(bytes, same, count));
	SAYS(ext_mem_translate(vsid, rip, EXT_MEM_USER | EXT_MEM_FETCH, &gpa), OK);
	SAYS(ext_mem_read_phys(gpa, same, 1, &done), OK);
	VERIFY(same[0] == 0x0F);
	SAYS(ext_mem_translate(vsid, rip, EXT_MEM_USER | EXT_MEM_WRITE, &gpa), FORBIDDEN);
	SAYS(ext_mem_read(vsid, ext_reg_read(vsid, EXT_REG_lstar), same, 8, &done), OK);
	SAYS(ext_mem_read(vsid, 0x0123456789ABCDEF, same, 1, &done), NOT_CANONICAL);
	VERIFY(done == 0);
}

static void text(uint64_t vsid, uint64_t at)
{
	uint64_t next = at + SAY_BEFORE, gpa = 0;
	bool smap = ext_reg_read(vsid, EXT_REG_cr4) & CR4_SMAP;
	char buf[64];
	size_t done;

	SAYS(ext_mem_string(vsid, at, buf, sizeof(buf), &done), OK);
	VERIFY(done == sizeof(TEXT) - 1 && !bsl_memcmp(buf, TEXT, sizeof(TEXT)));
	SAYS(ext_mem_string(vsid, next + 0xFF0, buf, sizeof(buf), &done), NOT_PRESENT);
	VERIFY(done == 16 && buf[15] == 'x');
	SAYS(ext_mem_translate(vsid, next + 0x1000, EXT_MEM_ANY, &gpa), NOT_PRESENT);
	/* The kernel may not write there just so. */
	VERIFY(ext_mem_write(vsid, at, TEXT, 4, 0, &done) ==
	       (smap ? EXT_MEM_FORBIDDEN : EXT_MEM_OK));
	SAYS(ext_mem_write(vsid, at, HEARD, sizeof(HEARD), EXT_MEM_ANY, &done), OK);
	VERIFY(done == sizeof(HEARD));
}

static bool on_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	(void)subleaf;
	if (leaf != SAY_LEAF)
		return false;
	others();
	code(e->vsid);
	text(e->vsid, mk1_rbx());
	*regs = (struct cpuid_regs){ .eax = verify_passed, .ebx = verify_failed };
	return true;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .cpuid = on_cpuid };

	return ext_run_linux(specs, &ops);
}
