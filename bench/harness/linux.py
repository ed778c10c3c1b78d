"""The peer: Debian 13's riscv64 kernel with an initramfs of busybox and the bench's own programs; and its nginx."""

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import bpf

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "bench/peers/linux"
MODULES = ("virtio_mmio", "virtio_net", "virtio_blk")
CROSS = "riscv64-linux-gnu-gcc"
OBJDUMP = "riscv64-linux-gnu-objdump"
# Quiet, so that Linux isn't charged for its messages; no router solicitations into the samples.
COMMAND_LINE = "console=ttyS0 quiet loglevel=0 ipv6.disable=1 rdinit=/init panic=-1"
PROGRAMS = {  # sources, under bench, and flags
    "udp-echo": ["peers/linux/udp-echo.c"],
    "tcpecho": ["../src/apps/tcpecho.c", f"-I{ROOT / 'src'}", "-D_GNU_SOURCE"],  # the same source as on ExOS
    "bulk": ["guest/bulk.c", f"-I{ROOT / 'src'}"],
    "xdp-load": ["peers/linux/xdp-load.c"],
    "rows": ["peers/linux/port.c", "guest/rows.c", "guest/measure.c"],
    "disk": ["peers/linux/disk.c", "guest/disk.c"],
    "suite": ["guest/suite.c", "guest/measure.c", "guest/vm.c",
              "guest/thread.c", "guest/matmul.c", "guest/proc.c", "guest/text.c", "guest/ipc.c"],
    "true": ["guest/true.c"],
}
TCP_ECHO = [ROOT / "src/apps/tcpecho.c", ROOT / "src/apps/program.h"]
BPF_PROGRAMS = [bpf.ECHO, ROOT / "bench/handlers/filter-4tuple.c"]


class PeerMissing(Exception):
    """The peer can't be had here; the text says why."""


def cache_folder():
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aegis-v"
    return Path(os.environ.get("AEGIS_CACHE", default))


def run(command, what):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"{what}: {error}") from None
    if done.returncode != 0:
        raise PeerMissing(f"{what}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def module_order(folder, wanted):
    """Module files in the order in which to load them, by the depends= of each."""
    files = {re.sub(r"\.ko(\.xz)?$", "", p.name): p for p in folder.rglob("*.ko*")}
    order = []

    def add(name):
        path = files.get(name)
        if path is None or any(name == n for n, _ in order):
            return
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = lzma.decompress(data)
        found = re.search(rb"\0depends=([^\0]*)", data)
        for dependency in found[1].decode().split(",") if found and found[1] else []:
            add(dependency.replace("-", "_"))
        order.append((name, data))

    for name in wanted:
        add(name)
    missing = [name for name in wanted if name not in files]
    if missing:
        raise PeerMissing(f"the kernel package has no module {', '.join(missing)}")
    return order


def compile_programs(folder):
    for name, sources in PROGRAMS.items():
        run([CROSS, "-O2", "-ffp-contract=off", "-static", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}",
             *(s if s.startswith("-") else str(ROOT / "bench" / s) for s in sources), "-o", str(folder / name)],
            f"compiling {name} for the peer")
    for source in BPF_PROGRAMS:
        bpf.compile_object(source, folder / f"{source.stem}.o")
    return [*PROGRAMS, *(f"{source.stem}.o" for source in BPF_PROGRAMS)]


def build_initramfs(base, target):
    """Builds the initramfs from the unpacked packages under base."""
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        files = compile_programs(folder)
        order = module_order(next((base / "usr/lib/modules").iterdir()), MODULES)
        for module, data in order:
            (folder / f"{module}.ko").write_bytes(data)
        (folder / "modules").write_text("".join(f"{module}.ko\n" for module, _ in order if module != "virtio_blk"))
        shutil.copy(SOURCES / "init", folder / "init")
        shutil.copy(base / "usr/bin/busybox", folder / "busybox")
        files += ["init", "busybox", "modules", *(f"{module}.ko" for module, _ in order)]
        run([str(ROOT / "src/apps/mkcpio"), str(folder / "initramfs"), *(f"{f}={folder / f}" for f in files)],
            "packing the peer's initramfs")
        os.replace(folder / "initramfs", target)


def prepare(say):
    """QEMU's arguments that boot the peer, less the command line; fetched and built when first needed."""
    if not shutil.which(CROSS) or not shutil.which("clang"):
        raise PeerMissing(f"{CROSS} or clang is not installed; ci/setup bench installs both")
    say("fetching Debian's riscv64 Linux, unless it is cached")
    base = Path(run([str(ROOT / "ci/fetch"), "linux"], "ci/fetch linux"))
    kernel = next((base / "boot").glob("vmlinu*"), None)
    if kernel is None:
        raise PeerMissing(f"{base}/boot holds no kernel")
    inputs = [*sorted(SOURCES.rglob("*")), *sorted((ROOT / "bench/guest").glob("*")), *TCP_ECHO, *BPF_PROGRAMS, Path(__file__)]
    key = hashlib.sha256(kernel.name.encode())
    for path in inputs:
        if path.is_file():
            key.update(path.read_bytes())
    initramfs = cache_folder() / f"bench-linux-{key.hexdigest()[:16]}.cpio"
    if not initramfs.exists():
        say("building the peer's programs and initramfs")
        build_initramfs(base, initramfs)
    return ["-kernel", str(kernel), "-initrd", str(initramfs)]


def libraries(base, program):
    """The shared libraries that a program of the packages under base needs, and those that they need, by name."""
    found, waiting = {}, [program]
    while waiting:
        for name in re.findall(r"NEEDED\s+(\S+)", run([OBJDUMP, "-p", waiting.pop()], "reading nginx")):
            path = next((base / "usr/lib").rglob(name), None)
            if path is None:
                raise PeerMissing(f"the packages of nginx have no {name}")
            if name not in found:
                found[name] = path.resolve()
                waiting.append(found[name])
    return found


def prepare_nginx(prepared, page, say):
    """prepared, and in the initramfs beside what it has: nginx, its libraries, and the page "1k"."""
    say("fetching Debian's nginx, unless it is cached")
    base = Path(run([str(ROOT / "ci/fetch"), "nginx"], "ci/fetch nginx"))
    program, first = base / "usr/sbin/nginx", Path(prepared[prepared.index("-initrd") + 1])
    key = hashlib.sha256(first.name.encode() + program.read_bytes() + page)
    initramfs = cache_folder() / f"bench-nginx-{key.hexdigest()[:16]}.cpio"
    if not initramfs.exists():
        with tempfile.TemporaryDirectory(dir=initramfs.parent) as name:
            folder = Path(name)
            (folder / "1k").write_bytes(page)
            files = {"nginx": program, "nginx.conf": SOURCES / "nginx.conf", "1k": folder / "1k", **libraries(base, program)}
            run([str(ROOT / "src/apps/mkcpio"), str(folder / "more"), *(f"{n}={f}" for n, f in files.items())],
                "packing nginx")
            (folder / "both").write_bytes(first.read_bytes() + (folder / "more").read_bytes())
            os.replace(folder / "both", initramfs)
    return ["-kernel", prepared[prepared.index("-kernel") + 1], "-initrd", str(initramfs)]


def arguments(prepared, task):
    """QEMU's arguments for the peer doing task: udp, tcp, bulk, web, xdp, filter, rows, suite-GROUP, disk or boot."""
    return [*prepared, "-append", f"{COMMAND_LINE} bench={task}"]
