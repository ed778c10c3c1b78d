"""Hostile programs (tests/attack) on the checked kernel: each gets its error, and the victim goes on as before.

INDEX says what is attacked by whom. Here is asked that it misses nothing, and that each of its rows was run and held."""
import re

import pytest

from conftest import BUILD, ROOT
from test_check import CHECKED, HUB

INDEX = re.sub(r"/\*.*?\*/", "", (ROOT / "tests/attack/INDEX").read_text(), flags=re.S)
CALLS = re.sub(r"/\*.*?\*/", "", (ROOT / "src/abi/calls.def").read_text(), flags=re.S)

PAIRS = re.findall(r"^(PAIR\w*)\((\w+), (\w+)\)", INDEX, re.M)
ATTACKS = re.findall(r'^(ATTACK|ATTACK_ENDED|HEAVY)\("([^"]+)", (\w+)', INDEX, re.M)
ALSO = re.findall(r'^ALSO\("([^"]+)", (\w+)\)', INDEX, re.M)

def listed_errors():
    """(call, error) for each error that calls.def lists."""
    return {(call, error) for call, errors in re.findall(r"AEGIS_CALL\d\(0x\w+, (\w+).*?\bE\(([^)]*)\)", CALLS, re.S)
            for error in re.findall(r"\w+", errors)}


def rows_of(*kinds):
    names = [f"{call}_{error}" for kind, call, error in PAIRS if kind in kinds]
    return names + [name for kind, _, name in ATTACKS if kind in kinds]


def run(machine, limit, **options):
    m = machine(kernel=CHECKED, initrd=BUILD / "guest/attack-initrd.cpio", memory=32, nics=0, **options)
    m.wait_line(r"\] DONE|panic|refuse", limit)
    status = m.wait()
    broken = re.findall(r"\] BROKE .*", m.text)
    assert not broken and status == 0, m.text
    return set(re.findall(r"\] HELD (\w+)", m.text))


def test_the_table_of_calls_is_read():
    assert {("map", "NO_TABLE"), ("net_bind", "STATE"), ("shutdown", "OWNER")} <= listed_errors()
    assert not any(call == "null" for call, _ in listed_errors())


def test_what_the_attacker_tries_gets_its_error_and_harms_nobody(machine):
    held = run(machine, 100, extra=HUB)
    assert not sorted(set(rows_of("PAIR", "PAIR_FIRST", "ATTACK", "ATTACK_ENDED")) - held), "not run"
