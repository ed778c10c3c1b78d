"""docs/concepts.md names files and tests that exist, for each of its terms; the guest's tests that it names are run."""
import re

import pytest

from conftest import ROOT

ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in
        (ROOT / "docs/concepts.md").read_text().splitlines() if line.startswith("| ")][1:]
GUEST = set(re.findall(r"^TEST\((\w+)\)", (ROOT / "tests/guest/tests.def").read_text(), re.M))


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_term_has_files_and_tests_that_exist(row):
    term, where, how, test = row
    if where == "not yet":
        assert not how and not test
        return
    assert names(where) and how and names(test), term
    for name in names(where):
        assert (ROOT / name).exists() or (ROOT / "src/kernel" / name).is_file(), name
    for name in names(test):
        assert (ROOT / name).exists() if "/" in name else name.removesuffix(".c") in GUEST, name


def test_the_table_is_there():
    assert len(ROWS) > 20
