"""docs/dpf.md, docs/ash.md and docs/disk.md are true: their commands print what stands there, their tables are the tree's."""
import os
import re
import subprocess

import pytest

import test_dpfc_match
from conftest import BUILD, ROOT

DPF, ASH, DISK = ((ROOT / "docs" / name).read_text() for name in ("dpf.md", "ash.md", "disk.md"))


def source(path):
    return (ROOT / "src" / path).read_text()


def commands(text):
    """(command, the lines that it prints) of each indented block that begins with $."""
    blocks = re.findall(r"^    \$ (.*)\n((?:    (?!\$ ).*\n)*)", text, re.M)
    return [(command, [line[4:] for line in printed.splitlines()]) for command, printed in blocks]


ALL = commands(DPF) + commands(ASH)


@pytest.fixture
def place(folder):
    """Where the pages' commands find what they name."""
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "traffic.pcap").write_bytes(test_dpfc_match.capture(test_dpfc_match.frames(1, 50, 2000)))
    return folder


def test_the_pages_have_commands():
    assert len(commands(DPF)) >= 3 and len(commands(ASH)) >= 4 and len(commands(DISK)) >= 8


@pytest.mark.parametrize("command, printed", ALL, ids=[command[:40] for command, _ in ALL])
def test_a_command_prints_what_stands_there(place, command, printed):
    """"..." stands for the lines from there on; of a command without any, only the status counts."""
    env = {**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", command], cwd=place, env=env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    said = done.stdout.splitlines()
    if printed and printed[-1].strip() == "...":
        printed, said = printed[:-1], said[:len(printed) - 1]
    if printed:
        assert said == printed
    else:
        assert done.returncode == 0, done.stdout


def test_the_commands_of_the_disks_page_in_their_order(folder):
    env = {**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}"}
    for command, printed in commands(DISK):
        if command.startswith(("aegisctl run", "aegisctl start")):
            continue  # of a machine, with secrets drawn for it: test_disk_apps.py
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        assert done.stdout.splitlines() == printed, command


@pytest.mark.parametrize("number, size", [(0, 512), (1, 64)])
def test_the_fields_of_the_disks_page_follow_each_other(number, size):
    at = 0
    for start, length, _ in table("| at | bytes" + DISK.split("| at | bytes")[number + 1], "| at | bytes"):
        assert int(start) == at
        at += int(length)
    assert at == size


def table(text, head):
    """The rows of the table whose first line is head."""
    lines = text[text.index(head):].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_helpers_is_helpers_def():
    rows = re.findall(r'^ASH_HELPER\(\w+, (\d+), "(\w+)", (\d+), (\d+),', source("ash/helpers.def"), re.M)
    assert len(rows) >= 10
    assert table(ASH, "| number | helper |") == [[number, f"`{name}`", arguments, cost] for number, name, arguments, cost in rows]


def test_the_table_of_instructions_is_bpf_def():
    defined = re.findall(r"^ASH_(?:ALU|END|JUMP|LOAD|STOREX|STORE|ATOMIC|WIDE|FLOW)\((\w+), ", source("ash/bpf.def"), re.M)
    listed = [word for row in table(ASH[ASH.index("## The instruction set"):], "| | |") for word in row[1].split()]
    assert sorted(listed) == sorted(defined) and len(defined) > 70


def test_the_reasons_of_aborts_are_aborts_def():
    defined = re.findall(r'^ASH_ABORT\(\w+, \d+, "([^"]+)"\)', source("ash/aborts.def"), re.M)
    listed = [row[0].strip("`") for row in table(ASH, "| aborted for |")]
    assert sorted([*listed, "none", "proof"]) == sorted(defined), "proof: a fault of the verifier, the interpreter's word"


def test_the_figures_of_handlers_are_the_shapes():
    rows = table(ASH, "| program | instructions | guards |")
    assert len(rows) >= 9
    for name, instructions, guards in rows:
        shape = (ROOT / "tests/shape/ash" / (re.match(r"`(\w+)`", name)[1] + ".shape")).read_text()
        assert f"\ninstructions {instructions}\n" in shape and f"\nguards {guards}\n" in shape, name


def test_the_sandbox_is_the_one_of_ash_h():
    stated = re.findall(r"^\| (0x\w{8}) \|", ASH, re.M)
    drawn = re.findall(r"^ \*   (0x\w{8})  ", source("ash/ash.h"), re.M)
    assert stated == drawn and len(stated) == 6


@pytest.mark.parametrize("name, path, said", [
    ("AEGIS_FUEL_DEFAULT", "abi/abi.h", "A run's limit is {} "), ("AEGIS_FUEL_MAX", "abi/abi.h", "(up to {}\n"),
    ("AEGIS_STRIKES", "abi/abi.h", "At {} strikes"), ("STEP_WORK", "kernel/handler_load.c", "every {} instructions"),
    ("EVENT_IN_FLIGHT_MOST", "kernel/event.h", "at most {} of a binding"), ("ASH_MAPS_MAX", "ash/ash.h", "at most {}, each"),
    ("ASH_ROUNDS", "ash/types.h", "more than {} rounds"), ("ASH_DEPTH_MAX", "ash/ash.h", "may be called, {} deep"),
])
def test_limits_are_the_sources(name, path, said):
    value, = re.findall(rf"^#define {name}\s+(?:HARD\()?(\d+)\b", source(path), re.M)
    assert said.format(value) in ASH


def test_the_files_that_the_pages_name_exist():
    for text in (DPF, ASH, DISK):
        for path in re.findall(r"`((?:src|tests|docs|examples)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), path


def test_the_figures_of_filters_are_the_shapes():
    """Each figure of the table of compiled filters is one that tests/shape pins."""
    pinned = set()
    for path in (ROOT / "tests/shape").glob("*.shape"):
        pinned.update(re.findall(r"^instructions (\d+)$", path.read_text(), re.M))
    rows = table(DPF[DPF.index("## Compilation"):], "| | all |")
    figures = {number for row in rows for number in re.findall(r"\d+", row[1])}
    assert len(rows) >= 6 and figures <= pinned, figures - pinned
