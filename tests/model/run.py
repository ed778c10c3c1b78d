#!/usr/bin/python3
"""Verify a spin model and each of its mutations: run.py MODEL.pml FOLDER

The model must be searched completely, without an error and with no statement unreached; each mutation must end in the
error that its line names. Before that, the model's quotes of the code are compared with the code (quotes.py). What the
model's head comment says to this program:

    MUTATION NAME "pattern": text           with -DNAME, the search ends in an error whose report has the pattern
      EDIT "pattern" -> "text"              in the translated assembly, which this mutation changes
    VARIANT NAME: text                      with -DNAME, the search must be as good as without
    ASSEMBLY file label "last line"         is translated and included (assembly.py)
"""
import collections
import pathlib
import re
import subprocess
import sys

import assembly
import quotes

ROOT = pathlib.Path(__file__).resolve().parents[2]


def variants(text):
    return re.findall(r"^ \* VARIANT (\w+): \S", text, re.M)


def mutations(text):
    """Name -> (pattern of the error, edits of the assembly)."""
    found = {}
    for line in text.splitlines():
        if m := re.match(r' \* MUTATION (\w+) "(.*?)": \S', line):
            name = m[1]
            found[name] = (m[2], [])
        elif m := re.match(r' \*   EDIT "(.*?)" -> "(.*?)"$', line):
            found[name][1].append((m[1], m[2].replace("\\n", "\n")))
    used = set(re.findall(r"#\s*(?:ifdef|ifndef)\s+(\w+)|defined\((\w+)\)", text))
    used = {a or b for a, b in used} - set(variants(text))
    for name, (_, edits) in found.items():
        assert edits or name in used, f"mutation {name} changes nothing"
    assert used <= set(found), f"not in the list of mutations: {used - set(found)}"
    assert found, "a model without a mutation shows nothing"
    return found


def translate(text, edits):
    """The assembly that the model names, as files that it includes."""
    parts = [((ROOT / file).read_text(), first, last)
             for file, first, last in re.findall(r'^ \* ASSEMBLY (\S+) (\w+) "(.*)"$', text, re.M)]
    if not parts:
        return {}
    for pattern, replacement in edits:
        edited = [re.subn(pattern, replacement, code) for code, _, _ in parts]
        assert any(count for _, count in edited), f"{pattern} is nowhere"
        parts = [(code, first, last) for (code, _), (_, first, last) in zip(edited, parts)]
    return dict(zip(("registers.pml", "steps.pml"), assembly.Program(parts).promela()))


def search(folder, files, name):
    """What the verifier prints."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    define = [f"-D{name}"] if name else []
    for command in (["spin", "-a", *define, "model.pml"],
                    ["gcc", "-w", "-DSAFETY", "-DVECTORSZ=4096", "-DMEMLIM=1500", "pan.c", "-o", "pan"],
                    ["./pan", "-m200000"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def complaints(out):
    """What is wrong with the search of a model that must be right."""
    if not re.search(r"errors: 0$", out, re.M):
        yield "it has an error"
    if "Search not completed" in out or "max search depth too small" in out or "out of memory" in out:
        yield "the search was not complete"


def unreached(folder, files, out):
    """(file, line) of statements that were reached in none of the places in which an inline put them.

    Statements that spin merged with the one before are not in the table.
    """
    table = subprocess.run(["./pan", "-d"], cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout
    all_of = collections.Counter(re.findall(r"\] (\S+:\d+) => ", table))
    left = collections.Counter(re.findall(r"^\t(\S+:\d+), state \d+, \"(?!-end-)", out, re.M))
    for place, count in left.items():
        file, number = place.split(":")
        line = files[file].splitlines()[int(number) - 1].strip()
        if 0 < all_of[place] <= count and "(never)" not in line:
            yield f"{file}:{number}: never reached: {line}"


def main():
    model, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = model.read_text()
    wrong = list(quotes.differences(ROOT, model, text))
    known = mutations(text)
    files = {"model.pml": text} | translate(text, [])
    never = None
    for name in [None, *variants(text)]:
        out = search(folder / (name or "sound"), files, name)
        found = list(complaints(out))
        wrong += found + ([out] if found else [])
        missed = set(unreached(folder / (name or "sound"), files, out))
        never = missed if never is None else never & missed
        print(f"{name or 'as it is'}: {re.search('^ *(.* states), stored', out, re.M)[1]}")
    wrong += sorted(never)
    for name, (pattern, edits) in known.items():
        out = search(folder / name, {"model.pml": text} | translate(text, edits), name)
        error = re.search("^pan:1: .*", out, re.M)
        error = error[0] if error else "no error"
        print(f"{name}: {error}")
        if not re.search(pattern, error):
            wrong.append(f"mutation {name} does not end in \"{pattern}\"")
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
