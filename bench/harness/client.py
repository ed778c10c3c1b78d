"""Runs the C client against a machine, and gives its samples."""

import json
import subprocess

ECHO_BYTES = 60


class ClientError(Exception):
    """The client could not measure; the text is its own."""


def echo(program, machine, count, port=7, size=ECHO_BYTES, window=1, warmup=20, counted=False, deadline=60, tcp=False):
    """
    Exchanges count datagrams, or segments of a TCP connection, with the machine; returns the client's JSON: sent, received, lost, wrong, late,
    duration_ns, rtt_ns and, if counted, insn. Lost or wrong answers are an error: figures of a system that loses
    frames say nothing about its speed.
    """
    command = [program, "--local", machine.local, "--remote", machine.remote, "--count", count, "--port", port,
               "--size", size, "--window", window, "--warmup", warmup, "--deadline", deadline]
    if tcp:
        command += ["--tcp"]
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
    raise ClientError(f"{machine.name}: of {count} echoes, {got['lost']} were lost and {got['wrong']} answers wrong")
