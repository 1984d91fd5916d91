"""Calls tools with a client of PyPI, and prints what the client's user gets.

python calls.py CLIENT TOOLS SERVER [ARGUMENT...]

CLIENT is `mcp` (which asks the server for its newest protocol first), `mcp-legacy` (which greets it with `initialize`)
or `fastmcp`. TOOLS are names, separated by commas. Prints one JSON array: for each call the result, or
`{"raised": text}`.
"""

import asyncio
import json
import sys

import fastmcp
import mcp
from fastmcp.client.transports import StdioTransport
from mcp.client.stdio import StdioServerParameters, stdio_client


def shown(result):
    return {
        "isError": result.is_error,
        "text": "".join(block.text for block in result.content),
        "structuredContent": result.structured_content,
        "_meta": result.meta,
    }


async def with_mcp(mode, tools, command, arguments):
    server = stdio_client(StdioServerParameters(command=command, args=arguments))
    async with mcp.Client(server, mode=mode) as client:

        async def call(tool):
            return shown(await client.call_tool(tool, {}))

        return [await or_raised(call(tool)) for tool in tools]


async def with_fastmcp(tools, command, arguments):
    async with fastmcp.Client(StdioTransport(command, arguments, keep_alive=False)) as client:

        async def call(tool):
            return shown(await client.call_tool(tool, {}, raise_on_error=False))

        return [await or_raised(call(tool)) for tool in tools]


async def or_raised(call):
    try:
        return await call
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"}


async def main():
    client, tools, command, *arguments = sys.argv[1:]
    tools = tools.split(",")
    if client == "fastmcp":
        results = await with_fastmcp(tools, command, arguments)
    else:
        mode = {"mcp": "auto", "mcp-legacy": "legacy"}[client]
        results = await with_mcp(mode, tools, command, arguments)
    print(json.dumps(results))


asyncio.run(main())
