# SPDX-License-Identifier: GPL-2.0-only
"""The emulated machines, and which tests run in each."""

import dataclasses
import os
import re

from host import Job, call

# What goes into every guest beside what test/vm/vm takes there itself.
COPIES = (
    ("test/kselftest", "/kselftest"),
    ("/usr/bin/stress-ng", "/usr/bin/stress-ng"),
)

@dataclasses.dataclass
class Row:
    """One boot: a machine, its CPUs, its kernel, the tests, and the time that they may take."""

    machine: str
    cpus: int
    kernel: str
    tests: list
    timeout: int
    options: list = dataclasses.field(default_factory=list)
    suffix: str = ""

    @property
    def name(self):
        return f"{self.machine}-{self.cpus}-{self.kernel}{self.suffix}"


ESSENTIAL = ["smoke"]

ROWS = [
    Row("qemu-svm", 4, "6.1", ESSENTIAL, 300),
]


def run_row(row, log):
    command = ["test/vm/vm", "-m", row.machine, "-c", str(row.cpus), "-k", row.kernel,
               "-t", str(row.timeout), "--times", *row.options]
    for host, guest in COPIES:
        if os.path.exists(host):
            command += ["-a", f"{host}:{guest}"]
    status, output = call([*command, "test/kselftest/run", *row.tests], log)
    # The console mixes the kernel's messages into lines: the runner's own verdicts are such messages.
    verdicts = re.findall(r"kselftest: (\S+): (\d+) of (\d+) passed$", output, re.MULTILINE)
    passed = sum(int(good) for _, good, _ in verdicts)
    failures = []
    for test, good, planned in verdicts:
        if int(good) < int(planned):
            failures += [f"{test}: {line}" for line in failed_lines(output, test)] or [test]
    missing = [test for test in row.tests if test not in (verdict[0] for verdict in verdicts)]
    failures += [f"{test}: did not end" for test in missing]
    if status and not failures:
        said = re.findall(r"^vm: (.*)$", output, re.MULTILINE)
        failures = [said[-1] if said else f"test/vm/vm ended with status {status}"]
    return passed, failures


def failed_lines(output, test):
    """The descriptions of the tests that failed."""
    begin = output.find(f"# Subtest: {test}\n")
    end = output.find(f"kselftest: {test}: ", begin)
    return re.findall(r"not ok \d+ (.*)", output[begin:end]) if begin >= 0 else []


def jobs():
    return [Job(row.name, lambda log, row=row: run_row(row, log)) for row in ROWS]
