# SPDX-License-Identifier: MIT
"""gdb's commands for Bareflank: docs/debugging.md. For a gdb that is connected to a machine's
gdbstub, like QEMU's: (gdb) source bareflank-gdb.py"""

import os
import struct

import gdb

PT_LOAD = 1


class Image:
    """An ELF file that runs where it is linked: the microkernel, or an extension."""

    def __init__(self, path):
        self.path = os.path.realpath(os.path.expanduser(path))
        self.name = os.path.basename(self.path)
        self.loads = list(self._loads())
        if not self.loads:
            raise gdb.GdbError(f"{path}: no ELF image with segments")

    def _loads(self):
        try:
            with open(self.path, "rb") as file:
                data = file.read()
            (offset,) = struct.unpack_from("<Q", data, 32)
            size, count = struct.unpack_from("<HH", data, 54)
            for i in range(count if data[:5] == b"\x7fELF\x02" else 0):
                kind, _, _, begin, _, _, length = struct.unpack_from("<IIQQQQQ", data,
                                                                     offset + i * size)
                if kind == PT_LOAD:
                    yield begin, begin + length
        except OSError as problem:
            raise gdb.GdbError(f"{self.path}: {problem.strerror}")
        except struct.error:
            raise gdb.GdbError(f"{self.path}: the ELF header is damaged")

    def has(self, address):
        return any(begin <= address < end for begin, end in self.loads)

    def add(self):
        gdb.execute(f"add-symbol-file '{self.path}'", to_string=True)

    def remove(self):
        gdb.execute(f"remove-symbol-file '{self.path}'", to_string=True)


class State:
    microkernel = None
    extensions = []
    shown = 0  # the extension, counted from 1 on, whose symbols gdb has; 0: none


def remove_all():
    if State.shown:
        State.extensions[State.shown - 1].remove()
    if State.microkernel:
        State.microkernel.remove()
    State.microkernel, State.extensions, State.shown = None, [], 0


def show(number):
    """All extensions lie at the same addresses: gdb knows the symbols of one of them."""
    if number == State.shown:
        return
    if State.shown:
        State.extensions[State.shown - 1].remove()
    State.extensions[number - 1].add()
    State.shown = number


def program_counter():
    return int(gdb.selected_frame().read_register("rip")) & 0xFFFFFFFFFFFFFFFF


def current_extension():
    """The number of the extension whose address space this CPU has; 0: it is in Linux, or none."""
    if not State.microkernel:
        return 0
    rip = program_counter()
    if not State.microkernel.has(rip) and not any(e.has(rip) for e in State.extensions):
        return 0
    try:
        ext = gdb.parse_and_eval("((struct pp *)&mk_pp)->ext")
        return int(ext["id"]) + 1 if int(ext) else 0
    except gdb.error:  # a program of Linux that has something mapped there
        return 0


def place():
    """What this CPU is doing, in words."""
    rip = program_counter()
    number = current_extension()
    if State.microkernel and State.microkernel.has(rip):
        return "the microkernel" + (f", for extension {number}" if number else "")
    if number:
        known = number <= len(State.extensions)
        return f"extension {number}" + (f", {State.extensions[number - 1].name}" if known else "")
    return "Linux"


def on_stop(_event):
    try:
        number = current_extension()
        if number != State.shown and 0 < number <= len(State.extensions):
            show(number)
            print(f"[bareflank: symbols of {place()}]")
    except gdb.error:
        pass  # no registers: the machine is gone


class Bareflank(gdb.Command):
    """Commands for machines on which Bareflank runs."""

    def __init__(self):
        super().__init__("bareflank", gdb.COMMAND_USER, prefix=True)


class Load(gdb.Command):
    """bareflank load MICROKERNEL [EXTENSION]...

Loads the symbols of these files: the microkernel, and the extensions in the order in which
bfm start gets them. Symbols from an earlier call go. Use hardware breakpoints (hbreak): where a
CPU is in Linux, the code of the others is not mapped."""

    def __init__(self):
        super().__init__("bareflank load", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, _from_tty):
        images = [Image(path) for path in gdb.string_to_argv(argument)]
        if not images:
            raise gdb.GdbError("bareflank load MICROKERNEL [EXTENSION]...")
        remove_all()
        images[0].add()
        State.microkernel, State.extensions = images[0], images[1:]
        if State.extensions:
            show(1)


class Extension(gdb.Command):
    """bareflank extension NUMBER

Has gdb know the symbols of this extension, counted from 1 on, in place of those of another one.
When a CPU stops in an extension, that happens by itself."""

    def __init__(self):
        super().__init__("bareflank extension", gdb.COMMAND_FILES)

    def invoke(self, argument, _from_tty):
        if not argument.isdigit() or not 0 < int(argument) <= len(State.extensions):
            raise gdb.GdbError(f"a number from 1 to {len(State.extensions)}: see bareflank load")
        show(int(argument))


def read_sections(path):
    """Name and address of each section, from the directory in sysfs, or from lines of
    `grep -r . /sys/module/bareflank/sections`."""
    sections = {}
    try:
        if os.path.isdir(path):
            for name in os.listdir(path):
                with open(os.path.join(path, name), encoding="ascii") as file:
                    sections[name] = int(file.read(), 16)
        else:
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, _, address = line.strip().rpartition(":")
                    if address.startswith("0x"):
                        sections[os.path.basename(name)] = int(address, 16)
    except OSError as problem:
        raise gdb.GdbError(f"{path}: {problem.strerror}")
    except ValueError:
        raise gdb.GdbError(f"{path}: what is there is no address")
    if not sections.get(".text"):
        raise gdb.GdbError(f"{path}: no address of .text; only root can read it")
    return sections


class Module(gdb.Command):
    """bareflank module MODULE.ko SECTIONS

Loads the symbols of Linux's module where it is: SECTIONS is a file with what
`grep -r . /sys/module/bareflank/sections` prints in that machine as root, or the directory
itself."""

    added = None

    def __init__(self):
        super().__init__("bareflank module", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 2:
            raise gdb.GdbError("bareflank module MODULE.ko SECTIONS")
        path = os.path.realpath(os.path.expanduser(words[0]))
        sections = read_sections(os.path.expanduser(words[1]))
        if not os.path.isfile(path):
            raise gdb.GdbError(f"{path}: no such file")
        text = sections.pop(".text")
        # What begins a module is gone once it has begun.
        others = [f"-s {name} {address:#x}" for name, address in sorted(sections.items())
                  if name.startswith(".") and not name.startswith((".init", ".note", ".gnu"))]
        if Module.added:
            gdb.execute(f"remove-symbol-file '{Module.added}'", to_string=True)
            Module.added = None
        gdb.execute(f"add-symbol-file '{path}' {text:#x} {' '.join(others)}", to_string=True)
        Module.added = path


class Where(gdb.Command):
    """bareflank where

Says of each CPU whether it is in Linux, in the microkernel, or in an extension, and in which
one."""

    def __init__(self):
        super().__init__("bareflank where", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        selected = gdb.selected_thread()
        if not selected:
            raise gdb.GdbError("no machine: target remote ...")
        try:
            for thread in sorted(gdb.selected_inferior().threads(), key=lambda each: each.num):
                thread.switch()
                print(f"CPU {thread.num - 1}: {program_counter():#018x}, {place()}")
        finally:
            selected.switch()


class ExtensionFunction(gdb.Function):
    """$bareflank_ext(): the number of the extension whose address space the CPU has, 0 if none.
With several extensions, a condition of breakpoints, which are at addresses that all of them have:
hbreak on_cpuid if $bareflank_ext() == 2"""

    def __init__(self):
        super().__init__("bareflank_ext")

    def invoke(self):
        return current_extension()


for command in (Bareflank, Load, Extension, Module, Where, ExtensionFunction):
    command()
gdb.events.stop.connect(on_stop)
