"""A FastMCP server whose tools fail as their caller asks.

python failing.py [--http PORT] [--grandchild]

Serves stdio, or streamable HTTP on loopback. With `--grandchild` the server starts a process that outlives it,
unless something ends it. `read`, `write` and `put` append the line `TOOL ID` to the file that the variable
COUNT_FILE names, and then do `what`:

  answer          return the text `done`
  die             kill this process
  die-once        kill this process, unless an earlier process did it for the same file
  hang            wait for an hour; if the call is cancelled, append the line `cancelled ID`
  slow            wait for `seconds`, then return
  error           fail with the text `it failed`: a result with `isError`
  protocol-error  fail with the JSON-RPC error -32603
  big             return 7,000,000 letters, which FastMCP sends twice: in the content and in the structured content
  too-big         return 10,000,000 letters
  garbage         write two lines to stdout that are not JSON-RPC, one of them not UTF-8, then return
  progress        send 5 notifications of progress, then return

`grow` adds a tool and notifies the client that the list has changed.
"""

import argparse
import asyncio
import os
import pathlib
import signal
import subprocess
from typing import Literal

import mcp_types
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import Middleware
from mcp.shared.exceptions import MCPError

What = Literal[
    "answer", "die", "die-once", "hang", "slow", "error", "protocol-error", "big", "too-big", "garbage", "progress"
]

# The transport redirects descriptor 1 to stderr while it runs.
STDOUT = os.dup(1)
LINES = os.open(os.environ["COUNT_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
DIED = pathlib.Path(os.environ["COUNT_FILE"] + ".died")


class ProtocolErrors(Middleware):
    """FastMCP turns exceptions of a tool into results. Those of a middleware reach the client as they are."""

    async def on_call_tool(self, context, call_next):
        result = await call_next(context)
        if (context.message.arguments or {}).get("what") == "protocol-error":
            raise MCPError(code=mcp_types.INTERNAL_ERROR, message="the database went away", data={"table": "orders"})
        return result


server = FastMCP(
    "failing",
    version="1.2.3",
    instructions="Call `read` to read and `write` to write.",
    middleware=[ProtocolErrors()],
)


def note(*words):
    os.write(LINES, (" ".join(words) + "\n").encode())


def die():
    os.kill(os.getpid(), signal.SIGKILL)


async def act(tool: str, id: str, what: What, seconds: float, context: Context) -> str:
    note(tool, id)
    match what:
        case "die":
            die()
        case "die-once" if not DIED.exists():
            DIED.touch()
            die()
        case "hang":
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                note("cancelled", id)
                raise
        case "slow":
            await asyncio.sleep(seconds)
        case "error":
            raise ToolError("it failed")
        case "big":
            return "x" * 7_000_000
        case "too-big":
            return "x" * 10_000_000
        case "garbage":
            os.write(STDOUT, b"Debugger attached.\n")
            os.write(STDOUT, b'{"broken": "\xff\xfe\x80"}\n')
        case "progress":
            for step in range(1, 6):
                await context.report_progress(step, 5, f"step {step}")
    return "done"


@server.tool(annotations={"readOnlyHint": True, "title": "Read it"}, meta={"vendor/cost": 3})
async def read(context: Context, id: str = "-", what: What = "answer", seconds: float = 1) -> str:
    """Reads."""
    return await act("read", id, what, seconds, context)


@server.tool(annotations={"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False})
async def write(context: Context, id: str = "-", what: What = "answer", seconds: float = 1) -> str:
    """Writes."""
    return await act("write", id, what, seconds, context)


@server.tool(annotations={"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True})
async def put(context: Context, id: str = "-", what: What = "answer", seconds: float = 1) -> str:
    """Replaces."""
    return await act("put", id, what, seconds, context)


@server.tool
async def grow(context: Context) -> str:
    """Adds the tool `grown`."""

    async def grown() -> str:
        return "grown"

    server.tool(grown, name="grown", description="Was added while the server ran.")
    await context.send_notification(mcp_types.ToolListChangedNotification())
    return "done"


@server.resource("failing://status", mime_type="text/plain")
async def status() -> str:
    """Whether it fails."""
    return "it fails"


@server.prompt
async def advise(topic: str) -> str:
    """Asks for advice."""
    return f"What should I do about {topic}?"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int)
    parser.add_argument("--grandchild", action="store_true")
    arguments = parser.parse_args()
    if arguments.grandchild:
        subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    if arguments.http is None:
        server.run(show_banner=False)
    else:
        server.run(transport="http", port=arguments.http, show_banner=False)
