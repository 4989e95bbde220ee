#!/usr/bin/env python3
"""A receiver of webhooks, as a process of its own so that it can be killed: writes each request down before it answers.

usage: receiver.py PORT LOG [--faults SEED] [--status N] [--location URL] [--hang] [--cert FILE --key FILE]

A line of LOG is {"path":, "headers": {small letters: value}, "body": text, "told": what was answered}. With --faults one request in
eight is answered 503 or 429, and one in sixteen not at all although it was taken. It prints "ready" and its port.
"""
import argparse
import http.server
import json
import os
import random
import ssl
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("log")
parser.add_argument("--faults", type=int)
parser.add_argument("--status", type=int, default=200)
parser.add_argument("--location")
parser.add_argument("--hang", action="store_true")
parser.add_argument("--cert")
parser.add_argument("--key")
options = parser.parse_args()
log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
rng = random.Random(options.faults)
lock = threading.Lock()


def judge():
    """The status to answer with; None: the connection is closed without one."""
    if options.faults is None:
        return options.status
    with lock:
        draw = rng.random()
    return 503 if draw < 1 / 16 else 429 if draw < 1 / 8 else None if draw < 3 / 16 else 200


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = judge()
        line = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body, "told": told}
        # One write: a line is there whole, or not at all.
        with lock:
            os.write(log, (json.dumps(line) + "\n").encode())
        if options.hang:
            time.sleep(3600)
        if told is None:
            self.close_connection = True
            return
        self.send_response(told)
        if told in (429, 503):
            self.send_header("Retry-After", "1")
        if options.location:
            self.send_header("Location", options.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", options.port), Handler)
if options.cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", server.server_address[1], flush=True)
sys.stdout.close()
server.serve_forever()
