# SPDX-License-Identifier: GPL-2.0-only
"""Analysers of source text: whatever one of them says is a failure. What none of them may say is
suppressed where it stands, or in its configuration, each time with the reason: .clang-tidy,
.shellcheckrc, test/cppcheck.suppressions, and the lists here."""

import concurrent.futures
import functools
import os
import re
import subprocess

from host import INCLUDES, STRICT, Job, call, tracked_files

# C that is compiled without a kernel's headers, and with what.
IMAGE_FLAGS = ["-std=gnu11", "-ffreestanding", "-mgeneral-regs-only", "-mno-red-zone",
               "-fno-strict-aliasing", *INCLUDES]
PROGRAM_FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", '-DBFM_LIBDIR=""', '-DBFM_VERSION=""', *INCLUDES,
                 "-Ibuild/include"]
SOURCES = (
    (("microkernel/*.c", "lib/bsl/*.c", "driver/core/*.c", "ext/*.c"), IMAGE_FLAGS),
    (("bfm/*.c", "docs/*.c"), PROGRAM_FLAGS),
)

# gcc's analyzer does not see what the microkernel's locks keep true.
NOT_FOR_GCC = "microkernel/"

# Words that codespell takes for misspelt ones: a CPU's interrupt stack table, a floating-point
# register, Rust's word, "to and fro", a constraint of an asm operand, troff's bullet; and what the
# tests of bfm misspell.
WORDS = ("ist", "fpr", "crate", "fro", "nd", "strat", "stopp", "dum", "nam", "nmae", "nwe",
         "statuss", "bu")


def verdict(failures):
    return (0 if failures else 1), failures


def run_misra(log):
    """The findings by MISRA C:2012 are those of the baseline, and each rule's have a reason."""
    status, output = call(["test/misra"], log)
    failures = re.findall(r"^not ok: (.*)", output, re.M)
    if status and not failures:
        failures = ["cppcheck does not run"]
    return verdict(failures)


def run_cppcheck(log):
    """One configuration, without attributes, some of which cppcheck stumbles over."""
    patterns = [pattern for patterns, _ in SOURCES for pattern in patterns]
    status, output = call(
        ["cppcheck", "-j2", "--std=c11", "--platform=unix64", "--quiet", "--inline-suppr",
         "--enable=warning,performance,portability", "--error-exitcode=1",
         "--suppressions-list=test/cppcheck.suppressions", "-D__x86_64__", "-D__GNUC__=12",
         "-D__STDC_VERSION__=201112L", "-D__attribute__(x)=", *INCLUDES,
         "--template={file}:{line}: {id}: {message}",
         *tracked_files(*patterns, "test/kselftest/src/*.c", "test/ext/*.c")], log)
    failures = re.findall(r"^\S+:\d+: .*$", output, re.M)
    if status and not failures:
        failures = ["cppcheck does not run"]
    return verdict(sorted(set(failures)))


def analyse(command, paths, flags, finding, log):
    """Runs command on each of the paths, two at a time; returns the lines that are findings."""
    def run(path):
        return subprocess.run(command(path, flags), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    failures = set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, result in zip(paths, pool.map(run, paths)):
            log.write(result.stdout)
            found = re.findall(finding, result.stdout, re.M)
            failures.update(found)
            if result.returncode and not found:
                failures.add(f"{path}: ends with status {result.returncode}")
    return failures


def analyse_all(command, finding, log, without=()):
    status, _ = call(["make", "--no-print-directory", "build/include/bfm/templates.h"], log)
    failures = {"build/include/bfm/templates.h cannot be made"} if status else set()
    for patterns, flags in SOURCES:
        paths = [path for path in tracked_files(*patterns) if not path.startswith(without)]
        failures |= analyse(command, paths, flags, finding, log)
    return verdict(sorted(failures))


def clang_tidy(path, flags, analyzer):
    checks = [] if analyzer else ["--checks=-clang-analyzer-*"]
    return ["clang-tidy", "--quiet", *checks, path, "--", *flags, *STRICT]


def run_clang_tidy(log, everywhere=False):
    """The checks are those of .clang-tidy, and clang's own warnings. Its analyzer takes most of the
    time, so it looks at what gcc's leaves out, or, where that does not matter, at everything."""
    return analyse_all(
        lambda path, flags: clang_tidy(path, flags, everywhere or path.startswith(NOT_FOR_GCC)),
        r"^\S+:\d+:\d+: (?:warning|error): .*$", log)


def run_analyzer(log):
    """gcc's analyzer."""
    return analyse_all(
        lambda path, flags: ["gcc", "-O2", "-fanalyzer", "-fdiagnostics-plain-output", *flags, "-S",
                             "-o", os.devnull, path],
        r"^\S+:\d+:\d+: (?:warning|error): .*$", log, without=NOT_FOR_GCC)


def run_codespell(log):
    """English words are spelt as the usual ones are."""
    status, output = call(["codespell", "--ignore-words-list=" + ",".join(WORDS),
                           r"--ignore-regex=\\[nt]", *tracked_files()], log)
    failures = re.findall(r"^\S+:\d+: .*$", output, re.M)
    return verdict(failures or ["codespell does not run"] * bool(status))


def scripts(interpreter, pattern):
    """Files that say that an interpreter runs them, and those of this pattern."""
    found = set(tracked_files(pattern))
    for path in tracked_files():
        with open(path, "rb") as source:
            if re.match(rb"#!.*\b" + interpreter.encode() + rb"\b", source.readline()):
                found.add(path)
    return sorted(found)


def run_shellcheck(log):
    """Scripts without a first line of their own are read by busybox's shell, which knows most of
    what bash knows, too."""
    shells = sorted({*scripts("sh", "*.sh"), *scripts("bash", "*.sh")})
    status, output = call(["shellcheck", "--external-sources", "--severity=warning", "--format=gcc",
                           *shells], log)
    failures = re.findall(r"^\S+:\d+:\d+: .*$", output, re.M)
    return verdict(failures or ["shellcheck does not run"] * bool(status))


def run_pyflakes(log):
    """Python has no unused names and no undefined ones."""
    status, output = call(["pyflakes3", *scripts("python3", "*.py")], log)
    failures = re.findall(r"^\S+:\d+:\d+:? .*$", output, re.M)
    return verdict(failures or ["pyflakes3 does not run"] * bool(status))


def run_reuse(log):
    """Licences are told as the REUSE specification wants it, for tools that ask."""
    status, output = call(["reuse", "lint"], log)
    failures = re.findall(r"^\* (?:Bad|Missing|Unused|Deprecated).*: \S.*$", output, re.M)
    return verdict((failures or ["reuse lint complains: see the log"]) if status else [])


def lint_jobs():
    return [
        Job("misra", run_misra),
        Job("cppcheck", run_cppcheck),
        Job("clang-tidy", run_clang_tidy),
        Job("analyzer", run_analyzer),
        Job("codespell", run_codespell),
        Job("shellcheck", run_shellcheck),
        Job("pyflakes", run_pyflakes),
        Job("reuse", run_reuse),
    ]


def slow_jobs():
    """What `make check-slow` runs in addition."""
    return [Job("clang-tidy-all", functools.partial(run_clang_tidy, everywhere=True))]
