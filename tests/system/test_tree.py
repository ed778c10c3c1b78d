"""What the tree promises about itself: layers, a kernel without protocols, clean messages (design sections 2, 8)."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# Folder -> folders whose headers it may include: apps -> libos -> abi <- kernel -> {dpf, ash} -> vcode.
LAYERS = {
    "abi": {"abi"},
    "vcode": {"vcode"},
    "siphash": {"siphash"},
    "extent": {"extent", "siphash"},
    "image": {"image"},
    "control": {"control"},
    "dpf": {"dpf", "vcode"},
    "ash": {"ash", "vcode"},
    "kernel": {"kernel", "abi", "dpf", "ash", "image", "vcode", "siphash", "extent"},
    "libos": {"libos", "abi", "dpf", "ash", "image", "siphash"},
    "apps": {"apps", "libos", "abi", "dpf", "ash", "control", "image", "siphash"},
}


def sources(folder):
    return [p for p in sorted((SRC / folder).rglob("*")) if p.suffix in (".c", ".h", ".S", ".def")]


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_includes_follow_the_layers(layer):
    for path in sources(layer):
        for line in path.read_text().splitlines():
            found = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
            # A folder of the same part may be named without its prefix (libos parts, apps' own headers).
            if found and (SRC / found[1]).is_dir():
                assert found[1] in LAYERS[layer], f"{path.relative_to(ROOT)}: {line.strip()}"


def without_comments(text):
    return re.sub(r"//[^\n]*", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


# EtherTypes, and words that only a protocol's implementation would use.
PROTOCOL = re.compile(r"0x0?80[06]\b|0x86dd|0x8100|\barp\b|\bicmp\b|\budp\b|\btcp\b|\bipv?[46]\b|ethertype|ip_proto",
                      re.I)


def test_the_kernel_knows_no_protocol():
    for path in sources("kernel"):
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            assert not PROTOCOL.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_the_protocol_pattern_can_fail():
    assert PROTOCOL.search("if (type == 0x0806)") and PROTOCOL.search("static int udp;")


def test_no_feature_is_switched_off():
    out = subprocess.run(["git", "grep", "-nE", r"^\s*#\s*if\s+0\b", "--", "src", "bench", "tests/*.c"], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    assert out.returncode == 1, out.stdout


def test_error_and_call_numbers_are_unique():
    for name, pattern in (("errors.def", r"AEGIS_ERROR\((\w+), (\d+),"), ("calls.def", r"AEGIS_CALL\d\((0x\w+), (\w+),")):
        rows = re.findall(pattern, (SRC / "abi" / name).read_text())
        assert len(rows) > 15
        for column in (0, 1):
            values = [row[column] for row in rows]
            assert len(values) == len(set(values)), name


def test_calls_name_only_errors_that_exist():
    errors = set(re.findall(r"AEGIS_ERROR\((\w+),", (SRC / "abi/errors.def").read_text()))
    for listed in re.findall(r"\bE\(([^)]*)\)", without_comments((SRC / "abi/calls.def").read_text())):
        for error in filter(None, re.split(r"[,\s]+", listed)):
            assert error in errors, error
