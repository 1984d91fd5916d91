"""Calls deferred writes with the tasks extension of a client of PyPI, and prints what the client's user gets.

python tasks.py URL
python tasks.py SERVER [ARGUMENT...]

`set_address` is called as every tool is: the client polls the task until it has the result. `book_room`, whose first try
is much later, becomes a task that is cancelled. Prints one JSON object.
"""

import asyncio
import json
import sys

import fastmcp
from fastmcp.client.transports import StdioTransport
from fastmcp_tasks import call_tool_task
from fastmcp_tasks.client_models import CancelTaskRequest, GetTaskRequest

# Over HTTP, the extension requires the header `Mcp-Name` of these requests; this version does not send it.
for request in (CancelTaskRequest, GetTaskRequest):
    request.name_param = "taskId"


def shown(task):
    return {"id": task.task_id, "status": task.status, "ttlMs": task.ttl_ms, "pollIntervalMs": task.poll_interval_ms}


async def main():
    server, *arguments = sys.argv[1:]
    if not server.startswith("http"):
        server = StdioTransport(server, arguments, keep_alive=False)
    async with fastmcp.Client(server) as client:
        await client.list_tools()
        result = await client.call_tool("set_address", {"order": 7, "city": "Bergen"})
        task = await call_tool_task(client, "book_room", {"request_id": "booking 1", "name": "Ada"})
        waiting = await task.status()
        await task.cancel()
        cancelled = await task.wait(timeout=20)
        unknown = None
        try:
            task.create_result.task_id = "rsl-unknown"
            await task.status()
        except Exception as error:
            unknown = getattr(getattr(error, "error", error), "code", str(error))
    print(
        json.dumps(
            {
                "result": {"isError": result.is_error, "structuredContent": result.structured_content},
                "waiting": shown(waiting),
                "cancelled": shown(cancelled),
                "unknown": unknown,
            }
        )
    )


asyncio.run(main())
