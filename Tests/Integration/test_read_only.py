"""A server over a copy of a data directory that it may not write to answers every query as the one that wrote it, and changes nothing."""
import hashlib
import os
import shutil
import stat
import time

import pytest

import everything
from otlp_messages import loads
from varve_process import Varve

START = (time.time_ns() // 10**9 - 7200) * 10**9
SERVICE = "every/read-only"
TRACES = [bytes([number]) * 16 for number in (0x21, 0x22)]
BUILDERS = {"traces": everything.traces, "logs": everything.logs, "metrics": everything.metrics}
RANGE = {"start": str(START - 10**12), "end": str(START + 10**12)}
SECONDS = {"start": START // 10**9 - 600, "end": START // 10**9 + 600, "step": 60}
MICROS = {"start": START // 1000 - 10**9, "end": START // 1000 + 10**9}
QUERIES = [
    ("/api/services", None),
    ("/api/operations", {"service": SERVICE}),
    ("/api/traces", {"service": SERVICE, "limit": 20, **MICROS}),
    ("/api/traces/" + TRACES[0].hex(), None),
    ("/api/traces/" + TRACES[1].hex(), None),
    ("/api/dependencies", {"endTs": START // 10**6 + 10**6, "lookback": 2 * 10**6}),
    ("/api/v3/services", None),
    ("/api/v3/operations", {"service": SERVICE}),
    ("/api/v3/traces/" + TRACES[0].hex(), None),
    ("/api/v1/labels", SECONDS),
    ("/api/v1/label/__name__/values", SECONDS),
    ("/api/v1/series", {"match[]": '{__name__=~".+"}', **SECONDS}),
    ("/api/v1/query_range", {"query": '{__name__=~".+"}', **SECONDS}),
    ("/api/v1/query_range", {"query": 'count by (__name__) ({__name__=~".+"})', **SECONDS}),
    ("/loki/api/v1/labels", RANGE),
    ("/loki/api/v1/label/service_name/values", RANGE),
    ("/loki/api/v1/series", RANGE),
    ("/loki/api/v1/query_range", {"query": '{service_name=~".+"}', "limit": 1000, **RANGE}),
    ("/loki/api/v1/query_range", {"query": 'sum by (service_name) (count_over_time({service_name=~".+"}[5m]))', **RANGE}),
    ("/loki/api/v1/index/stats", {"query": '{service_name=~".+"}', **RANGE}),
    ("/loki/api/v1/index/volume", {"query": '{service_name=~".+"}', **RANGE}),
]


def state(folder):
    """Every name with what it is, when it was changed, and what it holds."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        held = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_size, held)
    return found


def answers(server):
    found = {}
    for path, parameters in QUERIES:
        answer = server.get(path, parameters)
        assert answer.status_code == 200, f"{path} {parameters}: {answer.status_code} {answer.text}"
        value = loads(answer.text)
        if isinstance(value, dict) and isinstance(value.get("data"), dict):
            value["data"].pop("stats", None)
        found[path, str(parameters)] = value
    return found


@pytest.fixture(scope="module")
def pair():
    """The server that wrote, and one over a copy of what it had when it was killed: the second trace is in its log alone."""
    writer = Varve("--rollup-pause", "100ms")
    writer.start()
    reader = Varve("--read-only", "on")
    try:
        for trace in TRACES:
            for signal, build in BUILDERS.items():
                writer.send(signal, build(SERVICE, trace, START + trace[0] * 10**9))
            if trace == TRACES[0]:
                writer.flush()
        writer.kill()
        shutil.copytree(writer.data, reader.data)
        for path in [*reader.data.rglob("*"), reader.data]:
            path.chmod(path.stat().st_mode & ~0o222)
        before = state(reader.data)
        writer.start()
        reader.start()
        yield writer, reader, before
    finally:
        for path in [reader.data, *reader.data.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        writer.close()
        reader.close()


def test_answers_are_those_of_the_server_that_wrote(pair):
    writer, reader, _ = pair
    expected, found = answers(writer), answers(reader)
    for query, answer in expected.items():
        assert found[query] == answer, query
    assert expected["/api/services", "None"]["data"] == [SERVICE]
    assert len(expected["/api/traces", str(QUERIES[2][1])]["data"]) == 2


@pytest.mark.parametrize("signal", BUILDERS)
@pytest.mark.parametrize("content_type", ["application/x-protobuf", "application/json"])
def test_telemetry_is_refused_for_good_in_its_encoding(pair, signal, content_type):
    _, reader, _ = pair
    body = BUILDERS[signal](SERVICE, TRACES[0], START).SerializeToString() if "protobuf" in content_type else b"{}"
    answer = reader.export(signal, body, content_type)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == content_type
    assert b"answers queries only" in answer.content


def test_archiving_is_refused(pair):
    _, reader, _ = pair
    answer = reader.post("/api/archive/" + TRACES[0].hex())
    assert answer.status_code >= 400
    assert "cannot be archived" in answer.text


def test_nothing_is_written(pair):
    _, reader, before = pair
    answers(reader)
    assert reader.post("/varve/api/v1/admin/flush").status_code == 200
    assert reader.get("/metrics").status_code == 200
    assert state(reader.data) == before
    assert os.access(reader.data, os.R_OK)
