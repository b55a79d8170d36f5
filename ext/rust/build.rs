// SPDX-License-Identifier: MIT
//! Turns the contracts in abi/ into Rust: the C preprocessor expands src/bindings.h, and what
//! stands behind its marker is written to bindings.rs, which src/sys.rs includes.
//!
//! Environment: BAREFLANK_INCLUDE, the directory that holds abi/ (by default the project this crate
//! lies in, or where `make install` puts it beside this crate); CC, the C compiler.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MARKER: &str = "@bindings@";

fn include_dir(manifest: &Path) -> PathBuf {
    if let Some(dir) = env::var_os("BAREFLANK_INCLUDE") {
        return PathBuf::from(dir);
    }
    let project = manifest.join("../..");
    if project.join("abi/mk1.h").is_file() {
        return project;
    }
    manifest.join("../../../include/bareflank")
}

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo"));
    let include = include_dir(&manifest);
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_string());
    println!("cargo:rerun-if-env-changed=BAREFLANK_INCLUDE");
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rerun-if-changed=src/bindings.h");
    println!("cargo:rerun-if-changed={}", include.join("abi").display());

    let output = Command::new(&compiler)
        .args([
            "-E",
            "-P",
            "-undef",
            "-x",
            "assembler-with-cpp",
            "-D__ASSEMBLER__",
        ])
        .arg("-I")
        .arg(&include)
        .arg(manifest.join("src/bindings.h"))
        .output()
        .unwrap_or_else(|error| panic!("cannot run the C compiler {}: {}", compiler, error));
    if !output.status.success() {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout).expect("the contracts are ASCII");
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
}
