"""Limits of tenants and keys: what is refused and how over each transport, what comes through, and that a file is read again."""
import concurrent.futures
import subprocess
import time
import uuid

import grpc
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc

from otlp_messages import any_value, attributes, gauge_request, log_request
from test_keys import add, bearer, becomes
from varve_process import ROOT, Varve, binary

PROTOBUF = {"Content-Type": "application/x-protobuf"}
LIMITS = """
series-learning: 0s
defaults:
  active-series: 10
tenants:
  rows: {rows-per-second: 1, rows-burst: 20}
  bytes: {bytes-per-second: 100B, bytes-burst: 2000B}
  new: {new-series-per-second: 1, new-series-burst: 3}
  short: {query-range: 1h, query-concurrency: 1, query-memory: 1MiB}
"""


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    file = folder / "limits.yaml"
    file.write_text(LIMITS)
    server = Varve("--limits-file", str(file))
    server.limits = file
    server.start()
    yield server
    server.close()


def logs(count, text="x"):
    return log_request("limits", [{"time_unix_nano": time.time_ns(), "body": any_value(text)} for _ in range(count)])


def points(name, values):
    return gauge_request("limits", name, [
        {"time_unix_nano": time.time_ns(), "as_int": 1, "attributes": attributes({"series": value})} for value in values])


def post(server, path, request, tenant, **headers):
    return requests.post(server.otlp + path, data=request.SerializeToString(), timeout=30,
                         headers={**PROTOBUF, "X-Scope-OrgID": tenant, **headers})


def message(answer):
    return status_pb2.Status.FromString(answer.content)


def series_of(server, tenant, name):
    server.flush()
    answer = requests.get(server.http + "/api/v1/series", timeout=30, params={"match[]": name, "start": time.time() - 600},
                          headers={"X-Scope-OrgID": tenant}).json()
    return sorted(series["series"] for series in answer["data"])


def refused(server):
    lines = requests.get(server.http + "/metrics", timeout=30).text.splitlines()
    found = [line for line in lines if line.startswith("varve_limit_refused_total{")]
    return {tuple(part.split('"')[1] for part in line.split("{")[1].split("}")[0].split(",")): float(line.split()[-1])
            for line in found}


def test_rows_beyond_the_burst_are_429_and_not_stored(limited):
    assert post(limited, "/v1/logs", logs(15, "kept"), "rows").status_code == 200
    answer = post(limited, "/v1/logs", logs(15, "dropped"), "rows")
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 10
    assert message(answer).code == 8 and "rows-per-second of tenant rows is 1" in message(answer).message
    found = requests.get(limited.http + "/api/v1/logs", params={"limit": 100}, headers={"X-Scope-OrgID": "rows"}, timeout=30)
    assert found.text.count("kept") == 15 and "dropped" not in found.text
    assert post(limited, "/v1/logs", logs(15), "unlimited").status_code == 200
    assert refused(limited)["rows", "tenant", "rows"] >= 1


def test_a_request_beyond_the_burst_comes_in_once(limited):
    assert post(limited, "/v1/logs", logs(200), "bytes").status_code == 200
    answer = post(limited, "/v1/logs", logs(1), "bytes")
    assert answer.status_code == 429 and "bytes-per-second of tenant bytes is 100B" in message(answer).message
    assert int(answer.headers["Retry-After"]) > 5


def test_over_grpc_it_is_resource_exhausted_with_retry_info(limited):
    with grpc.insecure_channel(limited.grpc) as channel:
        stub = logs_service_pb2_grpc.LogsServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            for _ in range(3):
                stub.Export(logs(20), metadata=[("x-scope-orgid", "rows")], timeout=30)
    error = caught.value
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "rows-per-second of tenant rows is 1" in error.details()
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    info = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert info.retry_delay.seconds >= 1


def test_known_series_go_on_where_new_ones_are_refused(limited):
    tenant = "series-" + uuid.uuid4().hex[:6]
    known = [f"s{number}" for number in range(8)]
    assert not post(limited, "/v1/metrics", points("limited", known), tenant).content
    with grpc.insecure_channel(limited.grpc) as channel:
        stub = metrics_service_pb2_grpc.MetricsServiceStub(channel)
        answer = stub.Export(points("limited", known + ["n1", "n2", "n3", "n4"]), timeout=30,
                             metadata=[("x-scope-orgid", tenant)])
    assert answer.partial_success.rejected_data_points == 2
    assert f"active-series of tenant {tenant} is 10" in answer.partial_success.error_message
    answer = post(limited, "/v1/metrics", points("limited", ["n5", "n6"]), tenant)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 1
    assert post(limited, "/v1/metrics", points("limited", known), tenant).status_code == 200
    assert series_of(limited, tenant, "limited") == sorted(known + ["n1", "n2"])
    assert refused(limited)[tenant, "tenant", "active_series"] == 2


def test_new_series_come_at_their_rate(limited):
    answer = post(limited, "/v1/metrics", points("fresh", ["a", "b", "c", "d", "e"]), "new")
    assert answer.status_code == 200 and b"new-series-per-second of tenant new is 1" in answer.content
    becomes(lambda: not post(limited, "/v1/metrics", points("fresh", ["a", "b", "c", "d"]), "new").content)


def test_what_was_refused_is_not_there_after_a_crash(limited):
    """A replay decodes what was logged, which has no refused points."""
    server = Varve("--limits-file", str(limited.limits), "--flush-age", "1h")
    server.start()
    try:
        known = [f"s{number}" for number in range(10)]
        assert post(server, "/v1/metrics", points("crash", known[:5]), "crash").status_code == 200
        assert post(server, "/v1/metrics", points("crash", known + ["x", "y"]), "crash").content
        server.kill()
        server.start()
        assert series_of(server, "crash", "crash") == sorted(known)
    finally:
        server.close()


def test_a_key_has_limits_of_its_own(tmp_path):
    keys, limits = tmp_path / "keys.yaml", tmp_path / "limits.yaml"
    sender = add(keys, "sender", "--scopes", "ingest", "--tenants", "a,b")
    other = add(keys, "other", "--scopes", "ingest", "--tenants", "a")
    text = keys.read_text()
    keys.write_text(text.replace("  - name: \"sender\"\n", "  - name: \"sender\"\n    limits: {rows-per-second: 1, rows-burst: 5}\n"))
    limits.write_text("")
    server = Varve("--auth-file", str(keys), "--limits-file", str(limits))
    server.start()
    try:
        assert post(server, "/v1/logs", logs(5), "a", **bearer(sender)).status_code == 200
        answer = post(server, "/v1/logs", logs(5), "b", **bearer(sender))
        assert answer.status_code == 429 and "rows-per-second of key sender is 1" in message(answer).message
        assert post(server, "/v1/logs", logs(50), "a", **bearer(other)).status_code == 200
        # The command keeps them when it writes the file anew.
        add(keys, "third", "--scopes", "query")
        assert "rows-per-second: 1\n      rows-burst: 5" in keys.read_text()
    finally:
        server.close()


def test_the_file_is_read_again_and_a_wrong_one_changes_nothing(tmp_path):
    file = tmp_path / "limits.yaml"
    file.write_text("defaults: {rows-per-second: 1, rows-burst: 1}")
    server = Varve("--limits-file", str(file))
    server.start()
    try:
        def limits():
            return requests.get(server.http + "/api/v1/admin/limits", timeout=30).json()["defaults"]

        assert limits() == {"rows-per-second": "1", "rows-burst": "1"}
        file.write_text("defaults: {rows-per-second: 7}")
        becomes(lambda: limits() == {"rows-per-second": "7", "rows-burst": "70"})
        file.write_text("defaults:\n  rows-per-secnd: 9")
        becomes(lambda: "limits-file cannot be read" in server.stderr())
        assert f'{file}:2: ' in server.stderr() and "did you mean" in server.stderr()
        assert limits() == {"rows-per-second": "7", "rows-burst": "70"}
        metrics = requests.get(server.http + "/metrics", timeout=30).text
        assert "varve_limits_file_valid 0" in metrics and "varve_limits_file_failures_total 1" in metrics
        file.write_text("")
        becomes(lambda: limits() == {})
        assert "varve_limits_file_valid 1" in requests.get(server.http + "/metrics", timeout=30).text
    finally:
        server.close()


def test_a_wrong_file_is_told_at_the_start(tmp_path):
    file = tmp_path / "limits.yaml"
    file.write_text("defaults:\n  active-series: many\n")
    done = subprocess.run(
        [binary(), "serve", "--data-dir", tmp_path / "data", "--limits-file", file, "--listen-otlp", "127.0.0.1:0",
         "--listen-grpc", "none", "--listen-http", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"{file}:2: active-series: " in done.stderr


def test_what_is_used_is_shown(limited):
    tenant = "shown-" + uuid.uuid4().hex[:6]
    assert post(limited, "/v1/metrics", points("shown", ["a", "b"]), tenant).status_code == 200
    url = limited.http + "/api/v1/admin/limits"
    answer = requests.get(url, params={"tenant": tenant}, timeout=30).json()
    assert answer["accounts"] == [{"tenant": tenant, "limits": {"active-series": "10"}, "available": {}, "activeSeries": 2,
                                   "queries": {"running": 0, "waiting": 0}}]
    assert answer["defaults"] == {"active-series": "10"}
    names = [account["tenant"] for account in requests.get(url, timeout=30).json()["accounts"]]
    assert tenant in names and names == sorted(names)
    assert requests.get(url, params={"tenant": "a/b"}, timeout=30).status_code == 400


def long_queries():
    """Ways to ask for two hours where one is allowed, with the status that each API has for it; and for half an hour."""
    now = int(time.time())
    for seconds, is_long in [(7200, True), (1800, False)]:
        start = now - seconds
        for path, parameters, status in [
            ("/api/v1/query_range", {"query": "up", "start": start, "end": now, "step": 60}, 422),
            ("/api/v1/query_range", {"query": "1", "start": start, "end": now, "step": 60}, 422),
            ("/api/v1/query", {"query": f"sum_over_time(up[{seconds}s])"}, 422),
            ("/api/v1/query", {"query": f"max_over_time(up[{seconds}s:60s])"}, 422),
            ("/api/v1/query", {"query": f"quantile_over_time(0.5, up[{seconds}s])"}, 422),
            ("/api/v1/query_exemplars", {"query": "up", "start": start, "end": now}, 422),
            ("/loki/api/v1/query_range", {"query": '{a="b"}', "start": start, "end": now}, 400),
            ("/loki/api/v1/query", {"query": 'count_over_time({a="b"}[%ds])' % seconds}, 400),
            ("/loki/api/v1/index/volume", {"query": '{a="b"}', "start": start, "end": now}, 400),
            ("/api/traces", {"service": "s", "start": start * 10**6, "end": now * 10**6}, 422),
            ("/api/v1/logs", {"start": start, "end": now}, 422),
            ("/api/v1/metrics", {"start": start, "end": now}, 422),
            ("/api/v1/services/stats", {"start": start, "end": now}, 422),
            ("/api/metrics/calls", {"service": "s", "endTs": now * 1000, "lookback": seconds * 1000}, 422),
        ]:
            yield path, parameters, status if is_long else 200


def test_a_query_asks_for_so_much_time_at_most(limited):
    for path, parameters, status in long_queries():
        before = refused(limited).get(("short", "tenant", "query_range"), 0)
        answer = requests.get(limited.http + path, params=parameters, headers={"X-Scope-OrgID": "short"}, timeout=30)
        assert answer.status_code == status, (path, parameters, answer.text)
        if status != 200:
            assert "query-range of tenant short is 1h" in answer.text, (path, answer.text)
            assert refused(limited)["short", "tenant", "query_range"] > before, path
        other = requests.get(limited.http + path, params=parameters, timeout=30)
        assert other.status_code == 200, (path, other.text)
    labels = requests.get(limited.http + "/api/v1/labels", headers={"X-Scope-OrgID": "short"}, timeout=30)
    assert labels.status_code == 200


def test_a_query_holds_so_much_memory_at_most(limited):
    values = [f"{number:05}" + "x" * 100 for number in range(3000)]
    assert post(limited, "/v1/logs", log_request("big", [
        {"time_unix_nano": time.time_ns(), "body": any_value(value)} for value in values]), "short").status_code == 200
    answer = requests.get(limited.http + "/loki/api/v1/query_range", timeout=30, headers={"X-Scope-OrgID": "short"},
                          params={"query": '{service_name="big"}', "limit": 5000})
    assert answer.status_code == 400 and "1048576 bytes" in answer.text
    assert refused(limited)["short", "tenant", "query_memory"] == 1


def test_so_many_queries_of_a_tenant_run_at_a_time(tmp_path):
    """Twenty at once, where one runs and sixteen wait."""
    file = tmp_path / "limits.yaml"
    file.write_text("defaults: {query-concurrency: 1}")
    server = Varve("--limits-file", str(file), "--query-queue-wait", "50ms", "--query-concurrency", "8")
    server.start()
    try:
        now = time.time()
        body = gauge_request("busy", "busy", [
            {"time_unix_nano": int((now - second) * 1e9), "as_int": second, "attributes": attributes({"n": str(number)})}
            for second in range(600) for number in range(40)])
        assert post(server, "/v1/metrics", body, "default").status_code == 200
        query = {"query": "sum(quantile_over_time(0.5, busy[5m])) + sum(mad_over_time(busy[5m]))", "start": now - 600,
                 "end": now, "step": 1}

        def ask(path="/api/v1/query_range", parameters=query):
            return requests.get(server.http + path, params=parameters, timeout=60, headers={"Cache-Control": "no-store"})

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda _: ask(), range(24)))
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 429}, statuses
        late = next(answer for answer in answers if answer.status_code == 429)
        assert late.headers["Retry-After"] == "1" and "query-concurrency of tenant default is 1" in late.json()["error"]
        assert refused(server)["default", "tenant", "query_concurrency"] == sum(a.status_code == 429 for a in answers)
    finally:
        server.close()


def test_the_table_of_limits_has_each(limited):
    """docs/OPERATING.md has each setting of the file, and each reason, with its answer."""
    text = (ROOT / "docs/OPERATING.md").read_text().partition("\n## Limits")[2].partition("\n## ")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    reasons = {row[0]: row[1:4] for row in rows if len(row) == 5 and row[0] != "varve_limit_refused_total{reason}"}
    assert reasons == {
        "rows": ["rows-per-second", "429", "RESOURCE_EXHAUSTED"],
        "bytes": ["bytes-per-second", "429", "RESOURCE_EXHAUSTED"],
        "new_series": ["new-series-per-second", "200, 429", "OK, RESOURCE_EXHAUSTED"],
        "active_series": ["active-series", "200, 429", "OK, RESOURCE_EXHAUSTED"],
        "query_concurrency": ["query-concurrency", "429", "–"],
        "query_memory": ["query-memory", "422, Loki 400", "–"],
        "query_range": ["query-range", "422, Loki 400", "–"],
    }
