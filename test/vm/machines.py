# SPDX-License-Identifier: GPL-2.0-only
"""The emulators that the tests run on, with one interface: start, serial, ended, evidence."""

import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import initramfs
import uefi

CACHE = os.environ.get("BAREFLANK_CACHE") or os.path.expanduser("~/.cache/bareflank")
LOADERS = os.path.join(CACHE, "loaders")  # for UEFI

KERNEL_ARGS = (
    "console=ttyS0,115200 panic=0 loglevel=5 printk.devkmsg=on cryptomgr.notests "
    "sysrq_always_enabled"
)
BOCHS_ARGS = (
    "mitigations=off tsc=reliable no_timer_check audit=0 apparmor=0 lsm= random.trust_cpu=on "
    "init_on_alloc=0 nowatchdog rcupdate.rcu_expedited=1 8250.nr_uarts=1 idle=nomwait nokaslr "
    "clearcpuid=aperfmperf,mwaitx,xsavec,xsaves"
)
BOCHS_IPS = 20_000_000
# In Bochs' log, a reset that is not the power-on, at tick 0; its BIOS does not survive one.
LATE_RESET = re.compile(rb"^0*[1-9]\d*i\[.*bx_pc_system_c::Reset\(", re.MULTILINE)

# Of how many CPUs a QEMU that hangs shows the local APICs.
SHOWN_APICS = 8
# What QEMU says of a CPU's registers that no failure needed.
UNTELLING = r"^(FPR|[XYZ]MM|FCW|OPMASK|CC[ADS]|[DEFG]S |LDT|TR |DR\d).*\n"
# Linux's list of tasks: the name of one, what a CPU runs, and a function that it is in, sure to be
# called.
TASK = re.compile(r"task:(\S+) +state:(\S).*ppid:(\d+)")
ACTIVE = re.compile(r"\] (CPU: \d+) (?:UID: \d+ )?PID: \d+ Comm: (\S+)")  # UID: from 6.11 on
FRAME = re.compile(r"\](?: RIP: 0010:| +)([\w.]+)\+0x[0-9a-f]+/0x")
KTHREADD = "2"  # the parent of the kernel's own
RUNS = "R"  # the state of one that runs, or could
SHOWN_FRAMES = 10
SYSRQ_SECONDS, SYSRQ_MOST = 3, 30  # in which Linux prints a line more, if there is one; and all

# Of a machine in a machine.
OUTER_KERNEL = "6.1"
FIRMWARE = (
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/kvmvapic.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
)


class Unavailable(Exception):
    """The machine cannot be had on this host."""


def kernel_files(kernel):
    """The kernel image and the directory that is the guest's /lib/modules."""
    if "/" in kernel:
        return kernel, None
    directory = os.path.join(CACHE, "kernels", kernel)
    image = os.path.join(directory, "vmlinuz")
    if not os.path.isfile(image):
        raise Unavailable(f"no kernel {image}: run 'make deps'")
    return image, os.path.join(directory, "lib/modules")


def find(program, package):
    path = shutil.which(program)
    if not path:
        raise Unavailable(f"no {program} here ({package}): run 'make deps'")
    return path


class Qemu:
    """QEMU: SVM in software, or the host's own through KVM."""

    boot_timeout = 90
    memory = 512

    def __init__(self, options, directory):
        self.options = options
        self.log = os.path.join(directory, "qemu.log")
        self.errors = os.path.join(directory, "qemu.stderr")
        self.monitor = None
        self.process = None
        self.serial = None
        self.reason = ""
        self._reply = b""
        self._number = 0  # of the last request with an answer

    def command(self, kernel, initrd):
        options = self.options
        threads = "single" if options.one_thread else "multi"
        cpu, accelerator = "EPYC,+svm,+npt", ["-accel", f"tcg,thread={threads}"]
        arguments = KERNEL_ARGS
        if options.machine == "kvm":
            self.require_nested_kvm()
        if options.machine == "qemu-svm":
            program = fixed_qemu(os.path.dirname(self.log))
        else:
            program = [find("qemu-system-x86_64", "qemu-system-x86")]
            cpu, accelerator = "host", ["-accel", "kvm"]
        if options.icount:
            accelerator = "-accel tcg,thread=single -icount shift=0,sleep=off -seed 1".split()
            accelerator += ["-rtc", "base=2024-01-01T00:00:00,clock=vm"]
            arguments += " nokaslr"
        if options.gdb:
            unix = f"unix:{options.gdb},server=on,wait=off"
            tcp = f"tcp:127.0.0.1:{options.gdb}"
            accelerator += ["-S", "-gdb", tcp if options.gdb.isdigit() else unix]
            arguments += " nokaslr"
        arguments = f"{arguments} {options.kernel_args}"
        firmware = self.firmware(arguments) if options.uefi_db or options.efi else []
        boot = ["-machine", "pc", "-kernel", kernel, "-initrd", initrd, "-append", arguments]
        if options.efi:
            volume = os.path.join(os.path.dirname(self.log), "esp")
            uefi.make_volume(volume, options, LOADERS, kernel, initrd, arguments)
            boot = ["-machine", "q35", "-drive", f"if=ide,format=raw,file=fat:rw:{volume}"]
            boot += ["-vga", "std"] if options.efi_loader == "memtest" else []
        return [
            *program,
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-cpu", options.cpu or cpu, "-smp", str(options.cpus), "-m", str(options.mem)),
            *accelerator,
            *firmware,
            *boot,
            *("-d", "cpu_reset" + (",int" if options.trace else ""), "-D", self.log),
            *("-action", f"reboot={'reset' if options.boots > 1 else 'shutdown'},shutdown=pause"),
            *self.disk(),
            *options.machine_args,
        ]

    def disk(self):
        if not self.options.disk:
            return []
        image = make_disk(os.path.dirname(self.log), self.options.disk)
        return ["-drive", f"if=ide,format=raw,file={image},cache=unsafe"]

    def firmware(self, arguments):
        """UEFI in place of a BIOS; its signature database may have a certificate, and what it
        boots has to be signed then."""
        if not os.path.exists(uefi.CODE):
            raise Unavailable(f"no {uefi.CODE} here (ovmf): run 'make deps'")
        if self.options.efi_loader and not os.path.isdir(LOADERS):
            raise Unavailable(f"no {LOADERS} here: run 'make deps'")
        variables = os.path.join(os.path.dirname(self.log), "variables")
        uefi.write_variables(variables, self.options, arguments)
        flash = "if=pflash,format=raw"
        return ["-drive", f"{flash},readonly=on,file={uefi.CODE}",
                "-drive", f"{flash},file={variables}"]

    @staticmethod
    def require_nested_kvm():
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise Unavailable("this host offers no KVM (/dev/kvm)")
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
            if not re.search(r"^flags.*\b(svm|vmx)\b", info.read(), re.MULTILINE):
                raise Unavailable("this host's CPUs have neither VMX nor SVM")
        nested = ""
        for parameter in glob.glob("/sys/module/kvm_*/parameters/nested"):
            with open(parameter, encoding="ascii") as value:
                nested += value.read().strip()
        if nested not in ("1", "Y"):
            raise Unavailable("this host's KVM has nested virtualisation switched off")

    def interact(self, kernel, initrd):
        """Hands the terminal to the guest; Ctrl-A x ends it."""
        command = self.command(kernel, initrd) + ["-serial", "mon:stdio"]
        command[command.index("reboot=shutdown,shutdown=pause")] = "reboot=shutdown"
        return subprocess.run(command, check=False).returncode

    def start(self, kernel, initrd):
        command = self.command(kernel, initrd)
        ours, theirs = socket.socketpair()
        with theirs, open(self.errors, "wb") as errors:
            self.process = spawn(
                command
                + ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
                + ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}"]
                + ["-mon", "chardev=qmp,mode=control"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=(theirs.fileno(),),
            )
        self.serial = self.process.stdout.fileno()
        self.monitor = ours

    def ended(self):
        """Why the machine stopped running, if it did."""
        for message in self._messages(0):
            if "QMP" in message:
                self.monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
            elif message.get("event") == "SHUTDOWN":
                self.reason = message["data"]["reason"]
        if self.reason == "guest-shutdown":
            return "poweroff"
        if self.reason == "guest-reset":
            return "triple fault" if self._triple_fault() else "reboot"
        if self.process.poll() is not None:
            return f"QEMU exited with status {self.process.returncode}"
        return self.reason

    def inject_nmi(self):
        """As an operator would, or a watchdog device: to the CPU that Linux lets take it."""
        self.monitor.sendall(b'{"execute": "inject-nmi"}\n')

    def evidence(self):
        """What the emulator knows about a machine that died or hangs, and what Linux knows first:
        of a long report not all may be shown."""
        errors = read_tail(self.errors, 10_000).splitlines()
        said = "".join(line + "\n" for line in errors if "doesn't support requested" not in line)
        registers = self._ask("info registers -a").replace("\r", "")
        text = re.sub("(?m)" + UNTELLING, "", registers)
        # an interrupt that does not arrive is pending there, or waits for the end of another one
        for cpu in range(min(self.options.cpus, SHOWN_APICS)):
            text += self._ask(f"info lapic {cpu}").replace("\r", "")
        text += re.sub("(?m)^ +pin .* masked .*\n", "", self._ask("info pic").replace("\r", ""))
        # This may also wake what has waited for the serial line: then it goes on to print.
        said += self._sysrq("7")
        tasks = self._sysrq("t") + self._sysrq("l")
        said += "".join(line + "\n" for line in what_tasks_do(tasks))
        return said + text

    def _sysrq(self, key):
        """What Linux prints if it gets that on its serial console: nothing, if it is not alive."""
        if self._execute("chardev-send-break", {"id": "console"}) is None:
            return ""
        try:
            self.process.stdin.write(key.encode())
            self.process.stdin.flush()
        except OSError:
            return ""
        text = b""
        deadline = time.monotonic() + SYSRQ_MOST
        while (time.monotonic() < deadline
               and select.select([self.serial], [], [], SYSRQ_SECONDS)[0]):
            data = os.read(self.serial, 65536)
            if not data:
                break
            text += data
        return text.decode(errors="replace").replace("\r", "")

    def _ask(self, command):
        """What QEMU's human monitor answers; nothing if it does not."""
        return self._execute("human-monitor-command", {"command-line": command}) or ""

    def _execute(self, command, arguments):
        """What QEMU's machine monitor returns; None if it does not."""
        self._number += 1  # other commands' answers may not have been read yet
        request = {"execute": command, "arguments": arguments, "id": self._number}
        try:
            self.monitor.sendall(json.dumps(request).encode() + b"\n")
            for message in self._messages(5):
                if message.get("id") == self._number:
                    return message.get("return")
        except OSError:
            pass
        return None

    def instructions(self):
        """How many it has executed, with --icount; a machine that has ended waits meanwhile."""
        self.monitor.sendall(b'{"execute": "query-replay"}\n')
        for message in self._messages(5):
            if "icount" in message.get("return", ()):
                return message["return"]["icount"]
        return None

    def _triple_fault(self):
        return "Triple fault" in read_tail(self.log, 1_000_000)

    def _messages(self, patience):
        deadline = time.monotonic() + patience
        while True:
            self.monitor.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.monitor.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, self._reply = (self._reply + data).split(b"\n")
            yield from (json.loads(line) for line in lines if line.strip())


def what_tasks_do(text):
    """Of what Linux says of its tasks and CPUs: a line for each process, with where it waits if it
    does, and one for each CPU that is not idle."""
    found = []
    for line in text.splitlines():
        task, active, frame = TASK.search(line), ACTIVE.search(line), FRAME.search(line)
        if task:
            found.append((task[1], task[2], task[3], []))
        elif active:
            found.append((f"{active[1]}, {active[2]}", RUNS, "", []))
        elif frame and found and len(found[-1][3]) < SHOWN_FRAMES:
            found[-1][3].append(frame[1])
    for name, state, parent, frames in found:
        if parent != KTHREADD and (frames or state == RUNS):
            yield f"{name} ({state}): {' < '.join(frames)}"


def make_disk(directory, megabytes):
    """An empty disk."""
    path = os.path.join(directory, "disk")
    with open(path, "wb") as image:
        image.truncate(megabytes << 20)
    return path


def make_outer(path, command, modules, kernel, initrd):
    """The archive of an outer Linux, which runs a machine with QEMU. The initrd is moved there."""
    initramfs.build_outer(
        path,
        command=command,
        copies=[
            (command[0], command[0]),
            *((firmware, firmware) for firmware in FIRMWARE),
            (modules, "/lib/modules"),
            (kernel, "/inner/vmlinuz"),
            (initrd, "/inner/initrd"),
        ],
    )
    os.remove(initrd)


class NestedQemu(Qemu):
    """KVM on an emulated CPU: an outer Linux on QEMU's SVM runs the machine with its own KVM.

    The outer Linux has three serial ports: its console, which becomes part of the evidence, the
    console of the machine, and the machine's QMP."""

    boot_timeout = 900
    outer_memory = 1536  # MB besides the machine's own: the archive, twice while it is unpacked
    outer_cpus = 2

    def __init__(self, options, directory):
        super().__init__(options, directory)
        self.directory = directory
        self.console = os.path.join(directory, "outer.log")

    def start(self, kernel, initrd):
        outer_kernel, outer_modules = kernel_files(OUTER_KERNEL)
        self.log = "/tmp/qemu.log"
        inner = self.command("/inner/vmlinuz", "/inner/initrd")
        inner += ["-chardev", "serial,id=com1,path=/dev/ttyS1", "-serial", "chardev:com1"]
        inner += ["-chardev", "serial,id=qmp,path=/dev/ttyS2", "-mon", "chardev=qmp,mode=control"]
        archive = os.path.join(self.directory, "outer.initrd")
        make_outer(archive, inner, outer_modules, kernel, initrd)
        ours, theirs = socket.socketpair()
        with theirs, open(self.errors, "wb") as errors:
            self.process = spawn(
                [
                    *fixed_qemu(self.directory),
                    *("-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc"),
                    *("-cpu", "EPYC,+svm,+npt", "-accel", "tcg,thread=multi"),
                    *("-smp", str(self.outer_cpus)),
                    *("-m", str(self.options.mem + self.outer_memory)),
                    *("-kernel", outer_kernel, "-initrd", archive, "-no-reboot"),
                    *("-append", f"{KERNEL_ARGS} panic=-1 oops=panic mitigations=off nokaslr"),
                    *("-serial", f"file:{self.console}", "-serial", "stdio"),
                    *("-chardev", f"socket,id=qmp,fd={theirs.fileno()}"),
                    *("-device", "isa-serial,chardev=qmp,index=2,irq=5"),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=(theirs.fileno(),),
            )
        self.serial = self.process.stdout.fileno()
        self.monitor = ours

    def evidence(self):
        return f"{super().evidence()}The outer Linux said:\n{read_tail(self.console, 10_000)}"


class Bochs:
    """Bochs: VMX and SVM in software, strict about both, one instruction at a time."""

    boot_timeout = 300
    memory = 384
    models = {"bochs-vmx": "corei7_skylake_x", "bochs-svm": "ryzen"}

    def __init__(self, options, directory):
        self.options = options
        # Trixie's Bochs, as setup unpacked it, or what is installed here.
        self.root = os.path.join(CACHE, "bochs") if options.bochs == "trixie" else ""
        self.directory = directory
        self.cpus = 0
        self.log = os.path.join(directory, "bochs.log")
        self.log_seen = 0
        self.reset = False
        self.errors = os.path.join(directory, "bochs.out")
        self.process = None
        self.serial = None

    def start(self, kernel, initrd):
        options = self.options
        self.boot(kernel, initrd, options.kernel_args, options.cpus, options.mem)

    def ports(self, fifo):
        """The serial ports; the first is Linux's console, and what goes to the FIFO is watched."""
        return f"com1: enabled=1, mode=file, dev={fifo}"

    def disk(self):
        megabytes = self.options.disk
        if not megabytes:
            return ""
        image = make_disk(self.directory, megabytes)
        # 16 heads and 32 sectors are a quarter of a megabyte.
        geometry = f"cylinders={4 * megabytes}, heads=16, spt=32"
        return f"ata0-slave: type=disk, path={image}, mode=flat, {geometry}"

    def boot(self, kernel, initrd, arguments, cpus, memory):
        program, environment = self.program()
        options = self.options
        self.cpus = cpus
        arguments = f"{KERNEL_ARGS} {BOCHS_ARGS} tsc_early_khz={BOCHS_IPS // 1000} {arguments}"
        if options.efi:
            firmware, drive, boot = self.make_volume(kernel, initrd, arguments)
        else:
            self.make_iso(kernel, initrd, arguments)
            firmware = f"romimage: file={self.root}/usr/share/bochs/BIOS-bochs-latest"
            drive = f"type=cdrom, path={self.directory}/boot.iso, status=inserted"
            boot = "cdrom"
        fifo = os.path.join(self.directory, "serial")
        os.mkfifo(fifo)
        self.serial = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        cpus_report = "".join(f", cpu{cpu}=report" for cpu in range(cpus))
        model = options.cpu or self.models[options.machine]
        self.write("commands", "c\n")
        self.write(
            "bochsrc",
            f"""display_library: rfb, options="timeout=0"
megs: {memory}
{firmware}
vgaromimage: file={self.root}/usr/share/vgabios/vgabios.bin
cpu: model={model}, count={cpus}, quantum=32, ips={BOCHS_IPS}, reset_on_triple_fault=0
clock: sync=none, time0=1700000000
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: {drive}
{self.disk()}
boot: {boot}
{self.ports(fifo)}
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
plugin_ctrl: speaker=0
log: {self.log}
panic: action=fatal
error: action=report
info: action=ignore{cpus_report}, pc_system=report
debug: action=ignore
"""
            + "".join(line + "\n" for line in options.machine_args),
        )
        with open(self.errors, "wb") as output:
            self.process = spawn(
                [*program, "-q", "-f", "bochsrc", "-rc", "commands"],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def make_volume(self, kernel, initrd, arguments):
        """UEFI firmware and a disk that it boots from, for the bochsrc."""
        if not os.path.exists(uefi.CODE_AND_VARIABLES):
            raise Unavailable(f"no {uefi.CODE_AND_VARIABLES} here (ovmf): run 'make deps'")
        if self.options.efi_loader and not os.path.isdir(LOADERS):
            raise Unavailable(f"no {LOADERS} here: run 'make deps'")
        volume = os.path.join(self.directory, "esp")
        # Linux finds no other CPUs without ACPI tables, which OVMF has from QEMU only.
        uefi.make_volume(volume, self.options, LOADERS, kernel, initrd, arguments,
                         self.cpus > 1)
        image = os.path.join(self.directory, "disk.fat")
        cylinders, geometry = uefi.make_disk(volume, image)
        drive = f"type=disk, path={image}, mode=flat, cylinders={cylinders}, {geometry}"
        return (f"romimage: file={uefi.CODE_AND_VARIABLES}\npci: enabled=1, chipset=i440fx", drive,
                "disk")

    def program(self):
        """How to call it, and its environment. Trixie's runs with trixie's libraries, and needs no
        chroot."""
        if not self.root:
            return [find("bochs", "bochs")], None
        libraries = f"{self.root}/usr/lib/x86_64-linux-gnu"
        if not os.path.isdir(libraries):
            raise Unavailable(f"no {self.root} here: run 'make deps'")
        linker = f"{self.root}/usr/lib64/ld-linux-x86-64.so.2"
        path = f"{libraries}:{libraries}/pulseaudio"
        return (
            [linker, "--library-path", path, f"{self.root}/usr/bin/bochs-bin"],
            {**os.environ, "LTDL_LIBRARY_PATH": f"{libraries}/bochs/plugins"},
        )

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="ascii") as out:
            out.write(text)

    def make_iso(self, kernel, initrd, arguments):
        tree = os.path.join(self.directory, "iso")
        os.mkdir(tree)
        for source in (
            "/usr/lib/ISOLINUX/isolinux.bin",
            "/usr/lib/syslinux/modules/bios/ldlinux.c32",
        ):
            if not os.path.exists(source):
                raise Unavailable(f"no {source} here: run 'make deps'")
            shutil.copy(source, tree)
        shutil.copy(kernel, os.path.join(tree, "vmlinuz"))
        os.rename(initrd, os.path.join(tree, "initrd"))
        self.write(
            "iso/isolinux.cfg",
            "SERIAL 0 115200\nPROMPT 0\nTIMEOUT 0\nDEFAULT linux\nLABEL linux\n"
            f"  KERNEL vmlinuz\n  INITRD initrd\n  APPEND {arguments}\n",
        )
        subprocess.run(
            [find("xorriso", "xorriso"), "-as", "mkisofs", "-quiet", "-o", "boot.iso"]
            + ["-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"]
            + ["-boot-load-size", "4", "-boot-info-table", "iso"],
            cwd=self.directory,
            check=True,
            stderr=subprocess.DEVNULL,
        )

    def ended(self):
        if self.was_reset():
            return "reboot"
        if self.process.poll() is None:
            return ""
        log = read_tail(self.log, 200_000)
        if "3rd (" in log and "exception with no resolution" in log:
            return "triple fault"
        if "Shutdown port: shutdown requested" in log or "ACPI control: soft power off" in log:
            return "poweroff"
        return "Bochs stopped"

    def was_reset(self):
        """Looks only at what is new in the log, but at all of it: a BIOS that has gone astray may
        log a lot."""
        if os.path.exists(self.log):
            with open(self.log, "rb") as log:
                log.seek(self.log_seen)
                lines = log.read()
            lines = lines[: lines.rfind(b"\n") + 1]
            self.log_seen += len(lines)
            self.reset = self.reset or LATE_RESET.search(lines) is not None
        return self.reset

    def evidence(self):
        if self.process.poll() is None:
            self.ask_debugger()
        output = read_tail(self.errors, 6000)
        lines = [line for line in read_tail(self.log, 200_000).splitlines() if keep_log_line(line)]
        return "\n".join(lines[-80:]) + "\n" + output[output.find("<bochs:") :]

    def ask_debugger(self):
        """Stops the machine and has Bochs' debugger print each CPU's registers."""
        try:
            self.process.send_signal(signal.SIGINT)
            time.sleep(1)
            for cpu in range(self.cpus):
                self.process.stdin.write(b"set $cpu=%d\n" % cpu)
                self.process.stdin.write(b"r\nsreg\ncreg\nu /4\n")
            self.process.stdin.write(b"quit\n")
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass


class NestedBochs(Bochs):
    """KVM on Bochs' VMX: as NestedQemu, but with one CPU outside, and without QMP."""

    boot_timeout = 900
    models = {"nested-vmx": "corei7_skylake_x"}
    outer_memory = 512

    def __init__(self, options, directory):
        super().__init__(options, directory)
        self.console = os.path.join(directory, "outer.log")

    def start(self, kernel, initrd):
        options = self.options
        outer_kernel, outer_modules = kernel_files(OUTER_KERNEL)
        inner = [
            find("qemu-system-x86_64", "qemu-system-x86"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc"),
            *("-accel", "kvm", "-cpu", "host", "-smp", str(options.cpus), "-m", str(options.mem)),
            *("-kernel", "/inner/vmlinuz", "-initrd", "/inner/initrd", "-no-reboot"),
            *("-append", f"{KERNEL_ARGS} {BOCHS_ARGS} {options.kernel_args}"),
            *("-chardev", "serial,id=com1,path=/dev/ttyS1", "-serial", "chardev:com1"),
        ]
        archive = os.path.join(self.directory, "outer.initrd")
        make_outer(archive, inner, outer_modules, kernel, initrd)
        arguments = "8250.nr_uarts=2 panic=-1 oops=panic"
        self.boot(outer_kernel, archive, arguments, 1, options.mem + self.outer_memory)

    def ports(self, fifo):
        return f"com1: enabled=1, mode=file, dev={self.console}\n" + super().ports(fifo).replace(
            "com1", "com2"
        )

    def evidence(self):
        return f"{super().evidence()}\nThe outer Linux said:\n{read_tail(self.console, 10_000)}"


MACHINES = {
    "qemu-svm": Qemu,
    "kvm": Qemu,
    "nested-svm": NestedQemu,
    "nested-vmx": NestedBochs,
    "bochs-vmx": Bochs,
    "bochs-svm": Bochs,
}


def keep_log_line(line):
    """Tells the lines of Bochs' log that say why a guest died from its start-up messages."""
    return not re.match(r"\d+i\[(?!CPU)|.*Unknown register 0xe[78]$", line)


def fixed_qemu(directory):
    """The command that runs QEMU with its own CPUs: qemu_fix.c says what is mended in it."""
    fix = os.path.join(directory, "qemu_fix.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../ext/sdk/qemu_fix.c")
    subprocess.run([find("cc", "gcc"), "-shared", "-fPIC", "-O2", "-o", fix, source], check=True)
    return ["env", f"LD_PRELOAD={fix}", find("qemu-system-x86_64", "qemu-system-x86")]


def spawn(command, **options):
    """Starts an emulator that dies with this program, and that the terminal's Ctrl-C spares."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command], start_new_session=True, **options
    )


def cpu_time(process):
    """Seconds of CPU time that an emulator has used, all of its threads together."""
    try:
        with open(f"/proc/{process.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def demand(process):
    """Seconds that the threads of an emulator ran or waited for a CPU: small only where it idles,
    however busy the host is."""
    total = 0
    for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as stat:
                total += sum(int(field) for field in stat.read().split()[:2])
        except OSError:
            pass  # a thread that has ended meanwhile
    return total / 1e9 or cpu_time(process)  # not every kernel counts the waits


def read_tail(path, size):
    try:
        with open(path, "rb") as log:
            log.seek(max(os.path.getsize(path) - size, 0))
            return log.read().decode(errors="replace")
    except OSError:
        return ""
