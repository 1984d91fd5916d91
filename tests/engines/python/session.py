"""Calls tools in one session over streamable HTTP, and prints what the client's user gets.

python session.py CLIENT URL

CLIENT is `mcp-legacy` or `fastmcp-legacy`, which begin the session with `initialize`. Each line of the input is the name of
a tool and its arguments as JSON. Prints one line of JSON for each: the result, or `{"raised": text}`. The input's end ends
the session.
"""

import asyncio
import json
import sys

import fastmcp
import mcp
from fastmcp.client.transports import StreamableHttpTransport


def shown(result):
    return {
        "isError": result.is_error,
        "text": "".join(block.text for block in result.content),
    }


async def calls(call):
    while line := await asyncio.to_thread(sys.stdin.readline):
        tool, arguments = line.split(" ", 1)
        try:
            result = shown(await call(tool, json.loads(arguments)))
        except Exception as error:
            result = {"raised": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


async def main():
    client, url = sys.argv[1:]
    if client == "fastmcp-legacy":
        async with fastmcp.Client(StreamableHttpTransport(url), mode="legacy") as client:

            async def call(tool, arguments):
                return await client.call_tool(tool, arguments, raise_on_error=False)

            await calls(call)
    else:
        async with mcp.Client(url, mode="legacy") as client:
            await calls(client.call_tool)


asyncio.run(main())
