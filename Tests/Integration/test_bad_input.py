"""Hostile and broken input: the right status, a server that lives on, bounded memory, and good requests that succeed beside it."""
import gzip
import json
import socket
import struct
import threading
import time
import zlib

import pytest
import zstandard

from otlp_messages import REQUESTS, any_value, attributes, gauge_request, log_request, to_json, trace_request
from varve_process import eventually

NOW = time.time_ns() - 10**10
MEGABYTE = 1 << 20
# What the process may hold after whatever is thrown at it: a few requests of the largest size, and the engine's own buffers.
RESIDENT_LIMIT = 1200 * MEGABYTE
PROTOBUF = "application/x-protobuf"
counter = iter(range(1, 1 << 30))


def span(**fields):
    number = next(counter)
    return {"trace_id": number.to_bytes(16, "big"), "span_id": number.to_bytes(8, "big"), "name": "op",
            "start_time_unix_nano": NOW, "end_time_unix_nano": NOW + 1000, **fields}


def read(server, identifier):
    def check():
        answer = server.get(f"/api/traces/{identifier.hex()}")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"][0]

    return eventually(check, timeout=5)


@pytest.fixture(autouse=True)
def unharmed(server):
    """After each test: the server lives, stores and answers, and has not grown beyond its bound."""
    yield
    assert server.alive(), server.stderr()
    good = span()
    server.send("traces", trace_request("good", [good]))
    assert read(server, good["trace_id"])["spans"][0]["operationName"] == "op"
    assert server.resident_bytes() < RESIDENT_LIMIT


def refused(answer, status, json_body=False):
    """An error with a google.rpc.Status in the encoding of the request (rule O-6)."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.content[:300]!r}"
    if json_body:
        assert answer.headers["Content-Type"].startswith("application/json")
        document = answer.json()
        assert isinstance(document["code"], int) and document["message"]
    else:
        assert answer.headers["Content-Type"] == PROTOBUF
        code, message = status_fields(answer.content)
        assert code and message


def status_fields(body):
    """Code and message of a serialized google.rpc.Status."""
    code, message, position = 0, "", 0
    while position < len(body):
        tag, position = body[position], position + 1
        if tag == 0x08:
            code, position = body[position], position + 1
        elif tag == 0x12:
            length, shift = 0, 0
            while True:
                byte, position = body[position], position + 1
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            message, position = body[position:position + length].decode(), position + length
        else:
            raise AssertionError(f"unexpected field {tag:#x} in {body!r}")
    return code, message


def partial_success(signal, answer):
    """(rejected, message) of a reply with status 200."""
    assert answer.status_code == 200, answer.text
    response = {
        "traces": "opentelemetry.proto.collector.trace.v1.trace_service_pb2:ExportTraceServiceResponse:rejected_spans",
        "logs": "opentelemetry.proto.collector.logs.v1.logs_service_pb2:ExportLogsServiceResponse:rejected_log_records",
        "metrics": "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2:ExportMetricsServiceResponse:rejected_data_points",
    }[signal]
    module, name, field = response.split(":")
    message = getattr(__import__(module, fromlist=[name]), name).FromString(answer.content)
    return getattr(message.partial_success, field), message.partial_success.error_message


# ---------------------------------------------------------------- bodies that are not what they say

SAMPLE = trace_request("sample", [span(attributes=attributes({"k": "v" * 50, "n": 5})) for _ in range(3)]).SerializeToString()


@pytest.mark.parametrize("cut", sorted({1, 2, 3, 5, 17, 40, len(SAMPLE) // 2, len(SAMPLE) - 9, len(SAMPLE) - 1}))
def test_truncated_protobuf(server, cut):
    refused(server.export("traces", SAMPLE[:cut]), 400)


@pytest.mark.parametrize("signal", REQUESTS)
@pytest.mark.parametrize("body", [
    b"\xff" * 64, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x0b" * 40, b"\x0f\x00", b"\x00\x00", b"hello, world", b"\x0a\x04\x12\x02\x12\x7f",
], ids=["ones", "length 4 GB", "length 2^64", "groups", "wire type 7", "field 0", "text", "inner length"])
def test_garbage_protobuf(server, signal, body):
    refused(server.export(signal, body), 400)


@pytest.mark.parametrize("signal", REQUESTS)
@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"nonsense", b'{"resourceSpans":5,"resourceLogs":5,"resourceMetrics":5}', b'{}{}', b"\xff\xfe{}",
    b"[" * 100_000, b'{"a":' * 50_000,
], ids=["empty", "open", "array", "word", "wrong type", "two", "encoding", "deep array", "deep object"])
def test_garbage_json(server, signal, body):
    refused(server.export(signal, body, "application/json"), 400, json_body=True)


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/xml", "x"])
def test_wrong_content_type_O_2(server, content_type):
    assert server.export("logs", b"", content_type).status_code == 415


def test_no_content_type_O_2(server):
    answer = raw(server.otlp, b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 415")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_wrong_method_O_2(server, method):
    assert server.session.request(method, server.otlp + "/v1/traces").status_code == 405


def test_unknown_path(server):
    assert server.session.post(server.otlp + "/v1/nonsense", data=b"").status_code == 404


@pytest.mark.parametrize("encoding, body", [
    ("gzip", b"plain"), ("gzip", gzip.compress(SAMPLE)[:-9]), ("gzip", gzip.compress(SAMPLE)[:30] + b"\x00" * 30),
    ("gzip", b""), ("zstd", b"plain"), ("zstd", zstandard.compress(SAMPLE)[:-5]), ("deflate", b"plain"),
], ids=["gzip not", "gzip cut", "gzip torn", "gzip empty", "zstd not", "zstd cut", "deflate not"])
def test_broken_compression(server, encoding, body):
    refused(server.export("traces", body, encoding=encoding), 400)


def test_unknown_compression_O_3(server):
    assert server.export("traces", SAMPLE, encoding="compress").status_code == 415


def gzip_bomb(size):
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(MEGABYTE)
    return b"".join([compressor.compress(piece) for _ in range(size // MEGABYTE)] + [compressor.flush()])


def zstd_bomb(size):
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    piece = bytes(MEGABYTE)
    return b"".join([compressor.compress(piece) for _ in range(size // MEGABYTE)] + [compressor.flush()])


@pytest.mark.parametrize("encoding, bomb", [("gzip", gzip_bomb), ("zstd", zstd_bomb)], ids=["gzip", "zstd"])
def test_decompression_bomb_O_7(server, encoding, bomb):
    before = server.resident_bytes()
    refused(server.export("traces", bomb(2048 * MEGABYTE), encoding=encoding), 413)
    assert server.resident_bytes() < max(before, 600 * MEGABYTE) + 300 * MEGABYTE


def test_several_bombs_at_once(server):
    bomb = gzip_bomb(1024 * MEGABYTE)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        server.export("logs", bomb, encoding="gzip", session=new_session()).status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Memory pressure may be answered by 503, which a client may try again (rule O-6).
    assert all(status in (413, 503) for status in answers) and len(answers) == 4


def new_session():
    import requests
    return requests.Session()


def test_almost_64_MiB_are_accepted_O_7(server):
    line = "x" * 1000
    request = log_request("large", [
        {"time_unix_nano": NOW + index, "body": any_value(f"{index} {line}")} for index in range(62_000)])
    body = request.SerializeToString()
    assert 59 * MEGABYTE < len(body) < 64 * MEGABYTE
    answer = server.export("logs", gzip.compress(body, 1), encoding="gzip")
    assert answer.status_code == 200, answer.text


def test_announced_length_over_the_limit_O_7(server):
    answer = raw(server.otlp, b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                              b"Content-Length: 9000000000\r\nConnection: close\r\n\r\n" + b"\x0a" * 1000, close_writing=True)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]


def test_chunked_body_over_the_limit_O_7(server):
    address = server.otlp.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=30) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"%x\r\n" % MEGABYTE + b"\x0a" * MEGABYTE + b"\r\n"
        sent = 0
        try:
            for _ in range(1024):
                connection.sendall(piece)
                sent += 1
            connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass
        answer = receive(connection)
    assert answer.startswith(b"HTTP/1.1 413") or (answer == b"" and sent < 1024), answer[:200]


# ---------------------------------------------------------------- content that nobody should send

def test_invalid_UTF_8(server):
    request = trace_request("utf8", [span(name="@@@@", attributes=attributes({"key": "####"}))])
    identifier = request.resource_spans[0].scope_spans[0].spans[0].trace_id
    body = request.SerializeToString().replace(b"@@@@", b"a\xff\xc0z").replace(b"####", b"\xed\xa0\x80\xfe")
    answer = server.export("traces", body)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200 and partial_success("traces", answer)[0] == 0:
        found = server.get(f"/api/traces/{identifier.hex()}")
        found.content.decode("utf-8")
        assert found.json()["data"][0]["spans"][0]["operationName"].startswith("a")


def test_ten_thousand_attributes_on_a_span(server):
    many = {f"key.{index}": index for index in range(10_000)}
    wide = span(attributes=attributes(many))
    server.send("traces", trace_request("wide", [wide]))
    tags = {tag["key"]: tag["value"] for tag in read(server, wide["trace_id"])["spans"][0]["tags"]}
    assert {key: tags.get(key) for key in many} == many
    server.flush()
    tags = {tag["key"]: tag["value"] for tag in read(server, wide["trace_id"])["spans"][0]["tags"]}
    assert {key: tags.get(key) for key in many} == many


def nested(depth, innermost="leaf"):
    value = innermost
    for level in range(depth):
        value = {"m": value} if level % 2 else [value]
    return value


def test_twenty_levels_of_nesting(server):
    deep = span(attributes=attributes({"deep": nested(20)}))
    server.send("traces", trace_request("deep", [deep]))
    (tag,) = [tag for tag in read(server, deep["trace_id"])["spans"][0]["tags"] if tag["key"] == "deep"]
    assert json.loads(tag["value"]) == nested(20)


@pytest.mark.parametrize("signal", ["traces", "logs"])
@pytest.mark.parametrize("depth", [200, 5_000, 100_000])
def test_endless_nesting_is_bounded(server, depth, signal):
    value = b"\x0a\x01x"
    for _ in range(depth):
        value = field(5, field(1, value))
    pair = field(1, b"deep") + field(2, value)
    number = next(counter)
    if signal == "traces":
        record = field(1, number.to_bytes(16, "big")) + field(2, number.to_bytes(8, "big")) + field(9, pair)
    else:
        record = b"\x09" + struct.pack("<Q", NOW) + field(5, value) + field(6, pair)
    answer = server.export(signal, field(1, field(2, field(2, record))))
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        rejected, message = partial_success(signal, answer)
        assert rejected == 0 or message


def field(number, payload):
    """A length-delimited protobuf field."""
    length, prefix = len(payload), bytearray([number << 3 | 2])
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + payload


def test_endless_nesting_in_json(server):
    value = {"stringValue": "leaf"}
    for _ in range(300):
        value = {"arrayValue": {"values": [value]}}
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": str(NOW), "body": value}]}]}]}
    assert server.export("logs", json.dumps(document).encode(), "application/json").status_code in (200, 400)


@pytest.mark.parametrize("fields", [
    {"trace_id": b""}, {"trace_id": b"\x01" * 15}, {"trace_id": b"\x01" * 17}, {"trace_id": bytes(16)},
    {"span_id": b""}, {"span_id": b"\x01" * 7}, {"span_id": b"\x01" * 9}, {"span_id": bytes(8)},
    {"parent_span_id": b"\x01" * 5},
], ids=lambda fields: "-".join(f"{key}:{len(value)}{'z' if value and not any(value) else ''}" for key, value in fields.items()))
def test_ids_of_wrong_length_are_partial_success_O_5(server, fields):
    good = span()
    answer = server.export("traces", trace_request("ids", [span(**fields), good]).SerializeToString())
    rejected, message = partial_success("traces", answer)
    assert rejected == 1
    assert message
    assert len(read(server, good["trace_id"])["spans"]) == 1


@pytest.mark.parametrize("change", [{"traceId": "abc"}, {"traceId": "zz" * 16}, {"spanId": "01" * 4}],
                         ids=["odd", "not hex", "short"])
def test_ids_of_wrong_form_in_json_O_20(server, change):
    good, bad = span(), span()
    document = to_json(trace_request("ids", [bad, good]))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(change)
    answer = server.export("traces", json.dumps(document).encode(), "application/json")
    if answer.status_code == 200:
        assert int(answer.json()["partialSuccess"]["rejectedSpans"]) == 1
        assert answer.json()["partialSuccess"]["errorMessage"]
        assert len(read(server, good["trace_id"])["spans"]) == 1
    else:
        refused(answer, 400, json_body=True)


@pytest.mark.parametrize("start, end", [
    (0, 0), (0, NOW), (NOW, 0), (1, 2), (2**63 - 1, 2**63 - 1), (2**63, 2**63 + 1), (2**64 - 1, 2**64 - 1), (0, 2**64 - 1),
    (NOW, NOW - 10**9),
])
def test_times_at_and_beyond_the_edges_G_1(server, start, end):
    odd = span(start_time_unix_nano=start, end_time_unix_nano=end)
    answer = server.export("traces", trace_request("edges", [odd]).SerializeToString())
    rejected, message = partial_success("traces", answer)
    if rejected:
        assert message
    else:
        found = read(server, odd["trace_id"])["spans"][0]
        assert found["duration"] >= 0, "rule J-18"
    log = log_request("edges", [{"time_unix_nano": start, "observed_time_unix_nano": end, "body": any_value("edge")}])
    partial_success("logs", server.export("logs", log.SerializeToString()))
    point = gauge_request("edges", "edge", [{"time_unix_nano": start, "start_time_unix_nano": end, "as_int": 1}])
    partial_success("metrics", server.export("metrics", point.SerializeToString()))
    server.flush()


def test_metrics_that_contradict_themselves(server):
    request = REQUESTS["metrics"]()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    histogram = metrics.add(name="odd.histogram").histogram
    histogram.aggregation_temporality = 2
    histogram.data_points.add(time_unix_nano=NOW, count=5, bucket_counts=[1, 2], explicit_bounds=[1.0, 2.0, 3.0])
    histogram.data_points.add(time_unix_nano=NOW, count=2**64 - 1, bucket_counts=[2**64 - 1] * 3, explicit_bounds=[2.0, 1.0])
    histogram.data_points.add(time_unix_nano=NOW, bucket_counts=[1, 1], explicit_bounds=[float("nan")])
    exponential = metrics.add(name="odd.exponential").exponential_histogram
    exponential.aggregation_temporality = 2
    for scale in (-(2**31), 2**31 - 1, -11, 21):
        point = exponential.data_points.add(time_unix_nano=NOW, scale=scale, count=1, sum=float("nan"))
        point.positive.offset = 2**31 - 1
        point.positive.bucket_counts.extend([2**64 - 1] * 3)
        point.negative.offset = -(2**31)
        point.negative.bucket_counts.append(1)
    metrics.add(name="").gauge.data_points.add(time_unix_nano=NOW, as_int=1)
    metrics.add(name="odd.nothing")
    metrics.add(name="!!!").gauge.data_points.add(time_unix_nano=NOW, as_int=1)
    answer = server.export("metrics", request.SerializeToString())
    rejected, message = partial_success("metrics", answer)
    assert rejected == 0 or message
    for query in ("histogram_quantile(0.9, odd_histogram_bucket)", "odd_exponential", "histogram_quantile(0.9, odd_exponential)",
                  '{__name__=~"odd.*"}', "rate(odd_exponential[5m])"):
        answer = server.get("/api/v1/query", {"query": query, "time": NOW // 10**9 + 1})
        assert answer.status_code in (200, 422), answer.text
        answer.json()
    server.flush()


def test_many_bad_requests_beside_good_ones(server):
    """Good requests succeed while others send rubbish as fast as they can."""
    stop = threading.Event()
    failures = []

    def rubbish():
        session = new_session()
        while not stop.is_set():
            for body, encoding in ((b"\xff" * 100, None), (b"x", "gzip"), (SAMPLE[:50], None)):
                status = server.export("traces", body, encoding=encoding, session=session).status_code
                if status != 400:
                    failures.append(status)

    threads = [threading.Thread(target=rubbish) for _ in range(3)]
    for thread in threads:
        thread.start()
    good = [span() for _ in range(100)]
    try:
        for one in good:
            server.send("traces", trace_request("beside", [one]))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    for one in good[::10]:
        assert len(read(server, one["trace_id"])["spans"]) == 1


# ---------------------------------------------------------------- connections that misbehave

def raw(url, request, close_writing=False, timeout=20):
    """What the server answers on a connection of its own."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(request)
        if close_writing:
            connection.shutdown(socket.SHUT_WR)
        return receive(connection)


def receive(connection):
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except OSError:
        pass
    return answer


def head(length, extra=b""):
    return (b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n" % length
            + extra + b"\r\n")


def test_half_closed_connection_still_gets_its_answer(server):
    answer = raw(server.otlp, head(len(SAMPLE), b"Connection: close\r\n") + SAMPLE, close_writing=True)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]


def test_connection_that_ends_within_a_body(server):
    answer = raw(server.otlp, head(len(SAMPLE)) + SAMPLE[:20], close_writing=True)
    assert not answer.startswith(b"HTTP/1.1 200")


def test_slow_senders_do_not_hold_up_others(server):
    """Sixty connections that send a byte now and then, while a good client works."""
    host, port = server.otlp.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(60)]
    try:
        for connection in slow:
            connection.sendall(head(len(SAMPLE))[:40])
        begun = time.monotonic()
        for index in range(20):
            for connection in slow[index::20]:
                connection.sendall(head(len(SAMPLE))[40:41])
            server.send("traces", trace_request("patient", [span()]))
        assert time.monotonic() - begun < 10
    finally:
        for connection in slow:
            connection.close()


def test_slow_sender_is_served_in_the_end(server):
    host, port = server.otlp.removeprefix("http://").split(":")
    message = head(len(SAMPLE), b"Connection: close\r\n") + SAMPLE
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for start in range(0, len(message), 40):
            connection.sendall(message[start:start + 40])
            time.sleep(0.02)
        assert receive(connection).startswith(b"HTTP/1.1 200")


def test_expect_100_continue_O_8(server):
    host, port = server.otlp.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head(len(SAMPLE), b"Expect: 100-continue\r\nConnection: close\r\n"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(SAMPLE)
        assert receive(connection).startswith(b"HTTP/1.1 200")


def test_chunked_request_O_8(server):
    good = span()
    body = trace_request("chunked", [good]).SerializeToString()
    answer = server.session.post(
        server.otlp + "/v1/traces", data=(body[i:i + 7] for i in range(0, len(body), 7)), headers={"Content-Type": PROTOBUF})
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(read(server, good["trace_id"])["spans"]) == 1


@pytest.mark.parametrize("request_bytes", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"y" * 2_000_000 + b"\r\n\r\n",
    b"GET /" + b"%zz%00%ff" * 50 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
], ids=["TLS", "blank", "no path", "version", "negative length", "huge length", "bad chunk", "huge header", "bad escapes"])
def test_not_quite_HTTP(server, request_bytes):
    for url in (server.otlp, server.http):
        answer = b""
        try:
            answer = raw(url, request_bytes, close_writing=True)
        except OSError:
            pass
        assert answer == b"" or answer.startswith(b"HTTP/1.")
        assert not answer.startswith(b"HTTP/1.1 2"), answer[:100]


# ---------------------------------------------------------------- queries that ask for too much

HUGE = "9" * 400


@pytest.mark.parametrize("path, status, text", [
    ("/api/v1/query_range?query=1&start=0&end=10&step=0", 400, "zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ("/api/v1/query_range?query=1&start=0&end=10&step=-1", 400, "zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ("/api/v1/query_range?query=1&start=0&end=10&step=nope", 400, 'cannot parse \\"nope\\" to a valid duration'),
    ("/api/v1/query_range?query=1&start=0&end=10&step=" + HUGE, 400, "step"),
    ("/api/v1/query_range?query=1&start=10&end=0&step=1", 400, "end timestamp must not be before start time"),
    ("/api/v1/query_range?query=1&start=0&end=1e300&step=1", 400, ""),
    ("/api/v1/query_range?query=1&start=-9223372036854775&end=9223372036854775&step=1", 400, "exceeded maximum resolution"),
    ("/api/v1/query_range?query=1&start=0&end=10&step=1e-300", 400, ""),
    ("/api/v1/query_range?query=1&start=NaN&end=10&step=1", 400, ""),
    ("/api/v1/query?query=1&time=Inf", 400, ""),
    ("/api/v1/query?query=1&time=x", 400, 'cannot parse \\"x\\" to a valid timestamp'),
    ("/api/v1/query?query=", 400, "parse error"),
    ("/api/v1/query", 400, "parse error"),
    ("/api/v1/query?query=up&limit=-1", 400, "limit must be non-negative"),
    ("/api/v1/query?query=" + "(" * 20_000, 400, ""),
    ("/api/v1/query?query=" + "-" * 20_000 + "1", None, ""),
    ("/api/v1/query?query=" + "1%2B" * 10_000 + "1", None, ""),
    ("/api/v1/query?query=up[" + HUGE + "d]", 400, ""),
    ("/api/v1/query?query=up%20offset%20" + HUGE + "y", 400, ""),
    ("/api/v1/query?query=%7Ba%3D~%22(a%2B)%2B%24%22%2Cb%3D%22c%22%7D", 200, ""),
    ("/api/v1/query?query=%7Ba%3D~%22((((a%7B1000%7D)%7B1000%7D)%7B1000%7D)%22%2Cb%3D%22c%22%7D", 400, ""),
    ("/api/v1/query?query=%7Ba%3D~%22(%22%7D", 400, "parse error"),
    ("/api/v1/labels?start=1e300&end=-1e300", None, ""),
    ("/api/v1/labels?limit=-5", 400, "limit must be non-negative"),
    ("/api/v1/label/a%00b%ff/values", None, ""),
    ("/api/v1/series?match[]={x=~%22.*%22}", 400, "match[] must contain at least one non-empty matcher"),
    ("/loki/api/v1/query_range?query={a=%22b%22}&limit=0", 400, "limit must be a positive value"),
    ("/loki/api/v1/query_range?query={a=%22b%22}&limit=-3", 400, "limit must be a positive value"),
    ("/loki/api/v1/query_range?query={a=%22b%22}&limit=" + HUGE, 400, ""),
    ("/loki/api/v1/query_range?query={a=%22b%22}&limit=100000", 400, "max entries limit per query exceeded, limit > max_entries_limit_per_query (100000 > 5000)"),
    ("/loki/api/v1/query_range?query={a=%22b%22}&direction=up", 400, ""),
    ("/loki/api/v1/query_range?query={a=%22b%22}&start=10&end=5", 400, "end timestamp must not be before or equal to start time"),
    ("/loki/api/v1/query_range?query=rate({a=%22b%22}[1m])&start=0&end=1700000000&step=1", 400, "exceeded maximum resolution of 11,000 points per time series"),
    ("/loki/api/v1/query_range?query=rate({a=%22b%22}[1m])&start=0&end=10&step=0", 400, "zero or negative query resolution step widths are not accepted. Try a positive integer"),
    ("/loki/api/v1/query_range?query={a=%22b%22", 400, "parse error"),
    ("/loki/api/v1/query_range?query={a=%22b%22}|=%20%22x", 400, "parse error"),
    ("/loki/api/v1/query_range?query=" + "sum(" * 10_000, 400, "parse error"),
    ("/api/traces?service=s&limit=-1", 400, ""),
    ("/api/traces?service=s&limit=" + HUGE, None, ""),
    ("/api/traces?service=s&start=x", 400, "unable to parse param 'start'"),
    ("/api/traces?service=s&start=" + HUGE, None, ""),
    ("/api/traces?service=s&start=-9223372036854775808&end=9223372036854775807", 200, ""),
    ("/api/traces?service=s&minDuration=10", 400, "unable to parse param 'minDuration'"),
    ("/api/traces?service=s&minDuration=10s&maxDuration=5s", 400, "'maxDuration' should be greater than 'minDuration'"),
    ("/api/traces?service=s&tag=nocolon", 400, "malformed 'tag' parameter, expecting key:value, received: nocolon"),
    ("/api/traces?service=s&tags=[1,2]", 400, "malformed 'tags' parameter"),
    ("/api/traces/zzzz", 400, ""),
    ("/api/traces/" + "0" * 33, 400, ""),
    ("/api/dependencies?endTs=x", 400, "unable to parse param 'endTs'"),
    ("/api/dependencies?endTs=" + HUGE, None, ""),
    ("/api/v3/traces/xyz", 400, ""),
], ids=lambda value: value[:60] if isinstance(value, str) and value.startswith("/") else "")
def test_absurd_queries(server, path, status, text):
    begun = time.monotonic()
    answer = server.get(path)
    assert time.monotonic() - begun < 10
    # None: the contract leaves open whether it clamps or refuses, but not that it answers.
    assert answer.status_code == status or (status is None and answer.status_code in (200, 400, 404, 422)), answer.text[:300]
    assert text in answer.text, answer.text[:300]
    assert "html" not in answer.headers.get("Content-Type", "")


def test_64_KiB_of_URL_G_9(server):
    names = "|".join(f"service-{index:05d}" for index in range(4_400))
    answer = server.get("/loki/api/v1/query_range", {"query": '{service_name=~"%s"}' % names})
    assert len(answer.request.url) > 64_000
    assert answer.status_code == 200, answer.text[:300]


def test_10_MB_of_form_G_4(server):
    selectors = ["match[]=%7B__name__%3D%22metric_" + f"{index:06d}%22%7D" for index in range(1_000)]
    # Rule G-5: what nobody knows is ignored, however long it is.
    body = "&".join(["unknown=" + "x" * (10 * MEGABYTE), *selectors])
    answer = server.post("/api/v1/labels", body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 200, answer.text[:300]
