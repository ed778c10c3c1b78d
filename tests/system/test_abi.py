"""The reference of the interface is what the tables of src/abi say, and complete; what is missing in them has a name."""
import importlib.util
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

PARTS = ("src/abi", "docs", "cmake", "tests/guest/examples.c", "bench/results.json", "bench/targets.tsv")


def run(root, *arguments):
    return subprocess.run([sys.executable, str(root / "cmake/abi.py"), *arguments], capture_output=True, text=True, timeout=60)


def test_the_page_is_up_to_date():
    done = run(ROOT, "--check")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def copy(folder):
    """The parts of the tree that the page is made from, to be changed."""
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, folder / part)
    return folder


def change(root, path, old, new):
    text = (root / path).read_text()
    assert len(re.findall(old, text, re.S)) >= 1, old
    (root / path).write_text(re.sub(old, new, text, count=1, flags=re.S))


@pytest.mark.parametrize("path, old, new, complaint", [
    ("src/abi/calls.def", r'V\(uint64_t, ppn, "[^"]*"\)', "V(uint64_t, ppn)", "page_alloc: ppn has no meaning"),
    ("src/abi/calls.def", r"E\(RANGE, STATE\)", "E(RANGE, NOWHERE)", "yield: errors.def has no NOWHERE"),
    ("tests/guest/examples.c", r"/\* entropy \*/", "/* Something. */", "names entropy"),
    ("src/abi/costs.def", r"null_syscall", "null_call", "no row null_call"),
    ("src/abi/costs.def", r"AEGIS_COST\(null,", "AEGIS_COST(nothing,", "no call nothing"),
    ("src/abi/abi.h", r" /\* nobody's \*/", "", "AEGIS_PAGE_FREE has no meaning"),
    ("src/abi/abi.h", r"(AEGIS_SLOTS +64) +/\*.*?\*/", r"\1", "AEGIS_SLOTS has no meaning"),
], ids=["an argument's meaning", "an error", "an example", "a cost's row", "a cost's call", "a state's meaning",
        "a limit's meaning"])
def test_what_is_missing_is_named(copy, path, old, new, complaint):
    assert run(copy, "--check").returncode == 0
    change(copy, path, old, new)
    done = run(copy)
    assert done.returncode == 1 and complaint in done.stderr, done.stderr


@pytest.mark.parametrize("path, old, new", [
    ("src/abi/calls.def", r"Does nothing\.", "Does much."), ("src/abi/errors.def", r"no page is free", "no page"),
    ("src/abi/resources.def", r"environment number", "number"), ("src/abi/layouts.def", r"PTEs that map it", "PTEs"),
    ("src/abi/abi.h", r"bytes of a ring's slot", "bytes"), ("tests/guest/examples.c", r"uint8_t key\[16\]", "uint8_t key[32]"),
], ids=["calls", "errors", "resources", "layouts", "constants", "examples"])
def test_a_page_that_says_something_else_is_found(copy, path, old, new):
    change(copy, path, old, new)
    done = run(copy, "--check")
    assert done.returncode == 1 and "cmake/abi.py" in done.stderr


def test_every_row_stands_on_the_page():
    spec = importlib.util.spec_from_file_location("abi", ROOT / "cmake/abi.py")
    abi = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(abi)
    page = (ROOT / "docs/abi.md").read_text()
    for _, (number, name, *_rest) in abi.rows("calls.def"):
        assert f"\n### {name}\n\n`{number}`" in page
    for _, row in abi.rows("errors.def"):
        assert f"`AEGIS_E_{row[0]}`" in page
    for _, row in abi.rows("resources.def"):
        assert f"`AEGIS_KIND_{row[0]}`" in page
    layouts = [row[0] for macro, row in abi.rows("layouts.def") if macro == "AEGIS_LAYOUT"]
    assert len(layouts) > 15
    for name in layouts:
        assert f"### struct aegis_{name}\n" in page


def test_states_have_the_values_that_programs_see(folder):
    """What cc makes of abi.h, of each member of its enums that are written out."""
    text = (ROOT / "src/abi/abi.h").read_text()
    enums = [body for body in re.findall(r"^enum aegis_\w+ \{\n(.*?)^\};", text, re.M | re.S) if "#define" not in body]
    names = re.findall(r"^    (AEGIS_\w+),", "".join(enums), re.M)
    lines = "".join(f'printf("| %d | `{name}` |\\n", (int){name});' for name in names)
    (folder / "states.c").write_text(f'#include "abi/abi.h"\n#include <stdio.h>\nint main(void) {{ {lines} }}\n')
    subprocess.run(["cc", f"-I{ROOT / 'src'}", "-o", folder / "states", folder / "states.c"], check=True, timeout=60)
    said = subprocess.run([folder / "states"], capture_output=True, text=True, check=True).stdout.splitlines()
    page = (ROOT / "docs/abi.md").read_text()
    assert len(said) > 40 and not [row for row in said if f"\n{row} " not in page]


VERSION = '#include "abi/abi.h"\n#include <stdio.h>\nint main(void) { printf("%u", AEGIS_ABI_VERSION); }\n'


def version(root):
    (root / "version.c").write_text(VERSION)
    subprocess.run(["cc", f"-I{root}/src", "-o", root / "version", root / "version.c"], check=True, timeout=60)
    return subprocess.run([root / "version"], capture_output=True, text=True, check=True).stdout


def test_the_version_changes_with_the_layouts_and_with_nothing_else(copy):
    slot = r'AEGIS_FIELD\(slot, 4, uint32_t, owner, [^\n]*\)'
    versions = [version(copy)]
    change(copy, "src/abi/layouts.def", r"PTEs that map it", "mappings")
    assert version(copy) == versions[0]
    for old, new in ((slot, 'AEGIS_FIELD(slot, 4, uint32_t, hart, "")'),
                     (r'AEGIS_FIELD\(slot, 4, uint32_t, hart, ""\)', 'AEGIS_ARRAY(slot, 4, uint16_t, hart, 2, "")'),
                     (r'(AEGIS_LAYOUT\(slot, )16(.*?)AEGIS_FIELD\(slot, 8[^\n]*\n', r"\g<1>8\2"),
                     (r"(AEGIS_LAYOUT\(slot, )8(.*?)AEGIS_END\(slot\)",
                      r'\g<1>16\2AEGIS_FIELD(slot, 8, uint64_t, longer, "")\nAEGIS_END(slot)')):
        change(copy, "src/abi/layouts.def", old, new)
        versions.append(version(copy))
    assert len(set(versions)) == len(versions), versions


def test_usage_is_told():
    done = run(ROOT, "--chekc")
    assert done.returncode == 2 and "--check" in done.stderr
