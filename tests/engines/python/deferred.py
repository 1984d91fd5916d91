"""Sends writes that are deferred with a client of PyPI, asks for their state, and prints what the client's user gets.

python deferred.py CLIENT SERVER [ARGUMENT...]

CLIENT is `mcp` or `mcp-legacy`, as for `calls.py`. The server is `orders`. Prints one JSON object: for each step the
result, or `{"raised": text}`. `deferred.js` takes the same steps.
"""

import asyncio
import json
import re
import sys
import time

import mcp
from mcp.client.stdio import StdioServerParameters, stdio_client


def receipt(result):
    found = re.search(r"rsl-[^\s:`]+", result.get("text", ""))
    return found[0] if found else "none"


async def main():
    mode, command, *arguments = sys.argv[1:]
    server = stdio_client(StdioServerParameters(command=command, args=arguments))
    async with mcp.Client(server, mode={"mcp": "auto", "mcp-legacy": "legacy"}[mode]) as client:

        async def call(tool, arguments):
            try:
                result = await client.call_tool(tool, arguments)
            except Exception as error:
                return {"raised": f"{type(error).__name__}: {error}"}
            return {
                "isError": result.is_error or False,
                "text": "".join(block.text for block in result.content),
                "structuredContent": result.structured_content,
                "_meta": result.meta,
            }

        order = {"request_id": "order 1", "article": "tea"}
        accepted = await call("create_order", order)
        of_order = {"receipt": receipt(accepted)}
        address = {"order": 7, "city": "Bergen"}
        soon = await call("set_address", address)
        steps = {
            "protocol": client.protocol_version,
            "accepted": accepted,
            "again": await call("create_order", order),
            "conflict": await call("create_order", order | {"article": "milk"}),
            "with_schema": await call("book_room", {"request_id": "booking 1", "name": "Ada"}),
            "soon": soon,
            "waiting": await call("deferred_status", of_order),
            "cancel": await call("deferred_cancel", of_order),
            "cancelled": await call("deferred_status", of_order),
            "unknown": await call("deferred_status", {"receipt": "rsl-unknown"}),
        }
        patience = time.monotonic() + 20
        while time.monotonic() < patience:
            steps["delivered"] = await call("deferred_status", {"receipt": receipt(soon)})
            if (steps["delivered"].get("structuredContent") or {}).get("state") == "done":
                break
            await asyncio.sleep(0.2)
        steps["after"] = await call("set_address", address)
    print(json.dumps(steps))


asyncio.run(main())
