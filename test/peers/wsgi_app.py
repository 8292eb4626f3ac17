"""What a WSGI server serves in the tests: it says which master process it belongs to."""
import json
import os

master = str(os.getppid())
os.write(1, json.dumps({"event": "loaded", "pid": os.getpid(), "master": os.getppid()}).encode() + b"\n")


def app(environ, start_response):
    body = b"hello from a WSGI server\n"
    start_response("200 OK", [("x-served-by", master), ("Content-Length", str(len(body)))])
    return [body]


def broken(environ, start_response):
    raise RuntimeError("every request fails")
