"""OTLP/gRPC against clients that break its rules, and those of HTTP/2: each gets a clear status and is counted, and others notice nothing."""
import gzip
import socket
import struct
import time

import google.rpc.code_pb2
import grpc
import pytest
import requests
import zstandard

from otlp_messages import trace_request
from raw_http2 import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, HEADERS, NO_ERROR, PING, PREFACE,
    PROTOCOL_ERROR, RST_STREAM, SETTINGS, TRACES, WINDOW_UPDATE, RawHTTP2, frame, head, message)
from varve_process import ROOT, Varve, eventually

LIMIT = 1 << 20
BODY = trace_request("bad-input", [{
    "trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "n", "start_time_unix_nano": time.time_ns(),
    "end_time_unix_nano": time.time_ns()}]).SerializeToString()
OK, INVALID, DEADLINE, NOT_FOUND, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 3, 4, 5, 8, 12, 13, 14


@pytest.fixture(scope="module")
def server():
    server = Varve("--max-body-size", "1MiB", "--max-connections", "64")
    server.start()
    yield server
    server.close()


def metric(server, name, **labels):
    """The sum of a metric over the members that have these labels."""
    total = 0.0
    for line in requests.get(server.http + "/metrics", timeout=20).text.splitlines():
        if line.startswith((name + " ", name + "{")) and all(f'{key}="{value}"' in line for key, value in labels.items()):
            total += float(line.rsplit(" ", 1)[1])
    return total


@pytest.fixture(autouse=True)
def others_notice_nothing(server):
    """Another client's connection, from before to after each test."""
    with RawHTTP2(server.grpc) as other:
        assert other.call(message(BODY)).status == OK
        yield
        assert other.call(message(BODY)).status == OK
        assert not other.goaways
    with RawHTTP2(server.grpc) as late:
        assert late.call(message(BODY)).status == OK


def ended(server, reason):
    return metric(server, "varve_grpc_connections_ended_total", reason=reason)


REFUSALS = [
    # what, headers, body, HTTP status, gRPC status, counted as
    ("unknown method", head(path="/a.B/C"), message(BODY), 200, UNIMPLEMENTED, "unknown_method"),
    ("no method of health", head(path="/grpc.health.v1.Health/List"), message(b""), 200, UNIMPLEMENTED, "unknown_method"),
    ("GET", head(method="GET"), b"", 405, UNIMPLEMENTED, "media_type"),
    ("no content type", head(kind=None), message(BODY), 415, INVALID, "media_type"),
    ("JSON", head(kind="application/json"), b"{}", 415, INVALID, "media_type"),
    ("gRPC in JSON", head(kind="application/grpc+json"), message(b"{}"), 415, INVALID, "media_type"),
    ("unknown coding", head(grpc_encoding="br"), message(BODY, 1), 200, UNIMPLEMENTED, "coding"),
    ("flag without a coding", head(), message(gzip.compress(BODY), 1), 200, INTERNAL, "framing"),
    ("flag with identity", head(grpc_encoding="identity"), message(gzip.compress(BODY), 1), 200, INTERNAL, "framing"),
    ("unknown flag", head(), message(BODY, 2), 200, INTERNAL, "framing"),
    ("no message", head(), b"", 200, UNIMPLEMENTED, "framing"),
    ("half a prefix", head(), b"\0\0\0", 200, INVALID, "framing"),
    ("half a message", head(), message(BODY, length=len(BODY) + 1), 200, INVALID, "framing"),
    ("two messages", head(), message(BODY) * 2, 200, UNIMPLEMENTED, "framing"),
    ("bytes behind the message", head(), message(BODY) + b"\0", 200, UNIMPLEMENTED, "framing"),
    ("no protobuf", head(), message(b"\xff" * 20), 200, INVALID, "malformed"),
    ("no gzip", head(grpc_encoding="gzip"), message(BODY, 1), 200, INVALID, "malformed"),
    ("half of gzip", head(grpc_encoding="gzip"), message(gzip.compress(BODY)[:-9], 1), 200, INVALID, "malformed"),
    ("no zstd", head(grpc_encoding="zstd"), message(BODY, 1), 200, INVALID, "malformed"),
    ("announced too large", head(), message(b"", length=LIMIT + 1), 200, EXHAUSTED, "too_large"),
    ("announced huge", head(), message(b"", length=0xFFFFFFFF), 200, EXHAUSTED, "too_large"),
    ("too large", head(), message(bytes(LIMIT + 1)), 200, EXHAUSTED, "too_large"),
    ("a bomb of gzip", head(grpc_encoding="gzip"), message(gzip.compress(bytes(200 << 20)), 1), 200, EXHAUSTED, "too_large"),
    ("a bomb of zstd", head(grpc_encoding="zstd"), message(zstandard.compress(bytes(200 << 20)), 1), 200, EXHAUSTED,
     "too_large"),
    ("no tenant's name", head(x_scope_orgid="a/b"), message(BODY), 200, INVALID, "tenant"),
    ("a long tenant's name", head(x_scope_orgid="a" * 151), message(BODY), 200, INVALID, "tenant"),
    ("much metadata", head(**{f"m{i}": "x" * 30 for i in range(300)}), message(BODY), 431, EXHAUSTED, "metadata"),
]


@pytest.mark.parametrize("fields, body, http, status, reason", [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_call_is_refused_with_a_status_and_counted(server, fields, body, http, status, reason):
    before = metric(server, "varve_ingest_refused_total", transport="grpc", reason=reason)
    with RawHTTP2(server.grpc) as client:
        answer = client.call(body, fields)
        assert (answer.http, answer.status) == (http, status), answer.headers
        assert answer.headers["grpc-message"]
        assert not answer.retries
        # The connection is good for other calls.
        assert client.call(message(BODY)).status == OK
    assert metric(server, "varve_ingest_refused_total", transport="grpc", reason=reason) == before + 1


def test_the_table_of_refusals_says_what_happens():
    """docs/OPERATING.md has each reason with each of its codes, and no others."""
    names = {number: name for name, number in google.rpc.code_pb2.Code.items()}
    lines = (ROOT / "docs/OPERATING.md").read_text().partition("## OTLP over gRPC")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    table = {(row[0], row[1]) for row in cells if len(row) == 5 and row[0] != "reason"}
    seen = {(row[5], names[row[4]]) for row in REFUSALS if row[0] != "GET"}
    # Of these there are tests of their own, or they need a state of the server.
    seen |= {("read_only", "PERMISSION_DENIED"), ("unavailable", "UNAVAILABLE"), ("deadline", "DEADLINE_EXCEEDED"),
             ("overloaded", "UNAVAILABLE"), ("throttled", "RESOURCE_EXHAUSTED"), ("limited", "RESOURCE_EXHAUSTED"),
             ("denied", "UNAUTHENTICATED"), ("denied", "PERMISSION_DENIED")}
    assert table == seen


@pytest.mark.parametrize("fields, body", [
    (head(kind="application/grpc+proto"), message(BODY)), (head(kind="application/grpc;x=y"), message(BODY)),
    (head(grpc_encoding="gzip"), message(BODY)), (head(grpc_encoding="gzip"), message(gzip.compress(BODY), 1)),
    (head(grpc_encoding="zstd"), message(zstandard.compress(BODY), 1)), (head(grpc_encoding="identity"), message(BODY)),
    (head(), message(b"")), (head(x_scope_orgid=""), message(BODY)), (head(grpc_timeout="20S"), message(BODY)),
    (head(grpc_timeout="nonsense"), message(BODY)), (head(), message(BODY + b"\x7a" + b"\xff\x7f" + bytes(16383))),
])
def test_odd_calls_that_are_right_are_taken(server, fields, body):
    with RawHTTP2(server.grpc) as client:
        answer = client.call(body, fields)
        assert (answer.http, answer.status, answer.data) == (200, OK, message(b"")), answer.headers


def test_a_refusal_comes_before_the_message_does(server):
    with RawHTTP2(server.grpc) as client:
        stream = client.open(head(path="/a.B/C"))
        answer = client.answer(stream)
        assert answer.status == UNIMPLEMENTED
        # The client need not send the rest (RFC 9113, 8.1), and what it sends all the same is thrown away.
        client.until(lambda: answer.reset == NO_ERROR)
        for _ in range(100):
            client.send(frame(DATA, 0, stream, bytes(16384)))
        assert client.call(message(BODY)).status == OK


def _assert(condition):
    assert condition


def test_health(server):
    with RawHTTP2(server.grpc) as client:
        for service in (b"", b"opentelemetry.proto.collector.logs.v1.LogsService"):
            body = b"\x0a" + bytes([len(service)]) + service if service else b""
            answer = client.call(message(body), head(path="/grpc.health.v1.Health/Check"))
            assert (answer.status, answer.data) == (OK, message(b"\x08\x01"))
        answer = client.call(message(b"\x0a\x01x"), head(path="/grpc.health.v1.Health/Check"))
        assert answer.status == NOT_FOUND
        assert client.call(message(b"\x0a\x05x"), head(path="/grpc.health.v1.Health/Check")).status == INVALID


WATCH = "/grpc.health.v1.Health/Watch"


def test_who_watches_is_told_when_the_server_stops():
    server = Varve()
    server.start()
    try:
        with RawHTTP2(server.grpc) as client, RawHTTP2(server.grpc) as other:
            streams = []
            name = b"opentelemetry.proto.collector.trace.v1.TraceService"
            for body, status in [(b"", 1), (b"\x0a" + bytes([len(name)]) + name, 1), (b"\x0a\x01x", 3)]:
                stream = client.open(head(path=WATCH))
                client.send(frame(DATA, END_STREAM, stream, message(body)))
                client.until(lambda: stream in client.answers and client.answers[stream].data)
                assert client.answers[stream].data == message(bytes([8, status])) and not client.answers[stream].ended
                streams.append(stream)
            # Calls go on beside them, and on other connections.
            for one in (client, other):
                assert one.call(message(BODY)).status == OK
            assert client.call(message(b"\x0a\x05x"), head(path=WATCH)).status == INVALID
            server.process.terminate()
            for stream, status in zip(streams, (2, 2, 3)):
                answer = client.answer(stream)
                assert answer.status == OK and answer.data.endswith(message(bytes([8, status])))
        assert server.process.wait(timeout=8) == 0, "nobody is waited for"
    finally:
        server.close()


def test_so_many_watch_at_most():
    server = Varve()
    server.start()
    clients = [RawHTTP2(server.grpc) for _ in range(9)]
    try:
        taken, refused = 0, 0
        for client in clients:
            streams = [client.open(head(path=WATCH)) for _ in range(120)]
            for stream in streams:
                client.send(frame(DATA, END_STREAM, stream, message(b"")))
            client.until(lambda: all(s in client.answers and (client.answers[s].data or client.answers[s].ended) for s in streams))
            for stream in streams:
                if client.answers[stream].data:
                    taken += 1
                else:
                    refused += 1
                    assert client.answers[stream].status == EXHAUSTED and client.answers[stream].retries
        assert (taken, refused) == (1024, 56)
        # Who leaves makes room: by the connection, and by the call alone.
        clients.pop(0).socket.close()
        client = clients[0]
        client.send(b"".join(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(1, 41, 2)))

        def room():
            stream = clients[-1].open(head(path=WATCH))
            clients[-1].send(frame(DATA, END_STREAM, stream, message(b"")))
            clients[-1].until(lambda: stream in clients[-1].answers)
            return bool(clients[-1].answers[stream].data)

        eventually(lambda: _assert(room()))
        assert clients[-1].call(message(BODY)).status == OK
        server.process.terminate()
        assert server.process.wait(timeout=8) == 0
    finally:
        for client in clients:
            client.socket.close()
        server.close()


def test_rapid_resets(server):
    """CVE-2023-44487."""
    before = ended(server, "resets")
    with RawHTTP2(server.grpc) as client:
        for _ in range(40):
            batch = b""
            for _ in range(100):
                stream, opening = client.open(head(), send=False)
                batch += opening + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
            if not client.send(batch):
                break
        assert ENHANCE_YOUR_CALM in client.wait_for_close()
    assert ended(server, "resets") == before + 1


def test_calls_that_are_reset_while_they_are_handled(server):
    """What is on its way to the disk arrives there, and there are never more of them than calls at a time."""
    with RawHTTP2(server.grpc) as client:
        for _ in range(20):
            batch = b""
            for _ in range(40):
                stream, opening = client.open(head(), send=False)
                batch += opening + frame(DATA, END_STREAM, stream, message(BODY))
                batch += frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
            assert client.send(batch)
            client.receive(0.05)
        assert client.call(message(BODY)).status in (OK, UNAVAILABLE)


def test_continuation_without_end(server):
    """CVE-2024-27316 and its kind."""
    before = ended(server, "headers")
    with RawHTTP2(server.grpc) as client:
        client.send(frame(HEADERS, 0, 1, client.encoder.encode(head(), huffman=False)))
        for _ in range(10_000):
            if not client.send(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100)):
                break
        assert ENHANCE_YOUR_CALM in client.wait_for_close()
    assert ended(server, "headers") == before + 1


def test_a_bomb_of_headers(server):
    """An entry of the table of 4,000 bytes, named 16,000 times by a byte each."""
    before = ended(server, "headers")
    with RawHTTP2(server.grpc) as client:
        entry = b"\x40\x01a\x7f" + _integer(3900 - 127) + b"x" * 3900
        client.send(frame(HEADERS, END_STREAM, 1, entry))
        client.send(frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16000))
        assert ENHANCE_YOUR_CALM in client.wait_for_close()
    assert ended(server, "headers") == before + 1


def _integer(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


@pytest.mark.parametrize("frames", [
    frame(PING, 0, 0, b"12345678"), frame(SETTINGS), frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20)),
    frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)),
], ids=["ping", "settings", "settings with windows", "window"])
def test_floods_of_frames_that_carry_nothing(server, frames):
    before = ended(server, "flood")
    with RawHTTP2(server.grpc) as client:
        for _ in range(200):
            if not client.send(frames * 100):
                break
            client.receive()
        assert ENHANCE_YOUR_CALM in client.wait_for_close()
    assert ended(server, "flood") == before + 1


def test_empty_data_without_end(server):
    before = ended(server, "flood")
    with RawHTTP2(server.grpc) as client:
        stream = client.open(head())
        for _ in range(200):
            if not client.send(frame(DATA, 0, stream) * 100):
                break
        assert ENHANCE_YOUR_CALM in client.wait_for_close()
    assert ended(server, "flood") == before + 1


@pytest.mark.parametrize("frames, code", [
    (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0)), PROTOCOL_ERROR),
    (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF)) * 2, FLOW_CONTROL_ERROR),
    (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0xFFFFFFFF)), FLOW_CONTROL_ERROR),
    (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR), (frame(DATA, 0, 5, b"x"), PROTOCOL_ERROR),
    (frame(HEADERS, END_HEADERS, 2, b"\x82"), PROTOCOL_ERROR), (frame(CONTINUATION, 0, 1, b""), PROTOCOL_ERROR),
    (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\x7f"), 9), (frame(PING, 0, 0, b"123"), 6),
    (struct.pack(">I", 20000)[1:] + b"\0\0\0\0\0\1" + bytes(20000), 6), (frame(5, END_HEADERS, 1, b"\0\0\0\2\x82"), PROTOCOL_ERROR),
])
def test_broken_frames_end_their_connection(server, frames, code):
    with RawHTTP2(server.grpc) as client:
        client.send(frames)
        goaways = client.wait_for_close()
        assert goaways and goaways[-1] == code, goaways
    assert metric(server, "varve_grpc_connections") <= 64


def test_windows_that_never_open(server):
    """The answer to a success has bytes that the client may refuse to have; the call stays open, and others go on."""
    with RawHTTP2(server.grpc, settings=[(4, 0)]) as client:
        stream = client.open(head())
        client.send(frame(DATA, END_STREAM, stream, message(BODY)))
        client.until(lambda: stream in client.answers and client.answers[stream].headers)
        assert not client.answers[stream].ended
        # A refusal is headers alone.
        assert client.call(message(BODY), head(path="/a.B/C")).status == UNIMPLEMENTED
        client.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 3)))
        client.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 100)))
        answer = client.answer(stream)
        assert (answer.status, answer.data) == (OK, message(b""))


def test_trailers_of_a_client(server):
    with RawHTTP2(server.grpc) as client:
        def trailers(flags):
            stream = client.open(head())
            client.send(frame(DATA, 0, stream, message(BODY)))
            client.send(frame(HEADERS, END_HEADERS | flags, stream, client.encoder.encode([("x-trailer", "1")])))
            return stream

        assert client.answer(trailers(END_STREAM)).status == OK
        # Headers between two pieces of a message are an error of the stream.
        assert client.answer(trailers(0)).reset == PROTOCOL_ERROR
        stream = client.open(head())
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, client.encoder.encode([(":path", "/x")])))
        assert client.answer(stream).reset == PROTOCOL_ERROR
        assert client.call(message(BODY)).status == OK


@pytest.mark.parametrize("fields", [
    [(":method", "POST"), (":scheme", "http"), (":path", TRACES)] * 2, [(":method", "POST")], [("x", "1"), (":method", "POST")],
    head() + [("connection", "close")], head() + [("content-length", "3"), ("content-length", "4")], head() + [("X-Upper", "1")],
    head() + [("content-length", "1")],
])
def test_headers_that_are_no_request_are_an_error_of_the_stream(server, fields):
    with RawHTTP2(server.grpc) as client:
        stream = client.open(fields)
        client.send(frame(DATA, END_STREAM, stream, message(BODY)))
        assert client.answer(stream).reset == PROTOCOL_ERROR
        assert client.call(message(BODY)).status == OK


@pytest.mark.parametrize("request_bytes", [
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/1.1\r\n\r\n" + bytes(100), bytes(1000),
], ids=["HTTP/1.1", "HTTP/1.0", "nearly", "zeros"])
def test_what_is_not_http2_is_told_so(server, request_bytes):
    before = ended(server, "http1")
    host, port = server.grpc.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(request_bytes)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ") and b"HTTP/2" in answer
    assert ended(server, "http1") == before + 1


def test_a_client_that_never_reads(server):
    """Its answers wait in its connection, and nothing more is read from it."""
    before = server.resident_bytes()
    clients = [RawHTTP2(server.grpc, receive_buffer=2048) for _ in range(8)]
    sent = 0
    try:
        for client in clients:
            client.socket.settimeout(0.5)
            try:
                for _ in range(3000):
                    client.socket.sendall(b"".join(
                        frame(PING, 0, 0, b"12345678") + client.open(head(path="/a.B/C"), send=False)[1] for _ in range(10)))
                    sent += 10
            except (TimeoutError, BrokenPipeError, ConnectionResetError):
                pass
        assert sent > 0
        assert server.resident_bytes() - before < 64 << 20
    finally:
        for client in clients:
            client.socket.close()


def test_clients_that_never_finish(server):
    """Half frames, half heads and half messages cost no thread: as many as may connect, and one more is served."""
    clients = []
    for i in range(30):
        client = RawHTTP2(server.grpc, begins=i % 5 != 4)
        clients.append(client)
        if i % 5 == 0:
            client.send(frame(HEADERS, END_HEADERS, 1, client.encoder.encode(head()))[:-3])
        elif i % 5 == 1:
            client.send(frame(HEADERS, 0, 1, client.encoder.encode(head())))
        elif i % 5 == 2:
            stream = client.open(head())
            client.send(frame(DATA, 0, stream, message(BODY)[:-1]))
        elif i % 5 == 3:
            for _ in range(128):
                client.open(head())
        else:
            client.send(PREFACE[:10])
    with RawHTTP2(server.grpc) as client:
        assert client.call(message(BODY)).status == OK
    for client in clients:
        client.socket.close()
    eventually(lambda: _assert(metric(server, "varve_grpc_connections") <= 1))


def test_more_calls_at_a_time_than_are_taken(server):
    with RawHTTP2(server.grpc) as client:
        client.receive(1)
        for _ in range(140):
            client.open(head())
        goaways = client.wait_for_close()
        assert goaways[-1] == PROTOCOL_ERROR


def test_more_connections_than_are_taken(server):
    before = ended(server, "limit")
    clients = [RawHTTP2(server.grpc) for _ in range(80)]
    closed = 0
    for client in clients:
        while client.receive(0.2) and not client.closed:
            pass
        closed += client.closed
        client.socket.close()
    assert closed >= 80 - 64
    assert ended(server, "limit") >= before + closed
    eventually(lambda: _assert(metric(server, "varve_grpc_connections") <= 1))


def test_a_deadline_that_has_passed(server):
    with RawHTTP2(server.grpc) as client:
        stream = client.open(head(grpc_timeout="50m"))
        assert client.answer(stream).status == DEADLINE


def test_partial_success_and_tenants(fresh):
    """As over HTTP (rules O-5, O-33)."""
    old = trace_request("s", [
        {"trace_id": bytes([i + 1]) * 16, "span_id": b"s" * 8, "name": "n", "start_time_unix_nano": start, "end_time_unix_nano": start}
        for i, start in enumerate([time.time_ns(), 1])])
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
    with grpc.insecure_channel(fresh.grpc) as channel:
        answer = TraceServiceStub(channel).Export(old, metadata=[("x-scope-orgid", "acme")], timeout=20)
    over_http = fresh.export("traces", old.SerializeToString(), **{"X-Scope-OrgID": "acme"})
    assert answer.partial_success.rejected_spans == 1
    assert ExportTraceServiceResponse.FromString(over_http.content).partial_success.rejected_spans == 1
    identifier = (bytes([1]) * 16).hex()
    assert fresh.get(f"/api/traces/{identifier}").status_code == 404
    assert fresh.get(f"/api/traces/{identifier}", headers={"X-Scope-OrgID": "acme"}).status_code == 200
    assert metric(fresh, "varve_ingest_requests_total", transport="grpc", signal="traces") == 1
    assert metric(fresh, "varve_ingest_requests_total", transport="http", signal="traces") == 1
    assert metric(fresh, "varve_ingest_rows_total", signal="traces") == 2


def test_a_server_that_only_reads_refuses_for_good(fresh):
    fresh.stop()
    fresh.options = (*fresh.options, "--read-only", "on")
    fresh.start()
    with RawHTTP2(fresh.grpc) as client:
        answer = client.call(message(BODY))
        assert (answer.status, answer.retries) == (7, False)
    assert metric(fresh, "varve_ingest_refused_total", transport="grpc", reason="read_only") == 1


def test_what_cannot_be_taken_now_says_when_to_come_again(fresh):
    from google.rpc import error_details_pb2, status_pb2
    fresh.stop()
    fresh.options = ("--disk-full", "1048576GiB")
    fresh.start()
    with grpc.insecure_channel(fresh.grpc) as channel:
        with pytest.raises(grpc.RpcError) as failure:
            channel.unary_unary(TRACES)(BODY, timeout=20)
    assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
    status = status_pb2.Status.FromString(dict(failure.value.trailing_metadata())["grpc-status-details-bin"])
    info = error_details_pb2.RetryInfo()
    assert status.code == 14 and status.message == failure.value.details() and status.details[0].Unpack(info)
    assert info.retry_delay.seconds == 1


def test_a_server_that_stops_answers_what_is_under_way(fresh):
    """GOAWAY first; then no more calls are taken, and those that had begun are answered."""
    client = RawHTTP2(fresh.grpc)
    idle = RawHTTP2(fresh.grpc)
    stream = client.open(head())
    client.send(frame(DATA, 0, stream, message(BODY)[:7]))
    assert idle.call(message(BODY)).status == OK
    fresh.process.terminate()
    client.until(lambda: client.goaways)
    assert NO_ERROR in idle.wait_for_close()
    client.send(frame(DATA, END_STREAM, stream, message(BODY)[7:]))
    assert client.answer(stream).status == OK
    assert fresh.process.wait(timeout=30) == 0
    client.wait_for_close()
    assert set(client.goaways) == {NO_ERROR}
