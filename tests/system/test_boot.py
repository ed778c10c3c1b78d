"""Boot on machines of many shapes: those that must serve, and those that must be refused in one line, with the remedy."""
import os
import re
import time

import pytest

import images
from conftest import BUILD
from gdbstub import GdbStub
from machine import MAC, Refused


def echo(machine, payload=b"hello", nic=0, port=7):
    """One datagram there and back."""
    n = machine.nics[nic]
    n.send(images.datagram(n.mac, payload, port))
    return n.find(images.is_answer(payload, port), 20)


def serve(machine, netif=0, port=7):
    machine.control.load(f"echo{netif}", "udp-echo", images.udp_filters(port), netif)
    assert echo(machine, nic=netif, port=port)


def refused(machine, *parts):
    """The machine ends by itself, non-zero, and its last line says why."""
    assert machine.wait() != 0
    assert not any("panic" in line for line in machine.lines), machine.text
    last = machine.lines[-1]
    assert last.startswith("aegis: ") and all(part in last for part in parts), machine.text
    return last


def test_the_banner_comes_before_anything_else_of_the_kernel(machine):
    m = machine().up()
    words = [line for line in m.lines if re.match(r"Aegis-V|aegis:|\[", line)]
    assert words[0].startswith("Aegis-V")


@pytest.mark.parametrize("memory", [32, 128, 1024, 4096])
def test_memory_that_suffices_serves(machine, memory):
    m = machine(memory=memory).up()
    serve(m)
    status = m.control.status()
    assert status["pages_total"] * 4096 <= memory << 20
    assert status["pages_total"] * 4096 >= (memory << 20) * 9 // 10


@pytest.mark.parametrize("memory", [16, 20, 24])  # below that QEMU finds no place for the archive
def test_memory_that_does_not_suffice_is_refused(machine, memory):
    m = machine(memory=memory)
    refused(m, f"{memory} MiB", "-m 32")
    assert len(m.complaints()) == 1


def test_four_harts_boot_with_three_parked(machine):
    m = machine(cpus=4).up()
    assert m.control.status()["harts"] == 4
    assert "3 parked" in m.text
    serve(m)


def test_no_network_card_still_serves_the_console(machine):
    m = machine(nics=0).up()
    assert m.control.status()["netifs"] == [] and m.control.list() == []
    with pytest.raises(Refused, match="interface"):
        m.control.load("echo", "udp-echo", images.udp_filters(7))
    assert "-device virtio-net-device" in m.text


@pytest.mark.parametrize("slots", [0, 1, 3])
def test_a_card_serves_in_any_slot(machine, slots):
    devices = []
    for i in range(slots):
        devices += ["-device", "virtio-keyboard-device"] if i % 2 else ["-device", "virtio-rng-device"]
    serve(machine(devices=devices).up())


def test_several_cards_serve_at_once(machine):
    m = machine(nics=3).up()
    status = m.control.status()
    assert [n["mac"].hex(":") for n in status["netifs"]] == [nic.mac for nic in m.nics]
    for i in range(3):
        serve(m, i, 7)
    for _ in range(5):
        for i in range(3):
            assert echo(m, os.urandom(100), i)


def test_eight_cards_are_found(machine):
    m = machine(nics=8, rng=False, console=False)
    m.wait_line(r"agent: ready.* 8 network interfaces")
    for i in range(8):
        assert any(MAC.format(0x56 + i) in line for line in m.lines)


def test_a_legacy_card_is_named_with_the_flag_that_mends_it(machine):
    refused(machine(legacy=True), "virtio-net", "legacy", "-global virtio-mmio.force-legacy=false")


def test_no_entropy_device_is_well_with_a_seed_in_the_device_tree(machine):
    serve(machine(rng=False).up())


def stopped(machine, folder, **options):
    """A machine before its first instruction, its debugger's end, and where QEMU put the device tree."""
    path = str(folder / "gdb")
    m = machine(memory=128, extra=("-S", "-gdb", f"unix:{path},server=on,wait=off"), **options)
    for _ in range(1000):
        if os.path.exists(path):
            break
        time.sleep(0.02)
    gdb = GdbStub(path)
    tree = next(at for at in range(0x88000000 - 0x100000, 0x80200000, -0x100000) if gdb.read(at, 4) == b"\xd0\x0d\xfe\xed")
    return m, gdb, tree


def test_no_source_of_entropy_is_refused(machine, folder):
    m, gdb, tree = stopped(machine, folder, rng=False)
    blob = gdb.read(tree, int.from_bytes(gdb.read(tree + 4, 4), "big"))
    gdb.write(tree + blob.index(b"rng-seed\0"), b"xng-seed")
    gdb.run()
    refused(m, "entropy", "virtio-rng-device")


@pytest.mark.parametrize("old, new", [(b"riscv,isa", b"x"), (b"linux,initrd-start", b"q")],
                         ids=["isa", "initrd"])
def test_a_device_tree_without_what_the_kernel_needs_is_refused(machine, folder, old, new):
    """(Of what the firmware does not need itself.)"""
    m, gdb, tree = stopped(machine, folder)
    blob = gdb.read(tree, int.from_bytes(gdb.read(tree + 4, 4), "big"))
    for found in re.finditer(re.escape(old), blob):
        gdb.write(tree + found.start(), new)
    gdb.run()
    assert m.wait() != 0 and not any("panic" in line for line in m.lines), m.text
    assert m.lines[-1].startswith("aegis: "), m.text


def initrd(folder, data):
    path = folder / "initrd"
    path.write_bytes(data)
    return path


def programs():
    return dict(images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes()))


def test_no_initrd_is_refused(machine):
    refused(machine(initrd=None), "initial RAM disk", "-initrd")


@pytest.mark.parametrize("size", [10, 109, 110, 115, 5000, 15000])
def test_an_initrd_cut_inside_the_first_program_is_refused(machine, folder, size):
    data = images.cpio([("init", programs()["init"])])
    refused(machine(initrd=initrd(folder, data[:size])), "initial RAM disk", "ends inside")


@pytest.mark.parametrize("noise", [b"\0" * 4096, b"070701" + b"z" * 4096, b"070701" + b"f" * 4096, os.urandom(4096)],
                         ids=["zeros", "no-digits", "huge-sizes", "random"])
def test_an_initrd_of_noise_is_refused(machine, folder, noise):
    refused(machine(initrd=initrd(folder, noise)), "initial RAM disk")


def test_an_initrd_without_the_first_program_is_refused(machine, folder):
    data = images.cpio([("init2", b"x"), ("udp-echo", programs()["udp-echo"])])
    refused(machine(initrd=initrd(folder, data)), "initial RAM disk", "init")


def test_an_initrd_cut_inside_another_program_serves_the_rest(machine, folder):
    p = programs()
    data = images.cpio([("init", p["init"]), ("agent", p["agent"]), ("netd", p["netd"]), ("udp-echo", p["udp-echo"])])
    cut = data[:len(data) - len(p["udp-echo"]) // 2 - 1024]
    m = machine(initrd=initrd(folder, cut)).up()
    with pytest.raises(Refused, match="udp-echo"):
        m.control.load("echo", "udp-echo", images.udp_filters(7))
    m.nics[0].send(images.arp_request())
    assert m.nics[0].receive(20)


CODE = bytes.fromhex("00000000")  # an illegal instruction
R, W, X = 4, 2, 1
HOSTILE = {
    "text": b"#!/bin/sh\n" * 20,
    "empty": b"",
    "cut": images.elf(CODE)[:63],
    "32-bit": images.elf(CODE, elfclass=1),
    "x86": images.elf(CODE, machine=62),
    "object": images.elf(CODE, kind=1),
    "table-outside": images.elf(CODE, phoff=1 << 60),
    "table-wraps": images.elf(CODE, phoff=(1 << 64) - 8),
    "many-segments": images.elf(CODE, phnum=0xFFFF),
    "small-entries": images.elf(CODE, phentsize=1),
    "kernel-half": images.elf(CODE, segments=[(1, R | X, 0, 0xFFFFFFFF80200000, 100, 100)]),
    "above-user": images.elf(CODE, segments=[(1, R | X, 0, 0x4000000000 - 4096, 100, 8192)]),
    "exposed-pages": images.elf(CODE, segments=[(1, R | W, 0, 0x3F80000000, 100, 100)]),
    "wraps": images.elf(CODE, segments=[(1, R | X, 0, images.BASE, 100, (1 << 64) - images.BASE)]),
    "file-beyond": images.elf(CODE, segments=[(1, R | X, 1 << 40, images.BASE, 100, 100)]),
    "filesz-over-memsz": images.elf(CODE, segments=[(1, R | X, 0, images.BASE, 124, 8)]),
    "overlap": images.elf(CODE, segments=[(1, R | X, 0, images.BASE, 100, 4096), (1, R | W, 0, images.BASE + 0x800, 100, 4096)]),
    "huge": images.elf(CODE, segments=[(1, R | W, 0, images.BASE, 100, 1 << 36)]),
    "entry-outside": images.elf(CODE, entry=0x3000000000),
    "no-segments": images.elf(CODE, segments=[]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_elf_as_first_program_is_refused(machine, folder, name):
    m = machine(initrd=initrd(folder, images.cpio([("init", HOSTILE[name])])))
    refused(m, "init")


def test_a_first_program_that_crashes_ends_the_machine_with_its_name_and_cause(machine, folder):
    m = machine(initrd=initrd(folder, images.cpio([("init", images.elf(CODE))])))
    assert m.wait() != 0
    assert any("init" in line and "illegal instruction" in line.lower() for line in m.complaints()), m.text


def test_boot_arguments_of_any_length_do_no_harm(machine):
    m = machine(append="x" * 1500).up()
    serve(m)


def test_a_reboot_is_not_left_hanging(machine):
    """STOP ends QEMU with the status that it names."""
    for status in (0, 1, 77, 255):
        m = machine().up()
        m.control.stop(status)
        assert m.wait() == status
