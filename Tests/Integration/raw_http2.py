"""A client of HTTP/2 that sends whatever frames it is told to, also such as no client should."""
import select
import socket
import struct
import time

from hpack import Decoder, Encoder

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
ENHANCE_YOUR_CALM = 11
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def message(body, flag=0, length=None):
    """A message of gRPC with its prefix, which may lie."""
    return bytes([flag]) + struct.pack(">I", len(body) if length is None else length) + body


def head(path=TRACES, method="POST", kind="application/grpc", **metadata):
    """The headers of a call; None leaves one out."""
    fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "test"), ("content-type", kind),
              ("te", "trailers")]
    fields += [(name.replace("_", "-"), value) for name, value in metadata.items()]
    return [field for field in fields if field[1] is not None]


class Answer:
    """What came for one stream."""

    def __init__(self):
        self.headers = {}
        self.data = b""
        self.ended = False
        self.reset = None

    @property
    def http(self):
        return int(self.headers[":status"])

    @property
    def status(self):
        return int(self.headers["grpc-status"])

    @property
    def retries(self):
        return "grpc-status-details-bin" in self.headers


class RawHTTP2:
    def __init__(self, address, settings=(), receive_buffer=None, begins=True):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, int(port)))
        self.socket.settimeout(20)
        self.encoder, self.decoder = Encoder(), Decoder()
        self.encoder.header_table_size = 0
        self.buffer = b""
        self.answers = {}
        self.goaways = []
        self.closed = False
        # Whether the server's settings are there, which open its windows.
        self.settled = False
        self.next_stream = 1
        if begins:
            self.send(PREFACE + frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in settings)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends; False if the other side does not want it any more."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def open(self, fields, flags=END_HEADERS, send=True):
        """Begins a stream; returns its number, or with the frame if it is not to be sent yet."""
        stream = self.next_stream
        self.next_stream += 2
        data = frame(HEADERS, flags, stream, self.encoder.encode(fields, huffman=False))
        if not send:
            return stream, data
        self.send(data)
        return stream

    def call(self, body, fields=None):
        """Sends a whole call and returns its answer."""
        while len(body) > 60_000 and not self.settled:
            assert self.receive(20)
        stream = self.open(fields or head())
        for start in range(0, max(len(body), 1), 16384):
            piece = body[start:start + 16384]
            last = start + 16384 >= len(body)
            if not self.send(frame(DATA, END_STREAM if last else 0, stream, piece)):
                break
        return self.answer(stream)

    def answer(self, stream, timeout=20):
        end = time.monotonic() + timeout
        while not (self.answers.get(stream) and self.answers[stream].ended):
            assert not self.closed, f"closed before an answer; {self.goaways}"
            assert self.receive(end - time.monotonic()), "no answer in time"
        return self.answers[stream]

    def until(self, condition, timeout=20):
        """Reads until the condition holds."""
        end = time.monotonic() + timeout
        while not condition():
            assert not self.closed and self.receive(end - time.monotonic()), "it did not come"

    def wait_for_close(self, timeout=20):
        """Reads until the server closes; returns the codes of its GOAWAY frames."""
        end = time.monotonic() + timeout
        while not self.closed:
            assert self.receive(end - time.monotonic()), "not closed in time"
        return self.goaways

    def receive(self, timeout=0.0):
        """Takes what there is; False if nothing came in time."""
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        if not poller.poll(max(timeout, 0) * 1000):
            return False
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return True
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            self._take(self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big"), self.buffer[9:9 + length])
            self.buffer = self.buffer[9 + length:]
        return True

    def _take(self, kind, flags, stream, payload):
        answer = self.answers.setdefault(stream, Answer()) if stream else None
        if kind == HEADERS:
            answer.headers.update(self.decoder.decode(payload))
            answer.ended = answer.ended or bool(flags & END_STREAM)
        elif kind == DATA:
            answer.data += payload
            answer.ended = answer.ended or bool(flags & END_STREAM)
        elif kind == RST_STREAM:
            answer.reset = int.from_bytes(payload, "big")
            answer.ended = True
        elif kind == GOAWAY:
            self.goaways.append(int.from_bytes(payload[4:8], "big"))
        elif kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK))
            self.settled = True
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
