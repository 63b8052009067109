"""What stands before the handlers: framing by RFC 9112, paths as proxies and exporters write them, refusals in the dialect of the path,
origins of browsers, addresses."""
import ctypes
import itertools
import json
import pathlib
import re
import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from otlp_messages import any_value, log_request, to_json, trace_request
from test_bad_input import PROTOBUF, partial_success, refused, span
from varve_process import ROOT, Varve, eventually

JSON = "application/json"


def talk(url, data, wait=1.5):
    """Sends bytes as they are; answers what came back, and whether the server left the connection open."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=wait) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except socket.timeout:
            return answer, True
        except ConnectionResetError:
            pass
        return answer, False


def is_stored(server, identifier):
    return server.get(f"/api/traces/{identifier.hex()}").status_code == 200


def post(server, headers, body, target="/v1/traces", host=True):
    head = f"POST {target} HTTP/1.1\r\n" + ("Host: varve\r\n" if host else "") + f"Content-Type: {JSON}\r\n"
    return talk(server.otlp, head.encode() + b"".join(f"{header}\r\n".encode() for header in headers) + b"\r\n" + body)


def chunked(body):
    pieces = [body[at:at + 40] for at in range(0, len(body), 40)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def record(text, **fields):
    return {"time_unix_nano": time.time_ns(), "body": any_value(text), **fields}


def body_of(sent):
    return json.dumps(to_json(trace_request("framing", [sent]))).encode()


LENGTHS = {
    "differing": lambda n: [f"Content-Length: {n}", "Content-Length: 3"],
    "differing, short first": lambda n: ["Content-Length: 3", f"Content-Length: {n}"],
    "repeated": lambda n: [f"Content-Length: {n}", f"content-length: {n}"],
    "list": lambda n: [f"Content-Length: {n}, {n}"],
    "signed": lambda n: [f"Content-Length: +{n}"],
    "negative": lambda n: ["Content-Length: -1"],
    "hexadecimal": lambda n: [f"Content-Length: {n:#x}"],
}


@pytest.mark.parametrize("kind", LENGTHS)
def test_a_length_that_can_be_read_in_two_ways_is_400(server, kind):
    sent = span()
    body = body_of(sent)
    answer, is_open = post(server, LENGTHS[kind](len(body)), body)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert not is_open
    assert not is_stored(server, sent["trace_id"])


def test_a_length_beside_chunks_is_400_and_the_connection_closes(server):
    for length in (3, 100_000):
        sent = span()
        headers = [f"Content-Length: {length}", "Transfer-Encoding: chunked"]
        for order in itertools.permutations(headers):
            answer, is_open = post(server, order, chunked(body_of(sent)))
            assert answer.startswith(b"HTTP/1.1 400 ") and not is_open, answer[:200]
        assert not is_stored(server, sent["trace_id"])


@pytest.mark.parametrize("coding, version", [
    ("gzip, chunked", "1.1"), ("xchunked", "1.1"), ("chunked, gzip", "1.1"), ("identity", "1.1"), ("chunked", "1.0"),
    ("chunked\r\nTransfer-Encoding: chunked", "1.1"), (" chunked\r\n x", "1.1"), ("", "1.1")])
def test_a_coding_that_is_not_chunked_alone_is_400(server, coding, version):
    sent = span()
    head = f"POST /v1/traces HTTP/{version}\r\nHost: x\r\nContent-Type: {JSON}\r\nTransfer-Encoding: {coding}\r\n\r\n"
    answer, is_open = talk(server.otlp, head.encode() + chunked(body_of(sent)))
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1 and not is_open, answer[:200]
    assert f"Content-Type: {JSON}".encode() in answer
    assert not is_stored(server, sent["trace_id"])


@pytest.mark.parametrize("request_bytes", [
    b"GET /health HTTP/1.1\nHost: x\n\n", b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\nA\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n", b"GET  /health HTTP/1.1\r\n\r\n",
    b"\x00" * 100])
def test_what_is_no_request_is_400_and_counted(server, request_bytes):
    def count():
        return refusals(server, "query")["framing"]

    before = count()
    answer, is_open = talk(server.http, request_bytes)
    if answer or not is_open:
        assert answer.startswith(b"HTTP/1.1 400 ") and not is_open, answer[:200]
        assert count() == before + 1
    else:
        assert b"\n\n" in request_bytes, "a line that does not end is waited for"


@pytest.mark.parametrize("port", ["otlp", "grpc"])
def test_idle_connections_cost_no_thread_and_little_memory(open_server, port):
    number, preface = 2000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5)
    address = urlsplit(open_server.otlp if port == "otlp" else "//" + open_server.grpc)
    threads = pathlib.Path(f"/proc/{open_server.process.pid}/task")
    before = open_server.resident_bytes(), len(list(threads.iterdir()))
    connections = []
    for _ in range(number):
        connections.append(socket.create_connection((address.hostname.replace("::", "::1") or "127.0.0.1", address.port)))
        connections[-1].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" if port == "otlp" else preface)
        assert connections[-1].recv(4096)
    try:
        # More by far than are needed, and a part of what a thread, or a buffer each, would take.
        eventually(lambda: _assert(open_server.resident_bytes() - before[0] < number * 16_000), timeout=5)
        assert len(list(threads.iterdir())) < before[1] + 20
        assert requests.get(f"http://127.0.0.1:{urlsplit(open_server.otlp).port}/health", timeout=5).status_code == 200
    finally:
        for connection in connections:
            connection.close()


def _assert(condition):
    assert condition


def test_a_smuggled_request_is_not_answered(server):
    hidden = b"GET /health HTTP/1.1\r\nHost: varve\r\n\r\n"
    answer, is_open = post(server, ["Content-Length: 0", f"Content-Length: {len(hidden)}"], hidden)
    assert answer.count(b"HTTP/1.1 ") == 1 and not is_open, answer


def test_a_request_has_one_host(server):
    for hosts in ([], ["a", "b"], ["a", "a"]):
        head = "GET /health HTTP/1.1\r\n" + "".join(f"Host: {host}\r\n" for host in hosts) + "\r\n"
        for url in (server.otlp, server.http):
            answer, is_open = talk(url, head.encode())
            assert answer.startswith(b"HTTP/1.1 400 ") and not is_open, (hosts, answer[:200])
    answer, _ = talk(server.http, b"GET /health HTTP/1.0\r\n\r\n")
    assert b" 200 " in answer[:20], "HTTP/1.0 has no Host"


def test_a_target_in_absolute_form_works(server):
    sent = span()
    body = body_of(sent)
    for target in ("http://varve.example:4318/v1/traces", "HTTP://[::1]/v1/traces?x=1"):
        answer, _ = post(server, [f"Content-Length: {len(body)}", "Connection: close"], body, target)
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    eventually(lambda: is_stored(server, sent["trace_id"]) or pytest.fail("it is not there"), timeout=5)
    answer, _ = talk(server.http, b"GET http://varve.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer[:9] == b"HTTP/1.1 " and answer[9:12] in (b"200", b"404"), answer[:200]


@pytest.mark.parametrize("path", ["/v1/logs", "/otlp/v1/logs", "/api/v1/otlp/v1/logs", "//v1/logs", "/v1//logs", "/otlp//v1/logs"])
def test_paths_of_exporters(server, path):
    body = log_request("paths", [record("line")]).SerializeToString()
    answer = talk(server.otlp, f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(body)}\r\n"
                               "Connection: close\r\n\r\n".encode() + body)[0]
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:300]


def test_doubled_slashes_of_queries(server):
    for path in ("//api/services", "/api//services", "//loki/api/v1/labels", "/prometheus//api/v1/labels"):
        answer = talk(server.http, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())[0]
        assert answer.startswith(b"HTTP/1.1 200 "), (path, answer[:200])


# ---------------------------------------------------------------- refusals

@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_refusals_before_a_handler_are_in_the_encoding_of_the_request_O_6(server, kind):
    url = server.otlp + "/v1/traces"
    is_json = kind == JSON
    large = b" " * (65 << 20)
    headers = {"Content-Type": kind}
    refused(requests.post(url, data=large, headers=headers), 413, is_json)
    refused(requests.post(url, data=iter([large]), headers=headers), 413, is_json)
    refused(requests.post(url, data=b"", headers=headers | {"X-Scope-OrgID": "a/b"}), 400, is_json)
    refused(requests.put(url, data=b"", headers=headers), 405, is_json)
    refused(requests.post(server.otlp + "/v1/nothing", data=b"", headers=headers), 404, is_json)
    answer, _ = talk(server.otlp, f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Type: {kind}\r\n\r\n".encode())
    assert f"Content-Type: {kind}".encode() in answer, answer


def test_refusals_before_a_handler_are_in_the_dialect_of_the_path(server):
    def ask(path, *headers):
        head = "".join(f"{header}\r\n" for header in ("Host: a", "Host: b") + headers)
        answer, _ = talk(server.http, f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        return answer.split(b"\r\n\r\n", 1)

    assert json.loads(ask("/api/v1/query?query=1")[1])["status"] == "error"
    assert json.loads(ask("/api/services")[1])["errors"][0]["code"] == 400
    assert b"text/plain" in ask("/loki/api/v1/labels")[0]
    assert b"HTTP/1.1 400" in ask("/nowhere")[0]


def refusals(server, port):
    """What is counted, by reason."""
    found = re.findall(r'varve_http_refused_total\{port="(\w+)",reason="(\w+)"\} (\S+)', server.get("/metrics").text)
    return {reason: float(value) for at, reason, value in found if at == port}


def documented():
    """The table of docs/OPERATING.md: reasons, and the statuses that go with them."""
    text = (ROOT / "docs/OPERATING.md").read_text().split("## Refusals over HTTP")[1].split("Connections that end")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", text, re.M)
    return {reason: {int(status) for status in statuses.split(",")} for reason, statuses in rows}


def provoked(url, path, kind):
    """What leads to each refusal: bytes to send."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    form = head.replace(kind, "application/x-www-form-urlencoded")
    return {
        "framing": head + "Host: y\r\n\r\n", "headers": head + "X: " + "x" * 300_000 + "\r\n\r\n",
        "too_large": head + "Content-Length: 99999999999\r\n\r\n", "coding": form + "Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
        "unknown_path": head.replace(path, path + "/nothing") + "\r\n", "wrong_method": head.replace("POST", "PATCH") + "\r\n",
        "tenant": head + "X-Scope-OrgID: a/b\r\nContent-Length: 0\r\n\r\n",
    }


@pytest.mark.parametrize("port, path, kind", [("otlp", "/v1/traces", JSON), ("otlp", "/v1/logs", PROTOBUF), ("query", "/api/v1/query", JSON)])
def test_every_refusal_is_documented_and_counted(server, port, path, kind):
    table, url = documented(), server.otlp if port == "otlp" else server.http
    assert set(table) == set(refusals(server, port))
    requests_by_reason = provoked(url, path, kind)
    assert set(table) - set(requests_by_reason) == {"overloaded", "slow"}, "these are tested where a server is made for them"
    for reason, sent in requests_by_reason.items():
        before = refusals(server, port)
        answer, is_open = talk(url, sent.encode())
        assert int(answer[9:12]) in table[reason] and not is_open, (reason, answer[:300])
        body = answer.split(b"\r\n\r\n", 1)[1]
        if reason == "headers":
            pass  # where they are too long, what the path and the encoding are may not have been read
        elif port == "query":
            assert json.loads(body)["status"] == "error", (reason, answer[:300])
        elif kind == JSON and reason != "coding":
            assert json.loads(body)["message"], (reason, answer[:300])
        elif reason != "coding":
            assert body[0] == 8, (reason, answer[:300])
        assert refusals(server, port) == before | {reason: before[reason] + 1}


# ---------------------------------------------------------------- codings

def lz4(data):
    """A frame, by the library that the server has too."""
    library = ctypes.CDLL("liblz4.so.1")
    library.LZ4F_compressFrame.restype = library.LZ4F_compressFrameBound.restype = ctypes.c_size_t
    room = library.LZ4F_compressFrameBound(ctypes.c_size_t(len(data)), None)
    output = ctypes.create_string_buffer(room)
    length = library.LZ4F_compressFrame(output, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), None)
    return output.raw[:length]


def snappy(data):
    """A block."""
    library = ctypes.CDLL("libsnappy.so.1")
    library.snappy_max_compressed_length.restype = ctypes.c_size_t
    length = ctypes.c_size_t(library.snappy_max_compressed_length(ctypes.c_size_t(len(data))))
    output = ctypes.create_string_buffer(length.value)
    assert library.snappy_compress(data, ctypes.c_size_t(len(data)), output, ctypes.byref(length)) == 0
    return output.raw[:length.value]


def snappy_framed(data):
    def checksum(piece):
        value = 0xFFFFFFFF
        for byte in piece:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        value ^= 0xFFFFFFFF
        return ((value >> 15 | value << 17) + 0xA282EAD8 & 0xFFFFFFFF).to_bytes(4, "little")

    stream = b"\xff\x06\x00\x00sNaPpY"
    for at in range(0, len(data), 65536):
        content = checksum(data[at:at + 65536]) + snappy(data[at:at + 65536])
        stream += b"\x00" + len(content).to_bytes(3, "little") + content
    return stream


CODINGS = {"snappy": snappy, "snappy framed": snappy_framed, "x-snappy-framed": snappy_framed, "lz4": lz4}


@pytest.mark.parametrize("kind", CODINGS)
def test_codings_of_collectors(server, kind):
    name, pack = kind.split(" ")[0], CODINGS[kind]
    sent = span(name="coded " * 200)
    body = trace_request("codings", [sent]).SerializeToString()
    assert server.export("traces", pack(body), encoding=name).status_code == 200
    assert is_stored(server, sent["trace_id"])
    document = json.dumps(to_json(trace_request("codings", [span()]))).encode()
    assert server.export("traces", pack(document), JSON, encoding=name).status_code == 200
    refused(server.export("traces", pack(body)[:-3], encoding=name), 400)
    refused(server.export("traces", body, encoding=name), 400)


@pytest.mark.parametrize("kind", ["snappy", "lz4"])
def test_bombs_of_these_codings_are_413(server, kind):
    bomb = CODINGS[kind](bytes(65 << 20))
    assert len(bomb) < 8 << 20
    refused(server.export("traces", bomb, encoding=kind), 413)


def test_what_came_in_such_a_coding_is_there_after_a_crash(fresh):
    sent = {kind: span() for kind in CODINGS}
    for kind, pack in CODINGS.items():
        body = trace_request("codings", [sent[kind]]).SerializeToString()
        assert fresh.export("traces", pack(body), encoding=kind.split(" ")[0]).status_code == 200
    fresh.kill()
    fresh.start()
    assert all(is_stored(fresh, span["trace_id"]) for span in sent.values())


# ---------------------------------------------------------------- browsers, addresses

@pytest.fixture(scope="module")
def open_server():
    server = Varve("--otlp-cors-origins", "https://app.example,https://*.shop.example", "--listen-otlp", ":0", "--listen-http", ":0")
    server.start()
    yield server
    server.close()


@pytest.mark.parametrize("origin, is_allowed", [
    ("https://app.example", True), ("https://eu.shop.example", True), ("https://evil.example", False), ("null", False)])
def test_named_origins_may_send_credentials_O_9(open_server, origin, is_allowed):
    url = f"http://127.0.0.1:{urlsplit(open_server.otlp).port}/v1/traces"
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answers = [
        requests.options(url, headers={"Origin": origin} | wanted),
        requests.post(url, data="{}", headers={"Origin": origin, "Content-Type": JSON}),
        requests.post(url, data="{}", headers={"Origin": origin, "Content-Type": "text/plain"}),
        requests.post(url, data="{", headers={"Origin": origin, "Content-Type": JSON}),
        requests.put(url, data="{}", headers={"Origin": origin, "Content-Type": JSON}),
        requests.post(url, data=b" " * (65 << 20), headers={"Origin": origin, "Content-Type": JSON}),
    ]
    for answer in answers:
        found = answer.headers.get("Access-Control-Allow-Credentials"), answer.headers.get("Access-Control-Allow-Origin")
        assert found == (("true", origin) if is_allowed else (None, None)), (answer.status_code, answer.headers)


def test_any_origin_is_not_allowed_credentials():
    server = Varve("--otlp-cors-origins", "*")
    server.start()
    try:
        url, headers = server.otlp + "/v1/traces", {"Origin": "https://a.example", "Content-Type": JSON}
        answer = requests.post(url, data="{}", headers=headers)
    finally:
        server.close()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_all_addresses_are_those_of_both_versions(open_server):
    for url in (open_server.otlp, open_server.http):
        for host in ("127.0.0.1", "[::1]"):
            assert requests.get(f"http://{host}:{urlsplit(url).port}/health", timeout=5).status_code == 200


# ---------------------------------------------------------------- records that only lack an id

def lines(server, service):
    query = f'{{service_name="{service}"}}'
    answer = server.get("/loki/api/v1/query_range", params={"query": query, "start": time.time() - 3600}).json()
    return [(stream["stream"], value[1]) for stream in answer["data"]["result"] for value in stream["values"]]


@pytest.mark.parametrize("trace, identifier", [
    (b"\x01" * 8, b"\x02" * 8), (b"ab" * 16, b"cd" * 8), (b"\x01" * 16, b"\x02"), (b"\x01", b"\x02" * 8)])
def test_a_record_with_an_ill_formed_id_is_kept_without_it(server, trace, identifier):
    service = f"ids-{trace.hex()}-{identifier.hex()}"
    request = log_request(service, [record("kept", trace_id=trace, span_id=identifier)])
    rejected, message = partial_success("logs", server.export("logs", request.SerializeToString()))
    assert rejected == 0 and "1 log record" in message
    [(labels, line)] = eventually(lambda: lines(server, service) or pytest.fail("it is not there"), timeout=5)
    assert line == "kept"
    assert labels.get("trace_id") == (trace.hex() if len(trace) == 16 else None)
    assert labels.get("span_id") == (identifier.hex() if len(identifier) == 8 else None)


def test_an_id_in_json_that_is_not_hexadecimal_costs_only_itself(server):
    document = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "ids-json"}}]},
                                  "scopeLogs": [{"logRecords": [
                                      {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "one"}, "traceId": "no id"},
                                      {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "two"}, "spanId": "abc"}]}]}]}
    answer = server.export("logs", json.dumps(document).encode(), JSON)
    assert answer.status_code == 200 and "2 log records" in answer.json()["partialSuccess"]["errorMessage"]
    assert "rejectedLogRecords" not in answer.json()["partialSuccess"]
    found = eventually(lambda: lines(server, "ids-json") or pytest.fail("they are not there"), timeout=5)
    assert sorted(line for _, line in found) == ["one", "two"]
    metrics = server.get("/metrics").text
    assert "varve_ingest_rows_without_ids_total" in metrics


# ---------------------------------------------------------------- what OTLP has since, or has no more

ENTITIES = [{"schemaUrl": "https://opentelemetry.io/schemas/1.40.0", "type": "service", "idKeys": ["service.name"],
             "descriptionKeys": ["service.version"]}, {"type": "host", "idKeys": ["host.id"]}]


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_entities_of_a_resource_come_back(server, encoding):
    service = f"entities-{encoding}"
    request = log_request(service, [record("line")])
    if encoding == "json":
        document = to_json(request)
        document["resourceLogs"][0]["resource"]["entityRefs"] = ENTITIES
        answer = server.export("logs", json.dumps(document).encode(), JSON)
    else:
        # By hand: the package may be older than the field.
        def field(number, payload):
            return bytes([number << 3 | 2]) + varint(len(payload)) + payload

        resource = request.resource_logs[0].resource.SerializeToString()
        for entity in ENTITIES:
            message = b"".join(
                [field(1, entity["schemaUrl"].encode())] if "schemaUrl" in entity else [])
            message += field(2, entity["type"].encode())
            message += b"".join(field(3, key.encode()) for key in entity["idKeys"])
            message += b"".join(field(4, key.encode()) for key in entity.get("descriptionKeys", []))
            resource += field(3, message)
        scope = request.resource_logs[0].scope_logs[0].SerializeToString()
        group = field(1, resource) + field(2, scope)
        answer = server.export("logs", b"\x0a" + varint(len(group)) + group)
    assert answer.status_code == 200, answer.text

    def found():
        document = server.get("/api/v1/logs", params={"service": service, "start": 0}).json()
        return document["resourceLogs"][0]["resource"]["entityRefs"]

    assert eventually(found, timeout=5) == ENTITIES


def varint(number):
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def test_groups_and_unknown_fields_are_passed_over(server):
    """Wire types 3 and 4 are in no message of OTLP, but an encoder may know a field that has them."""
    group = b"\xf3\x06" + b"\x08\x01" + b"\x13\x19" + bytes(8) + b"\x14" + b"\xf4\x06"
    sent = span()
    inner = trace_request("groups", [sent]).resource_spans[0].scope_spans[0].spans[0].SerializeToString() + group
    scope = group + b"\x12" + varint(len(inner)) + inner
    resource_spans = b"\x12" + varint(len(scope)) + scope + group
    answer = server.export("traces", b"\x0a" + varint(len(resource_spans)) + resource_spans + group)
    assert answer.status_code == 200 and answer.content == b"", answer.content
    eventually(lambda: is_stored(server, sent["trace_id"]) or pytest.fail("it is not there"), timeout=5)
    refused(server.export("traces", b"\x0b" * 100_000 + b"\x0c" * 100_000), 400)
