"""As much of GDB's remote protocol as it takes to change a stopped machine's memory before its first instruction, and to
send a program astray where it executes a given instruction."""
import os
import socket
import time


class GdbStub:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)

    def ask(self, text):
        self.socket.sendall(b"$%s#%02x" % (text, sum(text) & 0xFF))
        got = b""
        while not (b"$" in got and b"#" in got.split(b"$", 1)[1] and len(got.split(b"#")[-1]) >= 2):
            got += self.socket.recv(65536)
        self.socket.sendall(b"+")
        return got.split(b"$", 1)[1].split(b"#")[0]

    def read(self, address, size):
        data = b""
        while len(data) < size:
            data += bytes.fromhex(self.ask(b"m%x,%x" % (address + len(data), min(size - len(data), 1024))).decode())
        return data

    def write(self, address, data):
        assert self.ask(b"M%x,%x:%s" % (address, len(data), data.hex().encode())) == b"OK"

    def interrupt(self):
        """Stop a running machine."""
        self.socket.sendall(b"\x03")
        self.stopped()

    def stopped(self):
        """Wait until the machine has stopped, and say so."""
        got = b""
        while b"#" not in got or len(got.split(b"#")[-1]) < 2:
            got += self.socket.recv(65536)
        self.socket.sendall(b"+")
        assert got.lstrip(b"+").startswith(b"$T"), got

    def go_to(self, address, provoke):
        """Run a stopped machine, after provoke(), to where it executes the instruction at a virtual address."""
        assert self.ask(b"Z0,%x,4" % address) == b"OK"
        self.socket.sendall(b"$c#63")
        provoke()
        self.stopped()
        assert self.ask(b"z0,%x,4" % address) == b"OK"

    def set_pc(self, address):
        """The program counter follows x0 to x31."""
        registers = bytearray.fromhex(self.ask(b"g").decode())
        registers[32 * 8:33 * 8] = address.to_bytes(8, "little")
        assert self.ask(b"G" + registers.hex().encode()) == b"OK"

    def run(self):
        """Let the machine go, and leave it alone."""
        self.ask(b"D")
        self.socket.close()


def connect(path):
    """The stub that QEMU opens at the path, within some seconds."""
    for _ in range(1000):
        if os.path.exists(path):
            break
        time.sleep(0.02)
    return GdbStub(path)
