"""What docs/guide.md and the README tell their readers to type, typed: every command, in order, in one shell, in a folder that
looks like a fresh clone with its build. What it prints is compared with what the page shows.

The convention, which the pages keep and this test enforces:

- A code block is a session, or names another language (```c). A session is an indented block or ```console; in it a line
  "$ COMMAND" is typed as it stands ("> " goes on with it), and the lines behind it are what it prints, on stdout and stderr. A
  command without such lines may print anything but warnings.
- It exits 0, or ends in "# exit status N". A command runs at most LIMIT seconds; one that would go on is stopped by another.
- "..." in what is shown stands for any lines. Numbers may differ, but not in whether they are zero; so may blanks, times of the
  day, hexadecimal numbers, the bars of a histogram and the count of its rows, and the folder that runs machines.
- A command in running text (`aegisctl list -v`) is one that a session on the same page types, or the beginning of one.
- Of the README the sessions before the heading "What is where" are typed.

Only what builds or tests the tree isn't typed: NOT_TYPED. ci/run is, on the build that is there."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD, ROOT

LIMIT = 90
NOT_TYPED = {"ci/build", "ci/test", "ci/lint"}
TOOLS = ("aegisctl", "dpfc", "ashc", "exos-cc", "ci/", "ctest", "/usr/bin/python3", "tcpdump")
PAGES = {"README.md": "## What is where", "docs/guide.md": None}


class Command:
    def __init__(self, page, line, text):
        self.where, self.text, self.shown = f"{page}:{line}", text, []

    @property
    def status(self):
        """The exit status that the page promises."""
        found = re.search(r"# exit status (\d+)$", self.text)
        return int(found[1]) if found else 0


def blocks(text):
    """(number of its first line, language, lines) of each code block; the language of an indented one is console."""
    found, block, fence = [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*```(\w*)", line)
        indented = re.match(r"(?: {4}|\t)", line)
        if mark:
            if fence is None:
                block = (number + 1, mark[1], [])
                found.append(block)
            fence = mark[1] if fence is None else None
        elif fence is not None:
            block[2].append(line)
        elif indented and (block is None or block[1] is not None):
            block = (number, None, [line[4:]]) # an indented one goes on over blank lines
            found.append(block)
        elif indented:
            block[2].append(line[4:])
        elif line.strip():
            block = None
        elif block is not None:
            block[2].append("")
    return [(number, "console" if language is None else language, lines) for number, language, lines in found]


def commands(page, text):
    """The commands of a page's sessions. AssertionError if a block is neither a session nor says what it is."""
    found = []
    for first, language, lines in blocks(text):
        assert language, f"{page}:{first}: the block doesn't say what language it is in"
        if language != "console":
            continue
        assert lines[0].lstrip().startswith("$ "), f"{page}:{first}: the session does not begin with a command: {lines[0]}"
        margin = len(lines[0]) - len(lines[0].lstrip())
        for number, line in enumerate(lines, first):
            line = line[margin:]
            if line.startswith("$ "):
                found.append(Command(page, number, line[2:]))
            elif line == ">" or line.startswith("> "):
                found[-1].text += "\n" + line[2:]
            else:
                found[-1].shown.append(line)
    return found


def page_commands(page):
    text = (ROOT / page).read_text()
    end = PAGES[page]
    if end:
        assert end in text, f"{page} has no heading {end}"
        text = text[:text.index(end)]
    return commands(page, text)


def normal(line):
    """A line without what may differ."""
    line = re.sub(r"\d\d:\d\d:\d\d\.\d+", "TIME", line)
    line = re.sub(r"/\S*/aegis-v(-\d+)?/", "MACHINES/", line)
    line = re.sub(r"0x[0-9a-f]+|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", "HEX", line)
    line = re.sub(r"[▏▎▍▌▋▊▉█]+", "", line)
    line = re.sub(r"\d+(?:[.,]\d+)*", lambda n: "N" if re.search("[1-9]", n[0]) else "0", line)
    return " ".join(line.split())


def normal_lines(lines):
    """Lines without what may differ, blank ones and a histogram's gaps left out, and equal neighbours as one."""
    found = []
    for line in map(normal, lines):
        if line and line != ".." and line not in found[-1:]:
            found.append(line)
    return found


def agree(shown, printed):
    """Whether what was printed is what is shown."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(agree(shown[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and agree(shown[1:], printed[1:])


class Shell:
    """A bash that is given one line after the other, as by a reader."""

    def __init__(self, folder, log):
        self.log = log
        out = open(log, "wb")
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LANG") if name in os.environ}
        env = dict(keep, LC_ALL="C.UTF-8", XDG_RUNTIME_DIR=str(folder / "r"), AEGIS_BUILD=str(BUILD), AEGIS_NO_BUILD="yes",
                   AEGIS_SETUP="skip")
        (folder / "r").mkdir(mode=0o700)
        self.process = subprocess.Popen(["bash"], cwd=folder / "clone", env=env, stdin=subprocess.PIPE, stdout=out, stderr=out,
                                        text=True, start_new_session=True)
        self.number = 0

    def type(self, text):
        """(exit status, lines) of a command; status None if it takes too long."""
        self.number += 1
        mark = f"=={self.number}=="
        begin = self.log.stat().st_size
        # a command that reads gets nothing: what follows it is typed for the shell
        self.process.stdin.write(f"{{ {text}\n}} </dev/null\nprintf '\\n{mark}%d\\n' $?\n")
        self.process.stdin.flush()
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            printed = self.log.read_bytes()[begin:].decode(errors="replace")
            if found := re.search(rf"\n{mark}(\d+)\n", printed):
                return int(found[1]), printed[:found.start()].splitlines()
            time.sleep(0.02)
        return None, printed.splitlines()

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def clone(folder):
    """A folder with the tree's files, as links, and its build."""
    copy = folder / "clone"
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("build", ".git"):
            (copy / path.name).symlink_to(path)
    (copy / "build").symlink_to(BUILD)
    return copy


@pytest.fixture
def shell(folder):
    clone(folder)
    shell = Shell(folder, folder / "log")
    yield shell
    shell.end()
    ctl = [BUILD / "bin/aegisctl", "stop", "--instance"]
    for control in (folder / "r").glob("aegis-v/*/control"):
        subprocess.run([*ctl, control.parent.name], env=dict(os.environ, XDG_RUNTIME_DIR=str(folder / "r")), timeout=60,
                       capture_output=True, check=False)


def judge(command, status, printed):
    """What is wrong with what a command did, or None."""
    output = "\n".join(printed)
    if status != command.status:
        return f"exit status {status} (None: more than {LIMIT} s), not {command.status}, and it printed:\n{output}"
    shown = normal_lines(command.shown)
    if "warning: " in output and not shown:
        return f"it printed\n{output}"
    if shown and not agree(shown, normal_lines(printed)):
        return "it printed\n" + output + "\nand the page shows\n" + "\n".join(command.shown)
    return None


@pytest.mark.timeout_s(300, lasts=15)
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_is_what_happens(page, shell):
    typed = 0
    for command in page_commands(page):
        if command.text.split("#")[0].strip() in NOT_TYPED:
            continue
        wrong = judge(command, *shell.type(command.text))
        assert not wrong, f"{command.where}: $ {command.text}\n{wrong}"
        typed += 1
    assert typed >= 5


def test_commands_in_running_text_are_typed_too():
    for page in PAGES:
        text = (ROOT / page).read_text()
        typed = [" ".join(c.text.split()) for c in page_commands(page)]
        prose = re.sub(r"```.*?```", "", text, flags=re.S)
        prose = "\n".join(line for line in prose.splitlines() if not line.startswith("    "))
        for span in re.findall(r"`([^`]+)`", prose.replace("\n", " ")):
            words = " ".join(span.split())
            if words.startswith(TOOLS) and " " in words:
                assert any(re.search(rf"(^|[|&;(] *){re.escape(words)}( |$)", t) for t in typed), \
                    f"{page}: no session types `{words}`"


def test_every_example_is_explained_in_the_guide():
    text = (ROOT / "docs/guide.md").read_text()
    for path in (ROOT / "examples").glob("*/*"):
        assert path.name in text, f"docs/guide.md does not explain {path.relative_to(ROOT)}"


def test_the_convention_is_enforced():
    """The test itself can fail."""
    with pytest.raises(AssertionError, match="does not begin with a command"):
        commands("page", "Type\n\n    aegisctl list\n")
    with pytest.raises(AssertionError, match="what language"):
        commands("page", "Type\n\n```\nls\n```\n")
    page = commands("page", "Type\n\n    $ false # exit status 1\n    $ echo 5\n    4\n\n    $ printf 0\n    1\n")
    assert [c.text for c in page] == ["false # exit status 1", "echo 5", "printf 0"]
    assert judge(page[0], 0, []) and not judge(page[0], 1, [])
    assert judge(page[1], None, []) and judge(page[1], 0, ["0"]) and not judge(page[1], 0, ["5"])
    assert judge(page[2], 0, ["0"]) and judge(Command("page", 1, "gcc x.c"), 0, ["x.c:1: warning: no"])


def test_what_may_differ():
    same = [("13:49:05.013452 In  IP 10.0.2.2.49573 > 10.0.2.15.7: UDP, length 60",
             "15:00:00.9 In IP 10.0.2.2.1 > 10.0.2.15.7: UDP, length 6"),
            ("   40 .. 50   468 ████▌", "63 .. 80  1 ▏"),
            ("log /tmp/aegis-v-0/x/serial.log", "log /run/user/7/aegis-v/x/serial.log")]
    for a, b in same:
        assert normal(a) == normal(b)
    for a, b in (("0 lost", "1 lost"), ("In IP", "Out IP"), ("0 of 1000 lost (0.00 %)", "0 of 1000 lost (0.10 %)")):
        assert normal(a) != normal(b)
    assert agree(["a", "...", "c"], ["a", "b", "b2", "c"]) and agree(["...", "c"], ["c"])
    assert not agree(["a", "...", "c"], ["a", "b"]) and not agree(["a"], ["a", "b"]) and not agree(["a", "b"], ["a"])
