"""differential_test.py SHOW: what httpd accepts, Python's own server (http.server) accepts too, and understands alike: 20,000
requests, well-formed ones and ones with bytes changed. What is well-formed by construction, both accept."""
import http.server
import io
import random
import subprocess
import sys
import urllib.parse


class Reader(http.server.BaseHTTPRequestHandler):
    def __init__(self, head):  # no connection: only the request's reading
        self.rfile, self.wfile, self.error = io.BytesIO(head), io.BytesIO(), None
        self.protocol_version = "HTTP/1.1"
        self.raw_requestline = self.rfile.readline(65537)
        self.accepted = self.parse_request() and self.error is None

    def send_error(self, code, message=None, explain=None):
        self.error = code

    def log_message(self, *args):
        pass


def make(rng):
    """A well-formed head."""
    path = "/" + "".join(rng.choice("abcXYZ019-._~/!$&'()*+,;=:@") for _ in range(rng.randrange(20))).lstrip("/")
    for _ in range(rng.randrange(3)):
        path += f"%{rng.randrange(1, 256):02x}"
    if rng.randrange(3) == 0:
        path += "?q=1&" + "x" * rng.randrange(5)
    version = rng.choice(["1.0", "1.1"])
    fields = [("Host", "a.test")] if version == "1.1" or rng.randrange(2) else []
    fields += [rng.choice([("Connection", "close"), ("Connection", "keep-alive"), ("X-Some", "v " * rng.randrange(4)),
                           ("Content-Length", str(rng.randrange(1000))), ("Range", "bytes=0-5"), ("Accept", "*/*")])
               for _ in range(rng.randrange(4))]
    if len({value for name, value in fields if name == "Content-Length"}) > 1 or sum(n == "Connection" for n, _ in fields) > 1:
        return make(rng)
    end = rng.choice(["\r\n", "\n"])
    lines = [f"{rng.choice(['GET', 'HEAD'])} {path} HTTP/{version}"] + [f"{n}:{' ' * rng.randrange(3)}{v}" for n, v in fields]
    return "".join(line + end for line in [*lines, ""]).encode()


def main():
    rng = random.Random(3)
    heads = []
    for _ in range(20000):
        head, good = bytearray(make(rng)), rng.randrange(3) == 0
        for _ in range(0 if good else 1 + rng.randrange(3)):
            at = rng.randrange(len(head))
            if rng.randrange(2):
                head[at] = rng.choice(b" \t\r\n\0:/%.GH1" + bytes([rng.randrange(256)]))
            else:
                del head[at]
        heads.append((bytes(head), good))
    asked = b"".join(b"%d\n" % len(head) + head for head, _ in heads)
    said = subprocess.run([sys.argv[1]], input=asked, capture_output=True, check=True, timeout=100).stdout.decode().splitlines()
    assert len(said) == len(heads)
    accepted = 0
    for (head, good), line in zip(heads, said):
        status, *ours = line.split()
        assert not good or status == "0", (head, line)
        if status != "0":
            continue
        theirs = Reader(head.lstrip(b"\r\n"))
        assert theirs.accepted, (head, theirs.error)
        target = theirs.path
        if target.lower().startswith("http://"):
            target = "/" + target[7:].partition("/")[2]
        path = urllib.parse.unquote_to_bytes(target.partition("?")[0])
        # Python takes several leading slashes for one.
        ours_path = b"/" + bytes.fromhex(ours[3]).lstrip(b"/")
        body = int(theirs.headers.get("Content-Length") or 0)
        keep = not theirs.close_connection
        assert ours[0] == str(int(theirs.command == "HEAD")) and int(ours[2]) == body and ours_path == b"/" + path.lstrip(b"/"), (head, line, theirs.path)
        connection = (theirs.headers.get("Connection") or "").lower()  # Python takes blanks behind it for a part of it
        if connection in ("", "close", "keep-alive") and len(theirs.headers.get_all("Connection") or []) < 2:
            assert ours[1] == str(int(keep)), (head, line)
        accepted += 1
    assert accepted > 8000, accepted
    print(f"{len(heads)} requests, {accepted} accepted by both")


if __name__ == "__main__":
    main()
