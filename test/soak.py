# SPDX-License-Identifier: GPL-2.0-only
"""What test/kselftest/soak.sh has measured: from a machine's console into build/soak/."""

import json
import os
import re

DIRECTORY = os.path.join("build", "soak")

# Key in the lines of JSON, and what stands above its column.
ERRORS = (("error", "outcome"), ("cycles", "cycles"), ("start_ms", "start"),
          ("start_paused_ms", "IF=0"), ("stop_ms", "stop"), ("stop_paused_ms", "IF=0"),
          ("bare_ms", "bare"), ("slowest", "slowest to be bare"))
MEMORY = (("after", "cycles"), ("free_kib", "free"), ("slab_kib", "slab"),
          ("vmalloc_kib", "vmalloc"))
KINDS = (("kind", "kind"), ("cycles", "cycles"))


def table(columns, rows):
    """Lines of right-aligned columns, but for the first and a last one of words."""
    cells = [[title for _, title in columns]] + [[str(row[key]) for key, _ in columns]
                                                 for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        yield "  ".join(cell.ljust(width) if cell == line[0] or index == 7 else cell.rjust(width)
                        for index, (cell, width) in enumerate(zip(line, widths))).rstrip()


def lines_of(name, facts):
    total = next((fact for fact in facts if "seed" in fact), None)
    if total:
        yield (f"{name}: {total['cycles']} cycles of seed {total['seed']}, {total['with_hotplug']} "
               f"of them during hotplug; {total['surprises']} did not end as they should")
    errors = sorted((fact for fact in facts if "error" in fact), key=lambda fact: -fact["cycles"])
    if errors:
        yield "\nWorst times in ms, by what came of a cycle:"
        yield from table(ERRORS, errors)
    kinds = sorted((fact for fact in facts if "kind" in fact), key=lambda fact: -fact["cycles"])
    if kinds:
        yield ""
        yield from table(KINDS, kinds)
    yield "\nMemory in KiB:"
    yield from table(MEMORY, [fact for fact in facts if "after" in fact])


def keep(name, output):
    """Writes NAME.json and NAME.txt, if there is something in the console's output."""
    facts = [json.loads(line) for line in re.findall(r"soak: (\{.*\})$", output, re.MULTILINE)]
    if not facts:
        return
    os.makedirs(DIRECTORY, exist_ok=True)
    path = os.path.join(DIRECTORY, name)
    with open(path + ".json", "w", encoding="utf-8") as out:
        json.dump(facts, out, indent=1)
    with open(path + ".txt", "w", encoding="utf-8") as out:
        out.write("\n".join(lines_of(name, facts)) + "\n")
