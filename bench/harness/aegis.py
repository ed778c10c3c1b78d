"""Aegis-V under test: its image, and how an application is set to work over the control protocol."""

import socket
import subprocess
import sys
from pathlib import Path

from . import bpf
from .machine import MachineError

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/system"))

import images  # noqa: E402
from machine import Control, Refused  # noqa: E402

FIRST_LINE = r"^\[\d+ agent\] "  # the agent's, behind the number and name that the kernel's log puts there
ECHO_FILTER = ROOT / "examples/filters/udp-echo"
ROWS_DONE = "bench: rows done"
START_LIMIT = 60  # seconds
ADDRESS = "ip=10.0.2.15/24,10.0.2.2"


def kernel(context):
    return context.guest("src/kernel/kernel.elf")


def available(context):
    return kernel(context).exists() and context.guest("initrd.cpio").exists()


def image(context, initrd="initrd.cpio"):
    """QEMU's arguments that boot Aegis-V with the programs of an archive, without network and console."""
    return ["-kernel", str(kernel(context)), "-initrd", str(context.guest(initrd)), "-append", ADDRESS,
            "-device", "virtio-rng-device"]


def archive(context, path, files):
    """Writes to path the initial RAM disk with more files: (name, bytes) pairs."""
    usual = images.cpio_files(context.guest("initrd.cpio").read_bytes())
    path.write_bytes(images.cpio([*usual, *files]))
    return path


class Console:
    """The control console: a socket pair, one end for QEMU, and the conversation with the agent on the other."""

    def __init__(self):
        self.host, self.guest = socket.socketpair()
        self.arguments = ["-chardev", f"socket,id=c0,fd={self.guest.fileno()}", "-device",
                          "virtio-serial-device,max_ports=1", "-device", "virtconsole,chardev=c0"]

    def started(self):
        """To be called once QEMU runs: its end is QEMU's alone."""
        self.guest.close()

    def close(self):
        self.guest.close()
        self.host.close()

    def load_echo(self, context, folder, handled):
        """Binds the example's frames to the example's handler, or to the application udp-echo, which the agent starts."""
        images = compile_filter(context, folder)
        whose = {"app": "", "handler": bpf.image(context, bpf.ECHO)} if handled else {"app": "udp-echo"}
        control = Control(self.host)
        try:
            control.hello(START_LIMIT)
            control.load("echo", images=images, **whose)
        except (AssertionError, Refused, OSError) as error:
            raise MachineError(f"aegis-v: binding the filter {ECHO_FILTER.name}: {error}") from None

    def start(self, program, *arguments):
        """Starts a program that binds what it needs by itself."""
        control = Control(self.host)
        try:
            control.hello(START_LIMIT)
            control.start(program, *arguments)
        except (AssertionError, Refused, OSError) as error:
            raise MachineError(f"aegis-v: starting {program}: {error}") from None


def compile_filter(context, folder):
    """The example's ingress and egress images, by dpfc."""
    ingress, egress = folder / "ingress", folder / "egress"
    done = subprocess.run([str(context.host("bin/dpfc")), "-o", str(ingress), "--egress-out", str(egress), "-f",
                           str(ECHO_FILTER)], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise MachineError(f"aegis-v: dpfc {ECHO_FILTER}: {done.stderr.strip()}")
    return ingress.read_bytes(), egress.read_bytes()
