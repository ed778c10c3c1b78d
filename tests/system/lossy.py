"""A switch between the network cards of two machines that loses, doubles, reorders and spoils frames, as its seed says."""
import random
import select
import threading
import time


class Switch(threading.Thread):
    """
    Carries frames between two machine.Nic, each way with these chances from 0 to 1: that a frame is lost, that it comes
    twice, that it is held back until some behind it have gone, that one bit of it is flipped behind Ethernet's header.
    """
    HELD = 0.005  # seconds that a frame is held back at most

    def __init__(self, one, other, chance, seed):
        super().__init__(daemon=True)
        self.ways = {one.socket: other, other.socket: one}
        self.chance, self.random = chance, random.Random(seed)
        self.held, self.over = [], threading.Event()
        self.counts = {"carried": 0, "lost": 0, "doubled": 0, "held": 0, "spoiled": 0}
        self.start()

    def happens(self, what):
        if self.random.random() >= self.chance:
            return False
        self.counts[what] += 1
        return True

    def spoil(self, frame):
        """Flips a bit of what has sums of its own; what hasn't, ARP, a card drops by Ethernet's."""
        bit = self.random.randrange(14 * 8, len(frame) * 8)
        frame[bit // 8] ^= 1 << bit % 8
        return frame[12:14] == b"\x08\x00"

    def carry(self, frame, to):
        self.counts["carried"] += 1
        if self.happens("lost"):
            return
        if self.happens("spoiled") and not self.spoil(frame):
            return
        if self.happens("doubled"):
            to.send(frame)
        if self.happens("held"):
            self.held.append((time.monotonic() + self.HELD * self.random.random(), frame, to))
        else:
            to.send(frame)

    def run(self):
        while not self.over.is_set():
            for ready in select.select(list(self.ways), [], [], 0.005)[0]:
                self.carry(bytearray(ready.recv(65536)), self.ways[ready])
            now = time.monotonic()
            due, self.held = [h for h in self.held if h[0] <= now], [h for h in self.held if h[0] > now]
            for _, frame, to in due:
                to.send(frame)

    def stop(self):
        self.over.set()
        self.join(10)
