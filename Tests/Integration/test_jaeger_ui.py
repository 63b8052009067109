"""The pages of Jaeger's UI from a folder (J-45), and archived traces (J-50), on a running server."""
import http.client
import os
import time

import pytest

import compact_tool
from otlp_messages import trace_request
from varve_process import Varve, eventually

PAGE = """<!doctype html><head><base href="/" data-inject-target="BASE_URL" /><script>
const JAEGER_CONFIG = DEFAULT_CONFIG;
const JAEGER_VERSION = DEFAULT_VERSION;
const JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;
</script></head>"""
SECRET = "not to be served"


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ui")
    bundle = folder / "bundle"
    (bundle / "static").mkdir(parents=True)
    (bundle / "index.html").write_text(PAGE)
    (bundle / "static/index-1a2B3c4D.js").write_text("let answer = 42;" * 1_000)
    (folder / "secret.txt").write_text(SECRET)
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/secret.txt").write_text(SECRET)
    os.symlink(folder / "secret.txt", bundle / "static/link.txt")
    os.symlink(folder / "elsewhere", bundle / "static/linked")
    server = Varve("--jaeger-ui", str(bundle))
    server.start()
    yield server
    server.close()


def raw(server, target):
    """Asks for a target exactly as it stands."""
    connection = http.client.HTTPConnection(server.http.removeprefix("http://"), timeout=30)
    connection.request("GET", target)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body.decode()


@pytest.mark.parametrize("path, base", [("/", "/"), ("/search", "/"), ("/trace/5b8aa5a2d2c872e8", "/"), ("/jaeger/", "/jaeger/"),
                                        ("/jaeger/monitor?service=a", "/jaeger/")])
def test_the_page_is_served_for_paths_of_the_UI(ui, path, base):
    answer = ui.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f'<base href="{base}"' in answer.text
    assert '"archiveStorage":true,"metricsStorage":true' in answer.text
    assert "DEFAULT_" not in answer.text


def test_files_have_types_tags_and_compression(ui):
    path = "/static/index-1a2B3c4D.js"
    answer = ui.get(path)
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in answer.headers["Vary"]
    assert answer.text == "let answer = 42;" * 1_000
    assert "immutable" in answer.headers["Cache-Control"]
    again = ui.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and again.content == b""
    assert ui.request("HEAD", path).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("target", [
    "/../secret.txt", "/static/../../secret.txt", "/static/%2e%2e/%2e%2e/secret.txt", "/static/..%2f..%2fsecret.txt", "/static/link.txt",
    "/static/linked/secret.txt", "//secret.txt", "/static//../../secret.txt", "/jaeger/../secret.txt", "/static/%00", "/etc/passwd",
    "/static/..\\..\\secret.txt", "/%2e%2e%2fsecret.txt",
])
def test_nothing_outside_the_folder_is_served(ui, target):
    status, body = raw(ui, target)
    assert SECRET not in body and "root:" not in body
    assert status == 404 or "JAEGER_CONFIG" in body


@pytest.mark.parametrize("path, status", [("/api/nonsense", 404), ("/api/v3/nonsense", 404), ("/loki/nonsense", 404), ("/v1/traces", 404),
                                          ("/static/none.js", 404), ("/api/services", 200), ("/ready", 200), ("/metrics", 200)])
def test_APIs_are_never_the_page(ui, path, status):
    answer = ui.get(path)
    assert answer.status_code == status
    assert "<" not in answer.text


def test_without_a_folder_there_are_no_pages(fresh):
    assert fresh.get("/search").status_code == 404
    assert fresh.get("/").text.startswith("varve ")


def test_a_folder_without_a_page_is_told(tmp_path):
    server = Varve("--jaeger-ui", str(tmp_path))
    with pytest.raises(AssertionError, match="index.html"):
        server.start(timeout=30)
    server.close()


def test_an_archived_trace_survives_its_table_and_a_kill():
    """Archived, then dropped by retention, and the process killed."""
    server = Varve("--retention-rules", "table=otel_traces keep=1h", "--merge-pause", "100ms", "--accept-past", "all")
    server.start()
    identifier = os.urandom(16)
    # So old that it is dropped as soon as it is in a part of its own.
    begin = time.time_ns() - 50 * 3600 * 10**9
    span = {"trace_id": identifier, "span_id": b"\0" * 7 + b"\1", "name": "old", "start_time_unix_nano": begin,
            "end_time_unix_nano": begin + 5_000}
    server.send("traces", trace_request("shop", [span]))
    path = f"/api/traces/{identifier.hex()}"
    eventually(lambda: _found(server, path))
    stored = server.get(path).json()
    assert server.post(f"/api/archive/{identifier.hex()}").json() == {"data": [], "total": 0, "limit": 0, "offset": 0, "errors": []}
    server.flush()
    # A server that starts looks for what has expired.
    server.restart()

    def dropped():
        assert server.get("/api/services").json()["data"] == []

    eventually(dropped, timeout=30)
    assert server.get(path).json() == stored
    server.kill()
    server.start()
    assert server.get("/api/services").json()["data"] == []
    assert server.get(path).json() == stored
    assert server.get(f"/api/v3/traces/{identifier.hex()}").status_code == 200
    assert "varve_archived_traces 1" in server.get("/metrics").text
    server.stop()
    compact_tool.run("verify", server.data)
    server.start()
    (file,) = (server.data / "archive/default").iterdir()
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    broken = server.get(path)
    assert broken.status_code == 500 and "is not as it was written" in broken.json()["errors"][0]["msg"]
    server.close()


def _found(server, path):
    assert server.get(path).status_code == 200
