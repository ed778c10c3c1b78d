"""The systems under test, each opened as a machine that is ready to be measured."""

from contextlib import contextmanager

from . import aegis, client, linux
from .machine import Machine
from .results import AEGIS

LIMIT, LINUX, LINUX_XDP = "limit", "linux", "linux-xdp"
HANDLER = "aegis-v-handler"  # beside AEGIS, an application: the handler that is one BPF object with the peer's
SOCKETS = "aegis-v-sockets"  # an application by sockets of ExOS
KEYS = "aegis-v-keys"  # and the program kv
LINUX_TCP = "linux-tcp"
STREAMS = "aegis-v-streams"  # and by those of TCP
WEB, BULK = "aegis-v-web", "aegis-v-bulk"  # pages by httpd, and streams by bench/guest/bulk.c
LINUX_WEB, LINUX_BULK = "linux-web", "linux-bulk"  # nginx, and the same source
PROGRAMS = {SOCKETS: "udpecho", STREAMS: "tcpecho", KEYS: "kv"}
PAGE = "1k", client.pattern(1024)
LABELS = {
    LIMIT: "limit (bare metal)",
    HANDLER: "Aegis-V, handler in the kernel",
    AEGIS: "Aegis-V, application on its ring",
    SOCKETS: "Aegis-V, UDP socket",
    STREAMS: "Aegis-V, TCP socket",
    LINUX: "Linux, UDP socket",
    LINUX_TCP: "Linux, TCP socket",
    LINUX_XDP: "Linux, XDP in the driver",
}
TRANSFER_LABELS = {WEB: "Aegis-V, httpd", LINUX_WEB: "Linux, nginx", BULK: "Aegis-V, TCP stream", LINUX_BULK: "Linux, TCP stream"}


@contextmanager
def open_limit(context, plugin):
    with Machine(LIMIT, ["-kernel", str(context.guest("bench/limit.elf"))], plugin=plugin) as machine:
        machine.wait_line("answers UDP port 7", 30)
        yield machine


def open_linux(task, ready):
    @contextmanager
    def opened(context, plugin):
        with Machine(f"linux ({task})", linux.arguments(context.linux, task), plugin=plugin) as machine:
            machine.wait_line(ready, 120)
            yield machine

    return opened


def open_aegis(name):
    @contextmanager
    def opened(context, plugin):
        console = aegis.Console()
        try:
            with Machine(name, [*aegis.image(context), *console.arguments], plugin=plugin,
                         keep=[console.guest.fileno()]) as machine:
                console.started()
                if name in PROGRAMS:
                    console.start(PROGRAMS[name])
                    machine.wait_line(f"{PROGRAMS[name]}: port 7", 30)
                else:
                    console.load_echo(context, machine.base, name == HANDLER)
                yield machine
        finally:
            console.close()

    return opened


def open_aegis_with(name, program, arguments, line):
    """A machine with the page and the program bulk in its RAM disk, on which the program runs that prints line."""
    @contextmanager
    def opened(context, plugin):
        console = aegis.Console()
        machine = Machine(name, [], plugin=plugin, keep=[console.guest.fileno()])
        files = [PAGE, ("bulk", context.guest("bench/bench-bulk").read_bytes())]
        archive = aegis.archive(context, machine.base / "initrd", files)
        machine.command += [*aegis.image(context, archive), *console.arguments]
        try:
            with machine:
                console.started()
                console.start(program, *arguments)
                machine.wait_line(line, 30)
                yield machine
        finally:
            console.close()

    return opened


@contextmanager
def open_nginx(context, plugin):
    prepared = linux.prepare_nginx(context.linux, PAGE[1], context.say)
    with Machine(LINUX_WEB, linux.arguments(prepared, "web"), plugin=plugin) as machine:
        machine.wait_line("init: web ready", 120)
        yield machine


TRANSFERS = {
    WEB: open_aegis_with(WEB, "httpd", [], "httpd: port 80"),
    BULK: open_aegis_with(BULK, "bulk", [], "bulk: ports 9 and 19"),
    LINUX_WEB: open_nginx,
    LINUX_BULK: open_linux("bulk", "bulk: ports 9 and 19"),
}
ECHOES = {
    LIMIT: open_limit,
    HANDLER: open_aegis(HANDLER),
    AEGIS: open_aegis(AEGIS),
    SOCKETS: open_aegis(SOCKETS),
    STREAMS: open_aegis(STREAMS),
    LINUX: open_linux("udp", "udp-echo: ready"),
    LINUX_TCP: open_linux("tcp", "tcpecho: port 7"),
    LINUX_XDP: open_linux("xdp", "xdp-load: ready, native"),
}


def echo_systems(context):
    """Names of the systems that can echo here, in the order of the table."""
    names = [LIMIT]
    if aegis.available(context):
        names += [HANDLER, AEGIS, SOCKETS]
    if context.linux:
        names += [LINUX, LINUX_XDP]
    return names
