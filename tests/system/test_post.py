"""What aegisctl post and symbols tell of a machine, from its memory alone: while it runs, and after a panic."""
import re
import subprocess

from conftest import BUILD, ROOT

FILTER = ROOT / "examples/filters/udp-echo"
HANDLER = ROOT / "examples/handlers/udp-echo.c"


def boot(aegisctl, *append):
    aegisctl.ok("run", "--detach", *(["--append", " ".join(append)] if append else []))


def section(text, title):
    """The lines of a section, up to the next empty line."""
    return text.split(f"\n{title}", 1)[1].split("\n\n", 1)[0].splitlines()


def columns(line):
    return line.split()


def test_post_tells_of_a_machine_that_runs(aegisctl):
    boot(aegisctl, "trace=ring")
    aegisctl.ok("load", FILTER, "--app", "udp-echo")
    aegisctl.ok("rtt", "--count", 50)
    text = aegisctl.ok("post")
    assert text.startswith("no panic\n")
    assert "\nmachine: running, " in text
    envs = {columns(line)[1]: columns(line) for line in section(text, "environments:")[2:]
            if re.match(r" +\d", line)}
    assert set(envs) == {"init", "agent", "netd", "netd-frames", "udp-echo"}
    assert all(row[3] == "live" and re.fullmatch(r"0x[0-9a-f]+", row[6]) for row in envs.values())
    # What it counts is what the programs count.
    listed = aegisctl.ok("list").splitlines()
    row = next(line for line in listed if line.startswith("udp-echo"))
    binding = columns(row)[1]
    counted = next(columns(line) for line in section(text, "bindings:") if re.match(rf" +{binding} ", line))
    assert counted[6] == "50" and counted[8] == "50"
    assert re.search(r"^net0: trie of \d+ nodes, 3 bindings and 0 taps", text, re.M)
    assert re.search(rf" egress_{binding}$", text, re.M) and re.search(r" classifier_net0$", text, re.M)


def test_the_pages_of_all_owners_and_states_are_all_pages(aegisctl):
    boot(aegisctl)
    text = aegisctl.ok("post")
    free, total = map(int, re.search(r"(\d+) of (\d+) pages free", text).groups())
    rows = [list(map(int, columns(line))) for line in section(text, "pages by owner and state:")[2:]
            if re.match(r" +\d", line)]
    assert sum(sum(row[1:]) for row in rows) == total
    assert rows[0][0] == 0 and rows[0][1] == free
    pages = {row[0]: sum(row[1:]) for row in rows}
    for line in section(text, "environments:")[2:]:
        if re.match(r" +\d", line):
            assert pages[int(columns(line)[0])] == int(columns(line)[4])


def test_the_last_calls_are_in_the_trace_in_order(aegisctl):
    boot(aegisctl, "trace=ring")
    said = aegisctl.ok("load", FILTER, "--app", "udp-echo")
    binding, env = re.search(r"binding (\d+) .*environment (\d+)", said).groups()
    aegisctl.ok("rtt", "--count", 5)
    lines = section(aegisctl.ok("post", "--trace", 1000), "trace:")[2:]
    times = [int(columns(line)[0]) for line in lines]
    assert times == sorted(times) and len(times) > 100
    echoes = [line for line in lines if re.search(rf" {env} +[0-9a-f]+ net_send\(0x{int(binding):x}, 0x[0-9a-f]+, 0x1\) = 1$", line)]
    assert len(echoes) == 5
    assert any(re.search(r" wait\(0x[0-9a-f]+, 0x2, 0xf+\) left$", line) for line in lines)
    shorter = section(aegisctl.ok("post", "--trace", 3), "trace:")[2:]
    assert len(shorter) == 3


def test_exceptions_are_in_the_trace_and_can_be_told_from_calls(machine):
    """The guest's own tests fault on purpose; memory is given to QEMU by hand here, as a file."""
    import pathlib
    import tempfile
    with tempfile.TemporaryDirectory(prefix="avram", dir="/tmp") as folder:
        ram = pathlib.Path(folder) / "ram"
        m = machine(initrd=BUILD / "guest/tests-initrd.cpio", nics=0, append="trace=ring",
                    extra=["-object", f"memory-backend-file,id=r0,size=128M,mem-path={ram},share=on", "-machine",
                           "memory-backend=r0", "-netdev", "user,id=u0", "-device", "virtio-net-device,netdev=u0"])
        m.wait_line(r"PASS nothing|PASS libc", 60)
        found = None
        while not found and m.alive():  # the ring keeps the last thousand: look while the tests fault
            done = subprocess.run([BUILD / "bin/aegisctl", "post", "--ram", ram, "--kernel",
                                   BUILD / "guest/src/kernel/kernel.elf", "--trace", "1000"], capture_output=True,
                                  text=True, timeout=30)
            assert done.returncode == 0, done.stderr
            found = re.search(r" exception (3|13|15), value 0x[0-9a-f]+$", done.stdout, re.M)
        assert found


def test_without_a_ring_post_says_how_to_get_one(aegisctl):
    boot(aegisctl)
    assert "no trace: boot with --append trace=ring" in aegisctl.ok("post")


def test_an_unknown_trace_is_refused(machine):
    m = machine(append="trace=loud")
    assert m.wait() != 0
    assert m.lines[-1] == "aegis: trace= takes 1 or ring"


def test_a_panic_leaves_all_that_post_tells(aegisctl):
    boot(aegisctl, "trace=ring", "panic=stop")
    aegisctl.ok("load", FILTER, "--app", "udp-echo")
    aegisctl("stop")
    text = aegisctl.ok("post")
    assert text.startswith("panic: asked for by the boot arguments\n")
    assert "\nmachine: ended, " in text
    trace = re.findall(r"^  0x[0-9a-f]{16} (\w+)\+0x[0-9a-f]+$", text, re.M)
    assert trace[-1] == "trap_entry" and "fault_at_end" in trace
    for register in ("ra", "sp", "t6", "sepc"):
        assert re.search(rf"\b{register} 0x[0-9a-f]{{16}}", text)
    assert re.search(r"^ +\d udp-echo +\d live", text, re.M)
    assert re.search(r" 1 +[0-9a-f]+ shutdown\(0x0\) left$", text, re.M)
    # The log says the same of the way there.
    assert re.findall(r"panic: +0x[0-9a-f]{16} (\w+)\+0x[0-9a-f]+", aegisctl.log()) == trace


def test_a_panic_at_boot_is_told_by_post_too(aegisctl):
    assert aegisctl("run", "--detach", "--append", "panic=null").returncode != 0
    text = aegisctl.ok("post")
    assert text.startswith("panic: store page fault in the kernel") and re.search(r" boot\+0x", text)


def test_an_end_that_was_asked_for_leaves_nothing(aegisctl):
    boot(aegisctl)
    aegisctl.ok("stop")
    assert not (aegisctl.folder / "aegis-v/default/ram").exists()
    done = aegisctl("post")
    assert done.returncode == 1
    assert re.match(r"aegisctl: post: instance default: its memory is there while it runs, and after a panic: ", done.stderr)


def test_another_kernels_symbols_are_refused(aegisctl):
    boot(aegisctl)
    other = aegisctl.folder / "other.elf"
    text = bytearray((BUILD / "guest/src/kernel/kernel.elf").read_bytes())
    text[0x1000 + 64] ^= 1  # of .text, which begins the file's first page of code
    other.write_bytes(text)
    done = aegisctl("post", "--kernel", other)
    assert done.returncode == 1 and "is not the kernel in that memory" in done.stderr
    done = aegisctl("symbols", "--kernel", FILTER)
    assert done.returncode == 1 and "is no ELF file for RISC-V" in done.stderr


def test_symbols_name_handlers_and_classifiers_and_hold_their_code(aegisctl, folder):
    boot(aegisctl)
    aegisctl.ok("load", FILTER, "--handler", HANDLER)
    out = folder / "code.elf"
    aegisctl.ok("symbols", "-o", out)
    listing = subprocess.run(["riscv64-unknown-elf-objdump", "-d", out], capture_output=True, text=True, check=True).stdout
    functions = dict(re.findall(r"^[0-9a-f]+ <(\w+)>:\n((?:.+\n)+)", listing, re.M))
    handler = next(name for name in functions if re.fullmatch(r"handler_3_\w+", name) and not name.endswith("_prelude"))
    for name in (handler, "classifier_net0", "egress_0"):
        assert len(functions[name].splitlines()) > 5 and "unimp" not in functions[name].splitlines()[0]
    # The addresses are those of the machine: post and the file agree.
    entry = re.search(rf"^(0x[0-9a-f]+) .* {handler}$", aegisctl.ok("post"), re.M)[1]
    assert f"{int(entry, 16):016x} <{handler}>:" in listing
    # What is undone has no code any more.
    assert " egress_3\n" in aegisctl.ok("post")
    aegisctl.ok("unload", "udp-echo")
    text = aegisctl.ok("post")
    assert " handler_3" not in text and " handler_0_arp" in text and " classifier_net0" in text
    assert " egress_2\n" in text and " egress_3\n" not in text


def test_the_build_leaves_an_archive_for_later(folder):
    subprocess.run(["tar", "xf", BUILD / "guest/archive.tar", "-C", folder], check=True, timeout=30)
    archive = folder / "archive"
    assert (archive / "kernel.elf").read_bytes() == (BUILD / "guest/src/kernel/kernel.elf").read_bytes()
    for program in ("init", "agent", "arpd", "netd", "udp-echo", "show"):
        assert (archive / program).read_bytes() == (BUILD / "guest/src/apps" / program).read_bytes()
    for table in (ROOT / "src/abi").glob("*.def"):
        assert (archive / table.name).read_text() == table.read_text()
    assert re.search(r'REVISION "[^"]+"', (archive / "revision.h").read_text())
