"""Keys: who may send and ask, over HTTP and gRPC; what those are told who may not; and that no key is ever shown."""
import base64
import socket
import subprocess
import time
import uuid
from urllib.parse import urlsplit

import grpc
import pytest
import requests
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from otlp_messages import any_value, log_request, trace_request
from test_bad_input import PROTOBUF, span
from varve_process import ROOT, Varve, binary, eventually

SIGNALS = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
QUERIES = {
    "/api/services": "traces", "/api/v3/services": "traces", "/api/v1/services/stats": "traces",
    "/api/v1/traces?limit=1": "traces", "/api/v1/query?query=1": "metrics", "/api/v1/labels": "metrics",
    "/prometheus/api/v1/query?query=1": "metrics", "/loki/api/v1/labels": "logs", "/api/v1/logs?limit=1": "logs",
}
OPEN = ["/health", "/healthz", "/-/healthy", "/ready", "/-/ready", "/"]


def keys(file, *words):
    return subprocess.run([binary(), "keys", words[0], "--auth-file", file, *words[1:]], capture_output=True, text=True)


def add(file, name, *words):
    done = keys(file, "add", "--name", name, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Keyed:
    """A server with a file of keys, and the keys."""

    def __init__(self, folder):
        self.file = folder / "keys.yaml"
        self.secrets = {
            "sender": add(self.file, "sender", "--scopes", "ingest", "--tenants", "shop,team-*"),
            "logs": add(self.file, "logs", "--scopes", "ingest,query", "--signals", "logs"),
            "reader": add(self.file, "reader", "--scopes", "query", "--tenants", "shop"),
            "admin": add(self.file, "admin", "--scopes", "admin"),
            "expired": add(self.file, "expired", "--scopes", "ingest,query,admin", "--expires", "2020-01-01"),
        }
        self.server = Varve("--auth-file", str(self.file))
        self.server.start()

    def get(self, path, key=None, **headers):
        return requests.get(self.server.http + path, headers=headers | bearer(self.secrets.get(key, key)), timeout=30)

    def post(self, path, body, key=None, **headers):
        sent = {"Content-Type": PROTOBUF} | headers | bearer(self.secrets.get(key, key))
        return requests.post(self.server.otlp + path, body, headers=sent, timeout=30)


def bearer(secret):
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    made = Keyed(tmp_path_factory.mktemp("keys"))
    yield made
    made.server.close()


def becomes(holds):
    def check():
        assert holds()
    eventually(check, timeout=20)


def trace_of(name="keys"):
    identifier = uuid.uuid4().bytes
    return identifier, trace_request(name, [span(trace_id=identifier)]).SerializeToString()


def test_without_a_key_nothing_is_answered_but_health(keyed):
    for path in OPEN:
        assert keyed.get(path).status_code == 200, path
    for path in [*QUERIES, "/metrics", "/api/v1/status/config"]:
        answer = keyed.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Basic"), path
    assert requests.post(keyed.server.http + "/api/v1/admin/flush", timeout=30).status_code == 401
    for path in SIGNALS:
        assert keyed.post(path, b"").status_code == 401, path


@pytest.mark.parametrize("path", QUERIES)
def test_queries_need_the_scope_and_the_signal(keyed, path):
    assert keyed.get(path, "reader").status_code == 200
    assert keyed.get(path, "logs").status_code == (200 if QUERIES[path] == "logs" else 403)
    assert keyed.get(path, "sender").status_code == 403
    assert keyed.get(path, "admin").status_code == 403
    assert keyed.get(path, "expired").status_code == 401
    assert keyed.get(path, "vrv_unknown").status_code == 401
    assert keyed.get(path, "reader", **{"X-Scope-OrgID": "default"}).status_code == 403
    assert keyed.get(path, "reader", **{"X-Scope-OrgID": "a/b"}).status_code == 400


def test_refusals_are_in_the_dialect_of_the_path(keyed):
    prometheus = keyed.get("/api/v1/query?query=1").json()
    assert prometheus["status"] == "error" and "key" in prometheus["error"]
    assert "key" in keyed.get("/api/services").json()["errors"][0]["msg"]
    assert "key" in keyed.get("/loki/api/v1/labels").text
    answer = keyed.post("/v1/traces", b"{}", **{"Content-Type": "application/json"})
    assert answer.json()["message"].startswith("a key is needed")
    assert keyed.post("/v1/traces", b"").headers["Content-Type"] == PROTOBUF


def test_rows_go_to_the_tenants_that_a_key_names(keyed):
    for tenant, expected in [(None, 200), ("team-blue", 200), ("shop", 200), ("default", 403), ("a/b", 400)]:
        identifier, body = trace_of()
        headers = {} if tenant is None else {"X-Scope-OrgID": tenant}
        assert keyed.post("/v1/traces", body, "sender", **headers).status_code == expected, tenant
        found = keyed.get(f"/api/traces/{identifier.hex()}", "reader").status_code
        assert found == (200 if tenant in (None, "shop") else 404), tenant
    identifier, body = trace_of()
    assert keyed.post("/v1/traces", body, "logs").status_code == 403
    assert keyed.post("/v1/traces", body, "reader").status_code == 403


def test_a_key_comes_in_each_way_that_clients_know(keyed):
    secret = keyed.secrets["reader"]
    pair = base64.b64encode(f"grafana:{secret}".encode()).decode()
    for headers in [{"Authorization": f"Bearer {secret}"}, {"Authorization": secret}, {"X-API-Key": secret},
                    {"Authorization": f"Basic {pair}"}]:
        answer = requests.get(keyed.server.http + "/api/services", headers=headers, timeout=30)
        assert answer.status_code == 200, headers
    assert requests.get(keyed.server.http + "/api/services", auth=("any", secret), timeout=30).status_code == 200
    for value in ["Bearer", "Bearer ", "Basic ####", "Digest x", "Bearer " + "k" * 9000, "Bearer \x80\xff"]:
        answer = requests.get(
            keyed.server.http + "/api/services", headers={"Authorization": value.encode("latin-1")}, timeout=30)
        assert answer.status_code in (401, 431), value[:20]
    assert keyed.server.alive()


def test_a_request_is_refused_before_its_body_comes(keyed):
    address = urlsplit(keyed.server.otlp)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: varve\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 50000000\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")


def test_an_administrator_alone_flushes(keyed):
    flush = keyed.server.http + "/api/v1/admin/flush"
    for key, expected in [("reader", 403), ("sender", 403), ("admin", 200)]:
        assert requests.post(flush, headers=bearer(keyed.secrets[key]), timeout=60).status_code == expected, key
    assert keyed.get("/metrics", "reader").status_code == 403
    assert keyed.get("/metrics", "admin").status_code == 200


def test_over_grpc(keyed):
    identifier, body = trace_of("grpc-keys")
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
    record = logs_service_pb2.ExportLogsServiceRequest.FromString(
        log_request("grpc-keys", [{"time_unix_nano": time.time_ns(), "body": any_value("x")}]).SerializeToString())
    with grpc.insecure_channel(keyed.server.grpc) as channel:
        traces = trace_service_pb2_grpc.TraceServiceStub(channel)
        logs = logs_service_pb2_grpc.LogsServiceStub(channel)

        def status(call, message, key=None, *more):
            sent = ([("authorization", f"Bearer {keyed.secrets.get(key, key)}")] if key else []) + list(more)
            try:
                call(message, metadata=sent, timeout=30)
                return "OK"
            except grpc.RpcError as error:
                return error.code().name

        assert status(traces.Export, request) == "UNAUTHENTICATED"
        assert status(traces.Export, request, "vrv_unknown") == "UNAUTHENTICATED"
        assert status(traces.Export, request, "expired") == "UNAUTHENTICATED"
        assert status(traces.Export, request, "reader") == "PERMISSION_DENIED"
        assert status(traces.Export, request, "logs") == "PERMISSION_DENIED"
        assert status(traces.Export, request, "sender", ("x-scope-orgid", "default")) == "PERMISSION_DENIED"
        assert status(traces.Export, request, "sender", ("x-scope-orgid", "a/b")) == "INVALID_ARGUMENT"
        assert status(logs.Export, record, "logs") == "OK"
        assert status(traces.Export, request, "sender") == "OK"
        assert status(traces.Export, request, None, ("x-api-key", keyed.secrets["sender"])) == "OK"
    assert keyed.get(f"/api/traces/{identifier.hex()}", "reader").status_code == 200


def test_browsers_ask_before_they_send_a_key(keyed):
    answer = requests.options(keyed.server.http + "/api/v1/query", headers={
        "Origin": "http://grafana", "Access-Control-Request-Headers": "authorization"}, timeout=30)
    assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Headers"] == "authorization"
    refused = keyed.get("/api/v1/query?query=1", Origin="http://grafana")
    assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == "*"


def test_refusals_are_counted(keyed):
    def counts():
        lines = keyed.get("/metrics", "admin").text.splitlines()
        return {line.split('"')[1]: float(line.split()[-1]) for line in lines
                if line.startswith("varve_requests_denied_total")}

    before = counts()
    identifier, body = trace_of()
    assert keyed.get("/api/services").status_code == 401
    assert keyed.get("/api/services", "expired").status_code == 401
    assert keyed.post("/v1/traces", body, "logs").status_code == 403
    after = counts()
    changed = {reason: after[reason] - before[reason] for reason in after if after[reason] != before[reason]}
    assert changed == {"missing": 1, "expired": 1, "signal": 1}


def test_the_table_of_denials_has_each(keyed):
    lines = (ROOT / "docs/OPERATING.md").read_text().partition("## Keys")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    table = {row[0]: row[1:3] for row in rows if len(row) == 4 and row[1].isdigit()}
    counted = {line.split('"')[1] for line in keyed.get("/metrics", "admin").text.splitlines()
               if line.startswith("varve_requests_denied_total")}
    assert set(table) == counted
    # Where tokens are not taken none is refused: test_jwt.py.
    assert table.pop("token")[:2] == ["401", "UNAUTHENTICATED"]
    asked = {"missing": [None], "malformed": [" "], "unknown": ["vrv_x"], "expired": ["expired"], "scope": ["sender"],
             "signal": ["logs"], "tenant": ["reader", "default"]}
    for reason, (key, *tenant) in asked.items():
        headers = {"X-Scope-OrgID": tenant[0]} if tenant else {}
        answer = keyed.get("/api/services", key, **headers) if key != " " else requests.get(
            keyed.server.http + "/api/services", headers={"Authorization": "Digest x"}, timeout=30)
        assert str(answer.status_code) == table[reason][0], reason


def test_no_key_is_shown(keyed):
    shown = keyed.server.stderr()
    for path in ["/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/runtimeinfo"]:
        shown += keyed.get(path, "reader").text
    shown += keyed.get("/metrics", "admin").text + keyed.file.read_text() + keys(keyed.file, "list").stdout
    shown += keyed.get("/api/v1/query?query=(", "reader").text
    for name, secret in keyed.secrets.items():
        assert secret not in shown and secret[4:] not in shown, name
    assert str(keyed.file) in shown


def test_the_file_is_read_again_when_it_changes(tmp_path):
    file = tmp_path / "keys.yaml"
    first = add(file, "first", "--scopes", "query")
    server = Varve("--auth-file", str(file))
    server.start()
    try:
        def status(secret):
            return requests.get(server.http + "/api/services", headers=bearer(secret), timeout=30).status_code

        assert status(first) == 200
        second = add(file, "second", "--scopes", "query")
        becomes(lambda: status(second) == 200)
        assert keys(file, "revoke", "--name", "first").returncode == 0
        becomes(lambda: status(first) == 401)
        good = file.read_text()
        file.write_text(good + "\nkeys: [")
        becomes(lambda: "auth-file cannot be read" in server.stderr())
        assert status(second) == 200
        file.write_text(good)
        becomes(lambda: "auth-file was read again" in server.stderr().split("auth-file cannot be read")[-1])
        assert status(second) == 200
    finally:
        server.close()


def test_a_wrong_file_is_told_at_the_start(tmp_path):
    file = tmp_path / "keys.yaml"
    file.write_text("salt: 00\n")
    done = subprocess.run(
        [binary(), "serve", "--data-dir", tmp_path / "data", "--auth-file", file, "--listen-otlp", "127.0.0.1:0",
         "--listen-grpc", "none", "--listen-http", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"{file}:1: the salt is 32 hexadecimal digits" in done.stderr


def test_the_command_says_what_is_wrong(tmp_path):
    file = tmp_path / "keys.yaml"
    add(file, "a", "--scopes", "query")
    before = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    for words, message in [
        (["add", "--name", "a", "--scopes", "query"], 'there is a key "a" already'),
        (["add", "--name", "b c", "--scopes", "query"], "a name is"),
        (["add", "--name", "b"], "--scopes is missing"),
        (["add", "--name", "b", "--scopes", "write"], "it is one of ingest, query, admin"),
        (["add", "--name", "b", "--scopes", "query", "--tenants", "a/b"], "a tenant is"),
        (["add", "--name", "b", "--scopes", "query", "--expires", "soon"], "is no time"),
        (["add", "--nam", "b", "--scopes", "query"], 'did you mean "name"?'),
        (["add", "--name"], "--name needs a value"),
        (["revoke", "--name", "b"], 'there is no key "b"'),
        (["list", "--name", "b"], "list takes no --name"),
        (["lsit"], 'did you mean "list"?'),
    ]:
        done = keys(file, *words)
        assert done.returncode == 2 and message in done.stderr, (words, done.stderr)
        assert not done.stdout
    assert file.read_text() == before
    assert keys(file, "list").stdout == "a\tquery\ttraces,logs,metrics\tdefault\tnever\n"
    help_text = subprocess.run([binary(), "help", "keys"], capture_output=True, text=True)
    assert help_text.returncode == 0 and "revoke" in help_text.stdout
