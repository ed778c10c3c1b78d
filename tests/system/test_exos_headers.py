"""What docs/exos.md promises of standard C and POSIX: headers that compile, functions that link."""
import re
import subprocess

from conftest import BUILD, ROOT

CC = BUILD / "guest/exos-cc"
TEXT = (ROOT / "docs/exos.md").read_text()


def listed(kind):
    return " ".join(re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.M | re.S)).split()


def compile_(source, *options):
    done = subprocess.run([CC, *options, source], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_each_header_compiles_alone_and_all_do_together(folder):
    headers = listed("headers")
    assert len(headers) > 60 and "pthread.h" in headers
    for names in [headers, *([name] for name in headers)]:
        source = folder / "headers.c"
        source.write_text("".join(f"#include <{n}>\n" for n in names) + "int main(void)\n{\n    return 0;\n}\n")
        status, said = compile_(source, "-Werror", "-c", "-o", str(folder / "headers.o"))
        assert status == 0, f"{names}: {said}"


def declared(folder):
    """Functions that the headers declare, less static ones and reserved names (gcc's -aux-info lists prototypes)."""
    source, prototypes = folder / "all.c", folder / "prototypes"
    source.write_text("".join(f"#include <{n}>\n" for n in listed("headers")))
    status, said = compile_(source, "-aux-info", str(prototypes), "-c", "-o", str(folder / "all.o"))
    assert status == 0, said
    found = set()
    for line in prototypes.read_text().splitlines():
        row = re.match(r"/\* \S+?:\d+:N[CF] \*/ (.*)", line)
        name = row and "static" not in row[1].split() and re.search(r"([A-Za-z_]\w*) \(", row[1].replace("__attribute__ (", ""))
        if name and not name[1].startswith("_"):
            found.add(name[1])
    return found


def test_functions_that_are_declared_link_unless_the_page_says_that_they_are_absent(folder):
    names = declared(folder) - set(listed("absent"))
    assert len(names) > 800 and {"pthread_create", "memcpy", "mmap"} <= names
    source = folder / "link.c"
    source.write_text("".join(f"#include <{n}>\n" for n in listed("headers")) + "void *volatile table[] = {\n" +
                      "".join(f"    (void *)({n}),\n" for n in sorted(names)) + "};\nint main(void)\n{\n    return !table[0];\n}\n")
    _, said = compile_(source, "-w", "-o", str(folder / "program"), "-lm")
    absent = sorted(set(re.findall(r"undefined reference to `(\w+)'", said)))
    assert not absent and (folder / "program").exists(), absent or said
