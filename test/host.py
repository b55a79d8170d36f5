# SPDX-License-Identifier: GPL-2.0-only
"""Tests that need no machine: unit tests, and checks of the source text and of what was built."""

import dataclasses
import functools
import glob
import os
import re
import shlex
import shutil
import struct
import subprocess
import tempfile
from typing import Callable

CC = os.environ.get("CC", "gcc")
INCLUDES = ["-I.", "-Ilib", "-Imicrokernel"]
WARNINGS = ["-Wall", "-Wextra"]
STRICT = [*WARNINGS, "-Wconversion", "-Wshadow", "-Wundef", "-Werror"]

# A unit test's time is limited as the machines' is, in CPU time; one that hangs uses none.
UNIT_CPU_TIME, UNIT_HANGS = 300, 3600  # seconds


@dataclasses.dataclass
class Job:
    """A name, and what to run: run(log) returns how many tests passed and a list of failures."""

    name: str
    run: Callable


def call(command, log, **options):
    """Runs a command with its output in the log; returns its status and output."""
    print("$ " + shlex.join(command), file=log, flush=True)
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", check=False, **options,
    )
    log.write(result.stdout)
    log.flush()
    return result.returncode, result.stdout


def make(arguments, log, **options):
    """Runs make, which must not see what a make that started this program was given."""
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    return call(["make", "--no-print-directory", *arguments], log, env=env, **options)


# --- unit tests -----------------------------------------------------------------------------------


# Programs that can run all tests in one process, which is much faster.
ONE_PROCESS = {"test_microkernel"}


def run_unit_program(program, log, **environment):
    """Returns how many tests passed, and the failures."""
    try:
        # libcheck's own limits go by the clock; multiplied so, none of them is ever reached.
        status, output = call(["prlimit", f"--cpu={UNIT_CPU_TIME}", program], log,
                              timeout=UNIT_HANGS,
                              env={**os.environ, "CK_TIMEOUT_MULTIPLIER": "1000",
                                   "CK_VERBOSITY": "verbose", **environment})
    except subprocess.TimeoutExpired:
        return 0, [f"hangs: still running after {UNIT_HANGS} s"]
    # libcheck: "97%: Checks: 30, Failures: 1, Errors: 0"
    summaries = re.findall(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", output, re.M)
    if not summaries:
        return 0, [f"printed no summary (status {status})"]
    passed = sum(int(checks) - int(fails) - int(errors) for checks, fails, errors in summaries)
    failures = re.findall(r"^\S+:\d+:[FE]:.*$", output, re.MULTILINE)
    if status and not failures:
        failures = [f"ended with status {status}"]
    if not passed and not failures:
        failures = ["has no tests"]
    return passed, failures


def run_unit(name, log):
    program = f"build/unit/sanitize/{name}"
    if make(["O=build", program], log)[0]:
        return 0, ["does not build"]
    if name not in ONE_PROCESS:
        return run_unit_program(program, log)
    passed, failures = run_unit_program(program, log, CK_FORK="no")
    if failures:  # of which, a process for each test says more
        first = failures[0]
        passed, failures = run_unit_program(program, log)
        failures = failures or [f"only where all tests are in one process: {first}"]
    return passed, failures


def unit_jobs():
    os.chdir(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    jobs = []
    for path in sorted(glob.glob("test/unit/test_*.c")):
        name = os.path.basename(path)[: -len(".c")]
        jobs.append(Job("unit-" + name.removeprefix("test_"), functools.partial(run_unit, name)))
    return jobs


# --- source text ----------------------------------------------------------------------------------


def run_headers(log):
    """Every shared header compiles alone, in C with two compilers and in C++."""
    failures = []
    for header in sorted(glob.glob("abi/**/*.h", recursive=True) + glob.glob("lib/bsl/*.h")
                         + glob.glob("ext/libext/*.h")):
        for compiler in (
            ["gcc", "-x", "c", "-std=gnu11"],
            ["clang", "-x", "c", "-std=gnu11"],
            ["g++", "-x", "c++", "-std=c++17"],
        ):
            source = f'#include <{header.removeprefix("lib/")}>\n'
            with tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
                unit.write(source)
                unit.flush()
                status, _ = call(
                    [*compiler, *INCLUDES, *STRICT, "-Wno-unused", "-fsyntax-only", unit.name], log
                )
            if status:
                failures.append(f"{header} does not compile alone with {compiler[0]}")
    return (0 if failures else 1), failures


CXX_HEADERS = sorted(glob.glob("ext/cxx/*.hpp"))
CXX_FLAGS = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-mgeneral-regs-only", "-fsyntax-only"]


def compile_cxx(compiler, include, header, log):
    with tempfile.NamedTemporaryFile("w", suffix=".cc") as unit:
        unit.write(f"#include <{header}>\n")
        unit.flush()
        return call([compiler, f"-I{include}", *INCLUDES, *CXX_FLAGS, *STRICT, unit.name], log)


def check_crate(include, work, log, command=("check",)):
    return call(
        ["cargo", *command, "-q", "--offline", "--locked"], log, cwd="ext/rust",
        env={**os.environ, "BAREFLANK_INCLUDE": include, "CARGO_TARGET_DIR": f"{work}/crate",
             "RUSTDOCFLAGS": "-D warnings"},
    )


def change_text(header, old, new):
    with open(header, encoding="utf-8") as contract:
        text = contract.read()
    with open(header, "w", encoding="utf-8") as contract:
        contract.write(text.replace(old, new))


def add_to_list(header, name, entry):
    """Makes an entry the first one of an X-macro in a copy of a header."""
    begin = f"#define {name}(X) \\\n"
    change_text(header, begin, f"{begin}\t{entry} \\\n")


NEW_CALL = 'X(MEM, 9, mem_new, 1, 1, "", "", "")'
# Changes of libext's headers that ext/rust/libext.rs must not agree with: header, old, new, and the
# name in the C compiler's message.
DEVIATIONS = (
    ("watch.h", "ext_unwatch(uint64_t gpa, uint64_t size)", "ext_unwatch(uint64_t gpa)",
     "ext_unwatch"),
    ("frame.h", "(*io)(struct ext_exit *e, const struct ext_io *io,",
     "(*io)(struct ext_exit *e, struct ext_io *io,", "hook_io"),
    ("frame.h", "bool (*cr)(", "bool (*other)(void);\n\tbool (*cr)(", "ext_ops"),
    ("emulate.h", "void (*write_xmm)(void *ctx, unsigned int reg,",
     "void (*write_xmm)(void *ctx, uint64_t reg,", "emulate_ops.write_xmm"),
)
# What the APIs do without: functions, members of structures and enumerators of libext's headers.
NOT_IN_RUST = {
    # by what the language has: start!, print!, emit!, write!, alloc, fast_fail
    "ext_start", "ext_print", "ext_emit_print", "ext_reply_print", "ext_alloc",
    "ext_alloc_size", "ext_exit",
    # calls of Mk#1, which calls.rs makes itself
    "mk1_register_bootstrap", "mk1_register_vmexit", "mk1_register_fail", "ext_more_time",
    # two in one, and one-liners
    "insn_decode", "insn_in_memory", "insn_sign_extend",
    # the first member, and what is libext's own
    "cpuid_regs.eax", *(f"ext_vm.{name}" for name in (
        "va", "spa", "vmid", "vpid", "vsid", "ppid", "linux_vpid", "linux_vsid", "rsp", "stack")),
    # the one for all others
    "EXT_VM_OTHER", "INSN_DS", "INSN_LEGACY", "INSN_NO_OPERAND",
    # numbers of registers, which have no names in Rust
    *(f"INSN_R{name}" for name in ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI")), "INSN_HIGH",
}
NOT_IN_CXX = {
    # of which C's function is as good in C++
    "ext_args_load", "ext_arg", "ext_arg_u64", "ext_arg_bool", "ext_args_known", "ext_run_linux",
    "ext_msr_intercept", "ext_msr_read", "ext_msr_write", "ext_reg_read", "ext_reg_write",
    "ext_cpl", "ext_exit_number", "ext_exit_name", "mk1_status_name", "ext_hook", "ext_on_call",
    "ext_inject_exception", "ext_inject_interrupt", "ext_emulate", "ext_watch_live",
    "ext_can_watch", "ext_log_choose_by", "paging_translate", "alu_compute", "emulate_begin",
    "emulate_run", "emulate_ends_with_write", "emulate_between_iterations",
    # by parts of a text, in place of a format
    "ext_emit_print", "ext_reply_print",
    # by malloc of the runtime
    "ext_alloc_size",
    # calls of Mk#1, which mk1.hpp makes itself
    "mk1_register_bootstrap", "mk1_register_vmexit", "mk1_register_fail",
    # two in one, and a one-liner
    "insn_decode", "insn_sign_extend",
}
KNOWN_TO_MISS = {f"{name}: not in Rust" for name in NOT_IN_RUST} | {
    f"{name}: not in C++" for name in NOT_IN_CXX}
# What must not go unnoticed: header, old, new, and what is missing then.
ADDITIONS = (
    ("watch.h", "bool ext_watch_dr(", "bool ext_watch_new(void);\nbool ext_watch_dr(",
     {"ext_watch_new: not in Rust", "ext_watch_new: not in C++"}),
    ("frame.h", "\tbool write;\n", "\tbool write;\n\tuint8_t size, other;\n",
     {"ext_dr.size: not in Rust", "ext_dr.other: not in Rust"}),
    ("vm.h", "\tEXT_VM_HLT,", "\tEXT_VM_NEW,\n\tEXT_VM_HLT,", {"EXT_VM_NEW: not in Rust"}),
)
SPECIFICATIONS = (("abi/mk1.h", "MK1_SYSCALLS"), ("abi/mk2.h", "MK2_SYSCALLS"))
NEW_REGISTER = "X(200, new_one, 0, 8, RW)"


def texts_of(*patterns):
    """What files have, without comments."""
    texts = []
    for path in sorted(path for pattern in patterns for path in glob.glob(pattern)):
        with open(path, encoding="utf-8") as text:
            texts.append(re.sub(r"/\*.*?\*/|//.*?$", "", text.read(), flags=re.S | re.M))
    return "\n".join(texts)


def members_of(text, kind):
    """What the structures, or else enumerations, of a header have: name -> members. What a list
    makes, it makes in Rust, too."""
    found = {}
    for name, body in re.findall(rf"^{kind} (\w+) \{{([^{{}}()]*)\}};", text, re.M):
        ends = r"(\w+)(?:\[\w+\])?\s*[;,]" if kind == "struct" else r"(\w+)[^,]*(?:,|$)"
        found[name] = re.findall(ends, body)
    return found


def missing_wrappers(headers, log):
    """What of these headers of libext's the APIs for Rust and C++ lack."""
    rust = set(re.findall(r"\w+", texts_of("ext/rust/src/*.rs")))
    cxx = set(re.findall(r"\w+", texts_of("ext/cxx/*.hpp", "ext/cxx/runtime/*.*")))
    numbers = texts_of("ext/rust/libext.rs")
    _, functions = call(["docs/reference.py", "functions", *headers], log)
    missing = {f"{name}: not in Rust" for name in set(functions.split()) - rust}
    missing |= {f"{name}: not in C++" for name in set(functions.split()) - cxx}
    for header in headers:
        text = texts_of(header)
        for name, members in members_of(text, "struct").items():
            if f"offsetof(struct {name}," not in numbers:
                continue  # as a whole, or not at all
            missing |= {f"{name}.{member}: not in Rust" for member in members
                        if f"offsetof(struct {name}, {member})" not in numbers}
        for members in members_of(text, "enum").values():
            missing |= {f"{member}: not in Rust" for member in members
                        if f'"{member}"' not in numbers}
    return missing


def run_languages(log):
    """The headers of the C++ API compile alone; an API that lacks a call does not compile, nor does
    one that deviates from libext's headers; and what of these an API lacks is known."""
    missing = missing_wrappers(sorted(glob.glob("ext/libext/*.h")), log)
    failures = sorted(missing - KNOWN_TO_MISS) + [
        f"{name}, says test/host.py, but it is not missing" for name in KNOWN_TO_MISS - missing]
    with tempfile.TemporaryDirectory(prefix="bareflank-abi.") as work:
        for name, old, new, said in ADDITIONS:
            shutil.copy(f"ext/libext/{name}", work)
            change_text(f"{work}/{name}", old, new)
            missing = missing_wrappers([f"{work}/{name}"], log) - KNOWN_TO_MISS
            if missing != said:
                failures.append(f"of {said} in {name}, {missing} are missed")
    for header in CXX_HEADERS:
        for compiler in ("g++", "clang++"):
            if compile_cxx(compiler, ".", header, log)[0]:
                failures.append(f"{header} does not compile alone with {compiler}")
    with tempfile.TemporaryDirectory(prefix="bareflank-abi.") as work:
        if check_crate(os.getcwd(), work, log)[0]:
            failures.append("ext/rust does not compile")
        if check_crate(os.getcwd(), work, log, ("doc", "--no-deps"))[0]:
            failures.append("cargo doc of ext/rust has warnings")
        for header, calls in SPECIFICATIONS:
            shutil.copytree("abi", f"{work}/abi")
            add_to_list(f"{work}/{header}", calls, NEW_CALL)
            for name, (status, output) in (
                ("C++", compile_cxx("g++", work, "ext/cxx/mk2.hpp", log)),
                ("Rust", check_crate(work, work, log)),
            ):
                if not status or "mem_new" not in output:
                    failures.append(f"the {name} API compiles without a call that {header} has")
            shutil.rmtree(f"{work}/abi")
        for name, old, new, said in DEVIATIONS:
            shutil.copytree("ext/libext", f"{work}/ext/libext")
            change_text(f"{work}/ext/libext/{name}", old, new)
            status, output = check_crate(work, work, log)
            if not status or said not in output:
                failures.append(f"the Rust API compiles with another {said} in {name}")
            shutil.rmtree(f"{work}/ext")
    return (0 if failures else 1), failures


def check_registers(include, log):
    return call([CC, "-fsyntax-only", "-ffreestanding", "-std=gnu11", f"-I{include}", *INCLUDES,
                 *STRICT, "test/ext/registers.c"], log)


def run_completeness(log):
    """A call without a test fails the build, as does a register without an expectation."""
    failures = []
    if check_registers(".", log)[0]:
        failures.append("test/ext/registers.c does not compile")
    with tempfile.TemporaryDirectory(prefix="bareflank-abi.") as work:
        for name in os.listdir("."):
            if name not in ("abi", "build", ".git"):
                os.symlink(os.path.abspath(name), f"{work}/{name}")
        for header, name in (("mk1_regs_amd.h", "AMD"), ("mk1_regs_intel.h", "INTEL")):
            shutil.copytree("abi", f"{work}/abi", dirs_exist_ok=True)
            add_to_list(f"{work}/abi/{header}", f"MK1_{name}_REGS", NEW_REGISTER)
            status, output = check_registers(work, log)
            if not status or f"EXPECT_{name}_new_one" not in output:
                failures.append(f"a register of {header} needs no test")
        add_to_list(f"{work}/abi/mk1.h", "MK1_SYSCALLS", NEW_CALL)
        for target in ("ext", f"{work}/build/kselftest/ext/call/mem_new"):
            status, output = make([f"O={work}/build", target], log, cwd=work)
            message = "abi/mk1.h has mem_new, but there is no test/ext/call/mem_new.c"
            if not status or message not in output:
                failures.append(f"a call needs no test for make {os.path.basename(target)}")
    return 5 - len(failures), failures


# Who may include from where: a room, or a file of one -> the rooms of the project's headers. What
# is in no room of its own belongs to the one around it. The tables in docs/architecture.md say the
# same.
BASE = ("abi", "lib/bsl")
MAY_INCLUDE = {
    "abi": ("abi",),
    "lib/bsl": BASE,
    "driver/core": (*BASE, "driver/core"),
    "driver/efi": (*BASE, "driver/core", "driver/efi"),
    "driver/linux": (*BASE, "driver/core", "driver/linux"),
    "driver/kvm": ("abi", "driver/linux", "driver/kvm"),
    "ext": (*BASE, "ext"),
    "bfm": (*BASE, "driver/efi", "bfm"),  # the parser of bareflank.conf
    "docs": ("abi",),
}
# Of the microkernel, from the bottom up: each folder sees those before it. "microkernel" is what
# lies in no folder.
MK_LAYERS = ["microkernel" + folder for folder in ("/arch", "", "/mem", "/obj", "/run")]
for number, layer in enumerate(MK_LAYERS):
    MAY_INCLUDE[layer] = (*BASE, *MK_LAYERS[: number + 1])
for layer in ("microkernel/call", "microkernel/svm", "microkernel/vmx", "microkernel/main.c"):
    MAY_INCLUDE[layer] = (*BASE, *MK_LAYERS, layer)


def room_of(path):
    """The room that a file belongs to, or None."""
    rooms = [room for room in MAY_INCLUDE if path == room or path.startswith(room + "/")]
    return max(rooms, key=len, default=None)


def project_header(path, name, quoted):
    """The file of the project that an include names, or None for one from elsewhere."""
    places = [os.path.dirname(path)] if quoted else []
    for place in [*places, ".", "lib", "microkernel"]:
        found = os.path.normpath(os.path.join(place, name))
        if os.path.isfile(found):
            return found
    return None


def includes_of(path):
    """The files of the project that a source includes."""
    with open(path, encoding="utf-8") as source:
        found = re.findall(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', source.read(), re.M)
    headers = [project_header(path, name, mark == '"') for mark, name in found]
    return [header for header in headers if header]


def module_of(path):
    """a.c and a.h are one, but not in driver/core, where loader.h has the types of all files."""
    return path if room_of(path) == "driver/core" else os.path.splitext(path)[0]


def find_circle(graph):
    """Nodes of a graph of which each leads to the next and the last to the first; None: no such."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node) :]
        if node in done:
            return None
        path.append(node)
        for successor in sorted(graph.get(node, ())):
            circle = visit(successor)
            if circle:
                return circle
        done.add(path.pop())
        return None

    return next(filter(None, map(visit, sorted(graph))), None)


def run_includes(log):
    """The rooms see each other in one direction only, and so do the modules in them."""
    failures, graph = [], {}
    sources = {path for room in MAY_INCLUDE for path in glob.glob(f"{room}/**/*.*", recursive=True)}
    for path in sorted(sources):
        if not path.endswith((".c", ".cc", ".h", ".hh", ".hpp", ".S")):
            continue
        for header in includes_of(path):
            if room_of(header) not in MAY_INCLUDE[room_of(path)]:
                failures.append(f"{path} includes {header}")
            if module_of(header) != module_of(path):
                graph.setdefault(module_of(path), set()).add(module_of(header))
    circle = find_circle(graph)
    if circle:
        failures.append("a circle of includes: " + " -> ".join([*circle, circle[0]]))
    for failure in failures:
        print(failure, file=log)
    return (0 if failures else 1), failures


def vendor_files(vendor):
    """The names of a vendor's files in the microkernel, with nothing of the vendor in them."""
    names = {os.path.basename(path) for path in glob.glob(f"microkernel/{vendor}/*.[chS]")}
    return {"vendor.h" if name == f"{vendor}.h" else name for name in names}


def run_vendors(log):
    """svm/ and vmx/ have the same files, but for what microkernel/vendor.h names."""
    with open("microkernel/vendor.h", encoding="utf-8") as source:
        listed = set(re.findall(r"^ \* ((?:svm|vmx)/\w+): \S", source.read(), re.M))
    svm, vmx = vendor_files("svm"), vendor_files("vmx")
    single = {"svm/" + os.path.splitext(name)[0] for name in svm - vmx}
    single |= {"vmx/" + os.path.splitext(name)[0] for name in vmx - svm}
    failures = [f"{part} has no counterpart, and vendor.h does not say why"
                for part in single - listed]
    failures += [f"vendor.h names {part}, which is not there or has a counterpart"
                 for part in listed - single]
    for failure in failures:
        print(failure, file=log)
    return (0 if failures else 1), failures


def tracked_files(*patterns):
    """The files of the tree that git knows, of these patterns if there are any."""
    listing = subprocess.run(["git", "ls-files", *patterns], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.splitlines()
    return [path for path in listing if os.path.isfile(path)]


# What begins like this is a fact of the hardware.
HARDWARE = re.compile(
    r"(CR[04]|XCR0|EFER|RFLAGS|DR[67]|MSR|VECTOR|CPUID_[0-9A-F]+|(SVM|VMX)_EXIT)_")


def defined_names(path):
    with open(path, encoding="utf-8") as source:
        return re.findall(r"^\s*#\s*define\s+(\w+)", source.read(), re.M)


def run_hardware(log):
    """Hardware names are defined in abi/hw, and nowhere else."""
    room = {name for path in glob.glob("abi/hw/*.h") for name in defined_names(path)}
    failures = [] if room else ["abi/hw defines nothing"]
    for path in tracked_files("*.c", "*.cc", "*.h", "*.hh", "*.hpp", "*.S"):
        # Foreign extensions share nothing with this tree, on purpose.
        if path.startswith(("abi/hw/", "test/ext/foreign/")):
            continue
        failures += [f"{path} defines {name}, which belongs into abi/hw"
                     for name in defined_names(path) if name in room or HARDWARE.match(name)]
    for failure in failures:
        print(failure, file=log)
    return (0 if failures else 1), failures


def run_format(log):
    """C is formatted as .clang-format says: `make format` does it."""
    _, output = call(["clang-format-19", "--dry-run", "-Werror", *tracked_files("*.c", "*.h")], log)
    failures = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error:", output, re.M)))
    if output and not failures:
        failures = ["clang-format does not run"]
    return (0 if failures else 1), [f"{path} is not formatted" for path in failures]


COLUMNS = 100
TAB = 8
SOURCES = ("*.c", "*.h", "*.S", "*.ld", "*.cc", "*.hh", "*.hpp", "*.rs", "*.py", "*.sh", "*.mk",
           "Makefile", "Kbuild")


def run_columns(log):
    """No line of a source is wider than the screen."""
    failures = []
    scripts = [path for path in tracked_files() if "." not in os.path.basename(path)]
    for path in sorted({*tracked_files(*SOURCES), *scripts} - {"COPYING"}):
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                if len(line.rstrip("\n").expandtabs(TAB)) > COLUMNS:
                    failures.append(f"{path}:{number} has more than {COLUMNS} columns")
    for failure in failures:
        print(failure, file=log)
    return (0 if failures else 1), failures


def run_licences(log):
    """Every file says under which licence it is."""
    failures = []
    for path in tracked_files():
        if path in ("COPYING", ".gitignore") or path.startswith("LICENSES/"):
            continue
        with open(path, encoding="utf-8", errors="replace") as source:
            head = "".join(source.readlines()[:3])
        mit = re.match(r"abi/|lib/bsl/|ext/|docs/|bfm/lib/|\w+\.md$", path)
        wanted = "(MIT|GPL-2.0-only)" if mit else "GPL-2.0-only"
        if not re.search(r"SPDX-License-Identifier: " + wanted, head):
            failures.append(f"{path} has no SPDX line, or the wrong licence")
    for failure in failures:
        print(failure, file=log)
    return (0 if failures else 1), failures


# --- what was built -------------------------------------------------------------------------------


def run_check_elf(log):
    paths = glob.glob("build/ext/*") + glob.glob("build/test/ext/**", recursive=True)
    images = [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]
    if not images:
        return 0, ["no extension was built"]
    passed, failures = 0, []
    for image in images:
        # An extension of the tests may do what none should.
        checkers = ["ext/check-elf"] + ["ext/check-sse"] * image.startswith("build/ext/")
        for checker in checkers:
            if call([checker, image], log)[0]:
                failures.append(f"{checker} {image}")
            else:
                passed += 1
    return passed, failures


FAULT_SIGN = re.compile(r"\b(?:bf_fault|fault_hypercall|(?:vmx|svm)_fault_entry|provoke_\w+)\b")


def fault_signs(path, log):
    """What of the test build (make faults) a binary has: symbols, and the hypercall's number."""
    _, symbols = call(["nm", path], log)
    with open(path, "rb") as binary:
        number = struct.pack("<Q", 0x746C756146426B6D) in binary.read()
    return sorted(set(FAULT_SIGN.findall(symbols))) + ["the hypercall"] * number


def run_faultless(log):
    """What is released has nothing of the test build, in which these signs are found."""
    with open("lib/bsl/fault.h", encoding="utf-8") as header:
        if "0x746C756146426B6D" not in header.read():
            return 0, ["the hypercall has another number"]
    failures = []
    for path in ("build/microkernel", "build/6.1/bareflank.ko"):
        failures += [f"{path} has {sign}" for sign in fault_signs(path, log)]
    for path in ("build/faults/microkernel", "build/faults/6.1/bareflank.ko"):
        if "the hypercall" not in fault_signs(path, log):
            failures.append(f"{path} has no hypercall: is this the test build?")
    for path, wanted in (("build/bareflank.efi", 0), ("build/faults/bareflank.efi", 1)):
        with open(path, "rb") as binary:
            if binary.read().count(b"bareflank fault ") != wanted:
                failures.append(f"{path}: this is not the build that it should be")
    return (0 if failures else 1), failures


def run_check_sse(log):
    """check-sse tells registers that hold the guest's state from others, in what objdump prints."""
    used = ["movaps %xmm0,(%rax)", "vpxor %ymm10,%ymm1,%ymm2", "fld1", "fstp %st", "xsave (%rdi)",
            "mov %r16,%rax", "add $0x1,%r19d", "movb %r29b,(%rax)", "jmp *(%r31)"]
    free = ["mov %r15,%rax", "add $0x1,%r10d", "movb %r8b,(%r12)", "mov %rsi,%r11", "fnop"]
    failures = []
    with tempfile.TemporaryDirectory(prefix="bareflank-sse.") as work:
        objdump = os.path.join(work, "objdump")
        with open(objdump, "w", encoding="utf-8") as stub:
            stub.write('#!/bin/sh\ncat "$3"\n')
        os.chmod(objdump, 0o755)
        listing = os.path.join(work, "listing")
        for insn in used + free:
            with open(listing, "w", encoding="utf-8") as code:
                code.write(f"0000328000000000 <_start>:\n  328000000000:\t{insn}\n")
            status, _ = call(["ext/check-sse", listing], log,
                             env={**os.environ, "PATH": f"{work}:{os.environ['PATH']}"})
            if (status != 0) != (insn in used):
                failures.append(insn)
    return len(used + free) - len(failures), failures


def run_sparse(log):
    """Sparse has nothing to say about the module."""
    status, output = call(["test/vm/kbuild", "6.1", "C=2"], log)
    if status:
        return 0, ["the module does not build with C=2"]
    checked = len(re.findall(r"^\s+CHECK\s", output, re.MULTILINE))
    complaints = re.findall(r"^\S*(?:driver|lib|abi)/\S+: (?:warning|error): .*$", output, re.M)
    if not checked:
        complaints.append("sparse looked at no file")
    return (0 if complaints else 1), complaints


def run_clang(log):
    """Everything but the module builds with clang. Its warnings: run_clang_tidy() in lint.py."""
    output = "build/clang"
    status, _ = make(["CC=clang", f"O={output}", f"{output}/microkernel", "libext", "ext", "bfm"],
                     log)
    return (0, ["the clang build fails"]) if status else (1, [])


def run_portable(log):
    """The loader compiles for another operating system, and without x86/ for another CPU."""
    common = sorted(glob.glob("driver/core/*.c") + glob.glob("lib/bsl/*.c"))
    x86 = sorted(glob.glob("driver/core/x86/*.[cS]") + glob.glob("lib/bsl/x86/*.c"))
    passed, failures = 0, []
    for target, paths in (("x86_64-unknown-windows", common + x86), ("aarch64-linux-gnu", common)):
        for path in paths:
            language = [] if path.endswith(".S") else ["-std=gnu11", "-ffreestanding"]
            status, _ = call(["clang", f"--target={target}", *language, *INCLUDES, *STRICT, "-c",
                              "-o", os.devnull, path], log)
            if status:
                failures.append(f"{path} does not compile for {target}")
            else:
                passed += 1
    return passed, failures


def run_completion(log):
    """Shells complete command lines of bfm, which says what somebody may have meant."""
    if make(["bfm"], log)[0]:
        return 0, ["bfm does not compile"]
    return run_tap(["test/completion"], log)


def run_sdk(log):
    """What `bfm new` writes builds with what is installed, by gcc and clang."""
    if make(["bfm", "sdk"], log)[0]:
        return 0, ["bfm or libext does not compile"]
    return run_tap(["test/sdk"], log)


def run_tutorial(log):
    """What docs/tutorial.md says, done."""
    return run_tap(["test/tutorial"], log)


def run_gdb(log):
    """Breakpoints in root mode, from a gdb outside of an emulated machine."""
    if make(["build/microkernel", "ext"], log)[0]:
        return 0, ["the microkernel or an extension does not compile"]
    return run_tap(["test/gdb"], log)


def run_trace(log):
    """What bfm trace writes is what viewers read."""
    if make(["build/microkernel", "ext", "bfm"], log)[0]:
        return 0, ["the microkernel, an extension or bfm does not compile"]
    return run_tap(["test/trace"], log)


def run_tap(command, log):
    """A program that prints TAP, with its plan first or last."""
    _, output = call(command, log)
    if not re.search(r"^1\.\.[1-9]", output, re.M):
        return 0, ["prints no plan"]
    return (len(re.findall(r"^ok \d+", output, re.M)),
            re.findall(r"^not ok \d+ (.*)", output, re.M))


def run_checks(command, log):
    """A program that prints TAP: the packages; README and docs against the tree; manual pages."""
    status, output = call(command, log)
    failures = re.findall(r"^not ok \d+ (.*)", output, re.M)
    if status and not failures:
        failures = [f"ended with status {status}"]
    return len(re.findall(r"^ok \d+", output, re.M)), failures


# --- fuzzing --------------------------------------------------------------------------------------

FUZZ_SECONDS = 3  # make fuzz takes longer


def run_fuzz(target, log):
    """Fuzzes for some seconds; test/fuzz/run says with what."""
    if make([f"build/fuzz/{target}"], log)[0]:
        return 0, ["does not compile"]
    status, output = call(["test/fuzz/run", target, str(FUZZ_SECONDS)], log)
    runs = re.search(r"^stat::number_of_executed_units: (\d+)$", output, re.M)
    if status:
        said = re.findall(r"^(?:test/fuzz/.*: !\(|SUMMARY: |Base64: ).*", output, re.M)
        kept = f"{target}: broken by an input, which build/fuzz/broken keeps"
        return 0, ["; ".join([kept, *said])]
    # A machine can be slow, but not so slow.
    if not runs or int(runs.group(1)) < 100:
        return 0, [f"{target}: hardly ran"]
    return 1, []


def fuzz_jobs():
    targets = subprocess.run(
        ["make", "-s", "fuzz-targets"], capture_output=True, text=True, check=True
    ).stdout.split()
    return [Job(f"fuzz-{target}", functools.partial(run_fuzz, target)) for target in targets]


def run_qemu_fix(log):
    """ext/sdk/qemu_fix.c knows the QEMU that the machines run with; else, it says so."""
    fix = "build/sdk/qemu_fix.so"
    failures = []
    if make(["O=build", fix], log)[0]:
        return 0, ["does not build"]
    for program, known in (("qemu-system-x86_64", True), ("true", False)):
        status, output = call(["env", f"LD_PRELOAD=./{fix}", program, "--version"], log)
        if status or ("qemu_fix:" in output) == known:
            failures.append(f"{program}: ended with status {status}: {output}")
    return (0 if failures else 1), failures


def static_jobs():
    return [
        Job("sparse", run_sparse),
        Job("headers", run_headers),
        Job("portable", run_portable),
        Job("languages", run_languages),
        Job("completeness", run_completeness),
        Job("includes", run_includes),
        Job("vendors", run_vendors),
        Job("hardware", run_hardware),
        Job("completion", run_completion),
        Job("packages", functools.partial(run_checks, ["test/packages"])),
        Job("sdk", run_sdk),
        Job("tutorial", run_tutorial),
        Job("gdb", run_gdb),
        Job("trace", run_trace),
        Job("licences", run_licences),
        Job("format", run_format),
        Job("columns", run_columns),
        Job("docs", functools.partial(run_checks, ["test/docs"])),
        Job("manuals", functools.partial(run_checks, ["test/manuals"])),
        Job("check-elf", run_check_elf),
        Job("check-sse", run_check_sse),
        Job("faultless", run_faultless),
        Job("qemu-fix", run_qemu_fix),
    ]


def slow_jobs():
    """What `make check-slow` runs in addition to machines."""
    return [
        Job("clang", run_clang),
        *(Job(f"packages-{suite}", functools.partial(run_checks, ["test/packages", suite]))
          for suite in ("trixie", "sid")),
    ]
