# SPDX-License-Identifier: GPL-2.0-only
"""The emulated machines, and which tests run in each."""

import dataclasses
import os
import re
import subprocess

import soak
from host import Job, call

# What goes into every guest in addition to what test/vm/vm takes there itself.
COPIES = (
    ("test/kselftest", "/kselftest"),
    ("build/kselftest/bin", "/kselftest/bin"),
    ("build/kselftest/ext", "/kselftest/ext"),
    ("build/kselftest/images", "/kselftest/images"),
    ("build/kselftest/microkernel", "/kselftest/stripped/microkernel"),
    ("build/kselftest/default", "/kselftest/stripped/default"),
    ("build/{kernel}/test/kselftest/cpustate/cpustate.ko", "/lib/modules/cpustate.ko"),
    ("build/{kernel}/test/kselftest/caller/caller.ko", "/lib/modules/caller.ko"),
)


def test_module(name, directory=""):
    """The copy of a module of test/kselftest."""
    return (f"build/{{kernel}}/test/kselftest/{directory or name}/{name}.ko",
            f"/lib/modules/{name}.ko")


# What single tests need in addition. An emulated disk is slow: a machine has nothing in vain.
SIGNED = ("build/kselftest/signed", "/kselftest/signed")
COPIES_OF_TESTS = {
    "lockdown": [SIGNED],
    "neighbours": [test_module("vboxdrv", "neighbours"), test_module("vmmon", "neighbours"),
                   ("build/{kernel}/twinflank.ko", "/lib/modules/twinflank.ko")],
    "predictions": [test_module("predictions")],
    "registers": [test_module("tamper")],
    "signed": [SIGNED],
    "sleep": [test_module("acpitimer")],
    "trace": [test_module("livepatch")],
    "uefi-bare": [SIGNED],
    "uefi-secure": [SIGNED],
    "vmi": [test_module("tamper")],
}
# And those that put load on a machine: their scripts name the function of tap.sh, or the program.
LOAD = re.compile(r"\b(load_begins|stress-ng)\b")
STRESS_NG = ("/usr/bin/stress-ng", "/usr/bin/stress-ng")

# The test build, for the tests that load it.
FAULT_TESTS = {"inject", "mkfault", "mkhalt"}
FAULT_COPIES = (
    ("build/faults/{kernel}/bareflank.ko", "/kselftest/faults/bareflank.ko"),
    ("build/faults/stripped", "/kselftest/faults/microkernel"),
)


@dataclasses.dataclass
class Row:
    """One boot: a machine, its CPUs, its kernel, the tests, and the time that they may take."""

    machine: str
    cpus: int
    kernel: str
    tests: list
    timeout: int
    label: str = ""
    options: list = dataclasses.field(default_factory=list)
    end: str = ""  # how the one test ends the machine
    until: str = ""  # what the machine prints in the end, without a test
    fuzzes_emulator: bool = False  # should that end by a signal, it is its own fault: once more
    copies: tuple = COPIES

    def __post_init__(self):
        if "mkhalt" in self.tests[:-1]:
            raise ValueError(f"{self.name}: behind mkhalt, one CPU is halted")

    @property
    def name(self):
        return f"{self.machine}-{self.cpus}-{self.kernel}{self.label and '-' + self.label}"


ESSENTIAL = ["smoke", "state", "guest", "rewrite", "cycles"]
# Mk#1 and Mk#2: what several CPUs change, and the rest.
CPUS_ABI = ["calls", "guests", "several", "mk2", "donate", "beside"]
OTHER_ABI = ["syscalls", "objects", "foreign", "foreign-regs", "foreign-fpu", "foreign-loop",
             "hypercall"]
# What extensions are written with: that which is different on each vendor, and the rest.
VENDOR_SDK = ["watch", "hooks", "registers", "exceptions", "live", "secondvm"]
OTHER_SDK = ["languages", "examples", "args", "channel", "vmi", "cxx", "sdk", "stats", "events"]
SDK = [*VENDOR_SDK, *OTHER_SDK]

CR4_CET, CR4_LASS = 1 << 23, 1 << 27

# One row of each vendor starts and stops oftener under load.
LONG_CYCLES = ["--append", "CYCLES=3"]
LONG_CYCLES_BOCHS = ["--append", "CYCLES=2"]

# Bochs computes wrongly with FMA4, on the bare machine, too: libm must not use it.
NO_FMA4 = "GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA4"

# Bochs 3.0 takes half of the time of 2.7, which rows without this have.
BOCHS_3 = ["--bochs", "trixie"]

MODEL = ["smoke", "state", "guest", "cycles"]


# The rest comes from packages.
PACKAGE_COPIES = (
    ("test/kselftest", "/kselftest"),
    ("build/kselftest/bin", "/kselftest/bin"),
    ("build/kselftest/images/mk.MK_VERSION", "/kselftest/images/mk.MK_VERSION"),
)


def on_bochs(machine, model, kernel, cpus=1, cr4=0, environment="", tests=(), label=""):
    """A CPU model that trixie's Bochs knows; bits of CR4 that the kernel sets there; variables of
    init's environment; and more tests."""
    options = [*BOCHS_3, "--cpu", model, "--append", f"CR4_HAS={cr4:#x} {environment}"]
    return Row(machine, cpus, kernel, [*MODEL, *tests], 900, label or model, options)


def on_qemu(model, kernel, label, tests=(), cpus=2):
    """A CPU model of AMD's; what QEMU lacks of it, it leaves out."""
    return Row("qemu-svm", cpus, kernel, [*MODEL, *tests], 600, label, ["--cpu", model])


def crash(machine, cpus, kernel, reserve, label="crash", argument="", timeout=300,
          boots=3, more=()):
    """Three boots of one machine: by the firmware, by kexec, and of a crash kernel; or two of them,
    without kexec. The archive that they pass on is hashed several times, so it has only what they
    need. More: options."""
    copies = (
        ("test/kselftest", "/kselftest"),
        *((f"build/kselftest/bin/{name}", f"/kselftest/bin/{name}")
          for name in ("firmware", "kexec", "rawctl", "vmcore")),
        ("build/{kernel}/test/kselftest/cpustate/cpustate.ko", "/lib/modules/cpustate.ko"),
    )
    options = ["--boots", str(boots), "--allow-oops", "--mem", "1024",
               "--append", f"crashkernel={reserve}M {argument}",
               "-a", "/usr/bin/makedumpfile:/usr/bin/makedumpfile", *more]
    return Row(machine, cpus, kernel, ["crash"], timeout, label, options, copies=copies)


# The firmware and boot loaders read the archive slowly, and keep it beside what is unpacked.
UEFI_COPIES = (
    ("test/kselftest", "/kselftest"),
    *((f"build/kselftest/bin/{name}", f"/kselftest/bin/{name}")
      for name in ("cpuid", "firmware", "rawctl")),
    ("build/{kernel}/test/kselftest/caller/caller.ko", "/lib/modules/caller.ko"),
    ("build/{kernel}/test/kselftest/cpustate/cpustate.ko", "/lib/modules/cpustate.ko"),
)


def uefi(machine, cpus, test="uefi", label="", options=(), timeout=100, end="", unused=0):
    """The hypervisor first, by bareflank.efi; unused: CPUs more, of which Linux takes none."""
    return Row(machine, cpus, "6.1", [test], timeout, f"uefi{label and '-' + label}",
               ["--efi", "next", "--mem", "384", "--append", f"UNUSED={unused}", *options,
                "--says", f"bareflank: started on {cpus + unused} CPU"], end, copies=UEFI_COPIES)


def uefi_bare(label, sentence, lines, options=(), cpus=1):
    """bareflank.efi with these lines says the sentence, and Linux boots without a hypervisor."""
    given = [word for line in lines for word in ("--efi", line)]
    return Row("qemu-svm", cpus, "6.1", ["uefi-bare"], 30, f"uefi-{label}",
               [*given, *options, "--says", sentence,
                "--says", "bareflank: the boot goes on without the hypervisor"],
               copies=UEFI_COPIES)


# Of the instructions of a boot from the firmware to a shell, the hypervisor's start included.
UEFI_COST = 1.02


def uefi_instructions(log, says, lines):
    """How many a boot by UEFI has executed when the machine goes off."""
    command = ["test/vm/vm", "--icount", "--times", "--mem", "256", "-t", "100", "--says", says,
               *(word for line in lines for word in ("--efi", line)),
               "--end", "poweroff", "/bin/busybox", "poweroff", "-f"]
    status, output = call(command, log)
    counted = re.search(r"^vm: (\d+) instructions$", output, re.MULTILINE)
    return int(counted[1]) if counted and not status else None


def run_uefi_cost(log):
    """A boot by UEFI with the hypervisor takes hardly more instructions than one without."""
    with_it = uefi_instructions(log, "bareflank: started on 1 CPU", ["next"])
    without = uefi_instructions(log, "the boot goes on without the hypervisor",
                                ["next", "extension = absent"])
    if not with_it or not without:
        return 0, ["a machine was not counted"]
    text = f"{with_it:,} instructions with the hypervisor, {without:,} without"
    print(text, file=log)
    return (1, []) if with_it <= UEFI_COST * without else (0, [text])


def secure(sealed, tests, sentence, label="", options=()):
    """Secure Boot, with a bareflank.efi of that kind, or the firmware, that says the sentence."""
    return Row("qemu-svm", 2, "6.1", tests, 60, f"secure-{label or sealed}",
               ["--efi", "next", "--uefi-db", "build/kselftest/signed/trusted.pem",
                "--sealed", sealed, "--says", sentence, *options])


# Linux uses x2APIC mode where it seems to be a guest: on QEMU of VMware's, as the firmware's tables
# and an I/O port say, on Bochs of KVM's (test/ext/x2apic.c).
X2APIC_QEMU = ["--cpu", "EPYC,+svm,+npt,+x2apic,-hypervisor", "--machine-arg=-smbios",
               "--machine-arg=type=1,serial=VMware-", "--append", "X2APIC=1"]
# One more, with 256 as its ID: the firmware has x2APIC mode then, and Linux, without remapping of
# interrupts, does not take it.
X2APIC_ID = ["--machine-arg=-smp", "--machine-arg=2,maxcpus=125,dies=5,cores=5,threads=5",
             "--machine-arg=-device", "--machine-arg=EPYC-x86_64-cpu,socket-id=0,die-id=4,"
             "core-id=0,thread-id=0,svm=on,npt=on,x2apic=on,hypervisor=off"]
X2APIC_BOCHS = ["--efi", "extension = x2apic", "--append", "X2APIC=1"]

# CPUs that run in turn take up to a third less time than those with a thread each, which the rows
# without this have: those show what happens at the same time.
ONE_THREAD = ["--one-thread"]

ROWS = [
    Row("qemu-svm", 2, "6.1", ["misbehave"], 600, "misbehave", ONE_THREAD),
    Row("bochs-vmx", 2, "6.1",
        [*ESSENTIAL, "leak", "mtrr", "lifecycle", "shootdown", "runaway", "mkfault"], 600,
        options=[*BOCHS_3, "--append", "cpu0_hotplug", *LONG_CYCLES_BOCHS]),
    # what 3.0 is in the way of: docs/testing.md
    Row("bochs-vmx", 2, "6.1", ["smoke", "nmi", "secondvm", "mkhalt"], 300, "2.7"),
    Row("bochs-vmx", 2, "6.1", CPUS_ABI, 600, "abi", BOCHS_3),
    # but secondvm, whose VM disables interrupts: docs/testing.md tells what becomes of that in 3.0
    on_bochs("bochs-vmx", "corei7_haswell_4770", "6.1",
             tests=[name for name in SDK if name not in ("secondvm", "cxx")]),
    Row("bochs-vmx", 1, "6.1",
        [*ESSENTIAL, *OTHER_ABI, "misbehave", "stall", "inject"], 600, options=BOCHS_3),
    Row("bochs-svm", 1, "6.1", [*ESSENTIAL, "leak", "mtrr", "nmi"], 600, options=BOCHS_3),
    Row("bochs-svm", 1, "6.1",
        [*CPUS_ABI, "foreign-regs", "foreign-fpu", "watch", "exceptions", "secondvm"], 600, "abi",
        BOCHS_3),
    Row("qemu-svm", 4, "6.1",
        [*ESSENTIAL, "leak", "errors", "fuzz", "hostile", "lifecycle", "nmi", "shootdown",
         "commands", "neighbours", "concurrency", "soak", "backtrace"], 600,
        options=[*LONG_CYCLES, *ONE_THREAD]),
    Row("qemu-svm", 4, "6.1", CPUS_ABI, 600, "abi", ONE_THREAD),
    # with page-table isolation, as Linux has it on many of Intel's CPUs
    Row("qemu-svm", 2, "6.1", SDK, 600, "sdk", [*ONE_THREAD, "--append", "pti=on"]),
    Row("qemu-svm", 4, "6.12", [*ESSENTIAL, "lifecycle", "busy", "kvm-idle"], 300),
    Row("qemu-svm", 4, "sid",
        [*ESSENTIAL, "lifecycle", "busy", "kvm-idle", "stall", "neighbours"], 450),
    Row("qemu-svm", 2, "6.1",
        [*ESSENTIAL, *OTHER_ABI, "mtrr", "lifecycle", "nmi", "shootdown", "busy", "kvm-idle",
         "runaway"], 450),
    Row("qemu-svm", 1, "6.1", [*ESSENTIAL, "lifecycle"], 300),
    # as many CPUs as a server has; where only two run at a time, each waits for all others
    Row("qemu-svm", 64, "6.1", ["smoke"], 300, "many", [*ONE_THREAD, "--mem", "4096"]),
    Row("qemu-svm", 4, "6.1", ["mkfault", "inject", "mkhalt"], 300, "faults", ONE_THREAD),
    # CPUs that stay in the hypervisor
    Row("qemu-svm", 4, "6.1", ["keep"], 300, "keep", ["--append", "KEEP_ROUNDS=3"]),
    Row("bochs-svm", 2, "6.12", ["keep"], 600, "keep",
        [*BOCHS_3, "--cpu", "ryzen", "--append", "KEEP_ROUNDS=2"]),
    Row("bochs-vmx", 2, "6.1", ["keep", "live"], 600, "keep",
        [*BOCHS_3, "--append", "KEEP_ROUNDS=2"]),
    # guests through KVM's interface
    Row("qemu-svm", 4, "6.1", ["kvm", "kvm-xsave", "kvm-beside"], 600, "kvm"),
    Row("bochs-vmx", 1, "6.1", ["kvm", "kvm-xsave", "kvm-beside"], 600, "kvm", BOCHS_3),
    Row("qemu-svm", 4, "6.1", ["kvm-fuzz"], 300, "kvm-fuzz", ONE_THREAD, fuzzes_emulator=True),
    Row("qemu-svm", 2, "6.1", ["kvm-xsave"], 300, "pku", ["--cpu", "max,+svm,+npt"]),
    Row("qemu-svm", 4, "6.12", ["kvmself"], 300, "kvmself"),
    Row("bochs-vmx", 2, "6.12", ["kvmself"], 300, "kvmself",
        [*BOCHS_3, "--cpu", "tigerlake", "--mem", "1024",
         "--append", f"CR4_HAS={CR4_CET:#x}"]),
    Row("nested-svm", 2, "6.1", MODEL, 900),
    # newer ones; with IBT from kernel 6.12 on, with LASS on sid's
    on_bochs("bochs-vmx", "tigerlake", "6.12", cr4=CR4_CET),
    # one CPU: docs/testing.md tells what becomes of a fault in a step where there are several
    on_bochs("bochs-vmx", "arrow_lake", "sid", 1, CR4_CET | CR4_LASS, tests=["watch"]),
    on_bochs("bochs-svm", "ryzen", "6.12", 2),
    on_qemu("EPYC-Genoa,+svm,+npt", "6.12", "genoa", ["lifecycle"]),
    on_qemu("EPYC-Milan,+svm,+npt", "6.1-amd64", "milan",
            ["lifecycle", "sleep", "trace", "concurrency", "kvm-beside"]),
    # Linux reads the machine check banks of Zen, beyond the MSR permission map, each second
    Row("qemu-svm", 2, "sid", ["smca"], 100, "smca", ["--append", "setcpuid=smca"]),
    # with Linux's mitigation of VMSCAPE
    Row("qemu-svm", 2, "sid", ["predictions"], 100, "predictions",
        ["--append", "setcpuid=686"]),
    # with UEFI firmware that has our key
    Row("qemu-svm", 2, "6.1", ["signed", "lockdown"], 100, "lockdown",
        ["--uefi-db", "build/kselftest/signed/trusted.pem", "--mem", "768"]),
    # the hypervisor first, by bareflank.efi, before Linux or what boots it; CPUs that escape; and
    # what is said if it cannot start
    uefi("qemu-svm", 1, options=["--efi-loader", "systemd-boot"]),
    uefi("qemu-svm", 4, options=["--efi-loader", "grub"]),
    # emulated CPUs of Intel's are slower than Linux's delays
    uefi("bochs-vmx", 2,
         options=[*BOCHS_3, "--append", "cpu_init_udelay=10000"]),
    uefi("bochs-svm", 2, options=BOCHS_3),
    # the same in x2APIC mode; what is started late keeps CPUs, too
    uefi("qemu-svm", 2, label="x2apic", options=[*X2APIC_QEMU, "--append", "KEEP_CPUS=1"]),
    uefi("bochs-vmx", 2, label="x2apic",
         options=[*BOCHS_3, "--append", "cpu_init_udelay=10000 KEEP_CPUS=1",
                  *X2APIC_BOCHS]),
    uefi("qemu-svm", 2, "uefi-escape", "escape", ["--efi-fault", "keep 1"]),
    *(uefi("qemu-svm", 1, "end-uefi", end, ["--append", f"END={end}"], 30, end)
      for end in ("poweroff", "reboot")),
    uefi("qemu-svm", 1, "uefi-guard", "guard", ["--boots", "4"]),
    secure("signed", ["uefi-secure"], "bareflank: started on 2 CPUs"),
    secure("signed", ["uefi-secure"], "bareflank: started on 2 CPUs", "shim",
           ["--mok", "build/kselftest/signed/unknown.pem"]),
    secure("unsigned", ["uefi-bare"], "Access Denied"),
    secure("apart", ["uefi-bare"], "bareflank: start: Secure Boot is on"),
    uefi_bare("no-svm", "this CPU offers neither VT-x nor AMD-V", ["next"],
              options=["--cpu", "EPYC,-svm"]),
    uefi_bare("cpu-fails", "bareflank: start: CPU 1: the microkernel faulted", ["next"],
              ["--efi-fault", "launch 2"], cpus=2),
    uefi_bare("no-image", "absent: there is no such file", ["next", "extension = absent"]),
    uefi_bare("no-memory", "not enough free memory", ["next", "pool = 900M"]),
    uefi_bare("option", "bareflank.conf, line 2: not a size: much", ["# 1", "pool = much"]),
    # with what Debian packages install; also with firmware that has the key of DKMS
    Row("qemu-svm", 2, "6.1", ["packages", "packages-signed"], 100, "packages",
        copies=PACKAGE_COPIES),
    Row("bochs-vmx", 2, "6.12", ["packages"], 300, "packages", [*BOCHS_3, "--cpu",
        "tigerlake", "--append", f"CR4_HAS={CR4_CET:#x}"], copies=PACKAGE_COPIES),
    # 5-level paging
    Row("qemu-svm", 2, "6.12",
        [*ESSENTIAL, "guests", "calls", "objects", "several", "lifecycle", "secondvm"], 600, "la57",
        ["--cpu", "EPYC,+svm,+npt,+la57"]),
    Row("qemu-svm", 2, "6.1", ["absent"], 30, "absent", ["--cpu", "EPYC,-svm"]),
    crash("qemu-svm", 4, "6.1", 256, "crash-nmi", "PANIC=nmi"),
    crash("qemu-svm", 4, "6.1", 256, "crash-keep", "KEEP=1", boots=2),
    Row("qemu-svm", 4, "6.1", ["end-reboot"], 30, "reboot", end="reboot"),
    Row("qemu-svm", 4, "6.1", ["end-triple"], 30, "triple", end="reboot"),
    Row("qemu-svm", 4, "6.1", ["end-poweroff"], 30, "poweroff", end="poweroff"),
]

# What takes long and rarely tells more.
SLOW_ROWS = [
    Row("qemu-svm", 4, "6.1", ["misbehave"], 600, "places", ["--append", "PLACES=all"]),
    Row("qemu-svm", 64, "6.1", ["leak"], 600, "leak", [*ONE_THREAD, "--mem", "4096"]),
    Row("bochs-vmx", 2, "6.1",
        [*OTHER_ABI, "kvm-idle", "kvm-fuzz", "commands", "concurrency", "backtrace"], 900, "more"),
    Row("qemu-svm", 4, "6.1", ["keep"], 300, "keep-x2apic",
        [*X2APIC_QEMU, "--append", "KEEP_ROUNDS=3"]),
    Row("bochs-vmx", 2, "6.1", ["state", "shootdown"], 300, "2.7-more"),
    Row("bochs-vmx", 2, "6.1", ["patching"], 300, "patching", BOCHS_3),
    Row("qemu-svm", 2, "6.1", ["patching"], 600, "patching",
        ["--append", "PATCHING_CHANGES=2000"]),
    Row("bochs-vmx", 2, "6.1", SDK, 1300, "sdk"),
    Row("bochs-vmx", 2, "6.1", ["kvm", "kvm-xsave", "kvm-beside"], 900, "kvm"),
    Row("bochs-svm", 1, "6.1",
        [*OTHER_ABI, *OTHER_SDK, "hooks", "registers", "live", "misbehave"], 1300, "sdk"),
    Row("bochs-svm", 1, "6.1", ["kvm", "kvm-xsave", "kvm-beside"], 600, "kvm"),
    Row("qemu-svm", 4, "6.1", OTHER_ABI, 600, "other-abi"),
    Row("qemu-svm", 4, "sid", ["leak", "runaway"], 450, "more"),
    on_bochs("bochs-vmx", "arrow_lake", "sid", 1, CR4_CET | CR4_LASS, tests=["hooks", "registers"],
             label="arrow_lake-more"),
    uefi("bochs-vmx", 1),
    uefi("bochs-svm", 1),
    uefi("qemu-svm", 2, label="x2apic-id", options=[*X2APIC_QEMU, *X2APIC_ID], unused=1),
    secure("changed", ["uefi-bare"], "Access Denied"),
    *(uefi("qemu-svm", 4, "end-uefi", f"{end}-stopped",
           ["--append", f"END={end} STOPPED=1"], 30, end) for end in ("poweroff", "reboot")),
    *(uefi("qemu-svm", 4, label=label, timeout=900,
           options=["--append", "KEEP_ROUNDS=100 KEEP_CPUS=1", *options])
      for label, options in (("long", ()), ("long-x2apic", X2APIC_QEMU))),
    uefi("bochs-svm", 2, label="x2apic",
         options=[*BOCHS_3, "--cpu", 'ryzen, add_features="x2apic"', *X2APIC_BOCHS,
                  "--append", "KEEP_CPUS=1"]),
    Row("qemu-svm", 4, "6.1", ["keep"], 1200, "keep-long", ["--append", "KEEP_ROUNDS=100"]),
    on_bochs("bochs-vmx", "broadwell_ult", "6.1"),
    on_bochs("bochs-vmx", "corei3_cnl", "6.12"),
    on_bochs("bochs-vmx", "corei7_icelake_u", "6.12", tests=["kvm-xsave"]),
    on_bochs("bochs-svm", "trinity_apu", "6.1", environment=NO_FMA4),
    on_bochs("bochs-svm", "zambezi", "6.1", environment=NO_FMA4),
    on_qemu("max,+svm,+npt", "6.1", "max"),
    Row("nested-vmx", 1, "6.1", MODEL, 600),
    Row("qemu-svm", 4, "6.1", ["mutants"], 3600, "mutants", ["--append", "MUTANTS=10000"]),
    Row("qemu-svm", 4, "6.1", ["kvm-xsave"], 1800, "kvm-xsave-long",
        ["--append", "KVM_XSAVE_ROUNDS=70000"]),
    Row("bochs-vmx", 2, "6.1", ["fuzz", "hostile", "mutants"], 900, "hostile"),
    Row("qemu-svm", 4, "6.1", ["kvm-fuzz"], 3600, "kvm-fuzz-long",
        [*ONE_THREAD, "--append", "KVM_FUZZ_SECONDS=600"], fuzzes_emulator=True),
    Row("qemu-svm", 4, "6.1", ["inject"], 1800, "inject", ["--append", "INJECT_STEP=1"]),
    # a whole pass of memtest86+, with both CPUs
    Row("qemu-svm", 2, "6.1", [], 300, "memtest",
        ["--efi", "next", "--efi", "pool = 16M", "--efi-loader", "memtest", "--mem", "112",
         "--says", "bareflank: started on 2 CPU"], until="Pass: 1 Errors: 0", copies=()),
    Row("qemu-svm", 2, "6.1-amd64", ["inject"], 900, "resume",
        ["--append", "INJECT_STEP=1 INJECT_OPERATIONS=resume"]),
    Row("bochs-vmx", 2, "6.1", ["inject"], 3600, "inject", ["--append", "INJECT_STEP=16"]),
    Row("bochs-vmx", 2, "6.1-amd64", ["inject"], 3600, "resume",
        ["--append", "INJECT_STEP=8 INJECT_OPERATIONS=resume"]),
    Row("qemu-svm", 4, "6.1-amd64", ["resets"], 300, "resets",
        ["--boots", "7", "--allow-oops", "--disk", "8"]),
    crash("qemu-svm", 4, "6.1", 256),
    crash("qemu-svm", 4, "6.1", 256, "crash-uefi", "FIRMWARE=1", more=["--efi", "next"]),
    crash("qemu-svm", 4, "6.1", 256, "crash-stopped", "FIRMWARE=1 STOPPED=1",
          more=["--efi", "next"]),
    crash("bochs-vmx", 2, "6.1", 256, "crash-nmi", "PANIC=nmi", 900),
    Row("qemu-svm", 4, "6.1-amd64", ["hibernate"], 300, "hibernate",
        ["--boots", "2", "--disk", "512"]),
    Row("qemu-svm", 4, "6.12-amd64", ["hibernate"], 300, "hibernate",
        ["--boots", "2", "--disk", "512"]),
    # with what the packages install on newer releases of Debian, and with their kernels
    Row("qemu-svm", 2, "debian-trixie", ["packages", "packages-signed"], 150, "packages",
        copies=PACKAGE_COPIES),
    Row("qemu-svm", 2, "debian-sid", ["packages", "packages-signed"], 150, "packages",
        copies=PACKAGE_COPIES),
    Row("bochs-vmx", 2, "debian-sid", ["packages"], 600, "packages",
        [*BOCHS_3, "--cpu", "arrow_lake",
         "--append", f"CR4_HAS={CR4_CET | CR4_LASS:#x}"], copies=PACKAGE_COPIES),
    Row("qemu-svm", 4, "6.1", ["end-halt"], 30, "halt", end="halt"),
    Row("bochs-vmx", 2, "6.1", ["end-halt"], 100, "halt", end="halt"),
    Row("bochs-vmx", 2, "6.1", ["end-poweroff"], 100, "poweroff", end="poweroff"),
    Row("bochs-vmx", 2, "6.1", ["end-reboot"], 100, "reboot", end="reboot"),
    Row("bochs-vmx", 2, "6.1", ["end-triple"], 100, "triple", end="reboot"),
    Row("bochs-vmx", 2, "6.1", ["end-reset"], 100, "pci", ["--append", "RESET=pci"], "reboot"),
    Row("bochs-vmx", 2, "6.1", ["end-reset"], 100, "kbd", ["--append", "RESET=kbd"], "reboot"),
]

# What takes long and is no single machine.
SLOW_JOBS = [Job("uefi-cost", run_uefi_cost)]

# Hours of starts and stops: build/soak/ keeps what they measure.
SOAK_ROWS = [
    Row("qemu-svm", 4, "6.1", ["soak", "concurrency"], 7200, "soak",
        ["--append", "SOAK_CYCLES=1000"]),
    Row("bochs-vmx", 2, "6.1", ["soak", "concurrency"], 7200, "soak",
        ["--append", "SOAK_CYCLES=150"]),
]

# On the kernel "debug" (test/vm/debug-kernel), which has to find nothing: test/kselftest/debug.sh.
DEBUG_ROWS = [
    Row("qemu-svm", 4, "debug",
        ["smoke", "state", "commands", "fuzz", "hostile", "mutants", "lifecycle", "misbehave",
         "errors", "leak", "cycles", "debug"], 3600, options=["--mem", "1024"]),
    Row("qemu-svm", 2, "debug", ["smoke", "lifecycle", "kvm", "runaway", "debug"], 1800,
        options=["--mem", "1024"]),
]


def selftest_copies():
    """Those of KVM's selftests that the test kvmself names; built here if they are not yet."""
    built = subprocess.run(["test/vm/kvm-selftests"], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.strip()
    with open("test/kselftest/kvmself.sh", encoding="utf-8") as text:
        named = set(re.findall(r"\w+", text.read()))
    return tuple((f"{built}/{name}", f"/kselftest/kvmself/bin/{name}")
                 for name in sorted(os.listdir(built)) if name in named)


def puts_load(test):
    with open(f"test/kselftest/{test}.sh", encoding="utf-8") as script:
        return LOAD.search(script.read()) is not None


def package_options(row):
    """What a machine has of the Debian packages, and nothing else of what was built."""
    suite = [row.kernel.removeprefix("debian-")] if row.kernel.startswith("debian-") else []
    tree = subprocess.run(["test/packages", "--tree", *suite], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()
    options = ["--build", tree, "-a", f"{tree}/usr/lib/bareflank:/usr/lib/bareflank",
               "-a", f"{tree}/info/bfm:/usr/sbin/bfm", "-a", f"{tree}/info:/packages"]
    if "packages-signed" in row.tests:
        options += ["--uefi-db", f"{tree}/mok.pem"]
    return options


def command_of(row):
    command = ["test/vm/vm", "-m", row.machine, "-c", str(row.cpus), "-k", row.kernel,
               "-t", str(row.timeout), "--times", *row.options]
    for name in ("FUZZ_SEED", "MUTANTS"):
        if name in os.environ:
            command += ["--append", f"{name}={os.environ[name]}"]
    copies = row.copies + FAULT_COPIES if FAULT_TESTS.intersection(row.tests) else row.copies
    copies += tuple(copy for test in row.tests for copy in COPIES_OF_TESTS.get(test, ()))
    if any(puts_load(test) for test in row.tests):
        copies += (STRESS_NG,)
    if "packages" in row.tests:
        command += package_options(row)
    if "kvmself" in row.tests:
        copies += selftest_copies()
    for source, guest in copies:
        command += ["-a", f"{source.format(kernel=row.kernel)}:{guest}"]
    if row.end:
        return [*command, "--end", row.end, f"test/kselftest/{row.tests[0]}.sh"]
    if row.until:
        return [*command, "--until", row.until]
    return [*command, "test/kselftest/run", *row.tests]


def run_row(row, log):
    status, output = call(command_of(row), log)
    if row.fuzzes_emulator and "QEMU exited with status -" in output:  # docs/testing.md has why
        print(f"     {row.name}: QEMU ended by a signal; once more", flush=True)
        status, output = call(command_of(row), log)
    soak.keep(row.name, output)
    if row.end or row.until:
        return (0, [last_words(output, status)]) if status else (1, [])
    # The console mixes the kernel's messages into lines: the runner's own verdicts are such
    # messages.
    verdicts = re.findall(r"kselftest: (\S+): (\d+) of (\d+) passed$", output, re.MULTILINE)
    passed = sum(int(good) for _, good, _ in verdicts)
    failures = []
    for test, good, planned in verdicts:
        if int(good) < int(planned):
            failures += [f"{test}: {line}" for line in failed_lines(output, test)] or [test]
    missing = [test for test in row.tests if test not in (verdict[0] for verdict in verdicts)]
    failures += [f"{test}: did not end" for test in missing]
    if status and not failures:
        failures = [last_words(output, status)]
    elif status >= 124:
        failures.append(last_words(output, status))
    return passed, failures


def last_words(output, status):
    said = re.findall(r"^vm: (.*)$", output, re.MULTILINE)
    return said[-1] if said else f"test/vm/vm ended with status {status}"


def failed_lines(output, test):
    """The descriptions of the tests that failed."""
    begin = output.find(f"# Subtest: {test}\n")
    end = output.find(f"kselftest: {test}: ", begin)
    return re.findall(r"^    not ok \d+ (.*)", output[begin:end], re.M) if begin >= 0 else []


def jobs(rows):
    return [Job(row.name, lambda log, row=row: run_row(row, log)) for row in rows]
