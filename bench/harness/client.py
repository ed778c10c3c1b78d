"""Runs the C client against a machine, and gives its samples."""

import json
import subprocess

ECHO_BYTES = 60


class ClientError(Exception):
    """The client could not measure; the text is its own."""


def run(program, machine, options, deadline=60, counted=False):
    """Runs the client with these options; returns its JSON, or raises ClientError with what it says."""
    command = [program, "--local", machine.local, "--remote", machine.remote, "--deadline", deadline]
    for name, value in options.items():
        command += [f"--{name}", value]
    if counted:
        command += ["--counter", machine.counter_path]
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=deadline + 10,
                              check=False)
    except subprocess.TimeoutExpired:
        raise ClientError(f"{machine.name}: bench-client did not end within {deadline + 10} s") from None
    if done.returncode == 0:
        return json.loads(done.stdout)
    if not done.stdout:
        raise ClientError(f"{machine.name}: {done.stderr.strip()}")
    got = json.loads(done.stdout)
    raise ClientError(f"{machine.name}: of {got['sent']} requests, {got['lost']} were lost and {got['wrong']} answers wrong"
                      f"{done.stderr and ': ' + done.stderr.strip()}")


def echo(program, machine, count, port=7, size=ECHO_BYTES, window=1, warmup=20, counted=False, deadline=60, tcp=False):
    """
    Exchanges count datagrams, or segments of a TCP connection, with the machine; returns the client's JSON: sent, received, lost, wrong, late,
    duration_ns, rtt_ns and, if counted, insn. Lost or wrong answers are an error: figures of a system that loses
    frames say nothing about its speed.
    """
    options = {"mode": "tcp" if tcp else "udp", "port": port, "count": count, "size": size, "window": window,
               "warmup": warmup}
    return run(program, machine, options, deadline, counted)


def http(program, machine, count, path, size, window, warmup=20, counted=False):
    """Gets a page of size bytes count times over window connections; JSON as echo's, but that total_insn is of all."""
    options = {"mode": "http", "port": 80, "count": count, "path": path, "size": size, "window": window,
               "warmup": warmup, "timeout": 10000}
    return run(program, machine, options, counted=counted)


def bulk(program, machine, inward, size, counted=False):
    """Sends, or takes, a stream of size bytes over one TCP connection; returns the client's JSON."""
    options = {"mode": "bulk-in", "port": 9} if inward else {"mode": "bulk-out", "port": 19}
    return run(program, machine, {**options, "bytes": size}, counted=counted)


def pattern(size):
    """The first bytes of what the client expects of pages and streams (bench/client/http.h)."""
    return bytes(i % 251 for i in range(size))
