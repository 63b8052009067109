"""The offline smoke tests of the client contract, each under its id there, against an empty server."""
import gzip
import os
import re
import time

import pytest

from otlp_messages import REQUESTS, any_value, log_request, trace_request

PROTOBUF = "application/x-protobuf"


def success(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    document = answer.json()
    assert document["status"] == "success", document
    return document


def bad_data(answer, message):
    assert answer.status_code == 400, answer.text
    document = answer.json()
    assert document["status"] == "error"
    assert document["errorType"] == "bad_data"
    assert message in document["error"]


@pytest.fixture(params=["", "/prometheus"], ids=["root", "prefix"])
def prometheus(request):
    return request.param


def test_S_1_scalar(server, prometheus):
    answer = server.get(prometheus + "/api/v1/query?query=1%2B1&time=4")
    assert success(answer)["data"] == {"resultType": "scalar", "result": [4, "2"]}
    assert answer.text.index("resultType") < answer.text.index('"result"'), "rule P-6"


def test_S_2_range_vector_in_instant_query(server, prometheus):
    data = success(server.post(prometheus + "/api/v1/query", {"query": "up[5m]"}))["data"]
    assert data["resultType"] == "matrix"
    assert data["result"] == []


def test_S_3_range_vector_in_range_query(server, prometheus):
    bad_data(
        server.get(prometheus + "/api/v1/query_range?query=up[5m]&start=0&end=10&step=1"),
        'invalid expression type "range vector" for range query, must be Scalar or instant Vector')


def test_S_4_too_many_points(server, prometheus):
    bad_data(
        server.get(prometheus + "/api/v1/query_range?query=1&start=0&end=11001&step=1"),
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")


def test_S_5_as_many_points_as_allowed(server, prometheus):
    data = success(server.get(prometheus + "/api/v1/query_range?query=1&start=0&end=11000&step=1"))["data"]
    assert data["resultType"] == "matrix"
    assert len(data["result"]) == 1
    assert data["result"][0]["metric"] == {}
    assert len(data["result"][0]["values"]) == 11001
    assert data["result"][0]["values"][0] == [0, "1"]


def test_S_6_exemplar_probe_in_the_year_57000(server, prometheus):
    path = prometheus + "/api/v1/query_exemplars"
    parameters = {"query": "test", "start": "1700000000000", "end": "1700003600000"}
    assert success(server.get(path, parameters))["data"] == []
    assert success(server.post(path, parameters))["data"] == []


def test_S_7_series_without_selector(server, prometheus):
    bad_data(server.get(prometheus + "/api/v1/series"), "no match[] parameter provided")


def test_S_8_series_with_limit(fresh, prometheus):
    request = REQUESTS["metrics"]()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    now = time.time_ns()
    for name in ("one", "two"):
        metrics.add(name=name).gauge.data_points.add(as_int=1, time_unix_nano=now)
    fresh.send("metrics", request)
    document = success(fresh.post(prometheus + "/api/v1/series", {"match[]": '{__name__!=""}', "limit": "1"}))
    assert len(document["data"]) == 1
    assert document["warnings"] == ["results truncated due to limit"]


def test_S_9_label_values_in_escaped_name(server, prometheus):
    assert success(server.get(prometheus + "/api/v1/label/U__service_2e_name/values"))["data"] == []


def test_S_10_labels_over_all_of_time(server, prometheus):
    document = success(server.get(prometheus + "/api/v1/labels?start=-9223372036854775&end=9223372036854775"))
    assert isinstance(document["data"], list)


def test_S_11_build_information(server, prometheus):
    data = success(server.get(prometheus + "/api/v1/status/buildinfo"))["data"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", data["version"])
    assert "features" not in data, "rule P-25: Grafana would take us for Mimir"


def test_S_12_options(server, prometheus):
    answer = server.request("OPTIONS", prometheus + "/api/v1/query")
    assert (answer.status_code, answer.content) == (204, b"")


def test_S_13_unknown_path(server, prometheus):
    answer = server.get(prometheus + "/api/v1/nonsense")
    assert answer.status_code == 404
    assert "html" not in answer.headers.get("Content-Type", "")
    assert "<html" not in answer.text.lower()


def test_S_14_wrong_method(server, prometheus):
    answer = server.request("PUT", prometheus + "/api/v1/query")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {word.strip() for word in answer.headers["Allow"].split(",")}


@pytest.fixture(params=["/loki", "/loki/loki", "/loki-ds/loki"], ids=["root", "loki", "prefix"])
def loki(request):
    return request.param + "/api/v1"


LOKI_EMPTY_COMPATIBLE = (
    "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible"
    ' value. For instance, app=~".*" does not meet this requirement, but app=~".+" will')


def test_L_S1_health_check(server, loki):
    path = loki + "/query?direction=backward&query=vector(1)%2Bvector(1)&time=4000000000"
    data = success(server.get(path))["data"]
    assert data["resultType"] == "vector"
    assert data["result"] == [{"metric": {}, "value": [4000000000, "2"]}]


def test_L_S2_log_selector_as_instant_query(server, loki):
    answer = server.get(loki + "/query", {"query": '{a="b"}'})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.strip() == (
        "log queries are not supported as an instant query type, please change your query to a range query type")


def test_L_S3_streams_of_an_empty_database(server, loki):
    data = success(server.get(loki + "/query_range", {"query": '{a="b"}', "direction": "BACKWARD"}))["data"]
    assert data["resultType"] == "streams"
    assert data["result"] == []
    assert isinstance(data["stats"], dict)


def test_L_S4_categorized_labels(fresh, loki):
    record = {"time_unix_nano": time.time_ns() - 10**9, "body": any_value("1 line")}
    fresh.send("logs", log_request("shop", [record]))
    answer = fresh.get(
        loki + "/query_range", {"query": '{service_name="shop"}'}, headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"})
    data = success(answer)["data"]
    assert data["encodingFlags"] == ["categorize-labels"]
    assert answer.text.index('"encodingFlags"') < answer.text.index('"result"'), "rule L-10"
    entries = [entry for stream in data["result"] for entry in stream["values"]]
    assert [entry[1] for entry in entries] == ["1 line"]
    assert all(len(entry) == 3 and isinstance(entry[2], dict) for entry in entries)


def test_L_S5_selector_of_everything(server, loki):
    answer = server.get(loki + "/query_range", {"query": '{a=~".*"}'})
    assert answer.status_code == 400
    assert answer.text.strip() == LOKI_EMPTY_COMPATIBLE


@pytest.mark.parametrize("path", [
    "/labels", "/label/nope/values", "/series", "/detected_labels", '/detected_fields?query={a="b"}',
    '/patterns?query={a="b"}', '/index/stats?query={a="b"}'])
def test_L_S6_empty_database(server, loki, path):
    answer = server.get(loki + path)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), dict)


@pytest.fixture(params=["", "/jaeger"], ids=["root", "prefix"])
def jaeger(request):
    return request.param + "/api"


def test_J_S1_services(server, jaeger):
    answer = server.get(jaeger + "/services")
    assert answer.status_code == 200
    document = answer.json()
    assert document["data"] == []
    assert document["total"] == 0
    assert document["errors"] is None


def test_J_S2_service_name_with_slash(fresh, jaeger):
    now = time.time_ns() - 10**9
    span = {"trace_id": b"\x01" * 16, "span_id": b"\x02" * 8, "name": "op", "start_time_unix_nano": now,
            "end_time_unix_nano": now + 5}
    fresh.send("traces", trace_request("a/b", [span]))
    encoded = fresh.get(jaeger + "/services/a%2Fb/operations").json()
    literal = fresh.get(jaeger + "/services/a/b/operations").json()
    assert encoded == literal
    assert encoded["data"] == ["op"]


def legacy_error(answer, status, message):
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert document["data"] is None
    assert document["errors"][0]["code"] == status
    assert message in document["errors"][0]["msg"]


def test_J_S3_search_without_service(server, jaeger):
    legacy_error(server.get(jaeger + "/traces"), 400, "parameter 'service' is required")


def test_J_S4_malformed_tags(server, jaeger):
    legacy_error(server.get(jaeger + "/traces?service=s&tags=%7Bx"), 400, "malformed 'tags' parameter")


def test_J_S5_unknown_trace(server, jaeger):
    legacy_error(server.get(jaeger + "/traces/ffff"), 404, "trace not found")


def test_J_S6_short_trace_id(fresh, jaeger):
    now = time.time_ns() - 10**9
    span = {"trace_id": bytes(8) + bytes(range(1, 9)), "span_id": b"\x02" * 8, "name": "op",
            "start_time_unix_nano": now, "end_time_unix_nano": now + 5}
    fresh.send("traces", trace_request("short", [span]))
    short = fresh.get(jaeger + "/traces/0102030405060708")
    assert short.status_code == 200, short.text
    full = fresh.get(jaeger + "/traces/" + "0" * 16 + "0102030405060708")
    assert short.json() == full.json()
    trace = short.json()["data"][0]
    assert trace["spans"][0]["traceID"] == trace["traceID"], "rule J-17: one form everywhere"


def test_J_S7_dependencies(server, jaeger):
    answer = server.get(jaeger + "/dependencies?endTs=1700000000000&lookback=86400000")
    assert answer.status_code == 200
    assert answer.json()["data"] == []


def test_J_S8_services_v3(server, jaeger):
    answer = server.get(jaeger + "/v3/services")
    assert answer.status_code == 200
    assert answer.json() == {"services": []}


def test_J_S9_unknown_trace_v3(server, jaeger):
    answer = server.get(jaeger + "/v3/traces/ffff")
    assert answer.status_code == 404
    assert answer.json()["error"]["httpCode"] == 404


def test_J_S10_service_performance(server, jaeger):
    answer = server.get(jaeger + "/metrics/calls?service=s")
    assert answer.status_code in (200, 501), answer.text
    if answer.status_code == 200:
        assert answer.json()["metrics"] == []
    else:
        legacy_error(answer, 501, "")


def test_O_S1_empty_protobuf(server):
    answer = server.export("traces", b"")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == PROTOBUF
    assert answer.content == b""


def test_O_S2_empty_json(server):
    answer = server.export("logs", b"{}", "application/json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == {}


def test_O_S3_wrong_content_type(server):
    assert server.export("metrics", b"x", "text/plain").status_code == 415


def test_O_S4_garbage(server):
    answer = server.export("traces", b"\xff\xff\xff\xff garbage")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == PROTOBUF
    # google.rpc.Status: field 1 is the code, field 2 the message.
    assert answer.content[:2] == b"\x08\x03", "INVALID_ARGUMENT"
    assert b"\x12" in answer.content


def test_O_S5_gzip(server):
    empty = trace_request("zipped", []).SerializeToString()
    assert server.export("traces", gzip.compress(empty), encoding="gzip").status_code == 200
    assert server.export("traces", b"not gzip at all", encoding="gzip").status_code == 400


def test_health_for_every_habit_U_3(server):
    for path in ("/-/healthy", "/-/ready", "/ready", "/health", "/healthz", "/readyz", "/"):
        assert server.get(path).status_code == 200, path
    assert server.get("/ready").text.strip() == "ready"


def test_self_metrics_are_not_the_metrics_api_U_4(server):
    answer = server.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert re.search(r"^# TYPE \S+ (counter|gauge|histogram)$", answer.text, re.M)


def test_gzip_answers_G_6(server):
    path = "/api/v1/query_range?query=1&start=0&end=11000&step=1"
    assert server.get(path, headers={"Accept-Encoding": "gzip"}).headers.get("Content-Encoding") == "gzip"
    assert "Content-Encoding" not in server.get(path, headers={"Accept-Encoding": "gzip;q=0"}).headers
    assert "Content-Encoding" not in server.get(path, headers={"Accept-Encoding": "identity"}).headers


def test_process_ends_on_SIGTERM_and_starts_again(fresh):
    fresh.stop()
    assert fresh.start() < 30
    assert os.path.isdir(fresh.data)
