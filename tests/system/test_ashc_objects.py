"""Objects of real compilers, and broken ones, through ashc: each works or is refused by name. Needs no machine."""
import random
import shutil
import struct
import subprocess

import pytest

from conftest import BUILD, ROOT

ASHC = BUILD / "bin" / "ashc"
FRAME = "00" * 60
INCLUDES = ["-D__x86_64__", "-idirafter", "/usr/include/x86_64-linux-gnu"]
HEAD = """\
struct xdp_md { unsigned data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) value *name
struct legacy { unsigned type, key_size, value_size, max_entries, map_flags; };
"""
# How the two compilers are told of a helper.
CLANG = HEAD + "static void *(*lookup)(void *map, const void *key) = (void *)1;\n"
GCC = HEAD + "void *lookup(void *map, const void *key) __attribute__((kernel_helper(1)));\n"
COMPILERS = {"clang": (["clang", "-target", "bpf", "-g"], CLANG), "clang-19": (["clang-19", "-target", "bpf", "-mcpu=v4", "-g"], CLANG),
             "bpf-gcc": (["bpf-gcc", "-gbtf"], GCC)}

COUNTS = "struct { __uint(type, 2); __uint(max_entries, 4); __type(key, int); __type(value, long); } counts SEC(\".maps\");\n"
LEGACY = "struct legacy before SEC(\"maps\") = {2, 4, 4, 1, 0}, counts SEC(\"maps\") = {2, 4, 8, 4, 0};\n"
COUNTING = """\
SEC("xdp") int count(struct xdp_md *c) {
    int key = 1;
    long *value = lookup(&counts, &key);
    if (!value) return 1;
    *value += 5;
    return *value;
}
"""
VARIABLES = """\
static int counter = 5;
int zeroes[4];
static const int table[4] = {1, 2, 3, 4};
static const char word[] = "beta";
const char *const pointer = word;
const char *volatile moved = word;
SEC("xdp") int f(struct xdp_md *c) {
    counter++;
    zeroes[1] += 2;
    return table[c->rx_queue_index & 3] + counter + zeroes[1] + moved[1] + pointer[0];
}
"""
SEVERAL = """\
static __attribute__((noinline)) int thrice(int a) { return a * 3; }
SEC("xdp/first") int first(struct xdp_md *c) { return thrice(c->data_end - c->data); }
SEC("xdp/second") int second(struct xdp_md *c) { return thrice(2 + c->rx_queue_index); }
SEC("tc") int third(struct xdp_md *c) { return 7; }
"""


def compiled(folder, text, command, name="object.o"):
    if command[0] == "clang-19" and not shutil.which(command[0]):
        pytest.skip("clang-19 is not installed; ci/setup leaves it to you")
    source = folder / "source.c"
    source.write_text(text)
    subprocess.run([*command, "-O2", "-c", source, "-o", folder / name], check=True, timeout=60, capture_output=True)
    return folder / name


def run(path, *options):
    done = subprocess.run([ASHC, "run", "--frame", FRAME, *options, path], text=True, capture_output=True, timeout=60)
    out = done.stdout.splitlines()
    return done.returncode, out[0] if out else "", done.stderr.removeprefix(f"ashc: {path}: ").removesuffix("\n")


def refused(path, *options):
    status, out, why = run(path, *options)
    assert (status, out) == (1, "") and "\n" not in why
    return why


@pytest.mark.parametrize("how", [[], ["--compiled"]], ids=["interpreted", "compiled"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_objects_of_each_compiler_run(folder, compiler, how):
    command, head = COMPILERS[compiler]
    texts = {COUNTS + COUNTING: "5", LEGACY + COUNTING: "5", VARIABLES: f"{1 + 6 + 2 + ord('e') + ord('b'):x}", SEVERAL: "b4"}
    for text, r0 in texts.items():
        assert run(compiled(folder, head + text, command), *how) == (0, r0, ""), text


@pytest.mark.parametrize("compiler", COMPILERS)
def test_one_of_several_programs_is_chosen_by_name(folder, compiler):
    command, head = COMPILERS[compiler]
    path = compiled(folder, head + SEVERAL, command)
    for name, r0 in {"first": "b4", "second": "6", "third": "7"}.items():
        assert run(path, "--program", name) == (0, r0, "")
    why = refused(path, "--program", "fourth")
    assert why.startswith("there is no function fourth in the object; it has ")
    assert all(name in why for name in ("first", "second", "third"))


@pytest.mark.parametrize("command", [["clang", "-target", "bpf"], ["bpf-gcc"]], ids=lambda c: c[0])
def test_without_btf_variables_and_old_maps_work_and_new_maps_are_refused(folder, command):
    head = CLANG if command[0] == "clang" else GCC
    assert run(compiled(folder, head + VARIABLES, command))[0] == 0
    assert run(compiled(folder, head + LEGACY + COUNTING, command)) == (0, "5", "")
    why = refused(compiled(folder, head + COUNTS + COUNTING, command))
    assert why == "section .maps has no BTF that describes it; compile with clang -g or bpf-gcc -gbtf"


@pytest.mark.parametrize("command, why", [
    (["gcc"], "the object is for x86-64 (ELF machine 62), not for BPF (247); compile with clang -target bpf"),
    (["clang", "-target", "i386"], "the object is for Intel 80386 (ELF machine 3), not for BPF (247); compile with clang -target bpf"),
    (["riscv64-unknown-elf-gcc"], "the object is for RISC-V (ELF machine 243), not for BPF (247); compile with clang -target bpf"),
    (["clang", "-target", "riscv32"], "the object is for RISC-V (ELF machine 243), not for BPF (247); compile with clang -target bpf"),
    (["clang", "-target", "aarch64"], "the object is for AArch64 (ELF machine 183), not for BPF (247); compile with clang -target bpf"),
    (["clang", "-target", "powerpc64"], "the object is for PowerPC (ELF machine 21), not for BPF (247); compile with clang -target bpf"),
    (["clang", "-target", "hexagon"], "the object is for another machine (ELF machine 164), not for BPF (247); compile with clang -target bpf"),
    (["clang", "-target", "bpfeb"], "the object is for big-endian BPF; compile with clang -target bpfel"),
    (["bpf-gcc", "-mbig-endian"], "the object is for big-endian BPF; compile with clang -target bpfel"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_objects_for_other_machines_are_named(folder, command, why):
    assert refused(compiled(folder, "int f(void) { return 1; }", command)) == why


def test_programs_are_no_objects():
    assert "for x86-64" in refused("/bin/true")


@pytest.mark.parametrize("text, why", [
    (COUNTS.replace("type, 2", "type, 1") + COUNTING, "map counts is of type 1 (hash); a handler's maps are arrays (2)"),
    (COUNTS.replace("type, 2", "type, 3") + COUNTING, "map counts is of type 3 (prog_array); a handler's maps are arrays (2)"),
    (COUNTS.replace("max_entries, 4", "max_entries, 0") + COUNTING,
     "map counts has 0 entries of 8 bytes; give max_entries and value"),
    (COUNTS.replace("key, int", "key, long") + COUNTING, "map counts has keys of 8 bytes; an array's have 4"),
    (COUNTS.replace("max_entries, 4", "max_entries, 3000000") + COUNTING, "map counts is larger than 16 MiB"),
    (COUNTS.replace("max_entries, 4);", "max_entries, 4); __uint(frob, 1);") + COUNTING,
     "map counts has a member frob, which is not known here"),
    (COUNTS.replace("max_entries, 4);", "max_entries, 4); __uint(map_flags, 1);") + COUNTING,
     "map counts has flags 0x1, of which only 0x480 are known"),
    (LEGACY.replace("{2, 4, 8, 4, 0}", "{9, 4, 8, 4, 0}") + COUNTING, "map counts is of type 9 (lru_hash); a handler's maps are arrays (2)"),
    ("extern int outside(int);\nSEC(\"xdp\") int f(struct xdp_md *c) { return outside(1); }", "outside is not defined in the object"),
    ("extern int far;\nSEC(\"xdp\") int f(struct xdp_md *c) { return far; }", "far is not defined in the object"),
    ("int variable = 4;", "there is no function in the object"),
    ("static __attribute__((noinline)) int g(int a) { return a + 1; }\nint (*volatile p)(int) = g;\n"
     "SEC(\"xdp\") int f(struct xdp_md *c) { return (long)p; }", ".text in section .text is neither a map nor a variable"),
    ("SEC(\"xdp\") int f(struct xdp_md *c) { static int (*pid)(void) = (void *)14; return pid(); }",
     "refused: insn 0 (source.c:7): no such helper here: 14"),
    ("static __attribute__((noinline)) int g(int a) { return a ? g(a - 1) + g(a - 2) : 1; }\n"
     "SEC(\"xdp\") int f(struct xdp_md *c) { return g(c->data); }", "a function calls itself"),
], ids=["hash", "prog array", "no entries", "long key", "large", "member", "flags", "old hash", "function elsewhere",
        "variable elsewhere", "no function", "function pointer", "helper", "recursion"])
def test_what_a_handler_can_not_have_is_named(folder, text, why):
    assert why in refused(compiled(folder, CLANG + text, ["clang", "-target", "bpf", "-g"]))


def test_a_stripped_object_says_so(folder):
    path = compiled(folder, CLANG + SEVERAL, ["clang", "-target", "bpf"])
    subprocess.run(["bpf-strip", "--strip-all", path], timeout=60, check=True)
    assert refused(path) == "the object has no symbols; was it stripped?"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The bytes of an object with maps, BTF and line numbers."""
    folder = tmp_path_factory.mktemp("example")
    return compiled(folder, (ROOT / "examples/handlers/count-by-port.c").read_text(),
                    ["clang", "-target", "bpf", "-g", *INCLUDES]).read_bytes()


def lift(data):
    """The exit status of ashc -d on these bytes, and what it says."""
    done = subprocess.run([ASHC, "-d", "-"], input=data, capture_output=True, timeout=20)
    return done.returncode, done.stderr.decode(errors="replace")


def test_an_object_cut_off_anywhere_is_refused_by_name(example):
    """Each length is the unit test's (tests/unit/ash/object_test.c); here the command's, at some two hundred."""
    assert lift(example) == (0, "")
    said = {}
    for length in [*range(0, 80), *range(80, len(example), len(example) // 200), len(example) - 1]:
        status, why = lift(example[:length])
        assert status == 1 and why.startswith("ashc: -: ") and why.count("\n") == 1, (length, why)
        said[length] = why
    assert all("cut off" in said[n] for n in said if n >= 4) and "neither an object" in said[3]


def section(data, name):
    """Offset and size of a section's bytes."""
    at, = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, at + 64 * i) for i in range(count)]
    for row in headers:
        start = headers[names][4] + row[0]
        if data[start:data.index(b"\0", start)].decode() == name:
            return row[4], row[5]
    raise KeyError(name)


def changed(data, at, value):
    return data[:at] + value + data[at + len(value):]


@pytest.mark.parametrize("offset, value, why", [
    (0, b"\0\0", "the object's section .BTF is broken"),
    (4, b"\xff\xff\xff\xff", "the object's section .BTF is broken"),
    (8, b"\xff\xff\xff\x7f", "the object's section .BTF is broken"),
    (12, b"\xff\xff\xff\x7f", "the object's section .BTF is broken"),
    (12, b"\x05\0\0\0", "the object's BTF is broken at type 1"),
    (12, b"\x0c\0\0\0", "section .maps has no BTF"),
    (24 + 4, b"\xff\xff\xff\xff", "the object's BTF is broken at type 1"),
    (24 + 4, b"\xff\xff\x00\x04", "the object's BTF is cut off at type 1"),
], ids=["magic", "header length", "types' offset", "types' length", "half a type", "one type", "kind", "members"])
def test_broken_btf_is_named(example, offset, value, why):
    at, _ = section(example, ".BTF")
    status, said = lift(changed(example, at + offset, value))
    assert status == 1 and why in said, said


def test_any_byte_of_btf_may_be_wrong(example):
    """Whatever it says then: it ends, with 0 or 1, and in a sentence."""
    pick, refusals = random.Random(4), 0
    for name in (".BTF", ".BTF.ext"):
        at, size = section(example, name)
        for _ in range(60):
            status, said = lift(changed(example, at + pick.randrange(size), bytes([pick.randrange(256)])))
            assert status in (0, 1) and (status == 0 or said.startswith("ashc: -: "))
            refusals += status
    assert refusals > 5
