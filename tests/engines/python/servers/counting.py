"""An MCP server over stdio without packages, which starts in a few milliseconds.

python counting.py

`write` appends the argument `id` as a line to the file that the variable COUNT_FILE names, and answers after up to
2 ms. The annotations do not say that `write` can be repeated.
"""

import json
import os
import random
import sys
import time

TOOL = {
    "name": "write",
    "description": "Writes.",
    "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    "annotations": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False},
}


def handle(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "counting", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "ping":
        return {}
    if method == "tools/call" and params["name"] == "write":
        os.write(lines, (params["arguments"]["id"] + "\n").encode())
        time.sleep(random.uniform(0, 0.002))
        return {"content": [{"type": "text", "text": "done"}]}
    if method == "tools/call":
        raise ValueError(-32602, f"Unknown tool: {params['name']}")
    raise ValueError(-32601, f"Unknown method: {method}")


lines = os.open(os.environ["COUNT_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for line in sys.stdin.buffer:
    message = json.loads(line)
    if "id" not in message or "method" not in message:
        continue
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    try:
        answer["result"] = handle(message["method"], message.get("params", {}))
    except ValueError as error:
        code, text = error.args
        answer["error"] = {"code": code, "message": text}
    os.write(1, json.dumps(answer).encode() + b"\n")
