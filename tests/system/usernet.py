"""QEMU's user network in a process of its own, and a switch of ours between it and a machine: the host's own TCP, UDP and names are the
machine's peers, while every frame can be seen, and others can be added."""
import queue
import select
import socket
import subprocess
import threading

from machine import Nic

GROUP = 1  # the bit in an Ethernet address's first byte


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class UserNet:
    """forward: (socket kind, the machine's port) pairs; .ports has the host's port for each of them."""

    def __init__(self, folder, forward):
        self.nic = Nic(folder, 9)
        self.ports = {pair: free_port(pair[0]) for pair in forward}
        options = "".join(f",hostfwd={'tcp' if kind == socket.SOCK_STREAM else 'udp'}:127.0.0.1:{host}-:{port}"
                          for (kind, port), host in self.ports.items())
        self.process = subprocess.Popen(
            ["qemu-system-riscv64", "-M", "none", "-nodefaults", "-display", "none", "-netdev", f"user,id=u{options}", "-netdev",
             self.nic.netdev(9), "-netdev", "hubport,id=p0,hubid=0,netdev=u", "-netdev", "hubport,id=p1,hubid=0,netdev=n9"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # it warns of a hub without cards

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.nic.socket.close()


class Switch(threading.Thread):
    """
    Carries frames between a machine's card and a user network. What the machine sends to one of `ours`, hardware addresses, goes
    into its queue, .caught[address], instead. look(frame, is_to_machine) sees each frame that is carried.
    """

    def __init__(self, nic, network, ours=(), look=None):
        super().__init__(daemon=True)
        self.nic, self.network, self.look = nic, network.nic, look or (lambda frame, to_machine: None)
        self.caught = {bytes.fromhex(mac.replace(":", "")): queue.Queue() for mac in ours}
        self.over = threading.Event()
        self.start()

    def of(self, mac):
        return self.caught[bytes.fromhex(mac.replace(":", ""))]

    def carry(self, frame, to):
        mine = self.caught.get(frame[:6]) if to is self.network else None
        if mine is not None:
            mine.put(frame)
            return
        to.send(frame)
        self.look(frame, to is self.nic)

    def run(self):
        ways = {self.nic.socket: self.network, self.network.socket: self.nic}
        while not self.over.is_set():
            for ready in select.select(list(ways), [], [], 0.05)[0]:
                for _ in range(32):
                    try:
                        self.carry(ready.recv(65536, socket.MSG_DONTWAIT), ways[ready])
                    except BlockingIOError:
                        break

    def stop(self):
        """Before the cards' sockets are closed."""
        self.over.set()
        self.join(10)
