"""What the linked kernel promises: where it is entered, W^X, the registers that it leaves alone."""
import re
import subprocess

from conftest import BUILD

KERNEL = BUILD / "guest/src/kernel/kernel.elf"
TOOL = "riscv64-unknown-elf-"


def tool(name, *arguments):
    return subprocess.run([TOOL + name, *arguments, str(KERNEL)], check=True, capture_output=True, text=True).stdout


def segments():
    """(physical address, flags) of each PT_LOAD, in the order of the file."""
    return [(int(m[1], 16), m[2].replace(" ", "")) for m in
            re.finditer(r"LOAD +\S+ \S+ (0x\w+) \S+ \S+ ([RWE ]+?) +0x", tool("readelf", "-lW"))]


def test_the_entry_lies_at_the_lowest_load_address():
    symbols = dict(reversed(line.split()[::2]) for line in tool("nm").splitlines())
    assert symbols["_start"] == symbols["kernel_start"]
    assert min(address for address, _ in segments()) == segments()[0][0]


def test_no_segment_is_writable_and_executable():
    assert [flags for _, flags in segments()] == ["RE", "R", "RW"]


def test_only_assembly_uses_the_registers_that_calls_leave_alone():
    function, users = "", set()
    for line in tool("objdump", "-d").splitlines():
        if found := re.match(r"\w+ <(\S+)>:", line):
            function = found[1]
        elif re.search(r"\bt[2-6]\b", line) and not re.search(r"\bli\s+t[2-6],0$", line):
            users.add(function) # other than to clear them after generated code
    assert users == {"_start", "env_resume", "panic", "save_all", "trap_direct", "trap_in_kernel_tp"}
