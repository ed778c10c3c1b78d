"""ci/tidy.py BUILD: clang-tidy on every source of src/ in the compile databases of host and guest, two at a time. What was
found clean is remembered in BUILD/lint by the hash of command, configuration and preprocessed text, so that only what
changed is looked at again. Exit 1 if anything is found."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(sys.argv[1])
CLEAN = BUILD / "lint"
CONFIG = (ROOT / ".clang-tidy").read_text()
# what clang is told of gcc's options: those that change what the source says, none of code generation
KEEP = re.compile(r"-[IDUW].*|-std=.*|-march=.*|-mabi=.*|-mcmodel=.*|-ffreestanding|-fno-builtin")
PAIRS = ("-isystem", "-include", "-iquote")
MARCH = re.compile(r"(-march=rv64[a-z]*?)(_.*)?$")


def entries():
    """One compile command a source: the first of those that compile it, host before guest."""
    seen = set()
    for database in (BUILD / "compile_commands.json", BUILD / "guest/compile_commands.json"):
        for entry in json.loads(database.read_text()):
            source = pathlib.Path(entry["file"]).resolve()
            guest = "guest" in database.parts[len(BUILD.parts):]
            if source.suffix == ".c" and source.is_relative_to(ROOT / "src") and (source, guest) not in seen:
                seen.add((source, guest))
                yield source, guest, entry


def clang_arguments(guest, entry):
    """The entry's options as clang understands them."""
    words = shlex.split(entry["command"])
    compiler, rest = words[0], words[1:]
    out = []
    for word, following in zip(rest, rest[1:] + [""]):
        if word in PAIRS:
            out += [word, following]
        elif KEEP.fullmatch(word) and word != "-Werror":
            out.append(MARCH.sub(r"\1", word))
    if guest:
        out.insert(0, "--target=riscv64-unknown-elf")
        if "-ffreestanding" not in words:  # the C library that gcc's specs name
            include = subprocess.run([compiler, *[w for w in rest if w.startswith("--specs=")], "-print-sysroot"],
                                     capture_output=True, text=True).stdout.strip()
            for folder in (include, "/usr/lib/picolibc/riscv64-unknown-elf"):
                if folder and pathlib.Path(folder, "include").is_dir():
                    out += ["-isystem", str(pathlib.Path(folder, "include"))]
    return out + ["-Wno-unknown-warning-option", "-Wno-unused-command-line-argument"]


def check(job):
    source, guest, entry = job
    arguments = clang_arguments(guest, entry)
    text = subprocess.run(["clang", *arguments, "-E", "-P", str(source)], capture_output=True, cwd=entry["directory"])
    key = hashlib.sha256("\0".join([CONFIG, *arguments]).encode() + source.read_bytes() + text.stdout).hexdigest()
    if text.returncode == 0 and (CLEAN / key).exists():
        return ""
    found = subprocess.run(["clang-tidy", "--quiet", str(source), "--", *arguments], capture_output=True, text=True,
                           cwd=entry["directory"])
    if found.returncode == 0 and "warning:" not in found.stdout:
        (CLEAN / key).touch()
        return ""
    return f"{source.relative_to(ROOT)} ({'guest' if guest else 'host'}):\n{found.stdout}{found.stderr}"


def main():
    CLEAN.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(check, entries()))
    bad = [result for result in results if result]
    for result in bad:
        print(result)
    print(f"clang-tidy: {len(results)} files, {len(bad)} with findings")
    sys.exit(1 if bad else 0)


main()
