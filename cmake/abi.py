"""abi.py [--check]: write docs/abi.md, the reference of the kernel's interface, from src/abi and what was measured.

Calls, errors, resources and layouts are the tables of src/abi; constants and states are abi.h's, each with the comment
behind it; examples are functions of tests/guest/examples.c, where they run; costs are rows of bench/results.json that
costs.def names. With --check nothing is written: exit status 1 if the page is not what it would be.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
ABI, PAGE = ROOT / "src/abi", ROOT / "docs/abi.md"
EXAMPLES, RESULTS = ROOT / "tests/guest/examples.c", ROOT / "bench/results.json"
TEMPLATE = ROOT / "docs/abi.md.in"


class Wrong(Exception):
    """What is missing or contradicts itself in the tables."""


def tokens(text):
    """The arguments of a macro call, split at the commas that are outside of parentheses and strings."""
    out, depth, current = [], 0, ""
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|.', text, re.S):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and depth == 0:
            out.append(current.strip())
            current = ""
        else:
            current += piece
    return [*out, current.strip()]


def rows(name):
    """(macro, arguments) of each row of a table, in order."""
    text = re.sub(r"/\*.*?\*/", lambda m: " " * len(m[0]), (ABI / name).read_text(), flags=re.S)
    for found in re.finditer(r"^(AEGIS_\w+)\(", text, re.M):
        depth, at = 1, found.end()
        while depth:
            string = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at)
            depth += (text[at] == "(") - (text[at] == ")")
            at = string.end() if string else at + 1
        yield found[1], tokens(text[found.end():at - 1])


def sentence(argument):
    """The text of adjacent string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', argument)).replace('\\"', '"')


def listed(argument):
    """The names in E(...), R(...) or F(...)."""
    return [name for name in re.split(r"[,\s]+", argument[2:-1]) if name]


def constants():
    """(name, value, comment) of each number that abi.h and call_numbers.h define."""
    for header in ("call_numbers.h", "abi.h"):
        text = re.sub(r"\s*\\\n\s*", " ", (ABI / header).read_text())
        for found in re.finditer(r"^#define (AEGIS_\w+) +(\S[^\n/]*?) *(?:/\* (.*?) \*/)?$", text, re.M):
            if not re.fullmatch(r"AEGIS_CALL\d", found[1]):
                yield found[1], found[2], meaning(found[1], found[3])


def meaning(name, comment):
    if not comment:
        raise Wrong(f"abi.h: {name} has no meaning: write a comment behind it")
    return comment


def enums():
    """(name, [(member, comment)]) of each enum that is written out in abi.h."""
    for found in re.finditer(r"^enum (aegis_\w+) \{\n(.*?)^\};", (ABI / "abi.h").read_text(), re.M | re.S):
        if "#define" not in found[2]:
            members = re.findall(r"^ +(AEGIS_\w+),?\s*(?:/\*\s(.*?)\s\*/)?$", found[2], re.M | re.S)
            if len(members) != len(re.findall(r"^ +AEGIS_", found[2], re.M)):
                raise Wrong(f"abi.h: enum {found[1]} has members that are not understood")
            yield found[1], [(member, " ".join(meaning(member, comment).split())) for member, comment in members]


def examples():
    """Call -> (name of its function, the function's text)."""
    found = {}
    pattern = r"^/\* ([a-z_, ]+) \*/\n(static int64_t (\w+)\(void\)\n\{\n.*?^\}\n)"
    for match in re.finditer(pattern, EXAMPLES.read_text(), re.M | re.S):
        for call in match[1].split(", "):
            found[call] = (match[3], match[2])
    return found


def costs():
    """Call -> [(instructions, what)], of the rows that have been measured."""
    measured = {r["row"]: r["value"] for r in json.loads(RESULTS.read_text())
                if r["group"] == "kernel" and r["system"] == "aegis-v" and r["unit"] == "insn" and r["value"] is not None}
    known = re.findall(r"^kernel\t(\w+)", (ROOT / "bench/targets.tsv").read_text(), re.M)
    found = {}
    for _, (call, row, what) in rows("costs.def"):
        if row not in known:
            raise Wrong(f"costs.def: the benchmark has no row {row}")
        if row in measured:
            found.setdefault(call, []).append((measured[row], sentence(what)))
    return found


def table(header, lines):
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *lines)) + "\n"


def cell(text):
    return text.replace("|", "\\|")


def declared(type_, name, count=None):
    return f"{type_}{'' if type_.endswith('*') else ' '}{name}{f'[{count}]' if count else ''}"


class Call:
    def __init__(self, arguments, errors):
        self.number, self.name, *middle, listed_errors, summary = arguments
        self.summary, self.errors, self.arguments = sentence(summary), listed(listed_errors), []
        for argument in middle:
            type_, name, *meaning = tokens(argument[2:-1])
            if not meaning or not sentence(meaning[0]):
                raise Wrong(f"calls.def: {self.name}: {name} has no meaning: write V(type, name, \"meaning, units, range\")")
            self.arguments.append((type_, name, sentence(meaning[0])))
        for error in self.errors:
            if error not in errors:
                raise Wrong(f"calls.def: {self.name}: errors.def has no {error}")

    def prototype(self):
        arguments = ", ".join(declared(type_, name) for type_, name, _ in self.arguments)
        return f"int64_t aegis_{self.name}({arguments or 'void'});"


def call_section(call, errors, example, shown_before, cost):
    out = [f"### {call.name}\n", f"`{call.number}` &nbsp; `{call.prototype()}`\n", call.summary + "\n"]
    if call.arguments:
        out.append(table(["argument", "meaning"], [[f"`{name}`", cell(meaning)] for _, name, meaning in call.arguments]))
    for value, what in cost:
        out.append(f"Cost: {value:,.0f} instructions: {what}.\n")
    if call.errors:
        out.append("Errors: " + ", ".join(f"[{e}](#errors)" for e in call.errors) + ".\n")
    else:
        out.append("Errors: none.\n")
    out.append(f"Example: see [{shown_before}](#{shown_before}).\n" if shown_before else f"```c\n{example}```\n")
    return "\n".join(out)


def calls_part(calls, errors):
    text, shown, known, cost = examples(), {}, {c.name for c in calls}, costs()
    for name in [*text, *cost]:
        if name not in known:
            raise Wrong(f"there is no call {name}, but an example or a cost of it")
    index = table(["number", "call", "what it does"],
                  [[f"`{c.number}`", f"[{c.name}](#{c.name})", cell(c.summary)] for c in calls])
    parts = []
    for call in calls:
        if call.name not in text:
            raise Wrong(f"{EXAMPLES.relative_to(ROOT)}: no function behind a comment that names {call.name}")
        function, body = text[call.name]
        parts.append(call_section(call, errors, body, shown.get(function), cost.get(call.name, [])))
        shown.setdefault(function, call.name)
    return index, "\n".join(parts)


def errors_part(errors, calls):
    return table(["value", "error", "what is wrong", "what would be right", "calls"],
                 [[f"-{value}", f"`AEGIS_E_{name}`", cell(sentence(what)), cell(sentence(remedy)),
                   "any number that is none" if name == "NO_CALL" else
                   ", ".join(f"[{c.name}](#{c.name})" for c in calls if name in c.errors) or "none"]
                  for name, value, what, remedy in sorted(errors, key=lambda row: int(row[1]))])


def resources_part():
    lines = [[f"`AEGIS_KIND_{name}` = {value}", cell(sentence(index)), ", ".join(listed(rights)).replace("NONE", "none"),
              "no" if "NULL" in taking else "yes", cell(sentence(bind)),
              cell(sentence(use)), cell(sentence(abort))]
             for _, (name, value, index, rights, _functions, taking, bind, use, abort) in rows("resources.def")]
    return table(["kind", "index", "rights", "revoke", "bind: authorised once", "use: checked cheaply", "when its owner ends"],
                 lines)


def layouts_part():
    out = []
    for macro, row in rows("layouts.def"):
        if macro == "AEGIS_LAYOUT":
            lines = []
            out.append(f"### struct aegis_{row[0]}\n\n{row[1]} bytes. {sentence(row[2])}\n")
        elif macro == "AEGIS_FIELD":
            lines.append([row[1], f"`{declared(row[2], row[3])}`", cell(sentence(row[4]))])
        elif macro == "AEGIS_ARRAY":
            lines.append([row[1], f"`{declared(row[2], row[3], row[4])}`", cell(sentence(row[5]))])
        else:
            out.append(table(["offset", "member", "meaning"], lines))
    return "\n".join(out)


def constants_part():
    lines = [[f"`{name}`", f"`{cell(value)}`", cell(comment)] for name, value, comment in constants()]
    return table(["constant", "value", "meaning"], lines)


def enums_part():
    return "\n".join(f"### enum {name}\n\n" + table(["value", "name", "meaning"],
                     [[str(i), f"`{member}`", cell(comment)] for i, (member, comment) in enumerate(members)])
                     for name, members in enums())


def page():
    errors = [row for _, row in rows("errors.def")]
    names = {row[0] for row in errors}
    calls = [Call(row, names) for _, row in rows("calls.def")]
    index, sections = calls_part(calls, names)
    text = TEMPLATE.read_text()
    for name, part in (("INDEX", index), ("CALLS", sections), ("ERRORS", errors_part(errors, calls)),
                       ("RESOURCES", resources_part()), ("LAYOUTS", layouts_part()), ("ENUMS", enums_part()),
                       ("CONSTANTS", constants_part())):
        if text.count(f"@{name}@") != 1:
            raise Wrong(f"docs/abi.md.in: @{name}@ has to stand there once")
        text = text.replace(f"@{name}@", part.rstrip())
    return text


def main(argv):
    if argv not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        text = page()
    except Wrong as wrong:
        print(f"cmake/abi.py: {wrong}", file=sys.stderr)
        return 1
    if argv and (not PAGE.is_file() or PAGE.read_text() != text):
        print("cmake/abi.py: docs/abi.md is not what the tables say: run /usr/bin/python3 cmake/abi.py", file=sys.stderr)
        return 1
    if not argv:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
