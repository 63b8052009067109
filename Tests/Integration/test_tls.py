"""TLS on all ports, and what clients do wrong with it; administrators' paths on a port of their own."""
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from urllib.parse import urlsplit

import grpc
import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from certificates import Authority
from otlp_messages import trace_request
from test_bad_input import PROTOBUF, span
from varve_process import Varve, eventually


def start(authority, *options, name="server"):
    certificate, key = authority.sign(name)
    server = Varve("--tls-certificate", str(certificate), "--tls-key", str(key), *options)
    server.session.verify = str(authority.certificate)
    server.start()
    return server


@pytest.fixture(scope="module", autouse=True)
def no_other_bundle():
    """What the environment names would come before what a test trusts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority):
    server = start(authority)
    yield server
    server.close()


@pytest.fixture(scope="module")
def strict(authority):
    """A server that knows its clients by their certificates."""
    server = start(authority, "--tls-client-ca", str(authority.certificate), name="strict")
    certificate, key = authority.sign("client", common_name="agent")
    server.client = str(certificate), str(key)
    server.session.cert = server.client
    yield server
    server.close()


def context(authority, **options):
    made = ssl.create_default_context(cafile=str(authority.certificate))
    for name, value in options.items():
        setattr(made, name, value)
    return made


def address(server, port):
    text = server.grpc if port == "grpc" else urlsplit(server.otlp if port == "otlp" else server.http).netloc
    host, number = text.rsplit(":", 1)
    return host, int(number)


def connect(server, port, made):
    return made.wrap_socket(socket.create_connection(address(server, port), timeout=5), server_hostname="localhost")


def metric(server, name, **labels):
    for line in server.get("/metrics").text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="(.*?)"', found[2] or "")) == labels:
            return float(found[3])
    raise AssertionError(f"no {name} {labels}")


class Counted:
    """That exactly one more failure of a kind is counted."""

    def __init__(self, server, port, reason):
        self.server, self.labels = server, {"port": port, "reason": reason}

    def __enter__(self):
        self.before = metric(self.server, "varve_tls_failures_total", **self.labels)

    def __exit__(self, kind, *_):
        if kind is None:
            eventually(self.check, timeout=5)

    def check(self):
        assert metric(self.server, "varve_tls_failures_total", **self.labels) == self.before + 1


PORTS = ["otlp", "query", "grpc"]


def export(exporter):
    """One span by the SDK, and its trace's id."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tls").start_as_current_span("over TLS") as sent:
        identifier = f"{sent.get_span_context().trace_id:032x}"
    provider.shutdown()
    return identifier


def arrived(server, identifier):
    def check():
        assert server.get(f"/api/traces/{identifier}").status_code == 200
    eventually(check, timeout=5)


def credentials(authority, client=None):
    read = lambda path: open(path, "rb").read()
    return grpc.ssl_channel_credentials(
        read(authority.certificate), *([read(client[1]), read(client[0])] if client else []))


def test_the_sdk_by_grpc(server, authority):
    arrived(server, export(grpc_traces.OTLPSpanExporter("https://" + server.grpc, credentials=credentials(authority))))


def test_the_sdk_by_http(server, authority):
    exporter = http_traces.OTLPSpanExporter(server.otlp + "/v1/traces", certificate_file=str(authority.certificate))
    arrived(server, export(exporter))


def test_the_sdk_with_a_client_certificate(strict, authority):
    exporter = grpc_traces.OTLPSpanExporter("https://" + strict.grpc, credentials=credentials(authority, strict.client))
    arrived(strict, export(exporter))
    exporter = http_traces.OTLPSpanExporter(
        strict.otlp + "/v1/traces", certificate_file=str(authority.certificate), client_certificate_file=strict.client[0],
        client_key_file=strict.client[1])
    arrived(strict, export(exporter))


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_and_protocols(server, authority, port, version):
    made = context(authority, minimum_version=version, maximum_version=version)
    wanted = "h2" if port == "grpc" else "http/1.1"
    made.set_alpn_protocols(["h2", "http/1.1"])
    with connect(server, port, made) as connection:
        assert connection.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert connection.selected_alpn_protocol() == wanted


@pytest.mark.parametrize("port", PORTS)
def test_old_versions_are_refused(server, port):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with Counted(server, port, "handshake"), pytest.raises(ssl.SSLError):
        connect(server, port, made)


@pytest.mark.parametrize("port", PORTS)
def test_a_protocol_that_the_port_does_not_speak(server, authority, port):
    made = context(authority)
    made.set_alpn_protocols(["http/1.1" if port == "grpc" else "h2"])
    with Counted(server, port, "handshake"), pytest.raises(ssl.SSLError):
        connect(server, port, made)


@pytest.mark.parametrize("port", PORTS)
def test_a_client_that_does_not_trust_the_server(server, port):
    with Counted(server, port, "handshake"), pytest.raises(ssl.SSLCertVerificationError):
        connect(server, port, ssl.create_default_context())


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("kind", ["none", "of another authority"])
def test_clients_without_a_certificate_that_is_known(strict, authority, tmp_path, port, kind):
    made = context(authority)
    if kind != "none":
        made.load_cert_chain(*Authority(tmp_path, "other").sign("stranger"))
    with Counted(strict, port, "certificate"), pytest.raises((ssl.SSLError, ConnectionError)):
        with connect(strict, port, made) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            if connection.recv(100) == b"":
                raise ConnectionResetError


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("sent", [
    b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), bytes(100), b"\xff",
], ids=["HTTP/1.1", "HTTP/2", "zeros", "a byte"])
def test_plain_text_on_a_port_with_tls(server, port, sent):
    with Counted(server, port, "plaintext"), socket.create_connection(address(server, port), timeout=5) as connection:
        connection.sendall(sent)
        answer = b""
        try:
            while piece := connection.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
        assert answer == b"" if sent[0] not in b"GP" else answer.startswith(b"HTTP/1.1 400 ") and b"TLS" in answer


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"\x16\x03\x01\xff\xff" + bytes(200), b"\x16" * 600])
def test_a_handshake_that_is_none(server, sent):
    with Counted(server, "otlp", "handshake"), socket.create_connection(address(server, "otlp"), timeout=15) as connection:
        connection.sendall(sent)
        while connection.recv(4096):
            pass


def test_tls_on_a_port_without(authority, fresh):
    for port in PORTS:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect(fresh, port, context(authority))
    assert metric(fresh, "varve_http_connections_ended_total", port="query", reason="tls") == 1
    assert metric(fresh, "varve_http_connections_ended_total", port="otlp", reason="tls") == 1
    assert metric(fresh, "varve_grpc_connections_ended_total", reason="tls") == 1


def test_a_handshake_that_does_not_end(server, authority):
    """Silent from its first or in its second step: ended in ten seconds, and nobody waits for it."""
    before = {port: metric(server, "varve_tls_failures_total", port=port, reason="slow") for port in PORTS}
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context(authority).wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    half = [socket.create_connection(address(server, port), timeout=20) for port in PORTS for _ in range(30)]
    for number, connection in enumerate(half):
        connection.sendall([b"\x16", hello[:50], hello][number % 3])
    assert server.get("/health").status_code == 200
    for connection in half:
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass
    for port in PORTS:
        assert metric(server, "varve_tls_failures_total", port=port, reason="slow") >= before[port] + 30


def test_clients_that_leave(server, authority):
    with connect(server, "query", context(authority)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    with Counted(server, "query", "left"):
        socket.create_connection(address(server, "query")).close()
    assert server.get("/health").status_code == 200


def test_garbage_within_a_connection(server, authority):
    with Counted(server, "query", "record"):
        connection = connect(server, "query", context(authority))
        with socket.socket(fileno=os.dup(connection.fileno())) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            with pytest.raises((ssl.SSLError, ConnectionError)):
                if connection.recv(100) == b"":
                    raise ConnectionResetError


def test_openssl_s_client(server, authority):
    def ask(port, *options, typed=""):
        host, number = address(server, port)
        return subprocess.run(["openssl", "s_client", "-connect", f"{host}:{number}", "-CAfile", str(authority.certificate), *options],
                              input=typed, capture_output=True, text=True, timeout=30)

    for port, protocol in [("query", "http/1.1"), ("grpc", "h2")]:
        done = ask(port, "-alpn", protocol, "-brief")
        assert done.returncode == 0 and "Verification: OK" in done.stderr, done.stderr
        assert ask(port, "-tls1_1").returncode != 0
    with Counted(server, "query", "renegotiation"):
        done = ask("query", "-tls1_2", typed="R\n")
        assert "renegotiation" in done.stderr.lower(), done.stderr


def test_bodies_of_many_megabytes_and_requests_behind_each_other(server, authority):
    body = trace_request("large", [span(name="x" * 9_000_000)]).SerializeToString()
    for _ in range(3):
        assert server.export("traces", body).status_code == 200
    answer = server.post("/api/v1/query", data={"query": "1" + " " * 3_000_000})
    assert answer.status_code == 200
    with connect(server, "query", context(authority)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        text = b""
        while text.count(b"HTTP/1.1 200 ") < 500:
            text += connection.recv(65536)


def test_a_certificate_is_renewed_without_a_restart(authority, tmp_path):
    own = Authority(tmp_path, "renewed")
    server = start(own)
    try:
        def serial():
            with connect(server, "query", context(own)) as connection:
                return connection.getpeercert()["serialNumber"]

        held = connect(server, "query", context(own))
        first, expiry = serial(), metric(server, "varve_tls_certificate_expiry_seconds")
        # A pair that does not fit is not taken.
        certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
        own.sign("next", days=60)
        (tmp_path / "next.pem").replace(certificate)
        eventually(lambda: _assert("the one from before is kept" in server.stderr()), timeout=10)
        assert serial() == first
        (tmp_path / "next.key").replace(key)
        eventually(lambda: _assert(serial() != first), timeout=10)
        assert metric(server, "varve_tls_certificate_expiry_seconds") > expiry
        held.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in held.recv(4096), "connections from before go on"
        second = serial()
        # By a signal, at once.
        own.sign("server")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: _assert(serial() != second), timeout=5)
        assert server.alive()
    finally:
        server.close()


def _assert(condition):
    assert condition


@pytest.mark.parametrize("options, message", [
    (["--tls-certificate", "/nowhere.pem"], "needs tls-key"), (["--tls-key", "/nowhere.pem"], "needs tls-certificate"),
    (["--tls-client-ca", "/nowhere.pem"], "needs tls-certificate"),
    (["--tls-certificate", "/nowhere.pem", "--tls-key", "/nowhere.key"], "No such file"),
    (["--tls-certificate", __file__, "--tls-key", __file__], "test_tls.py"),
])
def test_settings_that_do_not_fit(options, message):
    server = Varve(*options)
    try:
        with pytest.raises(AssertionError):
            server.start(timeout=20)
        assert message in server.stderr()
    finally:
        server.close()


# ---------------------------------------------------------------- administrators

def test_administrators_have_a_port_of_their_own():
    server = Varve("--listen-admin", "127.0.0.1:0")
    server.start()
    try:
        flush = "/varve/api/v1/admin/flush"
        assert requests.post(server.admin + flush).status_code == 200
        assert requests.get(server.admin + "/metrics").status_code == 200
        for url in (server.http, server.otlp):
            assert requests.post(url + flush).status_code == 404
            assert requests.get(url + "/metrics").status_code == 404
        for url in (server.http, server.otlp, server.admin):
            for path in ("/health", "/ready", "/-/healthy"):
                assert requests.get(url + path).status_code == 200
        assert requests.get(server.admin + "/api/services").status_code == 404
    finally:
        server.close()


def test_without_it_they_are_where_queries_are(server):
    assert server.get("/metrics").status_code == 200
    server.flush()


def test_many_clients_at_once(server, authority):
    failed = []

    def work():
        session = requests.Session()
        session.verify = str(authority.certificate)
        for _ in range(20):
            body = trace_request("many", [span()]).SerializeToString()
            answer = session.post(server.otlp + "/v1/traces", data=body, headers={"Content-Type": PROTOBUF}, timeout=30)
            if answer.status_code != 200:
                failed.append(answer.text)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
