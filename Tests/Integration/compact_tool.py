"""`varve-compact` under test."""
import json
import os
import pathlib
import subprocess

from varve_process import binary


def tool():
    """The tool to test: VARVE_COMPACT_BINARY, or the one that was built with the server."""
    chosen = os.environ.get("VARVE_COMPACT_BINARY")
    path = pathlib.Path(chosen) if chosen else binary().with_name("varve-compact")
    assert path.exists(), f"no {path}: run `swift build --product varve-compact` first"
    return str(path)


def run(*words, status=0, timeout=300):
    """Runs the tool to its end; returns what it wrote to standard output."""
    done = subprocess.run([tool(), *map(str, words)], capture_output=True, timeout=timeout)
    assert done.returncode == status, f"{words}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout.decode()


def objects(*words, **options):
    """What the tool prints with --json, line by line."""
    return [json.loads(line) for line in run(*words, "--json", **options).splitlines()]


def refuse(*words, status=2):
    """Runs the tool, which has to refuse; returns what it wrote to standard error."""
    done = subprocess.run([tool(), *map(str, words)], capture_output=True, timeout=60)
    assert done.returncode == status, f"{words}: status {done.returncode}\n{done.stderr!r}"
    assert done.stdout == b""
    return done.stderr.decode()
