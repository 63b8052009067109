"""JSON Web Tokens instead of keys: signed by OpenSSL, with the public key in a file."""
import base64
import hashlib
import hmac
import json
import subprocess
import time

import grpc
import pytest
import requests
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from test_keys import add, bearer, becomes, trace_of
from varve_process import Varve, binary

ISSUER = "https://login.example.com"
SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}


def plain(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """A key pair, by the command `openssl`."""

    def __init__(self, folder, name, *options):
        self.private = folder / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", *options, "-out", self.private], check=True, capture_output=True)
        self.public = subprocess.run(
            ["openssl", "pkey", "-in", self.private, "-pubout"], check=True, capture_output=True, text=True).stdout

    def token(self, algorithm, identifier, claims):
        signed = f"{plain(json.dumps({'alg': algorithm, 'kid': identifier}).encode())}.{plain(json.dumps(claims).encode())}"
        signature = subprocess.run(["openssl", "dgst", f"-sha{algorithm[2:]}", "-sign", self.private], input=signed.encode(),
                                   check=True, capture_output=True).stdout
        return f"{signed}.{plain(self.raw(signature, SIZES[algorithm]) if algorithm in SIZES else signature)}"

    @staticmethod
    def raw(der, size):
        """The two numbers of a signature, each of as many bytes as the field needs (RFC 7518, 3.4)."""
        at, numbers = (2 if der[1] < 0x80 else 3), b""
        for _ in range(2):
            length = der[at + 1]
            numbers += int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(size, "big")
            at += 2 + length
        return numbers


def claims(**more):
    return {"iss": ISSUER, "aud": "varve", "exp": int(time.time()) + 600, "tenants": ["shop", "lab"],
            "scope": "openid ingest query", **more}


class Trusting:
    """A server that takes tokens, and keys beside them."""

    def __init__(self, folder):
        self.rsa = Signer(folder, "rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        self.ec = Signer(folder, "ec", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
        self.other = Signer(folder, "other", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        self.file = folder / "jwt.yaml"
        self.write(("r", "[RS256, RS512]", self.rsa), ("e", "[ES384]", self.ec))
        self.keys = folder / "keys.yaml"
        self.key = add(self.keys, "admin", "--scopes", "admin,query")
        self.server = Varve("--jwt-file", str(self.file), "--auth-file", str(self.keys))
        self.server.start()

    def write(self, *keys):
        text = f"issuers:\n  - issuer: {ISSUER}\n    audience: varve\n    keys:\n"
        for identifier, algorithms, signer in keys:
            lines = signer.public.replace("\n", "\n          ").rstrip()
            text += f"      - id: {identifier}\n        algorithms: {algorithms}\n        public-key: |\n          {lines}\n"
        self.file.write_text(text)

    def get(self, token, path="/api/services", **headers):
        return requests.get(self.server.http + path, headers=headers | bearer(token), timeout=30)


@pytest.fixture(scope="module")
def trusting(tmp_path_factory):
    made = Trusting(tmp_path_factory.mktemp("jwt"))
    yield made
    made.server.close()


def test_a_token_is_as_good_as_a_key(trusting):
    for token in [trusting.rsa.token("RS256", "r", claims()), trusting.rsa.token("RS512", "r", claims()),
                  trusting.ec.token("ES384", "e", claims())]:
        identifier, body = trace_of()
        sent = {"Content-Type": "application/x-protobuf", **bearer(token)}
        assert requests.post(trusting.server.otlp + "/v1/traces", body, headers=sent, timeout=30).status_code == 200
        assert trusting.get(token, f"/api/traces/{identifier.hex()}").status_code == 200
        assert trusting.get(token, f"/api/traces/{identifier.hex()}", **{"X-Scope-OrgID": "lab"}).status_code == 404
        assert trusting.get(token, **{"X-Scope-OrgID": "default"}).status_code == 403
        assert trusting.get(token, "/metrics").status_code == 403
        # As Grafana sends it, and bare.
        assert requests.get(trusting.server.http + "/api/services", auth=("token", token), timeout=30).status_code == 200
        assert requests.get(trusting.server.http + "/api/services", headers={"Authorization": token}, timeout=30).status_code == 200
    assert trusting.get(trusting.key).status_code == 200


def test_what_is_no_good_token_is_401_or_403(trusting):
    now = int(time.time())
    good = trusting.rsa.token("RS256", "r", claims())
    secret = plain(hmac.new(trusting.rsa.public.encode(), b"", hashlib.sha256).digest())
    head = plain(json.dumps({"alg": "HS256", "kid": "r"}).encode())
    confused = f"{head}.{good.split('.')[1]}"
    for token, status in [
        (trusting.other.token("RS256", "r", claims()), 401), (trusting.rsa.token("RS256", "e", claims()), 401),
        (trusting.rsa.token("RS384", "r", claims()), 401), (trusting.rsa.token("RS256", "r", claims(iss="x")), 401),
        (trusting.rsa.token("RS256", "r", claims(aud="x")), 401), (trusting.rsa.token("RS256", "r", claims(exp=now - 40)), 401),
        (trusting.rsa.token("RS256", "r", claims(nbf=now + 60)), 401), (good[:-4] + "AAAA", 401), (f"{good}x", 401),
        (".".join([plain(b'{"alg":"none"}'), good.split(".")[1], ""]), 401), (f"{confused}.{secret}", 401),
        (f"{confused}.{plain(hmac.new(trusting.rsa.public.encode(), confused.encode(), hashlib.sha256).digest())}", 401),
        (trusting.rsa.token("RS256", "r", claims(tenants=[])), 403), (trusting.rsa.token("RS256", "r", claims(tenants="*")), 403),
        (trusting.rsa.token("RS256", "r", claims(scope="openid")), 403), ("eyJ.eyJ." + "A" * 7000, 401),
        (trusting.rsa.token("RS256", "r", claims(scope="admin ingest")), 403),
    ]:
        answer = trusting.get(token)
        assert answer.status_code == status, (token, answer.text)
        assert token not in answer.text
    assert trusting.server.alive()
    shown = trusting.server.stderr() + trusting.get(trusting.key, "/metrics").text
    assert good not in shown and good.split(".")[2] not in shown
    assert 'varve_requests_denied_total{reason="token"}' in shown


def test_over_grpc(trusting):
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(trace_of()[1])
    with grpc.insecure_channel(trusting.server.grpc) as channel:
        stub = trace_service_pb2_grpc.TraceServiceStub(channel)
        token = trusting.ec.token("ES384", "e", claims())
        stub.Export(request, metadata=[("authorization", f"Bearer {token}")], timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Export(request, metadata=[("authorization", f"Bearer {token[:-4]}AAAA")], timeout=30)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_keys_of_an_issuer_change_without_a_restart(trusting):
    token = trusting.rsa.token("RS256", "r", claims())
    new = trusting.other.token("RS256", "n", claims())
    assert trusting.get(token).status_code == 200 and trusting.get(new).status_code == 401
    before = trusting.file.read_text()
    try:
        trusting.write(("n", "[RS256]", trusting.other))
        becomes(lambda: trusting.get(new).status_code == 200)
        assert trusting.get(token).status_code == 401, "it was remembered, by a key that is gone"
        trusting.file.write_text("issuers:\n  - issuer: a\n")
        becomes(lambda: "jwt-file cannot be read" in trusting.server.stderr())
        assert trusting.get(new).status_code == 200
        assert "varve_jwt_file_valid 0" in trusting.get(trusting.key, "/metrics").text
    finally:
        trusting.file.write_text(before)
    becomes(lambda: trusting.get(token).status_code == 200)


def test_tokens_alone(tmp_path):
    signer = Signer(tmp_path, "only", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    file = tmp_path / "jwt.yaml"
    pem = signer.public.replace("\n", "\n          ").rstrip()
    file.write_text(f"issuers:\n  - issuer: {ISSUER}\n    audience: varve\n    scopes: [query, admin]\n    tenants: team-*\n"
                    f"    keys:\n      - algorithms: ES256\n        public-key: |\n          {pem}\n")
    server = Varve("--jwt-file", str(file))
    server.start()
    try:
        def status(path, token=None, **headers):
            return requests.get(server.http + path, headers=headers | bearer(token), timeout=30).status_code

        token = signer.token("ES256", "any", claims(tenants="team-a other", scope=["varve:query", "admin"]))
        assert status("/api/services") == 401 and status("/api/services", token) == 200 and status("/metrics", token) == 200
        assert status("/api/services", token, **{"X-Scope-OrgID": "other"}) == 403
    finally:
        server.close()


def test_a_wrong_file_is_told_at_the_start(tmp_path):
    file = tmp_path / "jwt.yaml"
    file.write_text(f"issuers:\n  - issuer: {ISSUER}\n    audience: varve\n    keys: [{{algorithms: [HS256], secret: c2VjcmV0}}]\n")
    done = subprocess.run(
        [binary(), "serve", "--data-dir", tmp_path / "data", "--jwt-file", file, "--listen-otlp", "127.0.0.1:0",
         "--listen-grpc", "none", "--listen-http", "127.0.0.1:0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"{file}:4: secret: HS256 needs 32 bytes" in done.stderr
    assert "c2VjcmV0" not in done.stderr
