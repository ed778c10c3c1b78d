"""A bug of the kernel leaves what is needed to find it, and the guards that the kernel stands behind hold (panic= commits
each on purpose)."""
import re

import pytest


def panic_of(m):
    assert m.wait() != 0
    assert m.lines[-1].startswith("aegis: "), m.text
    return [line.removeprefix("aegis: panic:") for line in m.lines if line.startswith("aegis: panic:")]


@pytest.mark.parametrize("fault, message, functions", [
    ("1", "asked for by the boot arguments", ["boot"]),
    ("null", "store page fault", ["boot"]),
    ("text", "store page fault", ["boot"]),
    ("data", "instruction page fault", []),
    ("stack", "stack", [])])
def test_a_panic_prints_message_registers_and_a_symbolised_back_trace(machine, fault, message, functions):
    panic = panic_of(machine(append=f"panic={fault}"))
    assert panic and message in panic[0], panic
    text = "\n".join(panic)
    for register in ("ra", "sp", "tp", "a0", "s11", "t6", "sepc", "stval"):
        assert re.search(rf"\b{register} 0x[0-9a-f]{{16}}", text), register
    trace = re.findall(r"^\s+0x[0-9a-f]{16} (\w+)\+0x[0-9a-f]+$", text, re.M)
    assert trace and all(f in trace for f in functions), text


def test_the_back_trace_names_each_caller(machine):
    text = "\n".join(panic_of(machine(append="panic=stack")))
    trace = re.findall(r"^\s+0x[0-9a-f]{16} (\w+)\+0x", text, re.M)
    assert len(trace) >= 3, text


def test_an_unknown_fault_is_refused(machine):
    m = machine(append="panic=everything")
    assert m.wait() != 0
    assert m.lines[-1].startswith("aegis: panic= takes"), m.text
