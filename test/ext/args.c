// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which says at its start what arguments (bfm start --arg) it has:
 *
 *   name   text, of which the beginning is printed, and its length
 *   count  a number
 *   on     yes or no
 *
 * For test/kselftest/args.sh.
 */
#include <bsl/string.h>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>

const char ext_name[] = "args";

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "name", "count", "on", NULL };
	static const struct ext_ops ops;
	const char *name;
	uint64_t count;
	bool on;

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("count", 7, &count) ||
	    !ext_arg_bool("on", false, &on))
		return 1;
	name = ext_arg("name");
	ext_print("args: extension %u: name %.20s, %llu bytes, count 0x%llx, %s\n",
		  (unsigned int)mk1_tls_extid() + 1, name ? name : "(none)",
		  name ? (unsigned long long)bsl_strlen(name) : 0, (unsigned long long)count,
		  on ? "on" : "off");
	return ext_run_linux(specs, &ops);
}
