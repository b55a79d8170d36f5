// SPDX-License-Identifier: MIT
// What the crate uses of libext, as C has it: build.rs makes the declarations for Rust out of it,
// and has the C compiler compare it with the headers. What is here and not used does not compile.

/// The headers that declare it.
pub const HEADERS: &[&str] = &[
    "stddef.h",
    "ext/libext/arg.h",
    "ext/libext/channel.h",
    "ext/libext/exits.h",
    "ext/libext/frame.h",
    "ext/libext/hook.h",
    "ext/libext/log.h",
    "ext/libext/memory.h",
    "ext/libext/watch.h",
    "bsl/string.h",
];

/// The types of arguments and results, in C and in Rust.
pub const TYPES: &[(&str, &str)] = &[
    ("...", "..."),
    ("bool", "bool"),
    ("char *", "*mut u8"),
    ("const char *", "*const u8"),
    ("const char *const *", "*const *const u8"),
    (
        "const struct ext_ops *",
        "*const core::sync::atomic::AtomicUsize",
    ),
    ("const void *", "*const u8"),
    ("enum ext_level", "u32"),
    ("enum ext_mem_status", "u32"),
    ("enum ext_reg", "u32"),
    (
        "ext_call_fn *",
        "extern \"C\" fn(*const u8, u64, *mut u8) -> bool",
    ),
    ("ext_hook_fn *", "extern \"C\" fn(*mut u8)"),
    ("int", "i32"),
    ("size_t", "usize"),
    ("size_t *", "*mut usize"),
    ("struct ext_ratelimit *", "*mut u8"),
    ("uint32_t", "u32"),
    ("uint64_t", "u64"),
    ("uint64_t *", "*mut u64"),
    ("uint8_t *", "*mut u8"),
    ("unsigned int", "u32"),
    ("bool *", "*mut bool"),
    ("void *", "*mut u8"),
    ("void", "()"),
    ("noreturn", "!"),
];

/// Functions: result, name, arguments.
pub const FUNCTIONS: &[(&str, &str, &[&str])] = &[
    ("bool", "ext_args_load", &[]),
    ("const char *", "ext_arg", &["const char *"]),
    (
        "bool",
        "ext_arg_u64",
        &["const char *", "uint64_t", "uint64_t *"],
    ),
    ("bool", "ext_arg_bool", &["const char *", "bool", "bool *"]),
    ("bool", "ext_args_known", &["const char *const *"]),
    ("size_t", "bsl_strlen", &["const char *"]),
    (
        "int",
        "ext_run_linux",
        &["uint64_t", "const struct ext_ops *"],
    ),
    ("bool", "ext_msr_intercept", &["uint32_t", "unsigned int"]),
    (
        "bool",
        "ext_msr_read",
        &["uint64_t", "uint32_t", "uint64_t *"],
    ),
    (
        "bool",
        "ext_msr_write",
        &["uint64_t", "uint32_t", "uint64_t"],
    ),
    ("uint64_t", "ext_reg_read", &["uint64_t", "enum ext_reg"]),
    (
        "bool",
        "ext_reg_write",
        &["uint64_t", "enum ext_reg", "uint64_t"],
    ),
    ("unsigned int", "ext_cpl", &["uint64_t"]),
    ("unsigned int", "ext_exit_number", &["uint64_t"]),
    ("void", "ext_exit_name", &["unsigned int", "char *"]),
    (
        "bool",
        "ext_watch",
        &["uint64_t", "uint64_t", "unsigned int"],
    ),
    ("bool", "ext_unwatch", &["uint64_t", "uint64_t"]),
    ("bool", "ext_watch_io", &["uint32_t", "uint32_t"]),
    (
        "bool",
        "ext_hook",
        &["uint64_t", "uint64_t", "ext_hook_fn *"],
    ),
    ("const char *", "ext_mem_why", &["enum ext_mem_status"]),
    (
        "enum ext_mem_status",
        "ext_mem_translate",
        &["uint64_t", "uint64_t", "unsigned int", "uint64_t *"],
    ),
    (
        "enum ext_mem_status",
        "ext_mem_read",
        &["uint64_t", "uint64_t", "void *", "size_t", "size_t *"],
    ),
    (
        "enum ext_mem_status",
        "ext_mem_write",
        &[
            "uint64_t",
            "uint64_t",
            "const void *",
            "size_t",
            "unsigned int",
            "size_t *",
        ],
    ),
    (
        "enum ext_mem_status",
        "ext_mem_string",
        &["uint64_t", "uint64_t", "char *", "size_t", "size_t *"],
    ),
    (
        "enum ext_mem_status",
        "ext_mem_code",
        &["uint64_t", "uint8_t *", "size_t *"],
    ),
    (
        "enum ext_mem_status",
        "ext_mem_read_phys",
        &["uint64_t", "void *", "size_t", "size_t *"],
    ),
    (
        "enum ext_mem_status",
        "ext_mem_write_phys",
        &["uint64_t", "const void *", "size_t", "size_t *"],
    ),
    ("bool", "ext_log_choose", &["enum ext_level"]),
    ("bool", "ext_log_choose_by", &["const char *"]),
    ("bool", "ext_log_says", &["enum ext_level"]),
    (
        "void",
        "ext_log",
        &["enum ext_level", "const char *", "..."],
    ),
    ("bool", "ext_ratelimit_passes", &["struct ext_ratelimit *"]),
    ("noreturn", "ext_fail", &["const char *", "..."]),
    ("const char *", "mk1_status_name", &["uint64_t"]),
    ("uint64_t", "ext_emit", &["const void *", "uint64_t"]),
    (
        "uint64_t",
        "ext_emit_lossless",
        &["const void *", "uint64_t"],
    ),
    ("bool", "ext_on_call", &["ext_call_fn *"]),
];

/// The hooks: the field of struct ext_ops, its result and arguments.
pub const HOOKS: &[(&str, &str, &str)] = &[
    ("cpu_in", "bool", "uint64_t"),
    ("cpu_out", "void", "uint64_t"),
    ("exit", "bool", "struct ext_exit *"),
    (
        "cpuid",
        "bool",
        "struct ext_exit *, uint32_t, uint32_t, struct cpuid_regs *",
    ),
    ("rdmsr", "bool", "struct ext_exit *, uint32_t, uint64_t *"),
    ("wrmsr", "bool", "struct ext_exit *, uint32_t, uint64_t"),
    (
        "nested_fault",
        "bool",
        "struct ext_exit *, const struct ext_fault *",
    ),
    (
        "io",
        "bool",
        "struct ext_exit *, const struct ext_io *, uint32_t *",
    ),
];

/// Declarations that C has to find to be those of the headers.
pub const ALSO: &[&str] = &[
    "typedef bool ext_call_fn(const char *, uint64_t, struct ext_reply *)",
    "typedef void ext_hook_fn(struct ext_exit *)",
];

/// Constants that no preprocessor knows, with their values in C.
pub const CONSTANTS: &[(&str, &str)] = &[
    ("OPS_SIZE", "sizeof(struct ext_ops)"),
    ("EXIT_VSID", "offsetof(struct ext_exit, vsid)"),
    ("EXIT_REASON", "offsetof(struct ext_exit, reason)"),
    ("EXIT_FAULT", "offsetof(struct ext_exit, fault)"),
    ("EXIT_AGAIN", "offsetof(struct ext_exit, again)"),
    ("EXIT_STEP", "offsetof(struct ext_exit, step)"),
    ("CPUID_REGS_SIZE", "sizeof(struct cpuid_regs)"),
    ("CPUID_REGS_EBX", "offsetof(struct cpuid_regs, ebx)"),
    ("CPUID_REGS_ECX", "offsetof(struct cpuid_regs, ecx)"),
    ("CPUID_REGS_EDX", "offsetof(struct cpuid_regs, edx)"),
    ("FAULT_UD", "EXT_FAULT_UD"),
    ("FAULT_GP", "EXT_FAULT_GP"),
    ("MSR_READ", "EXT_MSR_READ"),
    ("MSR_WRITE", "EXT_MSR_WRITE"),
    ("READ", "EXT_READ"),
    ("WRITE", "EXT_WRITE"),
    ("EXECUTE", "EXT_EXECUTE"),
    ("ACCESS_GPA", "offsetof(struct ext_fault, gpa)"),
    ("ACCESS_GVA", "offsetof(struct ext_fault, gva)"),
    ("ACCESS_KIND", "offsetof(struct ext_fault, access)"),
    ("ACCESS_WALK", "offsetof(struct ext_fault, walk)"),
    ("IO_PORT", "offsetof(struct ext_io, port)"),
    ("IO_SIZE", "offsetof(struct ext_io, size)"),
    ("IO_IN", "offsetof(struct ext_io, in)"),
    ("IO_STRING", "offsetof(struct ext_io, string)"),
    ("MEM_OK", "EXT_MEM_OK"),
    ("MEM_NO_END", "EXT_MEM_NO_END"),
    ("MEM_READ", "EXT_MEM_READ"),
    ("MEM_WRITE", "EXT_MEM_WRITE"),
    ("MEM_FETCH", "EXT_MEM_FETCH"),
    ("MEM_USER", "EXT_MEM_USER"),
    ("MEM_ANY", "EXT_MEM_ANY"),
    ("MEM_CODE_MAX", "EXT_MEM_CODE_MAX"),
    ("LEVEL_ERROR", "EXT_ERROR"),
    ("LEVEL_WARNING", "EXT_WARNING"),
    ("LEVEL_INFO", "EXT_INFO"),
    ("LEVEL_DEBUG", "EXT_DEBUG"),
    ("PRINT_SIZE", "EXT_PRINT_SIZE"),
    ("RATELIMIT_SIZE", "sizeof(struct ext_ratelimit)"),
    ("RATELIMIT_ALIGN", "_Alignof(struct ext_ratelimit)"),
    ("REQUEST_MAX", "BF_REQUEST_MAX"),
    ("REPLY_SIZE", "offsetof(struct ext_reply, size)"),
    ("REPLY_DATA", "offsetof(struct ext_reply, data)"),
    ("NR_EXITS", "EXT_NR_EXITS"),
    ("EXIT_NAME_SIZE", "EXT_EXIT_NAME_SIZE"),
];
