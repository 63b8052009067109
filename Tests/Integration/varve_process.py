"""A `varve serve` under test: started on free ports, killed, restarted, measured."""
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """The server to test: VARVE_BINARY, or the newer of the two builds."""
    chosen = os.environ.get("VARVE_BINARY")
    if chosen:
        return pathlib.Path(chosen)
    built = [path for path in (ROOT / ".build/release/varve", ROOT / ".build/debug/varve") if path.exists()]
    if not built:
        raise FileNotFoundError("no .build/{release,debug}/varve: run `swift build --product varve` first")
    return max(built, key=lambda path: path.stat().st_mtime)


class Varve:
    """One data directory, and the process that has it open."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-test-"))
        self.data = self.folder / "data"
        self.options = options
        self.process = None
        self.session = requests.Session()

    def start(self, timeout=60):
        """Starts the process; returns the seconds until it said that it is ready."""
        begun = time.monotonic()
        self.log = open(self.folder / "stderr.log", "ab")
        self.process = subprocess.Popen(
            [str(binary()), "serve", "--data-dir", str(self.data), "--listen-otlp", "127.0.0.1:0",
             "--listen-grpc", "127.0.0.1:0", "--listen-http", "127.0.0.1:0", *self.options],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL)
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=max(0.1, timeout - (time.monotonic() - begun)))
            except queue.Empty:
                raise AssertionError(f"not ready after {timeout} s:\n{self.stderr()}") from None
            assert line is not None, f"the server ended before it was ready:\n{self.stderr()}"
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event.get("event") == "ready":
                scheme = "https://" if "--tls-certificate" in self.options else "http://"
                self.otlp = scheme + event["otlp"]
                self.http = scheme + event["http"]
                self.admin = scheme + event["admin"] if "admin" in event else None
                self.grpc = event.get("grpc")
                return time.monotonic() - begun

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.put(line)
        lines.put(None)

    def stderr(self):
        return (self.folder / "stderr.log").read_text(errors="replace")[-4000:]

    def stop(self):
        """Asks the server to end; it has to, in time and with status 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self._let_go()
        assert status == 0, f"exit status {status} after SIGTERM:\n{self.stderr()}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._let_go()

    def _let_go(self):
        self.process = None
        self.log.close()
        self.session.close()
        self.session = requests.Session()

    def restart(self):
        self.stop()
        return self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        """Ends the process, whatever state it is in, and removes its data."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process is not None:
            self._let_go()
        shutil.rmtree(self.folder, ignore_errors=True)

    def flush(self):
        answer = self.session.post(self.http + "/varve/api/v1/admin/flush", timeout=120)
        assert answer.status_code == 200, answer.text

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def get(self, path, params=None, **options):
        options.setdefault("timeout", 60)
        return self.session.get(self.http + path, params=params, **options)

    def post(self, path, data=None, **options):
        options.setdefault("timeout", 60)
        return self.session.post(self.http + path, data=data, **options)

    def request(self, method, path, **options):
        options.setdefault("timeout", 60)
        return self.session.request(method, self.http + path, **options)

    def export(self, signal_name, body, content_type="application/x-protobuf", encoding=None, session=None, **headers):
        """Posts an export request as it is."""
        headers = {"Content-Type": content_type, **headers}
        if encoding:
            headers["Content-Encoding"] = encoding
        return (session or self.session).post(
            f"{self.otlp}/v1/{signal_name}", data=body, headers=headers, timeout=60)

    def send(self, signal_name, message):
        """Posts an export request that has to be accepted in full."""
        answer = self.export(signal_name, message.SerializeToString())
        assert answer.status_code == 200, answer.text
        assert answer.content == b"", f"partial success: {answer.content!r}"


def eventually(check, timeout=10):
    """Calls `check` until it raises no AssertionError any more; returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
