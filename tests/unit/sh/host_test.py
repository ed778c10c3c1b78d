"""The program sh, built for the host, beside the host's /bin/sh: scripts, and words made at random, give the same output and
the same exit status. What only an interactive shell does is typed into one on a terminal."""
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

SH = os.path.abspath(sys.argv[1])
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/home/x", "LC_ALL": "C", "ASAN_OPTIONS": "detect_leaks=0"}

SCRIPTS = [
    "echo hi; echo \"a  b\" 'c  d' e\\ f $HOME \"$HOME\" a\"b\"'c'",
    "x=5; echo $x ${x}y \"$x z\" '$x'; y=$x$x; echo $y; x='a  b'; echo $x \"$x\"; z=$x; echo \"$z\"",
    "echo one | cat | cat | tr a-z A-Z | cat",
    "false || echo or; true && echo and; ! true; echo $?; ! false; echo $?; true && false || echo last",
    "(exit 3); echo $?; (x=1; echo $x); echo \"[$x]\"; (echo a; echo b) | sort -r",
    "{ echo g1; echo g2; } | sort -r; { echo to; } >out; cat out",
    "for i in 1 2 '3 4' $none; do echo \"i$i\"; done; for i in; do echo no; done; echo $?",
    "if false; then echo no; elif true; then echo elif; else echo else; fi; if false; then echo no; fi; echo $?",
    "n=x; while test $n != xxxx; do echo $n; n=x$n; done; echo $?; until test $n = x; do n=x; done; echo $n",
    "ls /nonexistent 2>/dev/null; test $? -ne 0; echo $?",
    "nosuchprogram 2>/dev/null; echo $?; ./out.txt 2>/dev/null; echo $?; / 2>/dev/null; echo $?",
    "echo x >out; echo y >>out; cat <out; cat <out >&2; cat <nofile 2>/dev/null || echo no; echo z >/nofile/x 2>/dev/null || echo no",
    "sh -c 'echo out; echo err >&2' >both 2>&1; cat both; sh -c 'echo e >&2' 2>&1 >/dev/null | cat",
    "sleep 0.1 & wait $!; echo $?; sh -c 'exit 4' & wait $!; echo $?; wait; echo $?",
    "sh -c 'kill -TERM $$' 2>/dev/null; echo $?; sh -c 'kill -9 $$' 2>/dev/null; echo $?",
    "A=1 sh -c 'echo $A'; echo \"[$A]\"; B=2; sh -c 'echo [$B]'; export B; sh -c 'echo [$B]'; unset B; sh -c 'echo [$B]'",
    "export C='it'\\''s'; sh -c 'echo $C'; C=new; sh -c 'echo $C'; export D; sh -c 'echo [$D]'",
    "echo $# \"$@\" \"$*\" $0x",
    "false; echo $?; false | true; echo $?; true | false; echo $?; echo $?",
    "exit 7; echo not", "false", "true; exit", "(exit 9)", "exit 0",
    "x=1 y=$x; echo $y; a=; echo \"[$a]\"", "echo a;echo b # comment\n# another\necho c\\\nd",
    "if true; then if false; then echo x; else for i in a b; do { echo $i; }; done; fi; fi | cat",
    "printf '%s.' \\$ \\\\ \\\" \"\\a \\\\ \\$ \\`\"",
    "true & true & wait; echo $?", "echo $none$none; \"\" 2>/dev/null; echo $?; $none; echo $?; $none echo yes",
    ">made; test -f made; echo $?; 2>&1 echo hi", "false && echo a || echo b && echo c",
    "while true; do exit 5; done", "echo a | while test -z \"$r\"; do r=x; cat; done; echo \"[$r]\"",
    "type nosuch 2>/dev/null >/dev/null; test $? -ne 0; echo $?; : a b; echo $?",
    "echo 'quoted\nover lines' \"and\nthis\"", "yes | head -n 3; echo $?", "set_not=1;echo $set_not|cat|cat;wait",
    "e=ch; e${e}o word; x='cat out'; echo q >out; $x",
    # patterns, also of what parameters bring, and not in quotes
    "touch a b ab .h; echo *; echo a* [!a]* '*' \"*\" \\* x* .h* ?; p='a*'; echo $p \"$p\"; for f in *b; do echo \"<$f>\"; done",
    "mkdir d; touch d/one d/two 'd/a b'; for f in d/*; do echo \"<$f>\"; done; echo d/[!t]* ./d/t*; x=d/*; echo \"$x\"; echo >d/q* ; echo d/q*",
    # commands in words
    "x=$(echo one; echo two); echo \"$x\" $x; echo $(echo '  a   b ') \"$(echo '  a   b ')\"; echo `echo back` `echo \\`echo twice\\``",
    "echo $(echo $(echo $(echo deep))); x=$(exit 3); echo $?; y=$(false) true; echo $?; z=1; echo $(z=2; echo $z) $z; $(echo echo) run; $(exit 4); echo $?",
    "echo \"a$(echo b\"c\" 'd)')e\"; echo $(case x in x) echo yes;; esac); printf '<%s>' $(printf 'a\\n\\n\\nb\\n\\n'); echo [$(cat /nonexistent 2>/dev/null)]",
    "f=$(for i in 1 2 3; do echo $i; done | sort -r); echo $f; echo $(echo out; echo err >&2) 2>/dev/null; x=$(kill -9 $(sh -c 'echo $PPID') 2>/dev/null); echo next",
    # sums
    "x=5; echo $((x + 1)) $((x*x)) $(( (x - 1) % 3 )) $((-x)) $((x > 3 && x < 9)) $((x = 7)) $x $((x += 2)) $x $(($x + ${x})) $((1 ? 2 : 3)) \"$((1+1))\"",
    "i=0; while [ $i -lt 5 ]; do i=$((i + 1)); echo $i; done; echo $((0x1f)) $((017)) $((1 << 4 | 1)) $((~0)) $((!5)) $((7 / 2 * 2)) $((5 ^ 1 & 3))",
    # parameters
    "x=abc.def.gh; echo ${x#*.} ${x##*.} ${x%.*} ${x%%.*} ${#x} ${x#nope} ${none#x} ${#none}; p='*.'; echo ${x#$p} ${x#\"$p\"}",
    "echo ${a:-b} ${a-b} \"${a:-b c}\" ${a:+set} [${a=val}] $a ${a:+set} ${a+set}; e=; echo ${e:-x} [${e-x}] ${e:=y} $e; set -- ${none:-1 '2 3' \"4  5\"}; echo $#; for i; do echo \"<$i>\"; done",
    "echo before; : ${gone:?is not there} 2>/dev/null; echo x",
    # case
    "for w in one two 'th ree' 4 '*' ''; do case $w in one) echo 1;; t*) echo t;; [0-9]|x) echo digit;; '*') echo star;; \"\") echo empty;; esac; done; echo $?",
    "case abc in (a?c) echo q;; esac; case x in y) echo no;; esac; echo $?; case x in *) false;; esac; echo $?; p='a*'; case abc in \"$p\") echo no;; $p) echo yes;; esac; case x in x) ;; esac",
    # functions
    "false; echo $(echo $?); false; x=$(); echo $?; false; eval 'echo $?'; false; eval; echo $?",
    "f() { echo \"f $1 $#\"; return 3; echo no; }; f a b; echo $?; g() { f \"$@\" x; echo $? $1; }; g 1 2; f | cat; x=$(f z); echo $x; h() (exit 5); h; echo $?; f() { echo new; }; f",
    "r() { if [ $1 -gt 0 ]; then echo $1; r $(($1 - 1)); fi; }; r 4; v() { x=in; }; x=out; v; echo $x; w() { f() { echo inner; }; echo w; }; f() { w; echo f; }; f; f",
    "f() { for i in 1 2 3; do if [ $i = 2 ]; then return 7; fi; echo $i; done; }; f; echo $?; f >out; cat out; f() { cat; } <out; f; set -- p q; f() { shift; echo $1; set -- n; echo $1; }; f 1 2; echo $1",
    # loops
    "for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done; for i in a b; do for j in 1 2; do [ $j = 2 ] && continue 2; echo $i$j; done; done; echo $?",
    "while true; do while true; do break 2; done; echo no; done; echo $?; n=0; until [ $n -ge 3 ]; do n=$((n+1)); if [ $n = 2 ]; then continue; fi; echo $n; done; while :; do break; done | cat; echo end",
    # here-documents
    "cat <<E\none $x two $((1+1)) $(echo three) \\$x \\\\ \"q\" 'r'\nE\ncat <<'E'\none $x\\\nE\ncat <<-E\n\ttabs\n\t\tE\necho after",
    "x=$(cat <<E\nin\nE\n); echo $x; cat <<A; cat <<B | cat\na\nA\nb\nB\nwhile read -r l; do echo \"<$l>\"; done <<E\n  a  b  \nc\\\\d\nE\nf() { cat <<E\n$1\nE\n}\nf arg; f other",
    "i=0; t=0123456789; while [ $i -lt 8 ]; do t=$t$t; i=$((i+1)); done; cat <<E | wc -c\n$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t$t\nE",
    # read, test, eval, ., set, shift
    "printf 'a b  c d\\nx\\\\\\ny z\\n  lead\\nlast' >in; { read a b; echo \"<$a><$b>\"; read -r c; echo \"<$c>\"; read d e; echo \"<$d><$e>\"; read f; echo \"<$f>\"; read g; echo $? \"<$g>\"; read g; echo $?; } <in",
    "[ a = a ] && [ a != b ] && [ 3 -gt -2 ] && [ -n x ] && [ -z '' ] && [ ! x = y ] && echo yes; [ -f nofile ]; echo $?; [ a = ]  2>/dev/null; test; echo $?; test -; echo $?; [ '(' a ')' ]; echo $?; [ x -a '' -o y ]; echo $?; [ -d . ]; echo $?; [ -e / -a -x /bin/sh ]; echo $?; [ = = = ]; echo $?; [ ! ]; echo $?",
    "eval 'x=1; echo $x' two; eval; echo $?; eval false; echo $?; y='echo hi; echo there'; eval \"$y\"; eval 'for i in 1 2; do' 'echo $i; done'; echo 'echo in $1; z=5; return 2; echo no' >file; . ./file; echo $? $z",
    "set -- a 'b c' d; echo $# \"$2\"; shift; echo $# \"$1\"; shift 2; echo $#; set -- \"$@\" new; echo $1; set -- $(echo 1 2 3); echo $3; set --; echo $#; set -- '*' '\\'; echo \"$1$2\"",
    "echo \"${x:-\"in quotes\"}\" ${x:-\"a  b\"}; x=1; y=x; eval echo \\$$y; IFSless='a:b'; echo $IFSless; n() { echo $#; }; n $none; n \"$none\"; n \"$@\"; n ''$none",
]


def run(shell, arguments, text=None):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["sh", *arguments], executable=shell, input=text, cwd=folder, env=ENV, capture_output=True, timeout=60)
        return done.returncode, done.stdout


def same(arguments, text=None):
    mine, theirs = run(SH, arguments, text), run("/bin/sh", arguments, text)
    assert mine == theirs, f"{arguments} {text!r}:\nsh_host  {mine}\n/bin/sh  {theirs}"


def test_scripts():
    for script in SCRIPTS:
        same(["-c", script])
        same(["-c", script, "name", "p 1", "", "p3"])
        same([], script.encode() + b"\n")
    # as POSIX wants it (XCU sh, STDIN), where /bin/sh reads ahead
    assert run(SH, [], b"cat\nwhat follows\nis data\n") == (0, b"what follows\nis data\n")
    assert run(SH, [], b"x=1; cat >/dev/null\necho gone") == (0, b"")


def test_scripts_in_files():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write('echo "$0" $1 "$2"; for a; do echo "<$a>"; done; exit 6\n')
        file.flush()
        same([file.name, "x y", "z"])
        os.chmod(file.name, 0o755)
        same(["-c", f"{file.name} a b; echo $?"])
    assert run(SH, ["/nonexistent/script"])[0] == 127  # POSIX, where /bin/sh has 2


def some_word(random_):
    parts = ["a", "b c", "$x", "${y}", "'", '"', "\\", " ", "$", "$none", "x", "1", "$?", "\t", '"$x"', "'$x'", '""',
             "${x%q*}", "${none:-", "}", "${y+", "${x#* }", "$(echo ", ")", "$((1+", "))", "*", "[a-", "]", "?"]
    word = "".join(random_.choice(parts) for _ in range(random_.randrange(8)))
    return re.sub(r"\$+", "$", word)  # $$ differs


def test_random_words():
    """Texts that /bin/sh takes and this shell does too mean the same; this one's refusals are its own affair, but for what both
    refuse."""
    random_ = random.Random(1)
    prefix = "x=' p  q '; y=r; false; printf '<%s>' -- "
    texts = [" ".join(some_word(random_) for _ in range(3)).rstrip("\\") for _ in range(800)]
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "all")
        for shell, name in ((SH, "mine"), ("/bin/sh", "theirs")):
            with open(script, "w") as file: # each in a shell of its own, with status and output on a line
                for text in texts:
                    quoted = (prefix + text).replace("'", "'\\''")
                    file.write(f"{shell} -c '{quoted}' 2>/dev/null; echo \"|$?\"\n")
            with open(os.path.join(folder, name), "wb") as out:
                subprocess.run(["/bin/sh", script], env=ENV, cwd="/", stdout=out, timeout=100, check=False)
        mine, theirs = (open(os.path.join(folder, n), "rb").read().split(b"\n") for n in ("mine", "theirs"))
    assert len(mine) == len(theirs) == len(texts) + 1
    taken = 0
    for text, a, b in zip(texts, mine, theirs):
        both = a.endswith(b"|0") and b.endswith(b"|0")
        taken += both
        assert a == b or (not both and re.search(r"[`({]", text)), (text, a, b)
    assert taken > 50


class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(SH, ["sh"], ENV)
        self.text = ""

    def until(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text!r}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.fd, 4096).decode(errors="replace")
                except OSError:
                    assert re.search(pattern, self.text), f"ended without {pattern!r}: {self.text!r}"
        self.text = self.text[found.end():]
        return found

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def prompt(self):
        self.until(r"\raegis\$ \x1b\[K")

    def line(self, text, pattern):
        """Type a line at the prompt; what it prints, and the next prompt."""
        self.type(text + "\r")
        self.until(pattern)
        self.prompt()


def test_a_terminal():
    t = Terminal()
    t.prompt()
    t.line("echo $(echo in) fi $((6 * 7))", r"\r\nin fi 42\r\n")
    t.line("echo one", r"\r\none\r\n")
    t.type("\x1b[A\x7f\x7f\x7ftwo\r")
    t.until(r"\r\ntwo\r\n")
    t.prompt()
    t.type("echo 'a\r")
    t.until("> ")
    t.line("b'", r"a\r\nb\r\n")
    t.line("sleep 100 &", r"\[1\] \d+")
    t.line("jobs", r"\[1\] Running +sleep 100")
    t.line("kill %1; wait; jobs; echo done", r"\r\ndone")
    begin = time.monotonic()
    t.type("sleep 50; echo not\r")
    time.sleep(0.5)
    t.line("\x03", "")
    t.line("echo $?", r"\r\n130\r\n")
    t.type("while true; do true; done\r")
    time.sleep(0.3)
    t.type("\x03")
    t.prompt()
    t.line("echo still $?", r"still 130\r\n")
    assert time.monotonic() - begin < 40
    t.line("sh -c 'kill -SEGV $$'", r"segmentation fault \(SIGSEGV\)")
    t.type("(sleep 0.3; cat) | cat | wc -c\r")
    time.sleep(0.6)
    t.type("12\r")
    time.sleep(0.3)
    t.type("\x04")
    t.until(r"\r\n3\r\n")
    t.prompt()
    t.line("sleep 0.3 &", r"\[1\] \d+\r\n")
    end = time.monotonic() + 30
    while True: # an empty line says what has ended since the last one
        t.type("\r")
        if t.until(r"\r\r\n(\[1\] Done +sleep 0\.3\r\n)?\raegis\$ \x1b\[K")[1]:
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    t.line("sleep 30 &", r"\[1\] \d+")
    t.type("fg\r")
    t.until(r"sleep 30\r\n")
    time.sleep(0.3)
    t.type("\x03")
    t.prompt()
    t.line("echo gone && history", r"\d+  echo gone")
    # ^Z, bg, fg; the background doesn't read; shells aren't left by mistake
    def until_stopped():
        end, state = time.monotonic() + 30, ""
        while state != "Stopped":
            assert time.monotonic() < end
            t.type("jobs\r")
            state = t.until(r"\r\r\n\[1\] (Stopped|Running) ")[1]
            t.prompt()

    def stop():  # once all of it has begun, and is in the foreground
        t.until(r"up\r\n")
        t.type("\x1a")
        t.until(r"\[1\] Stopped +\(")
        t.prompt()

    t.type("(while true; do echo up; read x; done)\r")
    t.until(r"\r\r\n")
    stop()
    t.line("echo $?", r"\r\n148\r\n")
    t.type("fg %1\r")
    t.until(r"\r\r\n.*done\)\r\n")
    t.type("\r")
    stop()
    t.line("kill %1; wait %1; echo $?", r"\r\n143\r\n")
    t.line("sleep 100 & kill -STOP %1", r"\[1\] \d+\r\n")
    until_stopped()
    t.line("bg", r"\[1\] sleep 100 &\r\n")
    t.line("jobs", r"\[1\] Running +sleep 100\r\n")
    t.line("kill %1; wait %1; echo $?", r"\r\n143\r\n")
    t.type("(echo go; read y; echo $y) | (read go; echo up >&2; read x; echo \"got $x\")\r") # up: both have begun
    t.until(r"\r\r\n")
    stop()
    t.type("fg\r")
    t.until(r"\r\r\n\(echo go.*\r\n")
    t.type("words\r")
    t.until(r"\r\ngot words\r\n")
    t.prompt()
    t.line("cat &", r"\[1\] \d+")
    until_stopped()
    t.line("exit", "there are jobs that have stopped")
    t.line("kill %1; wait %1; jobs; echo gone", r"\r\ngone\r\n")
    t.type("echo [$(echo up >&2; cat)]\r")
    t.until(r"up\r\n")
    t.type("typed\r\x04")
    t.until(r"\[typed\]\r\n")
    t.prompt()
    # a job's modes of the terminal are its own
    t.line("sh -c 'stty -echo; kill -STOP $$; stty -a | grep -oe \"-echo \"; stty echo'", r"Stopped +sh -c")
    t.line("stty -a | grep -ce '-echo '", r"\r\n0\r\n")
    t.line("fg", r"\r\n-echo \r\n")
    t.type("exit 12\r")
    _, status = os.waitpid(t.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 12


def main():
    signal.alarm(280)
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(name, "ok", flush=True)


main()
