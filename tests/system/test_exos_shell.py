"""The machine's shell as its users have it, through aegisctl console: at a terminal, between pipes, with several clients, with
ones that die, with programs that crash, and with bytes that nobody would type."""
import os
import pathlib
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time

import pytest

import images
import protocol
from conftest import BUILD, Aegisctl
from machine import Refused

pytestmark = pytest.mark.timeout_s(150)
LIMIT = 30  # seconds: far more than anything takes
PROMPT = r"\raegis\$ \x1b\[K\r\x1b\[7C"

PROGRAMS = {  # what no archive has: programs that crash, and one that looks at its terminal
    "null": "int main(void) { char *volatile p = (char *)8; return *p; }",
    "overflow": "#include <string.h>\n__attribute__((noinline)) int deeper(int n) { volatile char page[2000];"
                " memset((void *)page, n, sizeof page); return n ? deeper(n + 1) + page[7] : 0; }\n"
                "int main(void) { return deeper(1); }",
    "size": "#include <stdio.h>\n#include <sys/ioctl.h>\nint main(void) { struct winsize s;"
            " if (ioctl(0, TIOCGWINSZ, &s)) return 1; printf(\"%d x %d\\n\", s.ws_col, s.ws_row); return 0; }",
    "given": "#include <stdio.h>\n#include \"libos/start/start.h\"\nint main(void) { for (unsigned i = 0; i < exos.start->cap_count; i++)"
             " { uint64_t name = exos.start->caps[i].name; printf(\"%s, %s\\n\", AEGIS_CAP_KIND(name) == AEGIS_KIND_ENV ? \"env\" : AEGIS_CAP_KIND(name) == AEGIS_KIND_PAGE ? \"page\" : \"other\","
             " AEGIS_CAP_RIGHTS(name) == AEGIS_RIGHT_CALL ? \"call\" : AEGIS_CAP_RIGHTS(name) == AEGIS_RIGHT_READ ? \"read\" : \"other\"); } return 0; }",
    "runs": "#define _GNU_SOURCE\n#include <errno.h>\n#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <sys/wait.h>\n"
            "static void note(int n) { (void)n; puts(\"told\"); }\n"
            "int main(void) { char line[80]; setvbuf(stdout, NULL, _IOLBF, 0); signal(SIGCHLD, note); int s = system(\"exit 3\"); printf(\"%d %d\\n\", system(NULL), WEXITSTATUS(s));"
            " s = system(\"kill -2 $$\"); printf(\"%d\\n\", WIFSIGNALED(s) ? WTERMSIG(s) : 0); signal(SIGCHLD, SIG_DFL);"
            " FILE *in = popen(\"primes 20 | wc -l; exit 4\", \"r\"), *out = popen(\"cat\", \"w\"), *other = popen(\"wc -c\", \"w\");"
            " if (!fgets(line, sizeof line, in)) return 1; fprintf(out, \"read %s\", line); s = pclose(out); printf(\"%d %d\\n\", s, WEXITSTATUS(pclose(in)));"
            " fflush(stdout); fputs(\"12345\", other); s = pclose(other); printf(\"%d \", s); printf(\"%d\", pclose(stdin)); printf(\" %d\\n\", errno == ECHILD);"
            " printf(\"%d\\n\", !popen(\"x\", \"rw\") && errno == EINVAL); return 0; }",
    # writes that netd carries the shell, until the shell has ended nevertheless
    "forger": "#include <signal.h>\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n#include \"libos/proc/table.h\"\n"
              "int main(void) { pid_t shell = getppid(); uint64_t life; struct table_entry *entry = table_find(shell, &life);"
              " uint32_t own = carrier_env(life), serial = aegis_env(own)->serial, env = 1; signal(SIGHUP, SIG_IGN);"
              " while (strcmp((const char *)(uintptr_t)aegis_env(env)->name, \"netd\")) env++;"
              " uint64_t forged = life_make(life_incarnation(life), LIFE_LIVE, carrier_of(env, aegis_env(env)->serial));"
              " table_move(entry, life, forged); puts(\"forged\"); fflush(stdout);"
              " while (aegis_env(own)->serial == serial && aegis_env(own)->state == AEGIS_ENV_LIVE) aegis_yield(0);"
              " return !table_move(entry, forged, life); }",
    "ticks": "#include <stdio.h>\n#include <unistd.h>\nint main(void) { for (int i = 0; i < 40; i++) { printf(\"tick %d\\n\", i);"
             " fflush(stdout); usleep(50000); } return 0; }",
}


@pytest.fixture(scope="module")
def shared():
    """A machine for all tests of this file, with PROGRAMS in its archive."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="av", dir="/tmp"))
    files = images.cpio_files((BUILD / "guest/initrd.cpio").read_bytes())
    for name, source in PROGRAMS.items():
        (folder / f"{name}.c").write_text(source)
        subprocess.run([BUILD / "bin/exos-cc", "-o", folder / name, folder / f"{name}.c"], check=True, timeout=60)
        subprocess.run(["riscv64-unknown-elf-strip", folder / name], check=True, timeout=60)
        files.append((name, (folder / name).read_bytes()))
    files.append(("numbers", b"".join(b"line %d\n" % i for i in range(20000))))
    (folder / "initrd").write_bytes(images.cpio(files))
    ctl = Aegisctl(folder)
    ctl.files = dict(files)
    ctl.ok("disk", "init", folder / "disk", "--size", "1M")
    ctl.ok("run", "--detach", "--initrd", folder / "initrd", "--disk", folder / "disk")
    yield ctl
    ctl("stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def ctl(shared):
    """The machine, which each test leaves as it has found it: no processes, and memory, but the agent and the machine's shell."""
    yield shared
    end = time.monotonic() + LIMIT
    while len(left := processes(shared)) > 1 or (left and left[0] != "sh"):
        assert time.monotonic() < end, f"left over: {left}"
        time.sleep(0.2)


def processes(ctl):
    """Names of the session's processes but for the agent, and for those of this look itself."""
    done = ctl("console", "ps")
    assert done.returncode == 0, done
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    own = {row[0] for row in rows if row[-1] == "ps"} | {row[1] for row in rows if row[-1] == "ps"}
    return [row[-1] for row in rows if row[0] not in own and row[-1] != "agent" and row[4] == "runs"]


def sh(ctl, text, timeout=60):
    """Run text in a shell of its own: (status, output)."""
    done = subprocess.run([ctl.program, "console"], input=text.encode() if isinstance(text, str) else text, env=ctl.env,
                          capture_output=True, timeout=timeout, check=False)
    assert not done.stderr, done
    return done.returncode, done.stdout


class Terminal:
    """aegisctl console at a terminal."""

    def __init__(self, ctl, *arguments, columns=80, rows=24, own=True):
        self.text = ""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (rows, columns))
        self.before = termios.tcgetattr(slave)
        self.slave, self.fd = slave, master
        command = [ctl.program, "console", *(["--own"] if own else []), *arguments]
        self.process = subprocess.Popen(command, env=ctl.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            self.text += os.read(self.fd, 65536).decode(errors="replace")

    def until(self, pattern, seconds=LIMIT):
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text!r}"
            self.read(0.2)
        before, self.text = self.text[:found.end()], self.text[found.end():]
        return before

    def type(self, keys):
        os.write(self.fd, keys if isinstance(keys, bytes) else keys.encode())

    def prompt(self):
        return self.until(PROMPT)

    def line(self, text, pattern=""):
        """Type a line at the prompt: what is printed up to the next prompt, in which pattern stands."""
        self.type(text + "\r")
        self.until(r"\r\r\n")  # the line is left
        printed = "\r\n" + self.prompt()
        assert re.search(pattern, printed), (text, pattern, printed)
        return printed

    def end(self, seconds=LIMIT):
        """The exit status, and that the terminal is as it was."""
        end = time.monotonic() + seconds
        while (status := self.process.poll()) is None:
            assert time.monotonic() < end, self.text
            self.read(0.1)
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.fd)
        os.close(self.slave)
        return status


@pytest.fixture
def terminal(ctl):
    made = []

    def make(*arguments, **more):
        made.append(Terminal(ctl, *arguments, **more))
        return made[-1]

    yield make
    for t in made:
        if t.process.poll() is None:
            t.process.kill()
            t.process.wait()


def test_a_pipeline_of_five_programs(ctl, terminal):
    pipeline = "cat numbers | cat | grep 9 | grep -v 8 | wc -l"
    lines = [line for line in ctl.files["numbers"].decode().splitlines() if "9" in line and "8" not in line]
    assert ctl.ok("console", pipeline) == f"{len(lines)}\n"
    t = terminal()
    t.prompt()
    t.line(pipeline, rf"\r\n{len(lines)}\r\n")
    t.line("echo a b c | cat | cat | cat | wc -w", r"\r\n3\r\n")
    t.type("exit 5\r")
    assert t.end() == 5


def test_scripts_are_run_as_they_are_piped_in(ctl):
    assert sh(ctl, "echo hi\n") == (0, b"hi\n")
    assert sh(ctl, "x='a  b'\necho \"$x\" $x\nfalse && echo no || echo yes; ! true; echo $?; exit 3\n") == (3, b"a  b a b\nyes\n1\n")
    assert sh(ctl, "cat\nwhat is left\nis cat's") == (0, b"what is left\nis cat's")
    assert sh(ctl, "if true; then for i in 1 2; do echo $i; done; fi; while false; do true; done") == (0, b"1\n2\n")
    assert sh(ctl, "(echo in; exit 4); echo $?; { echo a; echo b; } | cat; help | grep -c '^  wait'") == (0, b"in\n4\na\nb\n1\n")
    assert sh(ctl, "echo unfinished 'quote") == (2, b"sh: syntax error: a ' is missing\n")
    assert sh(ctl, "nosuch; echo $?") == (0, b"sh: nosuch: not found\n127\n")
    assert sh(ctl, "kill -9 $$")[0] == 128 + 9
    assert sh(ctl, "export A=1; B=2 env | grep '^[AB]='; echo $#")[1].split() == [b"B=2", b"A=1", b"0"]


def test_programs_run_commands_of_the_shell(ctl):
    lines = ctl.ok("console", "runs").split("\n")
    assert [line for line in lines if line != "told"] == ["1 3", "2", "read 8", "0 4", "5", "0 -1 1", "1", ""], lines
    assert lines.count("told") == 2  # when system returns


def test_words_stand_for_files_output_and_sums(ctl):
    names = sorted(name for name in ctl.files if name.startswith("p"))
    assert sh(ctl, "echo p* /ma[a-z]mu? 'p*' nosuch*") == (0, f"{' '.join(names)} /matmul p* nosuch*\n".encode())
    assert sh(ctl, "n=$(primes 30 | wc -l); echo $n $((n * n + 1)) \"$(cat <<E\n${n}${x:-y}\nE\n)\"") == (0, b"10 101 10y\n")
    assert sh(ctl, "f() { case $1 in p*) echo p;; *) return 4;; esac; }; f ps; f x; echo $?") == (0, b"p\n4\n")
    assert sh(ctl, "i=0; cat numbers | while read -r a b; do [ $b -eq 3 ] && break; echo $b; done; f() { f; }; f; echo $?") == \
        (0, b"0\n1\n2\nsh: f: 200 calls in one another\n1\n")
    big = "x" * 70000
    assert sh(ctl, f"cat <<E | wc -c\n{big[:60000]}\nE\n") == (0, b"60001\n")
    assert sh(ctl, "echo $(cat numbers agent agent) | wc -c\necho after")[1].endswith(b"after\n")


def test_a_script_of_many_lines_and_a_program_that_reads_it(ctl):
    lines = "".join(f"x{i}=v{i}\n" for i in range(300))
    assert sh(ctl, lines + "echo $x7 $x299\n") == (0, b"v7 v299\n")
    data = random.Random(1).randbytes(100000)
    status, out = sh(ctl, b"cat\n" + data)
    assert status == 0 and out == data


def test_output_larger_than_all_buffers_arrives_whole(ctl):
    done = subprocess.run([ctl.program, "console", "cat numbers agent numbers"], env=ctl.env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60, check=True)
    whole = ctl.files["numbers"] + ctl.files["agent"] + ctl.files["numbers"]
    assert len(whole) > 400000 and done.stdout == whole


def test_a_slow_reader_loses_nothing(ctl):
    process = subprocess.Popen([ctl.program, "console", "cat agent agent"], env=ctl.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    time.sleep(6)  # longer than a client may be quiet
    out = process.stdout.read()
    assert process.wait(LIMIT) == 0 and out == 2 * ctl.files["agent"]


def test_background_jobs(ctl, terminal):
    t = terminal()
    t.prompt()
    t.line("sleep 100 &", r"\[1\] \d+\r\n")
    t.line("sleep 200 | cat &", r"\[2\] \d+\r\n")
    t.line("jobs", r"\[1\] Running +sleep 100\r\n\[2\] Running +sleep 200 \| cat\r\n")
    t.line("kill %2; wait %2; echo $?", r"\r\n143\r\n|\r\n0\r\n")
    t.line("kill -0 $(echo %1) && echo $((6 * 7))", r"\r\n42\r\n")
    t.line("kill -INT %1", "")
    t.line("wait %1; echo $?", r"\r\n(130|127)\r\n")
    t.line("sleep 0.3 & wait $!; echo waited $?", r"waited 0\r\n")
    t.line("jobs; echo none", r"\r\nnone\r\n")
    t.type("sleep 300 &\r")
    t.until(r"\[1\] \d+")
    t.prompt()
    t.type("fg\r")
    t.until(r"sleep 300\r\n")
    time.sleep(0.3)
    t.type("\x03")
    t.prompt()
    t.type("exit\r")
    assert t.end() == 130


def test_jobs_are_stopped_and_go_on(ctl, terminal):
    t = terminal()
    t.prompt()

    def until_stopped():
        end = time.monotonic() + LIMIT
        while "Stopped" not in t.line("jobs"):
            assert time.monotonic() < end

    def stop():  # once all of it has begun, and is in the foreground
        t.until(r"up\r\n")
        t.type("\x1a")
        t.until(r"\[1\] Stopped +\(")
        t.prompt()

    t.type("(while true; do echo up; read x; done)\r")
    t.until(r"\r\r\n")
    stop()
    t.line("echo $?; ps", r"\r\n146\r\n(.|\n)* stopped (.|\n)*sh\r\n")
    t.type("fg\r")
    t.until(r"\r\r\n.*done\)\r\n")
    t.type("\r")
    stop()
    t.line("kill %1; wait %1; echo $?", r"\r\n143\r\n")
    t.line("sleep 100 & kill -STOP %1", r"\[1\] \d+\r\n")
    until_stopped()
    t.line("bg; jobs", r"\[1\] Running +sleep 100\r\n")
    t.line("kill %1; wait %1; echo $?", r"\r\n143\r\n")
    t.type("(read y; echo $y) | (echo up >&2; read x; echo got $x)\r")
    t.until(r"\r\r\n")
    stop()
    t.type("fg\r")
    t.until(r"\r\r\n\(read.*\r\n")
    t.type("words\r")
    t.until(r"\r\ngot words\r\n")
    t.prompt()
    # who reads in the background is stopped, and reads once it is brought forward
    t.line("cat &", r"\[1\] \d+\r\n")
    until_stopped()
    t.type("fg\r")
    t.until(r"\r\ncat\r\n")
    t.type("line\r\x04")
    t.until(r"line\r\nline\r\n")
    t.prompt()
    # a shell that is left doesn't leave stopped jobs behind: the fixture sees that
    t.line("cat &", r"\[1\] \d+\r\n")
    until_stopped()
    t.line("exit", "there are jobs that have stopped")
    t.type("exit\r")
    t.end()


def test_crashes_are_reported_and_the_shell_goes_on(ctl, terminal):
    t = terminal()
    t.prompt()
    printed = t.line("null", r"segmentation fault \(SIGSEGV\)")
    assert re.search(r"null: nothing is there: SIGSEGV at pc 0x1[0-9a-f]{7}, address 0x8; called from 0x1", printed), printed
    t.line("echo $?", r"\r\n139\r\n")
    printed = t.line("overflow", r"segmentation fault \(SIGSEGV\)")
    assert re.search(r"overflow: stack overflow.*: SIGSEGV at pc .*called from( 0x1[0-9a-f]{7})+", printed), printed
    t.line("null | cat; echo $?; cat numbers | overflow; echo $?", r"\r\n0\r\n(.|\n)*\r\n139\r\n")
    t.line("echo still here", r"\r\nstill here\r\n")
    t.type("\x04")
    assert t.end() == 0


def test_an_interrupt_ends_the_foreground_and_not_the_shell(ctl, terminal):
    t = terminal()
    t.prompt()
    for command in ("sleep 100", "cat", "cat numbers numbers numbers | sleep 100", "while true; do true; done", "sh -c 'sleep 100'"):
        t.type(command + "\r")
        t.until(r"\r\r\n")
        time.sleep(0.5)
        t.type("\x03")
        t.prompt()
        t.line("echo $?", r"\r\n130\r\n")
    t.type("gone\x03")
    t.until(r"\^C\r\r\n")
    t.prompt()
    t.type("cat | wc -l\r")
    t.until(r"\r\r\n")
    t.type("one\rtwo\x7f\x7f\x7f2\r\x04")
    t.until(r"\r\n2\r\n")
    t.prompt()
    t.type("exit\r")
    assert t.end() == 0


def test_lines_are_edited_and_remembered(ctl, terminal):
    t = terminal()
    t.prompt()
    t.line("echo onE\x1b[D\x08ne\x05!", r"\r\noneE!\r\n|\r\none!\r\n|\r\nonneE!\r\n")
    t.line("echo two", r"\r\ntwo\r\n")
    t.type("\x1b[A\x1b[A")
    t.until(r"echo on")
    t.line("\x15echo three", r"\r\nthree\r\n")
    t.type("\x12tw")
    t.until(r"search 'tw': echo two")
    t.line("", r"\r\ntwo\r\n")
    t.type("matm\t")
    t.until(r"matmul ")
    t.line("10", r"10 x 10: trace")
    t.line("history", r"\d+  matmul 10\r\n")
    t.type("\x04")
    assert t.end() == 0


def test_the_terminals_size_is_the_programs(ctl, terminal):
    t = terminal(columns=101, rows=31)
    t.prompt()
    t.line("size", r"\r\n101 x 31\r\n")
    termios.tcsetwinsize(t.slave, (20, 60))
    t.process.send_signal(signal.SIGWINCH)
    time.sleep(0.5)
    t.line("size", r"\r\n60 x 20\r\n")
    t.type("\x04")
    assert t.end() == 0
    assert sh(ctl, "size")[0] == 1  # none between pipes


def test_programs_of_the_shell_get_the_right_to_call_netd_and_nothing_of_the_agents(ctl):
    """And to read where it is; not the roots of interfaces and disks, nor the console, which init has handed to the agent."""
    for command in ("given", "sh -c given"):
        assert ctl.ok("console", command) == "env, call\npage, read\n"


def test_a_killed_client_leaves_the_machines_shell_and_takes_its_own_along(ctl, terminal):
    t = terminal(own=False)
    t.prompt()
    t.line("mark=set; ticks &", r"\[\d+\] \d+")
    t.until(r"tick 3\r\n")
    t.process.kill()
    t.process.wait()
    time.sleep(2.5)
    again = terminal(own=False)
    again.until(r"attached to the shell")
    again.until(r"tick 39\r\n")  # what was printed meanwhile was kept
    again.type("\r")
    again.until(r"Done +ticks\r\n")
    again.prompt()
    again.line("echo $mark", r"\r\nset\r\n")
    again.type("exit\r")
    assert again.end() == 0
    own = terminal()
    own.prompt()
    own.type("sleep 1000\r")
    own.until(r"\r\r\n")
    end = time.monotonic() + LIMIT
    while "sleep" not in processes(ctl):
        assert time.monotonic() < end
    own.process.kill()
    own.process.wait()  # the fixture ctl sees that the sleep ends


def test_a_shell_that_is_said_to_be_another_program_is_ended_and_the_other_is_not(ctl, terminal):
    t = terminal()
    t.prompt()
    t.type("forger\r")
    t.until(r"\r\nforged\r\n")
    netd = [line for line in ctl.ok("console", "ps -e").splitlines() if line.split()[-1] == "netd"]
    t.process.kill()
    t.process.wait()
    end = time.monotonic() + LIMIT
    while "forger" in processes(ctl):
        assert time.monotonic() < end
        time.sleep(0.1)
    left = [line for line in ctl.ok("console", "ps -e").splitlines() if line.split()[-1] == "netd"]
    assert len(netd) == 1 and [line.split()[:3] for line in left] == [netd[0].split()[:3]] and "live" in left[0], (netd, left)


def test_two_clients_see_and_type_the_same(ctl, terminal):
    first, second = terminal(own=False), terminal(own=False)
    first.until(r"; \^\] detaches")
    second.until(r"; \^\] detaches")
    first.prompt()
    first.line("echo by one", r"\r\nby one\r\n")
    second.until(r"\r\nby one\r\n")
    second.type("echo by two\r")
    first.until(r"\r\nby two\r\n")
    second.until(r"\r\nby two\r\n")
    third = terminal(own=False)
    third.until(r"with 2 more")
    third.type("\x1d")
    assert third.end() == 0
    second.type("\x1d")
    second.until("detached")
    assert second.end() == 0
    first.type("\rexit 6\r")
    assert first.end() == 6


def test_a_signal_detaches_and_restores_the_terminal(ctl, terminal):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        t = terminal()
        t.prompt()
        t.process.send_signal(number)
        assert t.end() == 0


def test_hostile_bytes_are_only_bytes(ctl, terminal):
    random_ = random.Random(7)
    t = terminal()
    t.prompt()
    for _ in range(20):
        keys = bytes(b for b in random_.randbytes(400) if b not in (0x1d, 0x04, 0x0d, 0x0a))
        t.type(keys)
        t.read(0.05)
    t.type(b"\x03")
    time.sleep(0.5)
    t.type(b"\x07\x15echo alive\r")
    t.until(r"\r\nalive\r\n")
    t.type("cat\r")
    t.until(r"\r\r\n")
    t.type(bytes(b for b in random_.randbytes(300) if b not in (0x1d, 0x03, 0x1c, 0x04)) + b"\r\x04")
    time.sleep(0.5)
    t.type("\x03")
    time.sleep(0.5)
    t.text = ""
    t.type("\x15echo again\r")
    t.until(r"\r\nagain\r\n")
    t.type("exit\r")
    t.end()
    for seed in range(10):
        noise = bytes(b for b in random.Random(seed).randbytes(3000) if b not in b"&")  # nothing is left in the background
        status, _ = sh(ctl, noise)
        assert status < 256


def test_programs_say_how_they_are_used(ctl):
    # builtins of the same name, and what only the bench starts
    names = [name for name in ctl.files if name not in {*PROGRAMS, "numbers", "kill", "true", "false", "spin", "ipc-server"}]
    assert {"agent", "bench", "dd", "netd", "sh", "udp-echo"} <= set(names)
    shown = ctl.ok("console", f"for p in {' '.join(names)}; do $p --help; echo $p ends with $?; done")
    for name in names:
        assert re.search(rf"^usage: {name}\b[^\0]*?^{name} ends with 0$", shown, re.M), (name, shown)
    for wrong in ("grep", "matmul x", "primes 1", "ps -x", "sleep", "sleep 1x", "time", "top -n 0", "wc -x", "kill", "ls -q",
                  "grep -x a", "sh -q", "matmul 1 2", "exit x", "show cats", "dd", "stride -n x 1:primes", "udpecho 70000"):
        done = ctl("console", "--", wrong)
        assert done.returncode == 2 and "usage: " in done.stdout, (wrong, done)
    for failing in ("cat nofile", "grep x nofile", "wc nofile", "kill 9999", "echo x >numbers", "time nosuch", "env nosuch"):
        assert ctl("console", failing).returncode in (1, 2, 127), failing
    assert ctl.ok("console", "primes 30").split() == "2 3 5 7 11 13 17 19 23 29".split()
    assert re.search(r"\d+ slices, \d+ instructions", ctl.ok("console", "time true"))
    assert re.search(r"agent", ctl.ok("console", "top -n 1 -d 1"))
    rows = ctl.ok("console", "bench sched", timeout=120)
    assert re.search(r'"group": "sched", "row": "stride_error", "value": [0-9.]+', rows), rows


def test_an_empty_pattern_matches_each_line(ctl):
    assert ctl.ok("console", "grep -c '' numbers; grep -E '' numbers | wc -l; grep -cv '' numbers; true").split() == ["20000", "20000", "0"]


def test_signals_to_the_agent_do_not_end_the_machine(aegisctl):
    aegisctl.ok("run", "--detach")
    for number in (1, 2, 3, 13, 14, 15, 18, 30):
        assert aegisctl.ok("console", f"kill -{number} 1; time primes 20 | wc -l").split()[-1] == "8"
    assert "init:" not in aegisctl.ok("log")
    end = time.monotonic() + LIMIT
    aegisctl("console", "kill -9 1")
    while "init: the agent has ended" not in aegisctl.ok("log"):
        aegisctl("console", "time primes 20")
        assert time.monotonic() < end
    assert aegisctl.ok("console", "primes 20 | wc -l").split()[-1] == "8"


def test_the_protocol_refuses_what_is_wrong(machine):
    m = machine().up()

    def refused(kind, record, **fields):
        with pytest.raises(Refused) as found:
            m.control.ask(kind, protocol.encode(record, **fields))
        return found.value.code

    def attach(**fields):
        return protocol.decode("attached", m.control.ask(protocol.CONSOLE, protocol.encode("console", **fields)))

    assert refused(protocol.CONSOLE_READ, "console_read", console=7, position=0) == 0x1030
    assert refused(protocol.CONSOLE_WRITE, "console_write", console=0, bytes=b"x") == 0x1030
    assert refused(protocol.CONSOLE_DETACH, "console_detach", console=0xFFFFFFFF) == 0x1030
    assert refused(protocol.CONSOLE, "console", own=1, command=b"a\0b") == 0x1001
    assert refused(protocol.CONSOLE, "console", own=0, command=b"ps") == 0x1001
    assert refused(protocol.CONSOLE, "console", own=0, plain=1) == 0x1001
    clients = [attach(own=1, plain=1)["console"] for _ in range(7)]
    assert refused(protocol.CONSOLE, "console", own=1, plain=1) == 0x100A
    first = clients[0]
    assert refused(protocol.CONSOLE_SIZE, "console_size", console=first, columns=1 << 20, rows=1) == 0x1001
    m.control.ask(protocol.CONSOLE_WRITE, protocol.encode("console_write", console=first, bytes=b"echo $((1\n" * 5 + b"echo ok\n", end=1))
    out, position, over = b"", 0, {}
    while not over.get("ended"):
        body = m.control.ask(protocol.CONSOLE_READ, protocol.encode("console_read", console=first, position=position))
        over = protocol.decode("console_output", body)
        out += over.get("bytes", b"")
        position = over["position"] + len(over.get("bytes", b""))
    assert b"syntax error" in out and over["status"] == 2
    assert refused(protocol.CONSOLE_READ, "console_read", console=first, position=position) == 0x1030
    time.sleep(5)  # all are quiet for longer than a client may be
    assert attach(own=1, plain=1)["console"] not in clients
    assert refused(protocol.CONSOLE_READ, "console_read", console=clients[1], position=0) == 0x1030
    m.control.hello()  # a new host: its clients are its own
    assert len([attach(own=1, plain=1) for _ in range(7)]) == 7 and m.alive()
