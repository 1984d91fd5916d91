"""An MCP server over HTTP that refuses calls with a status.

python refusing.py STATUS [--retry-after VALUE] [--times N]

Prints `listening on 127.0.0.1:PORT`. Answers `initialize` and `tools/list`. Appends the time of each call to the file
that the variable COUNT_FILE names, as seconds. Refuses the first N calls, all of them without `--times`, with STATUS.
"""

import argparse
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("status", type=int)
parser.add_argument("--retry-after")
parser.add_argument("--times", type=int, default=1_000_000)
arguments = parser.parse_args()
lines = os.open(os.environ["COUNT_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
refused = 0


def tool(name, read_only):
    annotations = {"readOnlyHint": read_only, "destructiveHint": not read_only, "idempotentHint": False}
    return {"name": name, "inputSchema": {"type": "object"}, "annotations": annotations}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.respond(405)

    def do_DELETE(self):
        self.respond(200)

    def do_POST(self):
        global refused
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", "one")]
        match message.get("method"):
            case "initialize":
                result = {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "refusing", "version": "1"},
                }
            case "tools/list":
                result = {"tools": [tool("read", True), tool("write", False)]}
            case "tools/call":
                os.write(lines, f"{time.time()}\n".encode())
                if refused < arguments.times:
                    refused += 1
                    wait = [("Retry-After", arguments.retry_after)] if arguments.retry_after else []
                    self.respond(arguments.status, b"refused", wait)
                    return
                result = {"content": [{"type": "text", "text": "done"}]}
            case _:
                self.respond(202)
                return
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        self.respond(200, json.dumps(answer).encode(), headers)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
