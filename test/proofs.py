# SPDX-License-Identifier: GPL-2.0-only
"""The proofs that docs/failures.md names, and what of them ran."""

import re

TABLE = "docs/failures.md"
NONE = ("nothing of ours takes part", "none yet")


def rows():
    """Of each row of the table: what fails, and the cell that names the proofs."""
    with open(TABLE, encoding="utf-8") as text:
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text]
    head = next(index for index, row in enumerate(cells) if row and row[-1] == "proof")
    found = []
    for row in cells[head + 2:]:
        if not row:
            break
        if len(row) != len(cells[head]):
            raise ValueError(f"{TABLE}: {row[0]}, {row[1:2]}: {len(row)} cells")
        found.append((row[cells[head].index("what fails")], row[-1]))
    return found


def names(cell):
    return re.findall(r"`([\w-]+)`", cell)


def passed(log):
    """The tests that a job's log says have passed: whole kselftests, and tests of libcheck."""
    verdicts = re.findall(r"kselftest: (\S+): (\d+) of (\d+) passed$", log, re.MULTILINE)
    tests = {test for test, good, planned in verdicts if good == planned}
    return tests | set(re.findall(r"^\S+:\d+:P:[^:]*:(\w+):", log, re.MULTILINE))


def missing(tests):
    """The proofs that are not among the names of these tests."""
    return [f"{TABLE}: {row}: {name} did not run and pass" for row, cell in rows()
            for name in names(cell) if name not in tests]
