"""Models quote the code that they are models of; where the code has changed, the quote differs, and the model is looked at.

In a model,  /*= file function :: pattern */  begins a list, and  /*: statement */  are its items, in order: exactly those
statements of the function (of the file, if none is named; behind the label, in assembly) that the pattern matches.
Statements end at ; { and }, in assembly with the line.
"""
import re


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def body(text, function):
    """What stands between a C function's braces, as clang-format lays it out."""
    found = re.search(rf"^(?:\w[^;\n]*)?\b{function}\([^;{{]*?\)\s*^{{(.*?)^}}", text, re.M | re.S)
    return found[1] if found else None


def lines_from(text, label):
    """The instructions from a label to the next one in a file of assembly."""
    found = re.search(rf"^{label}:\n(.*?)(?=^\w+:)", text, re.M | re.S)
    return [" ".join(line.split()) for line in found[1].splitlines()] if found else None


def statements(text):
    """The statements in a piece of C, with single blanks; lines of the preprocessor are statements of their own."""
    out = []
    for line in re.split(r"(^#(?:.*\\\n)*.*$)", text, flags=re.M):
        parts = [line] if line.startswith("#") else re.split(r"[;{}]", line)
        out += [" ".join(part.replace("\\\n", " ").split()) for part in parts]
    return [part for part in out if part]


def lists(text):
    """(file, function, pattern, quotes) of a model."""
    found = []
    for m in re.finditer(r"/\*([=:])\s*(.*?)\s*\*/", text, re.S):
        if m[1] == "=":
            place, _, pattern = m[2].partition(" :: ")
            file, _, function = place.partition(" ")
            found.append((file, function, pattern, []))
        else:
            found[-1][3].append(" ".join(m[2].split()))
    return found


def differences(root, model, text):
    """Sentences about quotes that differ from the code."""
    for file, function, pattern, quotes in lists(text):
        code = without_comments((root / file).read_text())
        if file.endswith(".S"):
            code = lines_from(code, function)
        else:
            code = body(code, function) if function else code
            code = statements(code) if code is not None else None
        if code is None:
            yield f"{model.name}: {file} has no {function}"
            continue
        actual = [s for s in code if re.search(pattern, s)]
        if actual != quotes:
            yield (f"{model.name} is a model of other code than {file} {function} is now. It quotes:\n  " +
                   "\n  ".join(quotes) + "\nand there is:\n  " + "\n  ".join(actual))
