"""Power is not asked before it goes: the server is killed while it takes in data, again and again.

Senders stream uniquely numbered rows of all three signals, parts are flushed many times a second and merged as soon as there
are a few; at a random timestamp the process gets SIGKILL and is started again. In the end every row that was acknowledged has to
be found exactly once, and no other row more than once.

    VARVE_CRASH_ROUNDS   rounds, default 20
    VARVE_CRASH_SEED     the seed of the times, printed by every run
"""
import collections
import itertools
import os
import random
import threading
import time

import grpc
import pytest
import requests

import compact_tool
from otlp_messages import REQUESTS, any_value, attributes, from_json
from varve_process import Varve

ROUNDS = int(os.environ.get("VARVE_CRASH_ROUNDS", "20"))
ROWS_PER_REQUEST = 20
# One row a millisecond, so that a range of time is a range of numbers.
STEP = 1_000_000
BASE = (time.time_ns() // 10**9 - 3_600) * 10**9
PAGE = 4_000
# Merges are nearly always under way.
MERGING = ["--merge-parts", "1", "--merge-pause", "2ms"]


def trace_id(request_number):
    return (0xC0FFEE << 96 | request_number + 1).to_bytes(16, "big")


def spans(first):
    request = REQUESTS["traces"]()
    group = request.resource_spans.add()
    group.resource.attributes.extend(attributes({"service.name": "crash"}))
    scope = group.scope_spans.add()
    for number in range(first, first + ROWS_PER_REQUEST):
        scope.spans.add(
            trace_id=trace_id(first // ROWS_PER_REQUEST), span_id=(number + 1).to_bytes(8, "big"), name=f"n{number}",
            start_time_unix_nano=BASE + number * STEP, end_time_unix_nano=BASE + number * STEP + 500,
            attributes=attributes({"number": number}))
    return request


def log_records(first):
    request = REQUESTS["logs"]()
    group = request.resource_logs.add()
    group.resource.attributes.extend(attributes({"service.name": "crash"}))
    scope = group.scope_logs.add()
    for number in range(first, first + ROWS_PER_REQUEST):
        scope.log_records.add(
            time_unix_nano=BASE + number * STEP, body=any_value(f"line {number}"), attributes=attributes({"number": number}))
    return request


def points(first):
    request = REQUESTS["metrics"]()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(attributes({"service.name": "crash"}))
    gauge = group.scope_metrics.add().metrics.add(name="crash.number").gauge
    for number in range(first, first + ROWS_PER_REQUEST):
        gauge.data_points.add(
            time_unix_nano=BASE + number * STEP, as_int=number, attributes=attributes({"subcolumn": number % 7}))
    return request


MAKERS = {"traces": spans, "logs": log_records, "metrics": points}


METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


class Sender(threading.Thread):
    """Streams numbered rows of one signal until the connection breaks or it is told to stop."""

    def __init__(self, server, signal, numbers, acknowledged, pause):
        super().__init__(daemon=True)
        self.server = server
        self.signal = signal
        self.make = MAKERS[signal]
        self.numbers = numbers
        self.acknowledged = acknowledged
        self.pause = pause
        self.stop = threading.Event()
        self.refusals = []

    def run(self):
        session = requests.Session()
        url = f"{self.server.otlp}/v1/{self.signal}"
        while not self.stop.is_set():
            first = next(self.numbers)
            try:
                answer = session.post(
                    url, data=self.make(first).SerializeToString(), timeout=30,
                    headers={"Content-Type": "application/x-protobuf"})
            except requests.RequestException:
                return
            if answer.status_code == 200 and answer.content == b"":
                self.acknowledged.append(first)
            elif answer.status_code not in (429, 503):
                self.refusals.append(f"HTTP {answer.status_code}: {answer.content[:200]!r}")
            time.sleep(self.pause)


class GRPCSender(Sender):
    """As well, by calls of gRPC, each compressed."""

    def run(self):
        with grpc.insecure_channel(self.server.grpc) as channel:
            export = channel.unary_unary(
                METHODS[self.signal], request_serializer=lambda request: request.SerializeToString())
            while not self.stop.is_set():
                first = next(self.numbers)
                try:
                    answer = export(self.make(first), timeout=30, compression=grpc.Compression.Gzip)
                except grpc.RpcError as error:
                    # A server that is there says when to come again.
                    if "grpc-status-details-bin" not in dict(error.trailing_metadata() or ()):
                        if error.code() != grpc.StatusCode.UNAVAILABLE:
                            self.refusals.append(f"{error.code()}: {error.details()}")
                        return
                else:
                    if answer == b"":
                        self.acknowledged.append(first)
                time.sleep(self.pause)


def count_spans(server, last):
    found = collections.Counter()
    for request_number in range(last // ROWS_PER_REQUEST + 1):
        answer = server.get(f"/api/traces/{trace_id(request_number).hex()}")
        assert answer.status_code in (200, 404), answer.text
        if answer.status_code == 200:
            for trace in answer.json()["data"]:
                found.update(int(span["operationName"][1:]) for span in trace["spans"])
    return found


def pages(server, signal, last, **parameters):
    """The REST answers over all numbers up to `last`, page by page of time."""
    for first in range(0, last + 1, PAGE):
        answer = server.get(f"/varve/api/v1/{signal}", {
            "service": "crash", "start": str(BASE + first * STEP), "end": str(BASE + (first + PAGE) * STEP - 1),
            "limit": str(4 * PAGE), **parameters})
        assert answer.status_code == 200, answer.text
        yield from_json(signal, answer.json())


def count_logs(server, last):
    found = collections.Counter()
    for page in pages(server, "logs", last):
        for group in page.resource_logs:
            for scope in group.scope_logs:
                for record in scope.log_records:
                    number = int(record.body.string_value.split()[1])
                    assert record.time_unix_nano == BASE + number * STEP
                    found[number] += 1
    return found


def count_points(server, last):
    found = collections.Counter()
    for page in pages(server, "metrics", last, name="crash.number"):
        for group in page.resource_metrics:
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.gauge.data_points:
                        assert point.time_unix_nano == BASE + point.as_int * STEP
                        found[point.as_int] += 1
    return found


COUNTERS = {"traces": count_spans, "logs": count_logs, "metrics": count_points}


@pytest.mark.parametrize("rounds", [ROUNDS])
def test_no_acknowledged_row_is_lost_and_none_is_there_twice(rounds, capsys):
    seed = int(os.environ.get("VARVE_CRASH_SEED", str(random.SystemRandom().randrange(1 << 32))))
    with capsys.disabled():
        print(f"\ncrash test: seed {seed}, {rounds} rounds")
    timestamps = random.Random(seed)
    numbers = {signal: itertools.count(0, ROWS_PER_REQUEST) for signal in MAKERS}
    acknowledged = {signal: [] for signal in MAKERS}
    server = Varve(*MERGING)
    longest = 0.0
    merges = running = 0
    try:
        server.start()
        for round_number in range(rounds):
            senders = [
                kind(server, signal, numbers[signal], acknowledged[signal], timestamps.choice([0, 0.001, 0.01]))
                for signal in MAKERS for kind in (Sender, GRPCSender)]
            for sender in senders:
                sender.start()
            end = time.monotonic() + timestamps.uniform(0.2, 2.0)
            flusher = Flusher(server.http)
            if timestamps.random() < 0.8:
                # Let a flush or a merge be under way, or just over, when the end comes.
                time.sleep(timestamps.uniform(0, 0.2))
                flusher.start()
            time.sleep(max(0, end - time.monotonic()))
            merges += metric(server, "varve_merges_total")
            running += metric(server, "varve_merges_running")
            if round_number == rounds - 1:
                for sender in senders:
                    sender.stop.set()
                for sender in senders:
                    sender.join()
            flusher.stop.set()
            server.kill()
            for sender in senders:
                sender.join(timeout=60)
                assert not sender.is_alive()
                assert not sender.refusals, sender.refusals[:3]
            longest = max(longest, server.start(timeout=120))

        rows = lost = twice = 0
        problems = []
        for signal, count in COUNTERS.items():
            expected = {first + offset for first in acknowledged[signal] for offset in range(ROWS_PER_REQUEST)}
            found = count(server, next(numbers[signal]))
            missing = sorted(expected - set(found))
            repeated = sorted(number for number, times in found.items() if times > 1)
            rows += len(expected)
            lost += len(missing)
            twice += len(repeated)
            problems += [f"{signal}: lost {missing[:10]}"] * bool(missing) + [f"{signal}: twice {repeated[:10]}"] * bool(repeated)
        with capsys.disabled():
            print(f"{'rounds':>8} {'acked rows':>12} {'merges':>8} {'under way':>10} {'lost':>8} {'twice':>8} {'longest restart s':>18}")
            print(f"{rounds:>8} {rows:>12} {merges:>8.0f} {running:>10.0f} {lost:>8} {twice:>8} {longest:>18.2f}")
        assert rows > 0, "nothing was acknowledged"
        assert merges > 0, "nothing was merged"
        assert not problems, f"seed {seed}: {problems}"
        # What is on the disk is whole as well, every byte of it.
        server.kill()
        findings = compact_tool.objects("verify", server.data)
        assert findings[-1]["clean"], f"seed {seed}: {findings}"
    finally:
        server.close()


def metric(server, name):
    """The sum of a metric over its labels."""
    lines = server.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{")))


class Flusher(threading.Thread):
    """Asks for one flush after the other until it is told to stop."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.stop = threading.Event()

    def run(self):
        while not self.stop.is_set():
            try:
                requests.post(self.url + "/varve/api/v1/admin/flush", timeout=60)
            except requests.RequestException:
                return
            time.sleep(0.02)
