"""httpd, the web server, against curl, Python's http.client, and clients by hand: what it answers, in which order, to how many at
once, and what it does to those that are slow, wrong, or gone."""
import concurrent.futures
import hashlib
import http.client
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import images
from conftest import BUILD, ROOT, Aegisctl

PAGE = b"<title>Here</title>\n" + b"0123456789" * 500
LARGE = random.Random(1).randbytes(600000)


@pytest.fixture(scope="module")
def up():
    """A machine with httpd on port 80; the host's port that leads there."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    ctl = Aegisctl(folder)
    files = [f for f in images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes()) if f[0] in ("init", "agent", "netd", "httpd")]
    files += [("page.html", PAGE), ("large", LARGE), ("empty.txt", b""), ("a folder/of & <names>.md", b"text")]
    (folder / "initrd").write_bytes(images.cpio(files))
    said = ctl.ok("run", "--detach", "--port", "0:80/tcp", "--initrd", folder / "initrd")
    ctl.port = int(re.search(r"TCP 127\.0\.0\.1:(\d+) -> guest 80", said)[1])
    ctl.ok("start", "httpd")
    end = time.monotonic() + 20
    while "httpd: port 80" not in ctl.log():
        assert time.monotonic() < end, ctl.log()
        time.sleep(0.05)
    ctl.slow, ctl.idle, ctl.begin = *(socket.create_connection(("127.0.0.1", ctl.port), timeout=30) for _ in range(2)), time.monotonic()
    ctl.slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
    yield ctl
    ctl("stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(up):
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=20)
    yield connection
    connection.close()


def ask(client, path, method="GET", **fields):
    """(status, body, fields of the answer)"""
    client.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = client.getresponse()
    return answer.status, answer.read(), answer.headers


def test_files_come_whole_over_one_connection(client):
    for path, body, kind in (("/page.html", PAGE, "text/html; charset=utf-8"), ("/large", LARGE, "application/octet-stream"),
                             ("/empty.txt", b"", "text/plain; charset=utf-8"), ("/a%20folder/of%20&%20%3Cnames%3E.md", b"text", "text/plain; charset=utf-8")):
        status, got, fields = ask(client, path)
        assert (status, got == body, fields["Content-Type"]) == (200, True, kind), path
        assert fields["Content-Length"] == str(len(body))
        socket_before = client.sock
        assert ask(client, path, "HEAD")[:2] == (200, b"")
        assert client.sock is socket_before


def test_the_list_leads_to_each_file(client):
    status, page, _ = ask(client, "/")
    assert status == 200
    links = re.findall(r'href="([^"]*)"', page.decode())
    assert len(links) == 8 and b"&#60;names&#62;" in page
    for link in links:
        assert ask(client, link, "HEAD")[0] == 200, link


def test_what_is_not_there_or_not_allowed(client):
    for path in ("/nothing", "/page.html/", "/../init", "//page.html", "/a%20folder", "/dev/log"):
        assert ask(client, path)[0] == 404, path
    status, body, fields = ask(client, "/page.html", "DELETE")
    assert status == 405 and fields["Allow"] == "GET, HEAD" and body == b"405 Method Not Allowed\n"
    client.request("POST", "/", body=b"x" * 100000)  # its body is skipped, and the next request understood
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (405, b"405 Method Not Allowed\n")
    assert ask(client, "/empty.txt")[0] == 200


def test_conditions_and_ranges(client):
    _, _, fields = ask(client, "/large", "HEAD")
    tag, date = fields["ETag"], fields["Last-Modified"]
    assert ask(client, "/large", If_None_Match=tag)[:2] == (304, b"")
    assert ask(client, "/large", If_Modified_Since=date)[:2] == (304, b"")
    assert ask(client, "/large", If_Match='"another"')[0] == 412
    status, got, fields = ask(client, "/large", Range="bytes=1000-299999", If_Range=tag)
    assert (status, got == LARGE[1000:300000], fields["Content-Range"]) == (206, True, "bytes 1000-299999/600000")
    assert ask(client, "/large", Range="bytes=-7")[1] == LARGE[-7:]
    status, _, fields = ask(client, "/large", Range="bytes=600000-")
    assert status == 416 and fields["Content-Range"] == "bytes */600000"


def test_curl_resumes_and_revalidates(up, folder):
    url, out = f"http://127.0.0.1:{up.port}/large", folder / "out"

    def curl(*options):
        done = subprocess.run(["curl", "-sS", "--max-time", "20", *options], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done
        return done.stdout
    out.write_bytes(LARGE[:123456])
    curl("-C", "-", "-o", out, url)
    assert out.read_bytes() == LARGE
    assert curl("--etag-save", folder / "etag", "-o", out, "-w", "%{http_code}", url) == "200"
    assert curl("--etag-compare", folder / "etag", "-o", out, "-w", "%{http_code}", url) == "304"
    assert "HTTP/1.1 200 OK" in curl("-I", url)


def raw(up, data, until=None, timeout=20):
    """Sends bytes and returns all that comes until the server closes, or until so many bytes."""
    with socket.create_connection(("127.0.0.1", up.port), timeout=timeout) as s:
        s.sendall(data)
        got = b""
        while until is None or len(got) < until:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
        return got


def test_pipelined_requests_are_answered_in_order(up):
    count = 200
    asked = b"".join(b"GET /page.html HTTP/1.1\r\nHost: a\r\nRange: bytes=%d-%d\r\n\r\n" % (i, i + 1) for i in range(count))
    got = raw(up, asked + b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    bodies = [piece.partition(b"\r\n\r\n")[2] for piece in got.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [PAGE[i:i + 2] for i in range(count)] + [b"404 Not Found\n"]


def test_heads_come_byte_by_byte(up):
    with socket.create_connection(("127.0.0.1", up.port), timeout=20) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\nGET /empty.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":
            s.send(bytes([byte]))
        got = b""
        while piece := s.recv(4096):
            got += piece
        assert got.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_may_use_its_port_again_at_once(up):
    """The server has closed first, and remembers the connection for a minute."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for _ in range(5):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.settimeout(20)
            s.connect(("127.0.0.1", up.port))
            s.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert s.recv(1000).startswith(b"HTTP/1.1 200 ")
            while s.recv(1000):
                pass


@pytest.mark.parametrize("status, request_", [
    (400, b"nonsense\r\n\r\n"), (400, b"GET / HTTP/1.1\r\n\r\n"), (400, b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
    (413, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n"), (414, b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    (414, b"GET /" + b"a" * 9000), (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000), (501, b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (501, b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), (505, b"GET / HTTP/3.0\r\nHost: a\r\n\r\n")], ids=lambda v: v if isinstance(v, int) else "")
def test_errors_are_told_and_end_the_connection(up, status, request_):
    got = raw(up, request_)
    assert got.startswith(b"HTTP/1.1 %d " % status) and b"\r\nConnection: close\r\n" in got


def test_many_clients_at_once_and_ones_that_go_away(up):
    stop = threading.Event()

    def leave():  # in the middle of an answer, and of a request
        rng = random.Random(5)
        while not stop.is_set():
            with socket.create_connection(("127.0.0.1", up.port), timeout=20) as s:
                asked = rng.choice([b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 3, b"GET /lar", b""])
                s.sendall(asked)
                if len(asked) > 10:
                    s.recv(1000)
    gone = threading.Thread(target=leave)
    gone.start()

    def fetch(number):
        client = http.client.HTTPConnection("127.0.0.1", up.port, timeout=60)
        ok = 0
        for turn in range(3):
            path, body = (("/large", LARGE), ("/page.html", PAGE))[(number + turn) % 8 > 0]
            ok += ask(client, path)[1] == body
        client.close()
        return ok
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(fetch, range(12))) == 36
    stop.set()
    gone.join()
    assert hashlib.sha256(ask(http.client.HTTPConnection("127.0.0.1", up.port, timeout=20), "/large")[1]).digest() == hashlib.sha256(LARGE).digest()


def test_hundreds_of_connections_at_once(up):
    """Each says hello before the next comes: QEMU's user network has room for one that it hasn't accepted, and others take a second."""
    clients = [http.client.HTTPConnection("127.0.0.1", up.port, timeout=30) for _ in range(150)]
    for client in clients:
        assert ask(client, "/empty.txt", "HEAD")[0] == 200
    for number, client in enumerate(clients):
        client.request("GET", "/page.html", headers={"Range": f"bytes={number}-{number + 9}"})
    for number, client in enumerate(clients):
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (206, PAGE[number:number + 10])
        client.close()


def test_wrk_finds_no_errors(up):
    """Connections that stay, and ones that are made anew for each page."""
    for fields in ([], ["-H", "Connection: close"]):
        done = subprocess.run(["wrk", "-t", "1", "-c", "4", "-d", "1s", "--timeout", "20s", *fields, f"http://127.0.0.1:{up.port}/page.html"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and "errors" not in done.stdout and "Non-2xx" not in done.stdout, done
        assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 0, done


def test_who_is_slow_with_a_head_is_told_so_and_who_says_nothing_waits(up):
    """Both have waited since the first test."""
    slow, idle, begin = up.slow, up.idle, up.begin
    got = b""
    while piece := slow.recv(4096):
        got += piece
    assert got.startswith(b"HTTP/1.1 408 ") and time.monotonic() - begin > 9
    if time.monotonic() - begin < 25:
        idle.sendall(b"GET /empty.txt HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200 ")
    slow.close()
    idle.close()


def test_ci_run_leaves_a_machine_with_a_web_server(folder):
    env = dict(os.environ, XDG_RUNTIME_DIR=str(folder), AEGIS_NO_BUILD="1", AEGIS_BUILD=str(BUILD))
    done = subprocess.run([ROOT / "ci/run", "--serve"], env=env, capture_output=True, text=True, timeout=60, check=False)
    try:
        assert done.returncode == 0, done
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", done.stdout)[1])
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        assert b"httpd" in ask(client, "/")[1]
        stop = re.search(r"^.*stop --instance.*$", done.stdout, re.M)[0]
    finally:
        stopped = subprocess.run(["bash", "-c", stop], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert stopped.returncode == 0, stopped
