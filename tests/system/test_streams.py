"""Stream sockets of ExOS as a program uses them, against a peer on the host that does as it is told."""
import socket
import struct
import threading

from conftest import BUILD
from images import HOST_IP

INITRD = BUILD / "guest/sockets-initrd.cpio"


class Server(threading.Thread):
    """Does, for each connection, what its first byte says (tests/guest/streams.c)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.kept, self.total = threading.Event(), 0
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        with s:
            what = s.recv(1)
            if what == b"e":
                while data := s.recv(65536):
                    s.sendall(data)
            elif what == b"s":
                s.sendall(bytes(100000))
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            elif what == b"r":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif what == b"h":
                threading.Event().wait(5)
            elif what == b"k":
                while data := s.recv(65536):
                    self.total += len(data)
                self.kept.set()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def test_a_program_uses_stream_sockets_as_anywhere(aegisctl):
    aegisctl.ok("run", "--detach", "--initrd", INITRD)
    server = Server()
    done = aegisctl("start", "--wait", "--timeout", 100, "streams", HOST_IP, server.port, closed_port())
    assert done.returncode == 0 and "streams: all is well" in aegisctl.log(), (done.stderr, aegisctl.log())
    assert server.kept.wait(20) and server.total == 100000
    server.listener.close()
