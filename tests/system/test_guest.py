"""The guest's own tests (tests/guest): programs that use every system call from the inside, rightly and wrongly."""
import re

import pytest

from conftest import BUILD, ROOT

NAMES = re.findall(r"^TEST\((\w+)\)", (ROOT / "tests/guest/tests.def").read_text(), re.M)


def outcome(machine, **options):
    m = machine(initrd=BUILD / "guest/tests-initrd.cpio", **options)
    m.wait_line(r"\] DONE", 100)
    status = m.wait()
    results = dict(re.findall(r"^\[\d+ agent\] ((?:PASS|FAIL) \w+)(.*)$", m.text, re.M))
    return m, status, results


@pytest.mark.parametrize("memory, cpus", [(128, 1), (32, 1), (64, 4)])
def test_the_guests_tests_pass(machine, memory, cpus):
    m, status, results = outcome(machine, memory=memory, cpus=cpus)
    failed = {name + why for name, why in results.items() if not name.startswith("PASS")}
    missing = [name for name in NAMES if f"PASS {name}" not in results and f"FAIL {name}" not in results]
    assert not failed and not missing and status == 0, (failed, missing, status, m.text[-4000:])
