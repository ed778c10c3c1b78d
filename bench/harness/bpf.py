"""Compiles the bench's handlers: to one BPF object, which Aegis-V and the peer both take, and from it to an image of ours."""

import subprocess
import tempfile
from pathlib import Path

from .machine import MachineError

ROOT = Path(__file__).resolve().parents[2]
ECHO = ROOT / "examples/handlers/udp-echo.c"
INCLUDE = "/usr/riscv64-linux-gnu/include"  # of the cross compiler: linux/bpf.h and what it needs
LIBBPF = "/usr/include"  # bpf/bpf_helpers.h


def run(command, what):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise MachineError(f"{what}: {done.stderr.strip()}")


def compile_object(source, target):
    run(["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", f"-I{INCLUDE}", "-idirafter", LIBBPF, "-Wall", "-Wextra", "-Werror", "-c", source,
         "-o", target], f"compiling {source.name}")


def image(context, source):
    """The ASH image of a handler's source, by clang and ashc."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "object.o"
        compile_object(source, target)
        run([context.host("bin/ashc"), "-o", target.with_suffix(".ash"), target], f"ashc {source.name}")
        return target.with_suffix(".ash").read_bytes()
