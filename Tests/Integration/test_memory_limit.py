"""Many times the bodies that `memory-limit` has room for come at once: the process stays below it, what was acknowledged is found, and
service goes on by itself."""
import collections
import pathlib
import random
import threading
import time
import zlib

import pytest
import requests

from otlp_messages import any_value, attributes, REQUESTS
from varve_process import Varve

LIMIT = 256 << 20
SENDERS = 64
BASE = 1_700_000_000_000_000_000


@pytest.fixture(params=["", "gzip"])
def coding(request):
    return request.param


@pytest.fixture
def server():
    server = Varve("--memory-limit", "256MiB", "--accept-past", "all", "--retention", "off")
    server.start()
    yield server
    server.close()


def body(number, noise):
    """About 3 MB of records with random texts, of a second of their own."""
    request = REQUESTS["logs"]()
    group = request.resource_logs.add()
    group.resource.attributes.extend(attributes({"service.name": "flood"}))
    scope = group.scope_logs.add()
    for row in range(1500):
        scope.log_records.add(
            time_unix_nano=BASE + number * 1_000_000_000 + row, body=any_value(noise.randbytes(1000).hex()))
    return request.SerializeToString()


def count(server, last):
    answer = requests.get(
        f"{server.http}/loki/api/v1/query", timeout=60,
        params={"query": 'sum(count_over_time({service_name="flood"}[1h]))', "time": BASE + last * 1_000_000_000})
    assert answer.status_code == 200, answer.text
    result = answer.json()["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def metric(server, name):
    text = requests.get(f"{server.http}/metrics", timeout=20).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def test_a_flood_of_bodies_stays_below_the_limit(server, coding):
    bodies = []
    for number in range(SENDERS):
        raw = body(number, random.Random(number))
        bodies.append(zlib.compress(raw, 1, 31) if coding else raw)
    headers = {"Content-Type": "application/x-protobuf"}
    if coding:
        headers["Content-Encoding"] = coding
    statuses, problems = collections.Counter(), []
    peak = 0
    done = threading.Event()

    def send(number):
        with requests.Session() as session:
            for _ in range(200):
                answer = session.post(f"{server.otlp}/v1/logs", data=bodies[number], headers=headers, timeout=120)
                statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    return
                if answer.status_code not in (429, 503) or not answer.headers.get("Retry-After"):
                    problems.append(f"HTTP {answer.status_code}: {answer.content[:200]!r}")
                    return
                time.sleep(0.2)
            problems.append(f"body {number} was never taken")

    def watch():
        nonlocal peak
        status = pathlib.Path(f"/proc/{server.process.pid}/status")
        while not done.is_set():
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]) << 10)
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()

    assert not problems, problems[:5]
    assert statuses[200] == SENDERS
    assert peak < LIMIT, f"{peak >> 20} MiB were resident at most; {statuses}"
    assert count(server, SENDERS) == SENDERS * 1500


def test_what_holds_memory_is_told(server):
    assert metric(server, "varve_memory_limit_bytes") == LIMIT
    assert 0 < metric(server, "varve_memory_used_bytes") < LIMIT
    assert metric(server, "varve_memory_state") == 0
    text = requests.get(f"{server.http}/metrics", timeout=20).text
    for holder in ("bodies", "memtables", "queries", "parts", "results", "series"):
        assert f'varve_memory_held_bytes{{holder="{holder}"}}' in text
