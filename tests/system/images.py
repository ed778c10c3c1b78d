"""Files for machines, made by hand so that they can be wrong in every way: cpio archives, ELF programs, DPF filters; and
frames."""
import struct

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

HOST_MAC, HOST_IP, GUEST_IP = "02:00:00:00:00:01", "10.0.2.2", "10.0.2.15"


def cpio(files):
    """A cpio archive (newc) of (name, bytes) pairs."""
    out = b""
    for name, data in [*files, ("TRAILER!!!", b"")]:
        path = name.encode() + b"\0"
        fields = (1, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + path
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return out + bytes(-len(out) % 512)


def cpio_files(archive):
    """What cpio() put in."""
    at, files = 0, []
    while True:
        assert archive[at:at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name = archive[at + 110:at + 109 + name_size].decode()
        data = at + 110 + name_size + -(110 + name_size) % 4
        if name == "TRAILER!!!":
            return files
        files.append((name, archive[data:data + size]))
        at = data + size + -size % 4


BASE = 0x10100000  # AEGIS_PROGRAM_BASE


def elf(code, entry=BASE, segments=None, machine=243, kind=2, phnum=None, phoff=64, phentsize=56, elfclass=2):
    """A program of one executable segment at BASE, or of the given (type, flags, offset, address, filesz, memsz)."""
    start = 64 + 56 * (1 if segments is None else len(segments))
    if segments is None:
        segments = [(1, 5, 0, BASE, start + len(code), start + len(code))]
        entry = entry if entry != BASE else BASE + start
    ident = b"\x7fELF" + bytes([elfclass, 1, 1]) + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry, phoff, 0, 0, 64, phentsize,
                         len(segments) if phnum is None else phnum, 64, 0, 0)
    table = b"".join(struct.pack("<IIQQQQQQ", t, flags, offset, va, va, filesz, memsz, 4096)
                     for t, flags, offset, va, filesz, memsz in segments)
    return ident + header + table + code


def dpf(*atoms):
    """A filter that accepts frames in which each (offset, width, value) holds."""
    count = len(atoms)
    out = struct.pack("<IHHHHI", 0x46504441, 1, 0, count, count, 0)
    for i, (offset, width, _) in enumerate(atoms):
        out += struct.pack("<BBBbHHHHHHQ", 1, width, 0, 0, offset, i + 1 if i + 1 < count else 0xFFFF, 0xFFFE, i, 1, 0,
                           (1 << 8 * width) - 1)
    return out + b"".join(struct.pack("<QQ", value, value) for *_, value in atoms)


def udp_filters(port):
    """Ingress and egress filters of a service on a UDP port, for IPv4 without options."""
    ip_udp = (12, 2, 0x0800), (14, 1, 0x45), (23, 1, 17)
    return dpf(*ip_udp, (36, 2, port)), dpf(*ip_udp, (34, 2, port))


def arp_request(target=GUEST_IP):
    return bytes(Ether(src=HOST_MAC, dst="ff:ff:ff:ff:ff:ff") /
                 ARP(op=1, hwsrc=HOST_MAC, psrc=HOST_IP, pdst=target))


def datagram(mac, payload, port=7, source=4000):
    return bytes(Ether(src=HOST_MAC, dst=mac) / IP(src=HOST_IP, dst=GUEST_IP) / UDP(sport=source, dport=port) / payload)


def is_answer(payload, port=7, source=4000):
    """Whether a frame is the echo of datagram(..., payload, port, source), checksums and all."""
    def judge(frame):
        packet = Ether(frame)
        if not packet.haslayer(UDP) or packet[UDP].sport != port or packet[UDP].dport != source:
            return False
        ip = packet[IP]
        if (packet.dst, ip.src, ip.dst) != (HOST_MAC, GUEST_IP, HOST_IP) or bytes(packet[UDP].payload) != payload:
            return False
        again = Ether(frame)
        del again[IP].chksum
        del again[UDP].chksum
        again = Ether(bytes(again))
        return again[IP].chksum == ip.chksum and again[UDP].chksum == packet[UDP].chksum
    return judge


def siphash(key, data):
    """SipHash-2-4, from its paper; key: two words."""
    mask = (1 << 64) - 1
    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D, key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]

    def turn(x, n):
        return (x << n | x >> 64 - n) & mask

    def rounds(count):
        a, b, c, d = v
        for _ in range(count):
            a = (a + b) & mask
            b = turn(b, 13) ^ a
            a = turn(a, 32)
            c = (c + d) & mask
            d = turn(d, 16) ^ c
            a = (a + d) & mask
            d = turn(d, 21) ^ a
            c = (c + b) & mask
            b = turn(b, 17) ^ c
            c = turn(c, 32)
        v[:] = a, b, c, d

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def disk(path, blocks, table=1, salt=(1, 2), extents=()):
    """An image of so many blocks of 4,096 bytes with a table of extents that has the root and, in it, (first block, blocks) of
    extents (src/extent/extent.h); with table=0, without."""
    if not table:
        path.write_bytes(bytes(blocks * 4096))
        return path
    first = 2 + 2 * table
    rows = [(first, blocks - first, 0), *((at, count, 1) for at, count in extents)]
    slots = b"".join(struct.pack("<QQQ16s16sHBBI", at, count, 1, b"", b"", 0, depth, 1, 0) for at, count, depth in rows)
    slots = [slots[at:at + 4096].ljust(4096, b"\0") for at in range(0, table * 4096, 4096)]
    sums = b"".join(struct.pack("<Q", siphash(salt, block)) for block in slots).ljust(8 * 56, b"\0")
    fields = struct.pack("<8sIIQQQQQ", b"AegisExt", 1, table, 1, blocks, *salt, 0)
    total = siphash(salt, fields + bytes(8) + sums)
    path.write_bytes((fields + struct.pack("<Q", total) + sums).ljust(8192, b"\0") + b"".join(slots))
    with open(path, "r+b") as image:
        image.truncate(blocks * 4096)
    return path


def disk_arguments(path, number=0, block=512, node="driver=file,filename={}", read_only="off", **options):
    """QEMU's arguments for a disk; node: what the format lies on; options: the device's."""
    device = "".join(f",{name}={value}" for name, value in options.items())
    lower = ",".join(f"file.{part}" for part in node.format(path).split(","))
    return ["-blockdev", f"driver=raw,node-name=d{number},read-only={read_only},{lower}",
            "-device", f"virtio-blk-device,drive=d{number},logical_block_size={block},physical_block_size={block}{device}"]
