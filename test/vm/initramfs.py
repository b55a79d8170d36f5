# SPDX-License-Identifier: GPL-2.0-only
"""The guest's whole world: an uncompressed cpio archive with busybox and what a test needs."""

import os
import re
import shlex
import stat
import struct
import subprocess

BUSYBOX = "/bin/busybox"

PT_DYNAMIC = 2  # <elf.h>

# Messages for the host go through the kernel log: unlike lines written to a terminal, nothing
# can come between their characters. Level 0 prints them whatever the script did to the log.
# stty waits until the terminal has sent all of the script's own output.
INIT = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /root /mnt /var/log /bin /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM={term} {environment}
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t debugfs debugfs /sys/kernel/debug
ln -s /proc/self/fd /dev/fd
ln -s /proc/mounts /etc/mtab
hostname bareflank
ip link set lo up
cd /root
if [ -n "{interactive}" ]; then
	stty -F /dev/ttyS0 rows {rows} cols {columns} 2>/dev/null
	setsid cttyhack /bin/sh -l
	poweroff -f
fi
echo "<0>{token} begin" >/dev/kmsg
{command} </dev/null
status=$?
stty -F /dev/ttyS0 -echo
echo "<0>{token} status $status" >/dev/kmsg
poweroff -f
"""

# The outer Linux of a nested machine: all it does is to run QEMU.
OUTER_INIT = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ip link set lo up
modprobe kvm-amd nested=1 || modprobe kvm-intel nested=1
{command}
echo "QEMU ended with status $?"
poweroff -f
"""


class Archive:
    """A cpio archive in the "newc" format, which is what the kernel unpacks."""

    def __init__(self):
        self._entries = {}
        self._dynamic = []

    def directory(self, path, mode=0o755):
        path = path.strip("/")
        if path and path not in self._entries:
            self.directory(os.path.dirname(path))
            self._entries[path] = (stat.S_IFDIR | mode, b"")

    def file(self, path, data, mode=0o644):
        self.directory(os.path.dirname(path))
        self._entries[path.strip("/")] = (stat.S_IFREG | mode, data)

    def copy(self, host, guest):
        """Copies a file, for which write() adds the libraries it wants, or a directory with all
        below it."""
        if os.path.isdir(host):
            self.directory(guest)
            for name in sorted(os.listdir(host)):
                self.copy(os.path.join(host, name), os.path.join(guest, name))
            return
        with open(host, "rb") as source:
            data = source.read()
        self.file(guest, data, 0o755 if os.access(host, os.X_OK) else 0o644)
        if is_dynamic(data):
            self._dynamic.append(host)

    def write(self, out):
        for library in shared_libraries(self._dynamic):
            self.copy(library, library)
        for inode, (path, (mode, data)) in enumerate(self._entries.items(), 1):
            self._write_entry(out, path, mode, data, inode)
        self._write_entry(out, "TRAILER!!!", 0, b"", 0)

    @staticmethod
    def _write_entry(out, path, mode, data, inode):
        name = path.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out.write(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))


def is_dynamic(data):
    """Whether it is an ELF file of 64 bits that the dynamic linker has to do with: PT_DYNAMIC. Most
    are not, and to ask ldd about each of those takes longer than a boot."""
    try:
        first, = struct.unpack_from("<Q", data, 32)
        size, number = struct.unpack_from("<HH", data, 54)
        return data.startswith(b"\x7fELF\2") and any(
            struct.unpack_from("<I", data, first + n * size) == (PT_DYNAMIC,)
            for n in range(number))
    except struct.error:  # it is cut off
        return False


def shared_libraries(files):
    """What the dynamic linker would load for these, themselves apart."""
    if not files:
        return []
    result = subprocess.run(["ldd", *files], capture_output=True, text=True, check=True)
    return sorted(set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(0x", result.stdout, re.MULTILINE)))


def build(path, *, token, script, arguments, copies, environment, terminal=None):
    """Writes the archive; with a terminal size instead of a script, the guest runs a shell."""
    archive = Archive()
    archive.copy(BUSYBOX, BUSYBOX)
    archive.directory("etc")
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\n")
    command = "false"
    if script:
        guest = "/root/" + os.path.basename(script)
        archive.copy(script, guest)
        with open(script, "rb") as source:
            runnable = source.read(4).startswith((b"#!", b"\x7fELF"))
        command = shlex.join(([] if runnable else ["/bin/sh"]) + [guest, *arguments])
        if runnable:
            command = f"chmod 755 {shlex.quote(guest)}; {command}"
    for host, guest in copies:
        archive.copy(host, guest)
    columns, rows = terminal or (80, 24)
    init = INIT.format(
        token=token,
        command=command,
        interactive="y" if terminal else "",
        rows=rows,
        columns=columns,
        term=os.environ.get("TERM", "vt100") if terminal else "dumb",
        environment=" ".join(f"{name}={shlex.quote(value)}" for name, value in environment),
    )
    archive.file("init", init.encode(), 0o755)
    with open(path, "wb") as out:
        archive.write(out)


def build_outer(path, *, command, copies):
    """Writes the archive of the outer Linux of a nested machine, which runs a command."""
    archive = Archive()
    archive.copy(BUSYBOX, BUSYBOX)
    for host, guest in copies:
        archive.copy(host, guest)
    archive.file("init", OUTER_INIT.format(command=shlex.join(command)).encode(), 0o755)
    with open(path, "wb") as out:
        archive.write(out)
