"""Sends every kind of request with a client of PyPI, and prints what the client's user gets.

python every_request.py CLIENT SERVER [ARGUMENT...]

CLIENT is `mcp` or `mcp-legacy`, as for `calls.py`. Each request is sent with `panic`, with `hang`, with `hang` and a
cancellation, and at last with `ok`. Prints one JSON object: for each of these, for each request, the result, or
`{"code", "data"}` of the error.
"""

import asyncio
import json
import sys

import anyio
import mcp
from mcp.client.stdio import StdioServerParameters, stdio_client


async def answered(send):
    try:
        return (await send()).model_dump(mode="json", by_alias=True, exclude_none=True)
    except Exception as error:
        details = getattr(error, "error", error)
        return {
            "code": getattr(details, "code", None),
            "data": getattr(details, "data", None),
            "raised": f"{type(error).__name__}: {error}",
        }


async def cancelled(send):
    with anyio.move_on_after(0.05):
        await send()
        return {"raised": None}
    return {"raised": "cancelled"}


async def main():
    mode, command, *arguments = sys.argv[1:]
    server = stdio_client(StdioServerParameters(command=command, args=arguments))
    async with mcp.Client(server, mode={"mcp": "auto", "mcp-legacy": "legacy"}[mode]) as client:
        prompt = mcp.types.PromptReference(type="ref/prompt", name="any")
        requests = {
            "read_resource": lambda what: client.read_resource(f"test://{what}"),
            "get_prompt": lambda what: client.get_prompt(what),
            "complete": lambda what: client.complete(prompt, {"name": "any", "value": what}),
            "list_tools": lambda what: client.list_tools(cursor=what),
        }
        tool = {"call_tool": lambda what: client.call_tool(what, {})}

        async def all_of(what, requests, run):
            return {name: await run(lambda send=send: send(what)) for name, send in requests.items()}

        results = {
            "panic": await all_of("panic", requests | tool, answered),
            "hang": await all_of("hang", requests, answered),
            "cancel": await all_of("hang", requests, cancelled),
            "ok": await all_of("ok", requests | tool, answered),
        }
    print(json.dumps(results))


asyncio.run(main())
