"""Real servers on the loopback address: a receiver of webhooks, hostile ones, and a small mail server."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What a receiver of webhooks got, and what it answers: the next of `answers`, then 200."""

    url: str
    got: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    def fail(self, *statuses: int, **headers: str) -> None:
        """Answers with these statuses next."""
        self.answers += [(status, headers, b"no") for status in statuses]


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A running receiver; over TLS with a context."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            shared.got.append(Received(self.path, dict(self.headers.items()), body))
            status, headers, text = shared.answers.pop(0) if shared.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if context is None else "https"
    shared = Receiver(f"{scheme}://localhost:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shared
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says to each connection what a function says; gives its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                talk(self.request)
            except OSError:
                return  # the client has gone, which is what these tests are about

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def drip(connection: socket.socket) -> None:
    """A slow loris: a byte of a header now and then, for ever."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)


def flood(sent: list[int]) -> Callable[[socket.socket], None]:
    """An answer without an end; counts its bytes."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while sum(sent) < 1 << 30:
            sent.append(connection.send(b"x" * 65536))

    return talk


@dataclass
class MailBox:
    """What a mail server got, and how it behaves."""

    port: int = 0
    mails: list[tuple[str, str, str]] = field(default_factory=list)  # from, to, content
    logins: list[str] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)  # by verb, instead of what it would answer
    context: ssl.SSLContext | None = None
    tls_verbs: list[str] = field(default_factory=list)  # said after TLS began


@contextmanager
def mail_server(box: MailBox) -> Iterator[MailBox]:
    """A running mail server that offers STARTTLS where the box has a context, and log-in."""
    with raw_server(lambda connection: _talk_smtp(connection, box)) as port:
        box.port = port
        yield box


def _talk_smtp(connection: socket.socket, box: MailBox) -> None:
    stream = connection.makefile("rwb", buffering=0)
    is_tls = False
    sender = recipient = ""

    def say(line: str) -> None:
        stream.write(line.encode() + b"\r\n")

    say("220 stand-in")
    while True:
        line = stream.readline().decode()
        if not line:
            return
        verb = line.split(" ")[0].strip().upper()
        if is_tls:
            box.tls_verbs.append(verb)
        if verb in box.replies:
            say(box.replies[verb])
        elif verb == "EHLO":
            say("250-stand-in")
            if box.context is not None and not is_tls:
                say("250-STARTTLS")
            say("250 AUTH PLAIN")
        elif verb == "STARTTLS":
            say("220 go on")
            connection = box.context.wrap_socket(connection, server_side=True)  # type: ignore[union-attr]
            stream, is_tls = connection.makefile("rwb", buffering=0), True
        elif verb == "AUTH":
            box.logins.append(line.split(" ")[-1].strip())
            say("235 welcome")
        elif verb == "MAIL":
            sender = line.split(":", 1)[1].split(">")[0].strip("< \r\n")
            say("250 ok")
        elif verb == "RCPT":
            recipient = line.split(":", 1)[1].strip("<> \r\n")
            say("250 ok")
        elif verb == "DATA":
            say("354 go on")
            lines = []
            while (part := stream.readline().decode()) != ".\r\n":
                lines.append(part)
            box.mails.append((sender, recipient, "".join(lines)))
            say("250 taken")
        elif verb == "NOOP":
            say("250 ok")
        else:
            say("502 what")


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this machine that signs itself: the file to trust, and a server's context."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, own = folder / "ca.pem", folder / "server.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    own.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + trusted.read_bytes()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return trusted, context
