"""Who pays for a flood (design section 2.7): not whoever computes beside the one that it is for."""
import re
import struct
import threading

import pytest

from conftest import BUILD
from images import disk, disk_arguments

PORT = 4000


def datagram(nic, port):
    """A UDP datagram for the card, of which no checksum matters."""
    ethernet = bytes.fromhex(nic.mac.replace(":", "")) + bytes.fromhex("525500000001") + b"\x08\x00"
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + 8 + 18, 1, 0, 64, 17, 0, bytes([10, 0, 2, 2]), bytes([10, 0, 2, 15]))
    return ethernet + ip + struct.pack("!HHHH", 7000, port, 8 + 18, 0) + bytes(18)


def phase(m, name, seconds):
    """The figures of a line of tests/guest/flooded.c."""
    line = m.wait_line(rf"\] {name} |FAIL|panic", seconds)
    assert f"] {name} " in line, m.text
    return {key: int(value) for key, value in re.findall(r"(\w+) (\d+)", line.split(name)[1])}


@pytest.mark.timeout_s(150, lasts=15)
@pytest.mark.parametrize("where", ["ring", "handler", "nobody", "disk"])
def test_a_flood_for_one_leaves_anothers_share_and_latency_alone(machine, folder, where):
    # 32 nanoseconds an instruction: what the kernel does for a frame weighs 32 times as much, and the test is short.
    drive = disk_arguments(disk(folder / "disk", 256)) if where == "disk" else []
    m = machine(initrd=BUILD / "guest/flooded-initrd.cpio", append=f"flood={where}", extra=["-icount", "shift=5,sleep=off", *drive])
    nic, stop = m.nics[0], threading.Event()
    quiet = phase(m, "QUIET", 60)
    frame = datagram(nic, PORT)

    def flood():
        while where != "disk" and not stop.is_set() and m.alive():
            try:
                nic.send(frame)
            except (AssertionError, OSError):
                return  # the machine has ended

    sender = threading.Thread(target=flood, daemon=True)
    sender.start()
    try:
        flooded = phase(m, "FLOOD", 60)
    finally:
        stop.set()
        sender.join(20)
    charged = flooded["charged"] - quiet["charged"]
    assert flooded["received"] - quiet["received"] > 1000 and charged > 0
    # Its slices are as long as they were: what the kernel took of them came back.
    assert flooded["rounds"] / quiet["rounds"] >= 0.98, (quiet, flooded)
    assert flooded["pause"] <= quiet["pause"] * 1.2, (quiet, flooded)
    if where == "nobody":
        # The holder of the root sleeps. It has a third of the time, and its debts no more than the round gives it.
        assert flooded["ticks"] - quiet["ticks"] <= charged < flooded["ticks"] / 3, (quiet, flooded)
    else:
        share = (flooded["rounds"] / flooded["ticks"]) / (quiet["rounds"] / quiet["ticks"])
        assert share >= 0.98, (quiet, flooded)
