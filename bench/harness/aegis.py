"""Aegis-V under test: its image, and how an application is set to work over the control protocol."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from .machine import MachineError

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/system"))

FIRST_LINE = r"^\[\d+ agent\] "  # the agent's, behind the number and name that the kernel's log puts there
BINDING = "echo"
ECHO_FILTER = ROOT / "examples/filters/udp-echo"
ROWS_DONE = "bench: rows done"
ADDRESS = "ip=10.0.2.15/24,10.0.2.2"


def kernel(context):
    return context.guest("src/kernel/kernel.elf")


def available(context):
    return kernel(context).exists() and context.guest("initrd.cpio").exists()


def image(context, initrd="initrd.cpio"):
    return ["-kernel", str(kernel(context)), "-initrd", str(context.guest(initrd)), "-append", ADDRESS,
            "-device", "virtio-rng-device"]


def arguments(context):
    return image(context)


def start_echo(context, machine):
    raise NotImplementedError
