"""One machine in QEMU, started directly with chosen devices: its serial log, its network cards as sockets that carry raw
frames, its control console, its end."""
import collections
import re
import select
import socket
import subprocess
import threading
import time

import protocol

LIMIT = 60  # seconds: far more than anything takes on an idle machine
MAC = "52:54:00:12:34:{:02x}"
ADDRESS = "ip=10.0.2.15/24,10.0.2.2"
TIMEBASE = 10_000_000  # ticks a second of QEMU's clock


class Nic:
    """The host's end of a network card: one datagram a frame."""

    def __init__(self, folder, number):
        self.guest, self.path = f"{folder}/g{number}", f"{folder}/h{number}"
        self.mac = MAC.format(0x56 + number)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(self.path)
        self.discovery = False

    def send(self, frame):
        """Waits while QEMU's socket is full."""
        end = time.monotonic() + LIMIT
        while True:
            try:
                return self.socket.sendto(bytes(frame), self.guest)
            except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
                assert time.monotonic() < end, "QEMU takes no frames"
                time.sleep(0.01)

    def receive(self, seconds):
        """The next frame, or None after so many seconds. What a machine asks its neighbours in IPv6 of its own accord, when it
        starts, is left out unless .discovery is set."""
        end = time.monotonic() + seconds
        while select.select([self.socket], [], [], max(end - time.monotonic(), 0))[0]:
            frame = self.socket.recv(65536)
            if self.discovery or frame[:2] != b"\x33\x33" or frame[12:14] != b"\x86\xdd":
                return frame
        return None

    def find(self, accept, seconds=LIMIT):
        """The next frame that accept likes; others are dropped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            frame = self.receive(left)
            if frame is not None and accept(frame):
                return frame
        return None

    def drain(self):
        while self.receive(0) is not None:
            pass

    def netdev(self, number):
        return (f"dgram,id=n{number},local.type=unix,local.path={self.guest},remote.type=unix,remote.path={self.path}")


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Control:
    """The host's end of the control protocol, on a connected stream socket."""

    def __init__(self, stream):
        self.stream = stream
        self.receiver = protocol.Receiver()
        self.messages = collections.deque()
        self.number = 0
        self.self = int(time.monotonic() * 1e6) | 1

    def receive(self, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not self.messages:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.stream], [], [], left)[0]:
                return None
            data = self.stream.recv(65536)
            if not data:
                return None
            self.messages.extend(self.receiver.feed(data))
        return self.messages.popleft()

    def send(self, kind, number, body):
        self.stream.sendall(protocol.encode_message(kind, number, body))

    def hello(self, seconds=LIMIT):
        """Shake hands; what the agent says of itself."""
        end = time.monotonic() + seconds
        self.self += 2
        while time.monotonic() < end:
            self.send(protocol.HELLO, 0, protocol.encode("hello", version=1, self=self.self, peer=0, body_max=protocol.BODY_MAX))
            again = time.monotonic() + 1
            while time.monotonic() < again:
                message = self.receive(max(again - time.monotonic(), 0))
                if message and message[0] == protocol.HELLO:
                    said = protocol.decode("hello", message[2])
                    if said["peer"] == self.self:
                        return said
        raise AssertionError(f"the agent did not answer hello within {seconds} s")

    def ask(self, kind, body=b"", seconds=LIMIT):
        """The body of the reply; Refused if it is an error."""
        self.number += 1
        self.send(kind, self.number, body)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            message = self.receive(left)
            if message is None or message[1] != self.number:
                continue
            if message[0] == protocol.ERROR:
                error = protocol.decode("error", message[2])
                raise Refused(error["code"], error["text"])
            assert message[0] == kind | protocol.REPLY, message
            return message[2]
        raise AssertionError(f"request {kind} was not answered within {seconds} s")

    def load(self, name, app, images, netif=0, **more):
        """more: handler (an image), fuel."""
        return protocol.decode("loaded", self.ask(protocol.LOAD, protocol.encode(
            "load", name=name, app=app, netif=netif, ingress=images[0], egress=images[1], **more)))

    def start(self, app, *arguments):
        """A program that gets no frames; its environment."""
        packed = b"".join(a.encode() + b"\0" for a in arguments)
        return protocol.decode("started", self.ask(protocol.START, protocol.encode("start", app=app, arguments=packed)))["env"]

    def unload(self, name):
        return protocol.decode("unloaded", self.ask(protocol.UNLOAD, protocol.encode("unload", name=name)))

    def list(self, row="binding_row"):
        """All rows of a kind: of bindings, or of their handlers."""
        start, found = 0, []
        while True:
            body = self.ask(protocol.LIST, protocol.encode("list", start=start, detail=row != "binding_row"))
            found += protocol.rows(row, body)
            start = protocol.decode("listed", body)["next"]
            if start == 0:
                return found

    def maps(self, name):
        """The rows of the maps of a binding's handler."""
        return protocol.rows("map_row", self.ask(protocol.MAPS, protocol.encode("maps", name=name)))

    def read_map(self, name, index=0, every=False):
        """{entry: bytes} of those that are not all zeros, or of all."""
        start, found = 0, {}
        while True:
            data = protocol.decode("map_data", self.ask(protocol.MAP_READ, protocol.encode(
                "map_read", name=name, map=index, start=start, all=int(every))))
            rows, step = data["rows"], 4 + data["width"]
            for at in range(0, len(rows), step):
                found[int.from_bytes(rows[at:at + 4], "little")] = rows[at + 4:at + step]
            start = data["next"]
            if start == 0:
                return found

    def write_map(self, name, entry, value, index=0):
        self.ask(protocol.MAP_WRITE, protocol.encode("map_write", name=name, map=index, entry=entry, value=value))

    def status(self):
        body = self.ask(protocol.STATUS)
        return {**protocol.decode("state", body), "netifs": protocol.rows("netif_row", body)}

    def stop(self, status=0):
        self.ask(protocol.STOP, protocol.encode("stop", status=status))


def fast_clock(folder, times, memory=128):
    """QEMU's arguments for a machine that believes its clock to tick less often than it does: all that waits for a time there, of
    TCP for instance, waits a part of it here."""
    tree = f"{folder}/clock{times}.dtb"
    subprocess.run(["qemu-system-riscv64", "-M", f"virt,dumpdtb={tree}", "-m", f"{memory}M", "-nodefaults", "-display", "none"],
                   check=True, stderr=subprocess.DEVNULL, timeout=LIMIT)
    subprocess.run(["fdtput", "-t", "i", tree, "/cpus", "timebase-frequency", str(TIMEBASE // times)], check=True, timeout=LIMIT)
    return ["-dtb", tree]


class Machine:
    """
    memory in MiB; nics: how many cards; devices: QEMU arguments put before the cards, to move them to other slots;
    initrd, kernel: paths (None: no initrd); legacy: virtio-mmio version 1; rng, console: whether the device is there.
    """

    def __init__(self, build, folder, kernel=None, initrd="", memory=128, cpus=1, nics=1, legacy=False, rng=True, cpu="rv64",
                 console=True, append="", address=ADDRESS, devices=(), extra=()):
        self.nics = [Nic(folder, i) for i in range(nics)]
        self.lines, self.changed = [], threading.Condition()
        host, guest = socket.socketpair()
        self.control = Control(host)
        kernel = kernel or build / "guest/src/kernel/kernel.elf"
        initrd = build / "guest/initrd.cpio" if initrd == "" else initrd
        command = ["qemu-system-riscv64", "-M", "virt", "-cpu", cpu, "-nodefaults", "-no-reboot", "-display", "none",
                   "-m", f"{memory}M", "-smp", str(cpus), "-kernel", str(kernel),
                   "-append", f"{address} {append}".strip(), "-chardev", "stdio,id=s0,signal=off", "-serial", "chardev:s0"]
        if not legacy:
            command += ["-global", "virtio-mmio.force-legacy=false"]
        if initrd is not None:
            command += ["-initrd", str(initrd)]
        command += devices
        for i, nic in enumerate(self.nics):
            command += ["-netdev", nic.netdev(i), "-device", f"virtio-net-device,netdev=n{i},mac={nic.mac}"]
        if rng:
            command += ["-device", "virtio-rng-device"]
        if console:
            command += ["-chardev", f"socket,id=c0,fd={guest.fileno()}", "-device", "virtio-serial-device,max_ports=1",
                        "-device", "virtconsole,chardev=c0"]
        self.process = subprocess.Popen([*command, *extra], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=[guest.fileno()])
        guest.close()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip("\r\n"))
                self.changed.notify_all()

    @property
    def text(self):
        return "\n".join(self.lines)

    def wait_line(self, pattern, seconds=LIMIT):
        """The first line of the serial log in which the pattern is found, now or within so many seconds."""
        end, at = time.monotonic() + seconds, 0
        with self.changed:
            while True:
                for line in self.lines[at:]:
                    if re.search(pattern, line):
                        return line
                at = len(self.lines)
                left = end - time.monotonic()
                if left <= 0 or (not self.reader.is_alive() and at == len(self.lines)):
                    raise AssertionError(f"no line matches {pattern!r}; the serial log:\n{self.text}")
                self.changed.wait(min(left, 0.2))

    def up(self):
        """Wait for the banner and the agent; returns self."""
        self.wait_line(r"^Aegis-V")
        self.control.hello()
        return self

    def wait(self, seconds=LIMIT):
        """QEMU's exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"QEMU did not end; the serial log:\n{self.text}") from None
        self.reader.join(10)
        return status

    def complaints(self):
        """The lines in which the kernel says what is wrong."""
        return [line for line in self.lines if line.startswith("aegis: ")]

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self.reader.join(10)
        for nic in self.nics:
            nic.socket.close()
        self.control.stream.close()
