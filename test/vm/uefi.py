# SPDX-License-Identifier: GPL-2.0-only
"""UEFI firmware for QEMU: its signature database may have a certificate, which Linux trusts as a
key; and its system volume may have bareflank.efi."""

import glob
import os
import shutil
import struct
import subprocess
import uuid

CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd"
SHIM_PROGRAM = "/usr/lib/shim/shimx64.efi"  # without a signature
CODE_AND_VARIABLES = "/usr/share/ovmf/OVMF.fd"  # for emulators without flash memory

# UEFI specification §32.4.1 and §32.6.1
IMAGE_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
OWNER = uuid.UUID("6b32767d-9ffe-4bf4-9a24-0b0a4a9b1c6f")
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")  # §3.3
SHIM_LOCK = uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23")  # the vendor of shim's variables
OWNERS = 0x3  # non-volatile, boot services only
STORED = 0x7  # non-volatile, boot services, run time
SIGNED = STORED | 0x20  # time-based authentication

# Of the volume, and of the store of variables in it, as edk2 lays them out.
VOLUME_HEADER_LENGTH = (0x30, "<H")
STORE_HEADER = 28
VALID = 0x55AA
ADDED = 0x3F


def signature_list(certificate):
    signature = OWNER.bytes_le + certificate
    header = struct.pack("<III", 16 + 12 + len(signature), 0, len(signature))
    return CERT_X509.bytes_le + header + signature


def variable(name, vendor, data, attributes=STORED):
    """A variable that has never been written: its time and counter are 0."""
    text = name.encode("utf-16-le") + b"\0\0"
    header = struct.pack("<HBBIQ16sIII", VALID, ADDED, 0, attributes, 0, bytes(16), 0,
                         len(text), len(data))
    record = header + vendor.bytes_le + text + data
    return record + b"\xff" * (-len(record) % 4)


def load_option(description, path, arguments):
    """A boot entry for a file on whichever volume has it (§3.1.3, §10.3.5.4)."""
    name = path.encode("utf-16-le") + b"\0\0"
    node = struct.pack("<BBH", 4, 4, 4 + len(name)) + name + struct.pack("<BBH", 0x7F, 0xFF, 4)
    text = description.encode("utf-16-le") + b"\0\0"
    return struct.pack("<IH", 1, len(node)) + text + node + arguments.encode("utf-16-le")


def boot_entries(arguments, shim):
    """bareflank.efi, or shim that starts it, as bfm efi install has it: without a NUL. And then
    what booted before."""
    loader = "\\" + LOADER.replace("/", "\\")
    first = ("Bareflank", f"\\{SHIM}", f"{loader} ") if shim else ("Bareflank", loader, "")
    options = [variable(f"Boot{number:04X}", GLOBAL, load_option(*entry))
               for number, entry in enumerate((first, ("Linux", f"\\{KERNEL}", arguments + "\0")))]
    return b"".join([*options, variable("BootOrder", GLOBAL, struct.pack("<HH", 0, 1))])


def keys_of(certificate):
    """A list with that PEM file, as the firmware's variables have it."""
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"],
                         check=True, capture_output=True).stdout
    return signature_list(der)


def write_variables(path, options, arguments):
    """Writes a variable store to path in which the PEM file options.uefi_db, or None, is in db. If
    bareflank.efi is to boot, all is there that switches Secure Boot on, and boot entries, the last
    of which gives Linux these arguments."""
    if not options.uefi_db:
        shutil.copy(VARIABLES, path)
        return
    with open(VARIABLES, "rb") as template:
        store = bytearray(template.read())
    offset, form = VOLUME_HEADER_LENGTH
    at = struct.unpack_from(form, store, offset)[0] + STORE_HEADER
    keys = keys_of(options.uefi_db)
    records = variable("db", IMAGE_SECURITY, keys, SIGNED)
    if options.efi:
        records += variable("KEK", GLOBAL, keys, SIGNED) + variable("PK", GLOBAL, keys, SIGNED)
        records += boot_entries(linux_arguments(arguments), options.mok)
    if options.mok:
        records += variable("MokList", SHIM_LOCK, keys_of(options.mok), OWNERS)
    assert store[at : at + len(records)] == b"\xff" * len(records), "the store is not empty"
    store[at : at + len(records)] = records
    with open(path, "wb") as out:
        out.write(store)


# What the firmware starts, and what a shell of its starts if that does not boot Linux.
LOADER = "EFI/BOOT/BOOTX64.EFI"
BAREFLANK, CONFIG = "bareflank.efi", "bareflank.conf"
TABLES = "kselftest/tables.efi"  # in the build directory: starts bareflank.efi, from beside it
KERNEL, INITRD, SHIM = "linux.efi", "initrd", "shim.efi"


def linux_arguments(arguments):
    return f"initrd=\\{INITRD} {' '.join(arguments.split())}"


# What may boot Linux, or be booted in its place, and where it wants to be: of Debian's packages,
# as test/vm/setup has unpacked them.
PROGRAMS = {
    "systemd-boot": ("usr/lib/systemd/boot/efi/systemd-bootx64.efi",
                     "EFI/systemd/systemd-bootx64.efi"),
    "grub": ("usr/lib/grub/x86_64-efi/monolithic/grubx64.efi", "EFI/debian/grubx64.efi"),
    "memtest": ("boot/memtest86+x64.efi", "memtest.efi"),
}
MEMTEST_ARGUMENTS = "console=ttyS0,115200"
FAULT_MARK, FAULT_ROOM = b"bareflank fault ", 16  # test/faults/efi.c
BOOTED_BY = "BOOTED_BY="  # the argument of Linux's that only a loader's own configuration has


def configuration(loader, arguments):
    """The files with which a boot loader boots Linux: names and contents."""
    arguments = f"{' '.join(arguments.split())} {BOOTED_BY}{loader}"
    if loader == "systemd-boot":
        return {
            "loader/loader.conf": "timeout 0\ndefault linux.conf\n",
            "loader/entries/linux.conf": f"title Linux\nlinux /{KERNEL}\ninitrd /{INITRD}\n"
                                         f"options {arguments}\n",
        }
    if loader == "grub":
        return {"EFI/debian/grub.cfg": "terminal_output console\n"
                                       f"linux /{KERNEL} {arguments}\ninitrd /{INITRD}\nboot\n"}
    return {}


def write(directory, name, text, newline=None):
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii", newline=newline) as out:
        out.write(text)


def add_program(directory, loader, loaders, arguments):
    """Puts what bareflank.efi is to start into the volume; returns the lines that say so."""
    if not loader:
        return [f"next = \\{KERNEL}", f"options = {linux_arguments(arguments)}"]
    source, place = PROGRAMS[loader]
    path = os.path.join(directory, place)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(os.path.join(loaders, source), path)
    for name, text in configuration(loader, arguments).items():
        write(directory, name, text)
    lines = ["next = \\" + place.replace("/", "\\")]
    return [*lines, f"options = {MEMTEST_ARGUMENTS}"] if loader == "memtest" else lines


def write_loader(path, options):
    """Writes bareflank.efi, or the one of the test build, in which something fails."""
    build = os.path.join(options.build, "faults") if options.efi_fault else options.build
    with open(os.path.join(build, BAREFLANK), "rb") as source:
        image = source.read()
    if options.efi_fault:
        request = options.efi_fault.encode().ljust(FAULT_ROOM, b"\0")
        assert image.count(FAULT_MARK) == 1 and len(request) == FAULT_ROOM
        at = image.index(FAULT_MARK) + len(FAULT_MARK)
        image = image[:at] + request + image[at + len(request) :]
    with open(path, "wb") as out:
        out.write(image)


def make_volume(directory, options, loaders, kernel, initrd, arguments, tables=False):
    """Makes a directory that is a machine's system volume. It boots bareflank.efi, whose
    configuration are the lines of options.efi; a line "next" stands for those that boot Linux, or
    options.efi_loader from the directory loaders. Extensions that they name may be those of the
    tests, too. The initrd is moved there. tables: the firmware has no ACPI tables, and gets
    some."""
    place = os.path.join(directory, os.path.dirname(LOADER))
    os.makedirs(place)
    loader = os.path.join(directory, LOADER)
    if tables:
        shutil.copy(os.path.join(options.build, TABLES), loader)
        loader = os.path.join(place, BAREFLANK)
    write_loader(loader, options)
    images = [os.path.join(options.build, "microkernel"), *glob.glob(f"{options.build}/ext/*")]
    named = [line.partition("=")[2].strip() for line in options.efi if line.startswith("extension")]
    images += [os.path.join(options.build, "kselftest/ext", name) for name in named]
    for image in images:
        if os.path.isfile(image) and os.access(image, os.X_OK):
            subprocess.run(["strip", "-o", os.path.join(place, os.path.basename(image)), image],
                           check=True)
    shutil.copy(kernel, os.path.join(directory, KERNEL))
    os.rename(initrd, os.path.join(directory, INITRD))
    program = add_program(directory, options.efi_loader, loaders, arguments)
    lines = [line for given in options.efi for line in (program if given == "next" else [given])]
    write(place, CONFIG, "".join(line + "\n" for line in lines))
    arguments = linux_arguments(arguments)
    write(directory, "startup.nsh", f"fs0:\\{KERNEL} {arguments}\r\n", "")
    if options.uefi_db:
        secure_volume(directory, options, arguments)


def flip(path, at):
    """Changes a bit of a file."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def key_of(certificate):
    """The options by which programs sign with the key that is beside the certificate."""
    return ["--key", f"{os.path.splitext(certificate)[0]}.key", "--cert", certificate]


def sign(program, signed, certificate):
    subprocess.run(["sbsign", *key_of(certificate), "--output", signed, program], check=True,
                   capture_output=True)


def secure_volume(directory, options, arguments):
    """Has bareflank.efi as options.sealed says, and a signed kernel."""
    loader, kernel = os.path.join(directory, LOADER), os.path.join(directory, KERNEL)
    place = os.path.dirname(loader)
    key = key_of(options.mok or options.uefi_db)
    sign(kernel, kernel, options.uefi_db)
    if options.mok:
        sign(SHIM_PROGRAM, os.path.join(directory, SHIM), options.uefi_db)
    if options.sealed == "apart":
        sign(loader, loader, options.uefi_db)
        return
    shutil.copy(loader, os.path.join(place, BAREFLANK))
    # With a machine owner key, from the file that is there.
    what = ["--next", f"\\{KERNEL}", "--options", arguments]
    subprocess.run(
        [os.path.join(options.build, "bfm/bfm"), "efi", "image", "-o", loader]
        + (["--config", os.path.join(place, CONFIG)] if options.mok else what)
        + ([] if options.sealed == "unsigned" else key),
        check=True, capture_output=True, env={**os.environ, "BAREFLANK_LIBDIR": place},
    )
    microkernel = os.path.join(place, "microkernel")
    middle = os.path.getsize(microkernel) // 2
    if options.sealed == "changed":
        with open(loader, "rb") as program, open(microkernel, "rb") as image:
            flip(loader, program.read().index(image.read()) + middle)
    # What is beside it must not matter.
    flip(microkernel, middle)
    write(place, CONFIG, "next = absent\n")


def make_disk(directory, image):
    """Makes a disk image with what is in the directory, which is removed; returns its cylinders,
    and its geometry otherwise, as Bochs wants them."""
    size = sum(os.path.getsize(os.path.join(where, name))
               for where, _, names in os.walk(directory) for name in names)
    cylinders = 4 * (size * 5 // 4 // 2**20 + 40)  # 16 heads and 32 sectors: a quarter of a MiB
    with open(image, "wb") as disk:
        disk.truncate(cylinders * 16 * 32 * 512)
    subprocess.run(["mformat", "-F", "-i", image, "-t", str(cylinders), "-h", "16", "-n", "32",
                    "::"], check=True)
    subprocess.run(["mcopy", "-s", "-i", image, *glob.glob(f"{directory}/*"), "::"], check=True)
    shutil.rmtree(directory)
    return cylinders, "heads=16, spt=32"
