"""Two servers that are asked the same."""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.parse

# Rows are of a fixed day, whatever day it is. Nothing is flushed by itself.
OPTIONS = ["--retention", "off", "--accept-past", "all", "--accept-future", "all", "--flush-age", "1h", "--flush-bytes", "1GiB", "--log-level", "error"]


class Server:
    def __init__(self, binary, data, options=(), processors=None):
        self.log = open(f"{data}.log", "ab")
        pin = (lambda: os.sched_setaffinity(0, processors)) if processors else None
        self.process = subprocess.Popen(
            [str(binary), "serve", "--data-dir", str(data), "--listen-otlp", "127.0.0.1:0", "--listen-http", "127.0.0.1:0", *OPTIONS, *options],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, preexec_fn=pin,
            # A server of before gRPC knows no such flag, and warns of a variable.
            env={**os.environ, "VARVE_LISTEN_GRPC": "127.0.0.1:0"})
        for line in self.process.stdout:
            event = json.loads(line)
            if event.get("event") == "ready":
                self.otlp, self.http = event["otlp"], event["http"]
                return
        raise RuntimeError(f"{binary} was never ready: see {data}.log")

    def send(self, requests):
        connection = http.client.HTTPConnection(self.otlp, timeout=120)
        for tenant, kind, body in requests:
            connection.request("POST", f"/v1/{kind}", body, {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": tenant})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200 or text:
                raise RuntimeError(f"{kind}: HTTP {answer.status} {text!r}")
        connection.close()

    def flush(self):
        connection = http.client.HTTPConnection(self.http, timeout=120)
        connection.request("POST", "/varve/api/v1/admin/flush")
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"flush: HTTP {answer.status} {text!r}")

    def work(self):
        """Processor time of merges and views, in seconds."""
        connection = http.client.HTTPConnection(self.http, timeout=60)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return sum(float(line.split()[-1]) for line in lines
                   if line.startswith("varve_work_cpu_seconds_total") and ("rollup" in line or "merge" in line))

    def settle(self, quiet=5):
        """Waits until nothing has been merged or added to views for that many seconds."""
        since, work = time.monotonic(), self.work()
        while time.monotonic() - since < quiet:
            time.sleep(0.5)
            now = self.work()
            if now > work + 0.002:
                since, work = time.monotonic(), now

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Client:
    """A keep-alive connection of one worker to one server."""

    def __init__(self, address, headers=()):
        self.address = address
        self.headers = dict(headers)
        self.connection = None

    def ask(self, path, parameters, tenant):
        """(status, body); status 0 if the server is gone or took more than a minute."""
        target = urllib.parse.quote(path) + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
        for attempt in range(2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.address, timeout=60)
                self.connection.request("GET", target, headers={"X-Scope-OrgID": tenant, **self.headers})
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as failure:
                self.connection.close()
                self.connection = None
                # A connection that was kept may have been closed meanwhile.
                if attempt:
                    return 0, str(failure).encode()
        raise AssertionError("unreachable")


def copy_tree(source, target):
    subprocess.run(["cp", "-r", "--reflink=auto", str(source), str(target)], check=True)
    (pathlib.Path(target) / "RESERVE").unlink(missing_ok=True)
