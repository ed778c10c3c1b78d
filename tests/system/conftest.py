"""What the system tests share: where the build is, a private folder for each test, aegisctl, and machines in QEMU."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("AEGIS_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(HERE))

from machine import Machine  # noqa: E402


def limit_of(item):
    return item.get_closest_marker("timeout_s").args[0]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timeout_s") is None:
            item.add_marker(pytest.mark.timeout_s(120))
    spread_long_tests(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def long_tests(items):
    """[seconds, tests] of those that say how long they last, the longest first; a module's that share a machine stay together."""
    found = {}
    for item in items:
        marker = item.get_closest_marker("timeout_s").kwargs
        if "lasts" in marker:
            key = item.path if marker.get("together") else item.nodeid
            found.setdefault(key, [marker["lasts"], []])[1].append(item)
    return sorted(found.values(), key=lambda test: test[0], reverse=True)


def spread_long_tests(items, workers):
    """The long tests first, shared out between the workers, so that none of them begins when all others are done. What
    xdist gives each worker at the start is a run of a quarter of its even part."""
    batch = max(len(items) // workers // 4, 2)
    shares = [[0, []] for _ in range(workers)]
    for seconds, tests in long_tests(items):
        share = min(shares, key=lambda share: share[0])
        share[0] += seconds
        share[1] += tests
    long = {item for _, share in shares for item in share}
    others = [item for item in items if item not in long]
    order = []
    for _, share in shares:
        room = max(batch - len(share), 0)
        order += share + others[:room]
        others = others[room:]
    items[:] = order + others


def pytest_configure(config):
    config.addinivalue_line("markers", "timeout_s(n, lasts=m, together=False): seconds that a test may take, and, of a long one, does "
                            "about; together: m is of all such tests of the module, which share a machine")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """No test hangs: an alarm raises in it at its limit."""
    import signal

    def ring(_signal, _frame):
        raise TimeoutError(f"the test took more than {limit} s")

    limit = limit_of(item)
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(limit)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder():
    """A private folder with a path short enough for UNIX sockets."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Aegisctl:
    """aegisctl with instances of its own, all of which end with the test."""

    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, XDG_RUNTIME_DIR=str(folder), AEGIS_BUILD=str(BUILD))
        self.program = str(BUILD / "bin" / "aegisctl")

    def __call__(self, *args, timeout=60, **env):
        """Run to the end; the CompletedProcess, with texts."""
        return subprocess.run([self.program, *map(str, args)], env={**self.env, **env}, capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL)

    def ok(self, *args, **more):
        done = self(*args, **more)
        assert done.returncode == 0, (args, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def start(self, *args, **env):
        """Start and don't wait; the Popen."""
        return subprocess.Popen([self.program, *map(str, args)], env={**self.env, **env}, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)

    def instances(self):
        base = self.folder / "aegis-v"
        return [p.name for p in base.iterdir() if p.is_dir()] if base.is_dir() else []

    def log(self, instance="default"):
        return (self.folder / "aegis-v" / instance / "serial.log").read_text(errors="replace")


@pytest.fixture
def aegisctl(folder):
    ctl = Aegisctl(folder)
    yield ctl
    for name in ctl.instances():
        if (folder / "aegis-v" / name / "control").exists():
            ctl("stop", "--instance", name)


@pytest.fixture
def machine(folder):
    """Machine(...) that is stopped at the test's end; may be called several times."""
    made = []

    def make(**options):
        options.setdefault("folder", pathlib.Path(tempfile.mkdtemp(prefix="m", dir=folder)))
        made.append(Machine(BUILD, **options))
        return made[-1]

    yield make
    for m in made:
        m.kill()


@pytest.fixture
def compile_filter(folder):
    """pcap-filter text to the pair of DPF images, by dpfc."""
    def compile_(text):
        pair = folder / "ingress", folder / "egress"
        done = subprocess.run([BUILD / "bin" / "dpfc", "-o", pair[0], "--egress-out", pair[1], text], capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 0, done.stderr
        return pair[0].read_bytes(), pair[1].read_bytes()
    return compile_
