"""Servers on loopback that messages are sent to: a webhook's, and one for mail."""

from __future__ import annotations

import base64
import email
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class Webhook:
    """What was posted, by path; ``status`` is what it answers, once ``answers`` is set."""

    port: int
    status: int = 200
    posted: list[tuple[str, Any]] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.posted.append((self.path, json.loads(body)))
            told.answers.wait(20)
            self.send_response(told.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told = Webhook(port=server.server_address[1])
        told.answers.set()
        with _serving(server):
            yield told
            told.answers.set()


@dataclass(kw_only=True)
class Mail:
    """Letters that came, each with its recipients; only who knows ``password`` may send."""

    port: int
    password: str
    letters: list[tuple[list[str], Message]] = field(default_factory=list)


@contextmanager
def mail(password: str) -> Iterator[Mail]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            recipients: list[str] = []
            is_in = False
            while line := self.rfile.readline().decode().strip():
                verb, _, rest = line.partition(" ")
                verb = verb.upper()
                if verb == "EHLO":
                    self.say("250-here\r\n250 AUTH PLAIN")
                elif verb == "AUTH":
                    is_in = base64.b64decode(rest.split()[1]).decode().split("\0")[2] == told.password
                    self.say("235 welcome" if is_in else "535 who are you")
                elif verb == "RCPT":
                    recipients.append(rest.partition("<")[2].rstrip(">"))
                    self.say("250 yes" if is_in else "530 who are you")
                elif verb == "DATA":
                    self.say("354 tell")
                    lines = iter(self.rfile.readline, b".\r\n")
                    told.letters.append((recipients, email.message_from_bytes(b"".join(lines))))
                    self.say("250 taken")
                else:
                    self.say("250 yes")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True  # a sender who was turned away may leave without a word
        told = Mail(port=server.server_address[1], password=password)
        with _serving(server):
            yield told


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
