"""aegisctl start, and the program show, which tells who has what from the exposed pages alone."""
import re

import pytest

import protocol
from conftest import ROOT

FILTER = ROOT / "examples/filters/udp-echo"


def show(aegisctl, *part):
    return aegisctl.ok("start", "--wait", "show", *part)


def rows(text, title):
    """The rows of numbers of a part, split."""
    found = []
    for line in text.split(title, 1)[1].splitlines()[1:]:
        if re.match(r" +\d", line):
            found.append(line.split())
        elif found:
            break
    return found


def check_calls(log, show_env, echo_env):
    """None but for its own memory and to print; of a program that does ask the kernel, the trace shows it."""
    calls = re.findall(rf"^trace: {show_env} (\w+)\(", log, re.M)
    memory = {"upcall_bind", "page_alloc", "table_insert", "map"}
    assert "log" in calls and set(calls[:-1]) - memory == {"log"} and calls[-1] == "env_end", calls
    assert {"net_ring", "wait"} <= set(re.findall(rf"^trace: {echo_env} (\w+)\(", log, re.M))


def check_contents(shown, envs, binding):
    env = envs["udp-echo"][0]
    assert {"init", "agent", "netd", "netd-frames", "udp-echo", "show"} == set(envs)
    assert envs["udp-echo"][3] == "live"
    assert all(len(row) == 9 and int(row[7]) <= int(row[8]) for row in envs.values())  # nobody owes more than was charged
    pages = rows(shown, "pages of 4 KiB")
    free, total = map(int, re.search(r"totals: (\d+) of (\d+) pages free", shown).groups())
    assert sum(int(n) for row in pages for n in row[2:]) == total and abs(int(pages[0][2]) - free) < 64
    by_owner = {row[0]: sum(map(int, row[2:])) for row in pages}
    assert all(by_owner[row[0]] == int(row[4]) for name, row in envs.items() if name in ("init", "netd", "udp-echo"))
    assert {row[1] for row in rows(shown, "slices of")} == {row[0] for row in envs.values()}
    echo = next(row for row in rows(shown, "bindings:") if row[0] == binding)
    assert echo[1:3] == [env, "udp-echo"] and echo[4] == "0" and echo[6] == "128"
    account = rows(shown, "accounts, ")  # nobody has carved one: all count to init's
    assert len(account) == 1 and account[0][:2] == ["1", "init"]
    used, limit = (list(map(int, account[0][n::2])) for n in (2, 3))
    assert used == [sum(by_owner[n] for n in by_owner if n != "0"), len(envs), len(envs), 2, 3, 0, *used[6:]]  # the root counts for nobody
    assert all(u <= l for u, l in zip(used, limit)) and 100 < used[6] < 262144 and 0 < used[7] < 65536
    assert f"{len(envs)} of 1023 environments, {len(envs)} of 64 slices, 4 of" in shown


def test_show_tells_who_has_what_without_a_system_call(aegisctl):
    aegisctl.ok("run", "--detach", "--append", "trace=1")
    said = aegisctl.ok("load", FILTER, "--app", "udp-echo")
    binding, env = re.search(r"binding (\d+) .*environment (\d+)", said).groups()
    shown = show(aegisctl)
    envs = {row[1]: row for row in rows(shown, "environments:")}
    assert envs["udp-echo"][0] == env
    check_contents(shown, envs, binding)
    check_calls(aegisctl.log(), envs["show"][0], env)


def test_a_part_is_shown_alone(aegisctl):
    parts = {"pages": "pages of", "slices": "slices of", "environments": "environments:", "accounts": "accounts,", "bindings": "bindings:",
             "totals": "totals:"}
    aegisctl.ok("run", "--detach")
    for part, first in parts.items():
        text = show(aegisctl, part)
        assert text.startswith(first)
        assert not any(re.search(f"^{other}", text, re.M) for other in set(parts.values()) - {first})


def test_start_passes_arguments_and_the_exit_status(aegisctl):
    aegisctl.ok("run", "--detach")
    done = aegisctl("start", "--wait", "show", "everything")
    assert done.returncode == 2 and "usage: show [pages|" in done.stdout
    done = aegisctl("start", "--wait", "show", "--", "pages", "-x")
    assert done.returncode == 2
    assert re.fullmatch(r"show: environment \d+\n", aegisctl.ok("start", "show"))


def test_start_says_what_is_wrong(aegisctl):
    aegisctl.ok("run", "--detach")
    done = aegisctl("start", "nothing")
    assert done.returncode == 1
    assert done.stderr == "aegisctl: start: agent: the initial RAM disk has no program nothing\n"
    assert aegisctl("start", "a/b").returncode == 2
    assert aegisctl("start").returncode == 2
    done = aegisctl("start", "show", "x" * 1024)
    assert done.returncode == 1 and "the arguments take more than 1024 bytes" in done.stderr
    done = aegisctl("start", "show", *("a" * 33).split("a")[1:], "b")
    assert done.returncode == 2  # more than 32
    done = aegisctl("start", "--wait", "--timeout", 1, "arpd", "ip=10.0.2.16/24")
    assert done.returncode == 1 and re.search(r"arpd \(environment \d+\) still runs after 1 s", done.stderr)


def test_malformed_arguments_are_refused_by_the_agent(machine):
    m = machine().up()
    for arguments in (b"pages", b"a\0" * 33):
        with pytest.raises(Exception, match="the arguments are no more than 32 strings"):
            m.control.ask(protocol.START, protocol.encode("start", app="show", arguments=arguments))
    body = m.control.ask(protocol.START, protocol.encode("start", app="show", arguments=b"totals\0"))
    env = protocol.decode("started", body)["env"]
    m.wait_line(rf"^\[{env} show\] totals: ")
    m.wait_line(rf"show \(environment {env}\) has ended: status 0")
