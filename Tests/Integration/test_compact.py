"""`varve-compact` on directories that a server filled: what it says is what was sent."""
import collections
import csv
import io
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import pytest

import compact_tool
from otlp_messages import REQUESTS, any_value, attributes, from_json, log_request, trace_request
from varve_process import Varve

STEP = 1_000_000
# The beginning of an hour that has ended, so that all of it is one partition.
HOUR = (time.time_ns() // (3_600 * 10**9) - 3) * 3_600 * 10**9
SPANS = 400
RECORDS = 300
AWKWARD = {
    "text": 'a "quoted", text\nof two lines', "empty": "", "int": -(1 << 60), "double": 0.1, "flag": True,
    "bytes": b"\x00\xff", "list": [1, "zwei", None, [3.5]], "map": {"inner": {"deep": 1}}, "ünï": "✓",
}


def rfc3339(nanoseconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9)) + f".{nanoseconds % 10**9:09d}Z"


def plain(value):
    """A value as export writes it."""
    if isinstance(value, bytes):
        import base64
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {key: plain(element) for key, element in value.items()}
    return value


def span(number):
    return {
        "trace_id": (number // 4 + 1).to_bytes(16, "big"), "span_id": (number + 1).to_bytes(8, "big"),
        "name": f"operation {number % 7}", "start_time_unix_nano": HOUR + number * STEP,
        "end_time_unix_nano": HOUR + number * STEP + 500 + number,
        "attributes": attributes({"number": number, **(AWKWARD if number % 50 == 0 else {})}),
    }


def fill(server):
    """Several flushes of spans of two services, log records and points."""
    for first in range(0, SPANS, 50):
        service = "even" if first % 100 == 0 else "odd"
        server.send("traces", trace_request(service, [span(number) for number in range(first, first + 50)]))
        server.flush()
    server.send("logs", log_request("logger", [
        {"time_unix_nano": HOUR + number * STEP, "severity_number": 9, "body": any_value(f"line {number}")}
        for number in range(RECORDS)]))
    request = REQUESTS["metrics"]()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(attributes({"service.name": "meter"}))
    gauge = group.scope_metrics.add().metrics.add(name="level", unit="m").gauge
    for number in range(100):
        gauge.data_points.add(time_unix_nano=HOUR + number * STEP, as_double=number / 4)
    server.send("metrics", request)
    server.flush()


@pytest.fixture(scope="module")
def filled():
    """A directory that a server has filled and let go of. Merging is off, so that there is something to merge."""
    server = Varve("--merge", "off")
    server.start()
    fill(server)
    server.stop()
    yield server.data
    server.close()


@pytest.fixture
def data(filled, tmp_path):
    """A copy, for tests that change it: the tool works on copies too."""
    shutil.copytree(filled, tmp_path / "data")
    return tmp_path / "data"


def parts(directory):
    return [o for o in compact_tool.objects("inspect", directory) if o["kind"] == "part"]


def spans_of(directory, *words):
    return [json.loads(line) for line in compact_tool.run("export", directory, "--table", "otel_traces", *words).splitlines()]


# Looking


def test_inspect_counts_what_was_sent(filled):
    rows = collections.Counter()
    for part in parts(filled):
        rows[part["table"]] += part["rows"]
        assert part["tenant"] == "default" and part["level"] == 0
        assert part["bytes"] == os.path.getsize(part["path"])
        stored = sum(c["stored_bytes"] for kind in ("columns", "indexes", "footer") for c in part[kind])
        assert stored == part["bytes"], "every byte belongs to something"
        columns = {column["path"]: column for column in part["columns"]}
        for column in columns.values():
            assert sum(column["encodings"].values()) == column["pages"]
        if part["table"] == "otel_traces":
            assert columns["start_time"]["values"] == part["rows"] == 50
            first = part["least_time"][:-1]
            assert rfc3339(columns["start_time"]["least"]).startswith(first) and columns["duration"]["least"] >= 500
            assert [index["path"] for index in part["indexes"]] != []
    assert rows == {"otel_traces": SPANS, "otel_logs": RECORDS, "otel_metrics": 100}
    text = compact_tool.run("inspect", filled)
    assert "otel_traces  tenant default  8 parts  400 rows" in text
    one = parts(filled)[0]["part"]
    assert "codecs" in compact_tool.run("inspect", filled, "--part", one)
    assert [part["part"] for part in parts(filled) if part["part"] == one] == [one]


def test_verify_is_clean_and_changes_nothing(filled):
    before = {path: path.read_bytes() for path in sorted(filled.rglob("*")) if path.is_file()}
    summary = compact_tool.objects("verify", filled)[-1]
    assert summary["clean"] and summary["kind"] == "summary" and summary["damage"] == 0
    assert summary["rows"] == SPANS + RECORDS + 100
    assert {path: path.read_bytes() for path in sorted(filled.rglob("*")) if path.is_file()} == before


def test_a_directory_that_a_server_holds_is_refused():
    server = Varve()
    server.start()
    try:
        for words in (["inspect"], ["verify"], ["repair"], ["compact"], ["prune"], ["export", "--table", "otel_logs"]):
            answer = compact_tool.refuse(words[0], server.data, *words[1:], status=3)
            assert "held by a running server" in answer and "Stop the server first" in answer
        assert server.get("/-/ready").status_code == 200
    finally:
        server.close()


@pytest.mark.parametrize("words, status, message", [
    (["verfy"], 2, 'did you mean "verify"?'),
    (["verify"], 2, "which directory?"),
    (["verify", "a", "b"], 2, 'unexpected argument "b"'),
    (["verify", "a", "--jason"], 2, 'did you mean "--json"?'),
    (["compact", "a", "--zstd-level", "99"], 2, "from 1 to 19"),
    (["compact", "a", "--partition", "yesterday"], 2, "it looks like"),
    (["export", "a"], 2, "--table is needed: otel_metrics"),
    (["export", "a", "--table", "otel_trace"], 2, 'did you mean "otel_traces"?'),
    (["export", "a", "--table", "otel_traces", "--columns", "span_nam"], 2, 'did you mean "span_name"?'),
    (["export", "a", "--table", "otel_traces", "--where", "duration=long"], 2, "is no whole number"),
    (["export", "a", "--table", "otel_traces", "--from", "2026-02-30"], 2, "is no time"),
    (["verify", "/nowhere/at/all"], 4, "/nowhere/at/all does not exist"),
])
def test_a_wrong_command_line_says_what_is_wrong(words, status, message):
    assert message in compact_tool.refuse(*words, status=status)


def test_a_folder_that_is_something_else_is_left_as_it_is(tmp_path):
    for verb in ("inspect", "verify", "repair", "compact", "prune"):
        assert "is no data directory" in compact_tool.refuse(verb, tmp_path, status=4)
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option():
    assert "exit status" in compact_tool.run("--help").lower()
    for verb in ("inspect", "verify", "repair", "compact", "prune", "export"):
        text = compact_tool.run(verb, "--help")
        assert text == compact_tool.run("help", verb) and f"varve-compact {verb} DIR" in text


# Exporting


def test_export_is_what_was_sent(filled):
    rows = spans_of(filled)
    assert len(rows) == SPANS
    by_number = {row["attributes"]["number"]: row for row in rows}
    assert sorted(by_number) == list(range(SPANS))
    for number, row in by_number.items():
        assert row["trace_id"] == (number // 4 + 1).to_bytes(16, "big").hex()
        assert row["span_id"] == (number + 1).to_bytes(8, "big").hex() and row["parent_span_id"] is None
        assert row["start_time"] == rfc3339(HOUR + number * STEP) and row["duration"] == 500 + number
        assert row["span_name"] == f"operation {number % 7}" and row["tenant"] == "default"
        assert row["resource"]["attributes"]["service.name"] == row["service_name"]
        assert row["scope"]["name"] == "test"
        if number % 50 == 0:
            assert row["attributes"] == {"number": number, **plain(AWKWARD)}
    records = [json.loads(line) for line in compact_tool.run("export", filled, "--table", "otel_logs").splitlines()]
    assert sorted(record["body"] for record in records) == sorted(f"line {number}" for number in range(RECORDS))
    points = [json.loads(line) for line in compact_tool.run("export", filled, "--table", "otel_metrics").splitlines()]
    assert sorted(point["value"] for point in points) == [number / 4 for number in range(100)]
    assert points[0]["series"]["name"] == "level" and points[0]["series"]["kind"] == "gauge"


def test_export_takes_times_columns_and_conditions(filled):
    rows = spans_of(filled, "--from", rfc3339(HOUR + 10 * STEP), "--to", rfc3339(HOUR + 20 * STEP))
    assert sorted(row["attributes"]["number"] for row in rows) == list(range(10, 20))
    rows = spans_of(filled, "--where", "service_name=odd", "--where", "span_name=operation 3", "--columns", "span_name,span_id")
    wanted = [number for number in range(SPANS) if number % 100 >= 50 and number % 7 == 3]
    assert sorted(int(row["span_id"], 16) - 1 for row in rows) == wanted
    assert all(list(row) == ["tenant", "span_name", "span_id"] for row in rows)
    assert [row["attributes"]["number"] for row in spans_of(filled, "--where", "attributes.number=77")] == [77]
    trace = (5).to_bytes(16, "big").hex()
    assert len(spans_of(filled, "--where", f"trace_id={trace}", "--tenant", "default")) == 4
    assert spans_of(filled, "--tenant", "nobody") == []


def test_export_writes_csv_that_reads_back(filled, tmp_path):
    target = tmp_path / "spans.csv"
    words = ["export", filled, "--table", "otel_traces", "--format", "csv", "-o", target]
    compact_tool.run(*words)
    with open(target, newline="") as file:
        text = file.read()
    assert text.endswith("\r\n") and not (tmp_path / "spans.csv.partial").exists()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == SPANS
    expected = {row["span_id"]: row for row in spans_of(filled)}
    for row in rows:
        wanted = expected[row["span_id"]]
        assert json.loads(row["attributes"]) == wanted["attributes"] and row["parent_span_id"] == ""
        assert row["start_time"] == wanted["start_time"] and int(row["duration"]) == wanted["duration"]
    assert "exists; --force replaces it" in compact_tool.refuse(*words)
    compact_tool.run(*words, "--force")


def test_export_ends_quietly_when_nobody_reads(filled):
    done = subprocess.run(
        f"{compact_tool.tool()} export {filled} --table otel_traces | head -1; echo ${{PIPESTATUS[0]}}", shell=True,
        executable="/bin/bash", capture_output=True, timeout=60)
    lines = done.stdout.decode().splitlines()
    assert json.loads(lines[0])["tenant"] == "default" and lines[1] == "0" and done.stderr == b""


# Changing


def test_compact_keeps_every_row(data):
    before = sorted(json.dumps(row) for row in spans_of(data))
    assert len([part for part in parts(data) if part["table"] == "otel_traces"]) == 8
    assert "parts became" in compact_tool.run("compact", data, "--table", "otel_traces", "--zstd-level", 9)
    traces = [part for part in parts(data) if part["table"] == "otel_traces"]
    assert len(traces) == 1 and traces[0]["rows"] == SPANS and traces[0]["level"] == 3
    assert sorted(json.dumps(row) for row in spans_of(data)) == before
    assert compact_tool.run("compact", data, "--table", "otel_traces") == "nothing to merge\n"
    assert compact_tool.objects("verify", data)[-1]["clean"]


def test_a_server_goes_on_with_what_was_compacted(data):
    compact_tool.run("compact", data)
    server = Varve()
    shutil.copytree(data, server.data)
    server.start()
    try:
        answer = server.get("/varve/api/v1/logs", {
            "service": "logger", "start": str(HOUR), "end": str(HOUR + 3_600 * 10**9), "limit": "1000"})
        assert answer.status_code == 200, answer.text
        found = from_json("logs", answer.json())
        assert sum(len(s.log_records) for r in found.resource_logs for s in r.scope_logs) == RECORDS
    finally:
        server.close()


def test_prune_drops_partitions_that_have_lived(tmp_path):
    old = time.time_ns() - 45 * 86_400 * 10**9
    server = Varve("--merge", "off", "--retention", "off")
    server.start()
    try:
        for start in (old, HOUR):
            server.send("logs", log_request("logger", [
                {"time_unix_nano": start + number, "body": any_value("x")} for number in range(10)]))
        server.stop()
        planned = compact_tool.objects("prune", server.data, "--dry-run")
        assert [(plan["table"], plan["rows"], plan["reason"]) for plan in planned] == [("otel_logs", 10, "age")]
        assert len(parts(server.data)) == 2
        assert compact_tool.objects("prune", server.data) == planned
        assert [part["rows"] for part in parts(server.data)] == [10]
        assert compact_tool.objects("prune", server.data) == []
        assert compact_tool.objects("verify", server.data)[-1]["clean"]
    finally:
        server.close()


def test_prune_reads_the_servers_settings(tmp_path):
    # Two services in a partition that has ended, and a file as a server has it.
    old = time.time_ns() // (86_400 * 10**9) * 86_400 * 10**9 - 3 * 86_400 * 10**9
    server = Varve("--merge", "off", "--retention", "off")
    server.start()
    config = tmp_path / "varve.yaml"
    try:
        for service, count in (("load test", 30), ("shop", 20)):
            server.send("logs", log_request(service, [
                {"time_unix_nano": old + number, "body": any_value(f"{service} {number}")} for number in range(count)]))
        server.stop()
        rows = sum(part["rows"] for part in parts(server.data))
        config.write_text('merge: "off"\nretention-rules:\n  - service="load test" keep=1d\n')
        planned = compact_tool.objects("prune", server.data, "--config", config, "--dry-run")
        assert [(plan["kind"], plan["table"], plan["rows"], plan["reason"]) for plan in planned] == [
            ("part", "otel_logs", 30, "service")]
        text = compact_tool.run("prune", server.data, "--config", config, "--dry-run")
        assert "30 of 50 rows" in text and "would go: 30 rows" in text
        assert compact_tool.run("prune", server.data) == "0 partitions went: 0 rows, 0 B\n"
        assert sum(part["rows"] for part in parts(server.data)) == rows == 50
        config.write_text('retention: "off"\nretention-rules: service="load test" keep=1d\n')
        assert "retention is off" in compact_tool.run("prune", server.data, "--config", config)
        config.write_text('retention-rules:\n  - service="load test" keep=1d\n')
        assert compact_tool.objects("prune", server.data, "--config", config) == planned
        assert compact_tool.objects("prune", server.data, "--config", config) == []
        bodies = {json.loads(line)["body"]
                  for line in compact_tool.run("export", server.data, "--table", "otel_logs").splitlines()}
        assert bodies == {f"shop {number}" for number in range(20)}
        assert compact_tool.objects("verify", server.data)[-1]["clean"]
        for text, message in (
                ("retention-rule: keep=1d", 'did you mean "retention-rules"?'),
                ("retention-rules: keep=soon", ":1: retention-rules: \"soon\" is no duration"),
                ("data-dir: [", "varve.yaml:")):
            config.write_text(text + "\n")
            assert message in compact_tool.refuse("prune", server.data, "--config", config)
        assert "--config: " in compact_tool.refuse("prune", server.data, "--config", tmp_path / "none.yaml")
        assert sum(part["rows"] for part in parts(server.data)) == 20
    finally:
        server.close()


@pytest.mark.parametrize("seed", range(6))
def test_repair_loses_what_is_damaged_and_no_more(data, seed):
    before = collections.Counter(json.dumps(row) for row in spans_of(data))
    dice = random.Random(seed)
    victim = pathlib.Path(dice.choice([part["path"] for part in parts(data) if part["table"] == "otel_traces"]))
    content = bytearray(victim.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    victim.write_bytes(content)
    found = compact_tool.objects("verify", data, status=1)
    assert not found[-1]["clean"] and any(o.get("path") == str(victim) for o in found)
    planned = subprocess.run([compact_tool.tool(), "repair", data, "--dry-run", "--json"], capture_output=True)
    assert victim.read_bytes() == content
    done = subprocess.run([compact_tool.tool(), "repair", data, "--json"], capture_output=True)
    assert planned.returncode == done.returncode
    *actions, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [action["action"] for action in actions] in (["rewrite"], ["drop"])
    assert done.returncode == (1 if summary["lost_rows"] else 0)
    assert pathlib.Path(actions[0]["quarantine"]).read_bytes() == content
    assert compact_tool.objects("verify", data)[-1]["clean"]
    after = collections.Counter(json.dumps(row) for row in spans_of(data))
    assert not after - before and (before - after).total() == summary["lost_rows"]
    assert compact_tool.run("repair", data) == "nothing to repair\n"


def test_repair_makes_a_lost_catalog_from_the_parts(data):
    before = collections.Counter(json.dumps(row) for row in spans_of(data))
    for path in [data / "CURRENT", *data.glob("catalog-*")]:
        path.unlink()
    for path in data.glob("wal/*"):
        path.unlink()
    assert "repair makes it anew" in compact_tool.refuse("verify", data, status=4)
    done = compact_tool.objects("repair", data)
    assert done[-1]["lost_rows"] == 0 and "catalog" in [action.get("action") for action in done]
    assert compact_tool.objects("verify", data)[-1]["clean"]
    assert collections.Counter(json.dumps(row) for row in spans_of(data)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_compact_may_be_stopped_at_any_time(data, number):
    before = sorted(json.dumps(row) for row in spans_of(data))
    dice = random.Random(int(number))
    for _ in range(6):
        process = subprocess.Popen([compact_tool.tool(), "compact", data, "--again"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        time.sleep(dice.uniform(0, 0.15))
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        if process.returncode == 130:
            assert b"goes on from there" in errors
        else:
            assert process.returncode in (0, -number), errors
        assert compact_tool.objects("verify", data)[-1]["clean"]
    compact_tool.run("compact", data)
    assert len([part for part in parts(data) if part["table"] == "otel_traces"]) == 1
    assert sorted(json.dumps(row) for row in spans_of(data)) == before
