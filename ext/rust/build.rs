// SPDX-License-Identifier: MIT
//! Turns the contracts in abi/ into Rust: the C preprocessor expands src/bindings.h, and what
//! stands behind its marker is written to bindings.rs, which src/sys.rs includes. Where the fields
//! of libext's structures lie, the C compiler tells: FIELDS.
//!
//! Environment: BAREFLANK_INCLUDE, the directory that holds abi/ (by default the project this crate
//! lies in, or where `make install` puts it beside this crate); CC, the C compiler.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MARKER: &str = "@bindings@";

/// Constants of ext/libext/frame.h that no preprocessor knows.
const FIELDS: &[(&str, &str)] = &[
    ("OPS_SIZE", "sizeof(struct ext_ops)"),
    ("OPS_CPU_IN", "offsetof(struct ext_ops, cpu_in)"),
    ("OPS_CPU_OUT", "offsetof(struct ext_ops, cpu_out)"),
    ("OPS_EXIT", "offsetof(struct ext_ops, exit)"),
    ("OPS_CPUID", "offsetof(struct ext_ops, cpuid)"),
    ("OPS_RDMSR", "offsetof(struct ext_ops, rdmsr)"),
    ("OPS_WRMSR", "offsetof(struct ext_ops, wrmsr)"),
    ("EXIT_VSID", "offsetof(struct ext_exit, vsid)"),
    ("EXIT_REASON", "offsetof(struct ext_exit, reason)"),
    ("EXIT_FAULT", "offsetof(struct ext_exit, fault)"),
    ("EXIT_AGAIN", "offsetof(struct ext_exit, again)"),
    ("CPUID_REGS_SIZE", "sizeof(struct cpuid_regs)"),
    ("CPUID_REGS_EBX", "offsetof(struct cpuid_regs, ebx)"),
    ("CPUID_REGS_ECX", "offsetof(struct cpuid_regs, ecx)"),
    ("CPUID_REGS_EDX", "offsetof(struct cpuid_regs, edx)"),
    ("FAULT_UD", "EXT_FAULT_UD"),
    ("FAULT_GP", "EXT_FAULT_GP"),
    ("ACCESS_READ", "EXT_MSR_READ"),
    ("ACCESS_WRITE", "EXT_MSR_WRITE"),
];

/// The values of FIELDS, as Rust: the compiler lays them out as an array, in assembly language. One
/// is added, as it has another directive for zeros.
fn layout(compiler: &str, include: &[PathBuf], out: &Path) -> String {
    let source = out.join("layout.c");
    let values: String = FIELDS
        .iter()
        .map(|(_, c)| format!("1 + {},\n", c))
        .collect();
    fs::write(
        &source,
        format!(
            "#include <stddef.h>\n#include <ext/libext/frame.h>\n\
             const unsigned int layout[] = {{\n{}}};\n",
            values
        ),
    )
    .expect("OUT_DIR is writable");
    let text = run(
        compiler,
        &["-S", "-ffreestanding", "-o", "-"],
        include,
        &source,
    );
    let numbers: Vec<u32> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".long"))
        .filter_map(|value| value.split('#').next()?.trim().parse().ok())
        .collect();
    assert_eq!(numbers.len(), FIELDS.len(), "as many values as fields");
    FIELDS
        .iter()
        .zip(numbers)
        .map(|((name, _), number)| format!("pub const {}: usize = {};\n", name, number - 1))
        .collect()
}

/// What the C compiler writes.
fn run(compiler: &str, arguments: &[&str], include: &[PathBuf], source: &Path) -> String {
    let mut command = Command::new(compiler);
    command.args(arguments);
    for dir in include {
        command.arg("-I").arg(dir);
    }
    let output = command
        .arg(source)
        .output()
        .unwrap_or_else(|error| panic!("cannot run the C compiler {}: {}", compiler, error));
    if !output.status.success() {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).expect("the contracts are ASCII")
}

/// Where abi/ and ext/ are: the first one that has a header provides it.
fn include_dirs(manifest: &Path) -> Vec<PathBuf> {
    let named = env::var_os("BAREFLANK_INCLUDE").map(PathBuf::from);
    named
        .into_iter()
        .chain([own_include_dir(manifest)])
        .collect()
}

fn own_include_dir(manifest: &Path) -> PathBuf {
    let project = manifest.join("../..");
    if project.join("abi/mk1.h").is_file() {
        return project;
    }
    manifest.join("../../../include/bareflank")
}

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo"));
    let include = include_dirs(&manifest);
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_string());
    println!("cargo:rerun-if-env-changed=BAREFLANK_INCLUDE");
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rerun-if-changed=src/bindings.h");
    for dir in &include {
        for part in ["abi", "ext/libext"] {
            if dir.join(part).is_dir() {
                println!("cargo:rerun-if-changed={}", dir.join(part).display());
            }
        }
    }

    let preprocess = [
        "-E",
        "-P",
        "-undef",
        "-x",
        "assembler-with-cpp",
        "-D__ASSEMBLER__",
    ];
    let text = run(
        &compiler,
        &preprocess,
        &include,
        &manifest.join("src/bindings.h"),
    );
    let (_, bindings) = text
        .split_once(MARKER)
        .expect("the marker survives the preprocessor");
    // What C writes differently in the constants: casts to, and literals of, 64 bits. A name may
    // end in ULL, too, but is not shifted.
    let bindings = bindings
        .replace("(uint64_t)", "")
        .replace("ULL <<", "u64 <<");
    // A line an item, for the compiler's messages.
    let bindings = bindings.replace("; ", ";\n");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("run by cargo"));
    fs::write(out.join("bindings.rs"), bindings).expect("OUT_DIR is writable");
    let layout = layout(&compiler, &include, &out);
    fs::write(out.join("layout.rs"), layout).expect("OUT_DIR is writable");
}
