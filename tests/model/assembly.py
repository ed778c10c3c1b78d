"""RISC-V assembly as Promela: each instruction becomes a step of the model, so that the model is the code.

Registers that no instruction names by itself (s1, t3, ...) have to be treated alike, and one of a kind stands for all of
them: s0 for those that calls keep, t3 for the others, f0 for f0..f31.
"""
import re

NAMES = ["zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{n}" for n in range(8)),
         *(f"s{n}" for n in range(2, 12)), "t3", "t4", "t5", "t6"]
KEPT, LOST = "s0", "t3"
FRAME_FIELDS = {"FRAME_CAUSE": "cause", "FRAME_PC": "pc", "FRAME_VALUE": "value", "FRAME_T0": "t0", "FRAME_T1": "t1",
                "FRAME_T2": "t2",
                "SLICE_FRAME_PC": "pc", "SLICE_FRAME_T0": "t0", "SLICE_FRAME_T0 + 8": "t1", "SLICE_FRAME_T0 + 16": "t2"}
CONTEXT_FIELDS = {"CONTEXT_PC": "pc", "CONTEXT_CAUSE": "cause", "CONTEXT_VALUE": "value", "CONTEXT_FRAME": "frame"}


class Unknown(Exception):
    """An instruction that the translation doesn't know: it has to be taught."""


def stands_for(register):
    """Who stands for a register that no instruction names."""
    return KEPT if register[0] == "s" or register == "tp" else LOST


def expand(lines):
    """The lines with .irp written out."""
    out, body, values = [], None, []
    for line in lines:
        found = re.match(r"\.irp\s+n,(.*)", line)
        if found:
            body, values = [], [v.strip() for v in found[1].split(",")]
        elif line == ".endr":
            out += [("irp", [b.replace(r"\n", v) for v in values for b in body])]
            body = None
        elif body is not None:
            body.append(line)
        else:
            out.append(("line", [line]))
    return out


def read(text, first, last):
    """The blocks of lines from label first up to the directive or label last, without comments."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    lines = lines[lines.index(first + ":"):lines.index(last)]
    split = [part for line in lines for part in re.findall(r"^\w+:|[^\s].*", line)]  # a label before an instruction
    out = []
    for line in split:
        found = re.match(r"(\w+:)\s*(.*)", line)
        out += [part for part in (found.groups() if found else [line]) if part]
    return expand([line for line in out if not re.match(r"\.(globl|type|balign)\b", line)])


def operands(instruction):
    name, _, rest = instruction.partition(" ")
    return name, [o.strip() for o in re.split(r",(?![^(]*\))", rest)] if rest else []


class Program:
    """Instructions numbered from 1, and the Promela of each."""

    def __init__(self, parts):
        blocks = [block for text, first, last in parts for block in read(text, first, last)]
        self.registers = self.find_registers(blocks)
        self.labels, self.instructions = {}, []
        for kind, lines in blocks:
            for line in self.pick(lines) if kind == "irp" else lines:
                if line.endswith(":"):
                    self.labels.setdefault(line[:-1], []).append(len(self.instructions) + 1)
                else:
                    self.instructions.append(line)

    @staticmethod
    def find_registers(blocks):
        named = {"ra", KEPT, LOST, *(f"a{n}" for n in range(8))}
        for kind, lines in blocks:
            if kind == "line" and not lines[0].endswith(":"):
                named |= {word for word in re.findall(r"\b[a-z]+\d*\b", lines[0].partition(" ")[2]) if word in NAMES[1:]}
        return [name for name in NAMES[1:] if name in named] + ["f0", "fcsr"]

    def pick(self, lines):
        """Of a loop over registers, those that are in the model; the others must be there whenever who stands for them is."""
        seen = {}
        for line in lines:
            found = re.match(r"\w+ ([a-z]\d+),", line)
            if not found:
                raise Unknown(line)
            seen[found[1] if found[1][0] in "xf" else f"x{NAMES.index(found[1])}"] = line
        floats = [n for n in seen if n[0] == "f"]
        if floats and len(floats) != 32:
            raise Unknown(f"a loop leaves out some of f0..f31: {lines[0]}")
        numbers = {NAMES[int(n[1:])] for n in seen if n[0] == "x"}
        for name in NAMES[1:]:
            if numbers and name not in self.registers and (name in numbers) != (stands_for(name) in numbers):
                raise Unknown(f"{lines[0]} ...: {name} isn't treated as {stands_for(name)}")
        return [line for n, line in seen.items() if n == "f0" or (n[0] == "x" and NAMES[int(n[1:])] in self.registers)]

    def register(self, name):
        if re.fullmatch(r"[xf]\d+", name) and name != "f0":
            name = NAMES[int(name[1:])]
        if name not in self.registers:
            raise Unknown(f"register {name}")
        return f"x[R_{name}]"

    def memory(self, operand):
        if found := re.fullmatch(r"8 \* (\d+)\((\w+)\)", operand):
            return f"contexts[CONTEXT_AT({self.register(found[2])})].{self.register('x' + found[1])}"
        found = re.fullmatch(r"(\w+(?: \+ \d+)?)(?:\((\d+)\))?\((\w+)\)", operand)
        if not found:
            raise Unknown(operand)
        name, number, base = found.groups()
        base = self.register(base)
        if name in FRAME_FIELDS:
            return f"frames[FRAME_AT({base})].{FRAME_FIELDS[name]}"
        if name in CONTEXT_FIELDS:
            return f"contexts[CONTEXT_AT({base})].{CONTEXT_FIELDS[name]}"
        if name in ("LIGHT_RA", "LIGHT_SP"):
            return f"contexts[CONTEXT_AT({base})].{self.register(name[6:].lower())}"
        if name == "LIGHT_FRAME":
            return f"contexts[CONTEXT_AT({base})].frame"
        if name in ("LIGHT_A", "LIGHT_T"):
            return f"contexts[CONTEXT_AT({base})].{self.register(name[6:].lower() + number)}"
        if name == "CONTEXT_X" and number == "0":
            return f"contexts[CONTEXT_AT({base})].x0"
        if name == "CONTEXT_X":
            return f"contexts[CONTEXT_AT({base})].{self.register('x' + number)}"
        if name == "CONTEXT_F":
            return f"contexts[CONTEXT_AT({base})].x[R_f0]"
        if name == "CONTEXT_FCSR":
            return f"contexts[CONTEXT_AT({base})].x[R_fcsr]"
        raise Unknown(operand)

    def word(self, operand):
        """A place without a name: of 32 bits depth, of 64 a context's first word where it is stored to, else an
        entry of the table of light handlers."""
        found = re.fullmatch(r"0\((\w+)\)", operand)
        if not found:
            raise Unknown(operand)
        return self.register(found[1])

    def target(self, label, at):
        if re.fullmatch(r"\d[fb]", label):
            places = self.labels[label[0]]
            return min(p for p in places if p > at) if label[1] == "f" else max(p for p in places if p <= at)
        return self.labels[label][0]

    def step(self, at, instruction):
        """The Promela of one instruction."""
        name, o = operands(instruction)
        r = self.register
        three = {"add": "+", "sub": "-", "addi": "+", "andi": "&", "srli": ">>", "slli": "<<"}
        branch = {"bltz": "{0} < 0", "bgez": "{0} >= 0", "beqz": "{0} == 0", "bnez": "{0} != 0", "bltu": "UNSIGNED({0}) < UNSIGNED({1})",
                  "bgeu": "UNSIGNED({0}) >= UNSIGNED({1})"}
        if name == "lw":
            return f"{r(o[0])} = page[PAGE_AT({self.word(o[1])})]; pc = {at + 1}"
        if name == "sw":
            return f"page[PAGE_AT({self.word(o[1])})] = {r(o[0])}; pc = {at + 1}"
        if name == "ld" and o[1].startswith("0("):
            return f"{r(o[0])} = lights[LIGHT_OF({self.word(o[1])})]; pc = {at + 1}"
        if name == "amoadd.d" and o[0] == "zero":
            return f"pc = {at + 1}"  # a count
        if name == "sc.d" and o[:2] == ["zero", "zero"]:  # to a frame's beginning; whether it succeeds is open
            return f"if :: frames[FRAME_AT({r(o[2].strip('()'))})].cause = 0 :: skip fi; pc = {at + 1}"
        if name == "jalr":
            return f"x[R_ra] = {at + 1}; pc = {r(o[0])}"
        if name in ("ld", "fld"):
            return f"{r(o[0])} = {self.memory(o[1])}; pc = {at + 1}"
        if name == "sd" and o[1].startswith("0("):
            return f"contexts[CONTEXT_AT({self.word(o[1])})].x0 = {r(o[0])}; pc = {at + 1}"
        if name in ("sd", "fsd"):
            return f"{self.memory(o[1])} = {r(o[0])}; pc = {at + 1}"
        if name in ("la", "li"):
            return f"{r(o[0])} = {o[1]}; pc = {at + 1}"
        if name == "mv":
            return f"{r(o[0])} = {r(o[1])}; pc = {at + 1}"
        if name == "frcsr":
            return f"{r(o[0])} = x[R_fcsr]; pc = {at + 1}"
        if name == "fscsr":
            return f"x[R_fcsr] = {r(o[0])}; pc = {at + 1}"
        if name in three:
            second = r(o[2]) if o[2] in NAMES else f"({o[2]})"
            return f"{r(o[0])} = {r(o[1])} {three[name]} {second}; pc = {at + 1}"
        if name in branch:
            condition = branch[name].format(*(r(word) for word in o[:-1]))
            return f"pc = ({condition} -> {self.target(o[-1], at)} : {at + 1})"
        if name == "j":
            return f"pc = {self.target(o[0], at)}"
        if name == "jr":
            return f"RETURN({r(o[0])})"
        if name == "call":
            return f"x[R_ra] = {at + 1}; pc = C_{o[0]}"
        if name in ("ecall", "ebreak"):
            return f"{name.upper()}({at + 1})"
        raise Unknown(instruction)

    def promela(self):
        """Numbers of registers and labels; a guarded step for each instruction."""
        lines = [f"#define R_{name} {n}" for n, name in enumerate(self.registers)]
        lines += [f"#define REGISTERS {len(self.registers)}"]
        lines += [f"#define L_{name} {places[0]}" for name, places in self.labels.items() if not name.isdigit()]
        steps = [f":: atomic {{ pc == {n} -> {self.step(n, i)} }} /* {i}{' (never)' if i == 'ebreak' else ''} */"
                 for n, i in enumerate(self.instructions, 1)]
        return "\n".join(lines) + "\n", "\n".join(steps) + "\n"
