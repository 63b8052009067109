"""A disk of 64 MB is filled to the brim while data comes in, by the server itself and then by somebody else.

What was acknowledged has to be found, once; what was refused, never; queries go on; service returns by itself when there is space.
It needs the right to mount a tmpfs.
"""
import collections
import itertools
import os
import random
import subprocess
import tempfile
import threading
import time

import grpc
import pytest
import requests

from otlp_messages import any_value, attributes, REQUESTS
from test_crash import BASE, STEP, count_logs
from varve_process import Varve

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
ROWS = 50
SIZE = 64 << 20


@pytest.fixture
def small_disk():
    folder = tempfile.mkdtemp(prefix="varve-disk-")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        os.rmdir(folder)
        pytest.skip(f"a tmpfs cannot be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    os.rmdir(folder)


def log_records(first, noise):
    request = REQUESTS["logs"]()
    group = request.resource_logs.add()
    group.resource.attributes.extend(attributes({"service.name": "crash"}))
    scope = group.scope_logs.add()
    for number in range(first, first + ROWS):
        # Random bytes, so that parts are about as large as what was sent.
        scope.log_records.add(
            time_unix_nano=BASE + number * STEP, body=any_value(f"line {number}"),
            attributes=attributes({"noise": noise.randbytes(500).hex()}))
    return request.SerializeToString()


class Load:
    """Senders, every other one by gRPC, and what became of their rows."""

    def __init__(self, server, senders=4):
        self.server = server
        self.numbers = itertools.count(0, ROWS)
        self.acknowledged = []
        self.refused = []
        self.unclear = []
        self.last_success = time.monotonic()
        self.first_success = None
        self.problems = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(seed,), daemon=True) for seed in range(senders)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        noise = random.Random(seed)
        with requests.Session() as session, grpc.insecure_channel(self.server.grpc) as channel:
            export = channel.unary_unary(EXPORT)
            while not self.stop.is_set():
                first = next(self.numbers)
                records = log_records(first, noise)
                problem = self.call(export, records) if seed % 2 else self.post(session, records)
                if problem is None:
                    self.acknowledged.append(first)
                    self.last_success = time.monotonic()
                    self.first_success = self.first_success or self.last_success
                elif problem == "":
                    self.refused.append(first)
                    time.sleep(0.02)
                else:
                    self.problems.append(problem)

    def post(self, session, records):
        """Answers None if they were taken, nothing if they were refused as they have to be, else what is wrong with that."""
        answer = session.post(
            f"{self.server.otlp}/v1/logs", data=records, timeout=60, headers={"Content-Type": "application/x-protobuf"})
        if answer.status_code == 200:
            return None
        if answer.status_code == 503 and answer.headers.get("Retry-After") and len(answer.content) > 4:
            return ""
        return f"HTTP {answer.status_code}: {answer.content[:200]!r}"

    @staticmethod
    def call(export, records):
        """Likewise."""
        try:
            export(records, timeout=60)
        except grpc.RpcError as error:
            has_retry_info = "grpc-status-details-bin" in dict(error.trailing_metadata() or ())
            if error.code() == grpc.StatusCode.UNAVAILABLE and has_retry_info and error.details():
                return ""
            return f"gRPC {error.code()}: {error.details()}"
        return None

    def wait_until_refused(self, seconds, timeout=120):
        """Waits until nothing was taken for a while."""
        end = time.monotonic() + timeout
        while time.monotonic() - self.last_success < seconds:
            assert time.monotonic() < end, "the disk does not become full"
            time.sleep(0.1)

    def wait_until_served(self, timeout=60):
        """Answers how long it takes until something is taken."""
        self.first_success = None
        begun = time.monotonic()
        while self.first_success is None:
            assert time.monotonic() < begun + timeout, "service does not return"
            time.sleep(0.01)
        return self.first_success - begun

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=90)
            assert not thread.is_alive()


def write_file(path, size=None):
    """Writes zeros until the size, or until the disk is full."""
    with open(path, "wb", buffering=0) as file:
        written = 0
        try:
            while size is None or written < size:
                written += file.write(bytes(4096))
        except OSError:
            pass
    return written


def free(folder):
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def metric(server, name):
    for line in server.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def test_a_full_disk_loses_nothing_and_service_returns_by_itself(small_disk, capsys):
    server = Varve(
        "--flush-age", "1s", "--flush-bytes", "4MiB", "--disk-reserve", "4MiB", "--disk-low", "16MiB", "--disk-full", "8MiB")
    server.data = server.folder.__class__(small_disk) / "data"
    ballast = os.path.join(small_disk, "ballast")
    write_file(ballast, 20 << 20)
    try:
        server.start()
        load = Load(server)
        load.wait_until_refused(4)
        left = free(small_disk)
        state = metric(server, "varve_disk_state")
        found = count_logs(server, 200)
        assert found, "queries do not go on"
        answer = requests.post(
            server.otlp + "/v1/logs", data=log_records(10**8, random.Random(1)), timeout=60,
            headers={"Content-Type": "application/x-protobuf"})
        assert answer.status_code == 503 and b"disk is full" in answer.content, answer.content
        os.remove(ballast)
        returned = load.wait_until_served()
        # Now somebody else takes the rest, while data comes in.
        brim = os.path.join(small_disk, "brim")
        taken = write_file(brim)
        load.wait_until_refused(4)
        brimful = free(small_disk)
        segments = len(list((server.data / "wal").iterdir()))
        time.sleep(5)
        assert len(list((server.data / "wal").iterdir())) <= segments + 2, "the log fills with segments"
        os.remove(brim)
        again = load.wait_until_served()
        load.end()
        assert not load.problems, load.problems[:3]

        expected = {first + offset for first in load.acknowledged for offset in range(ROWS)}
        for when in ("before", "after"):
            found = count_logs(server, max(expected))
            assert sorted(expected - set(found)) == [], f"lost {when} the restart"
            assert [number for number, times in found.items() if times > 1] == [], f"twice {when} the restart"
            refused = {first + offset for first in load.refused for offset in range(ROWS)}
            assert not refused & set(found), f"refused and shown {when} the restart"
            assert len(found) == len(expected)
            if when == "before":
                server.kill()
                server.start(timeout=120)
        with capsys.disabled():
            print(f"\nfull disk of {SIZE >> 20} MB: {len(expected)} rows acknowledged, {len(found)} found, "
                  f"{len(load.refused)} requests refused; free when full {left >> 20} MB (state {state:.0f}), at the brim {brimful} B "
                  f"({taken >> 20} MB by somebody else); service returned after {returned:.2f} s and {again:.2f} s")
    finally:
        server.close()


def test_marks_follow_a_small_file_system_that_grows_while_it_is_full(small_disk):
    subprocess.run(["mount", "-o", f"remount,size={48 << 20}", small_disk], check=True)
    server = Varve("--flush-age", "1s", "--flush-bytes", "4MiB")
    server.data = server.folder.__class__(small_disk) / "data"
    ballast = os.path.join(small_disk, "ballast")
    try:
        server.start()
        load = Load(server)
        # It is of use: a sixteenth of it is set aside, and another is left free.
        load.wait_until_served()
        assert metric(server, "varve_disk_reserve_bytes") == 3 << 20
        write_file(ballast)
        load.wait_until_refused(2)
        assert metric(server, "varve_disk_state") == 2
        subprocess.run(["mount", "-o", f"remount,size={384 << 20}", small_disk], check=True)
        load.wait_until_served()
        load.end()
        assert not load.problems, load.problems[:3]
        assert metric(server, "varve_disk_state") == 0
    finally:
        server.close()
