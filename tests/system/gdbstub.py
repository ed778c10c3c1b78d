"""As much of GDB's remote protocol as it takes to change a stopped machine's memory before its first instruction."""
import socket


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

    def run(self):
        """Let the machine go, and leave it alone."""
        self.ask(b"D")
        self.socket.close()
