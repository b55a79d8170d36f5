// SPDX-License-Identifier: MIT
//! Turns the contracts in abi/ into Rust: the C preprocessor expands src/bindings.h, and what
//! stands behind its marker is written to bindings.rs, which src/sys.rs includes. What is used of
//! libext is in libext.rs; the C compiler compares that with the headers, and tells where the
//! fields of structures lie.
//!
//! Environment: BAREFLANK_INCLUDE, the directory that holds abi/ (by default the project this crate
//! lies in, or where `make install` puts it beside this crate); CC, the C compiler.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod libext;
use libext::{ALSO, CALLBACKS, CONSTANTS, FUNCTIONS, HEADERS, HOOKS, TYPES};

const MARKER: &str = "@bindings@";

/// What stands in libext.rs, as C that compiles only if the headers say the same; in the end the
/// constants, as an array. One is added to each, as assembly language has another directive for
/// zeros.
fn c_source() -> String {
    let mut text: String = HEADERS
        .iter()
        .map(|h| format!("#include <{}>\n", h))
        .collect();
    for (result, name, arguments) in FUNCTIONS {
        let result = result.replace("noreturn", "void");
        let arguments = if arguments.is_empty() {
            "void".into()
        } else {
            arguments.join(", ")
        };
        text += &format!("{} {}({});\n", result, name, arguments);
    }
    for (field, result, arguments) in HOOKS {
        text += &format!(
            "extern __typeof__(((struct ext_ops *)0)->{0}) hook_{0};\n",
            field
        );
        text += &format!("extern {} (*hook_{})({});\n", result, field, arguments);
    }
    text += &format!(
        "_Static_assert(sizeof(struct ext_ops) == {} * sizeof(void *), \
         \"ext/rust/libext.rs has other hooks than struct ext_ops\");\n",
        HOOKS.len()
    );
    for (structure, field, kind) in CALLBACKS {
        text += &format!(
            "_Static_assert(__builtin_types_compatible_p(\
             __typeof__(((struct {0} *)0)->{1}), {2}), \"struct {0}.{1}\");\n",
            structure, field, kind
        );
    }
    for declaration in ALSO {
        text += &format!("{};\n", declaration);
    }
    text += "const unsigned int layout[] = {\n";
    for (_, value) in CONSTANTS {
        text += &format!("1 + {},\n", value);
    }
    for (field, _, _) in HOOKS {
        text += &format!("1 + offsetof(struct ext_ops, {}),\n", field);
    }
    text + "};\n"
}

/// The values of the constants, as Rust; those of the hooks are OPS_ and the name of the field.
fn layout(compiler: &str, include: &[PathBuf], out: &Path) -> String {
    let source = out.join("layout.c");
    fs::write(&source, c_source()).expect("OUT_DIR is writable");
    let options = [
        "-S",
        "-std=gnu11",
        "-ffreestanding",
        "-mgeneral-regs-only",
        "-o",
        "-",
    ];
    let text = run(compiler, &options, include, &source);
    let numbers: Vec<u32> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".long"))
        .filter_map(|value| value.split('#').next()?.trim().parse().ok())
        .collect();
    let hooks = HOOKS
        .iter()
        .map(|(field, _, _)| format!("OPS_{}", field.to_uppercase()));
    let names: Vec<String> = CONSTANTS
        .iter()
        .map(|(name, _)| name.to_string())
        .chain(hooks)
        .collect();
    assert_eq!(numbers.len(), names.len(), "as many values as constants");
    names
        .iter()
        .zip(numbers)
        .map(|(name, number)| format!("pub const {}: usize = {};\n", name, number - 1))
        .collect()
}

fn rust_type(c: &str) -> &'static str {
    TYPES
        .iter()
        .find(|(name, _)| *name == c)
        .unwrap_or_else(|| panic!("libext.rs has no type {}", c))
        .1
}

/// The functions, as Rust.
fn functions() -> String {
    let mut text = "extern \"C\" {\n".to_string();
    for (result, name, arguments) in FUNCTIONS {
        let arguments: Vec<String> = arguments
            .iter()
            .enumerate()
            .map(|(n, argument)| match rust_type(argument) {
                "..." => "...".to_string(),
                other => format!("a{}: {}", n, other),
            })
            .collect();
        let result = rust_type(result);
        text += &format!("pub fn {}({}) -> {};\n", name, arguments.join(", "), result);
    }
    text + "}\n"
}

/// What the C compiler writes.
fn run(compiler: &str, arguments: &[&str], include: &[PathBuf], source: &Path) -> String {
    let mut command = Command::new(compiler);
    command.args(arguments);
    for dir in include {
        command.arg("-I").arg(dir).arg("-I").arg(dir.join("lib"));
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
        for part in ["abi", "ext/libext", "lib/bsl"] {
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
    fs::write(out.join("functions.rs"), functions()).expect("OUT_DIR is writable");
}
