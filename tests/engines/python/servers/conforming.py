"""The fixtures of the conformance suite's server scenarios, on FastMCP.

python conforming.py [PORT]

Serves streamable HTTP on loopback, or stdio without a port. FastMCP has no subscriptions, so those scenarios fail.
"""

import asyncio
import base64
import sys
from typing import Annotated

import mcp_types as types
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message
from fastmcp.utilities.types import Audio, Image
from pydantic import Field

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)
SILENCE = b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\0\0\0"

server = FastMCP("conforming", version="1")


def text(text):
    return types.TextContent(type="text", text=text)


def embedded(uri, mime_type, text):
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    )


def image():
    return Image(data=PIXEL, format="png").to_image_content()


def form(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


@server.tool
async def test_simple_text() -> str:
    """Does what the suite describes as `test_simple_text`."""
    return "This is a simple text response for testing."


@server.tool(output_schema=None)
async def test_image_content():
    """Does what the suite describes as `test_image_content`."""
    return image()


@server.tool(output_schema=None)
async def test_audio_content():
    """Does what the suite describes as `test_audio_content`."""
    return Audio(data=SILENCE, format="wav").to_audio_content()


@server.tool(output_schema=None)
async def test_embedded_resource():
    """Does what the suite describes as `test_embedded_resource`."""
    return embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")


@server.tool(output_schema=None)
async def test_multiple_content_types():
    """Does what the suite describes as `test_multiple_content_types`."""
    data = embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [text("Multiple content types test:"), image(), data]


@server.tool
async def test_tool_with_logging(context: Context) -> str:
    """Does what the suite describes as `test_tool_with_logging`."""
    for message in ["Tool execution started", "Tool processing data", "Tool execution completed"]:
        await context.info(message)
        await asyncio.sleep(0.05)
    return "done"


@server.tool
async def test_tool_with_progress(context: Context) -> str:
    """Does what the suite describes as `test_tool_with_progress`."""
    for progress in (0, 50, 100):
        await context.report_progress(progress, 100)
        await asyncio.sleep(0.05)
    return "done"


@server.tool
async def test_error_handling() -> str:
    """Does what the suite describes as `test_error_handling`."""
    raise ToolError("This tool intentionally returns an error for testing")


@server.tool
async def test_sampling(prompt: str, context: Context) -> str:
    """Does what the suite describes as `test_sampling`."""
    message = types.SamplingMessage(role="user", content=text(prompt))
    sample = await context.session.create_message([message], max_tokens=100, related_request_id=context.request_id)
    return f"LLM response: {sample.content.text}"


async def elicit(context, message, schema):
    answer = await context.session.elicit_form(message, schema, related_request_id=context.request_id)
    return f"action={answer.action}, content={answer.content}"


@server.tool
async def test_elicitation(message: str, context: Context) -> str:
    """Does what the suite describes as `test_elicitation`."""
    schema = form(username={"type": "string"}, email={"type": "string"})
    return f"User response: {await elicit(context, message, schema)}"


@server.tool
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    """Does what the suite describes as `test_elicitation_sep1034_defaults`."""
    schema = form(
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return f"Elicitation completed: {await elicit(context, 'Check the defaults', schema)}"


@server.tool
async def test_elicitation_sep1330_enums(context: Context) -> str:
    """Does what the suite describes as `test_elicitation_sep1330_enums`."""
    options = ["option1", "option2", "option3"]
    titled = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]
    schema = form(
        untitledSingle={"type": "string", "enum": options},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": options}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return f"Elicitation completed: {await elicit(context, 'Choose', schema)}"


def ask(key, schema, state=None):
    params = types.ElicitRequestFormParams(message="Please answer", requested_schema=schema)
    return types.InputRequiredResult(input_requests={key: types.ElicitRequest(params=params)}, request_state=state)


def content(responses, key):
    answer = (responses or {}).get(key)
    return getattr(answer, "content", None)


@server.tool(output_schema=None)
async def test_input_required_result_elicitation(context: Context):
    """Does what the suite describes as `test_input_required_result_elicitation`."""
    answer = content(context.input_responses, "user_name")
    if not answer or "name" not in answer:
        return ask("user_name", form(name={"type": "string"}))
    return f"Hello, {answer['name']}!"


@server.tool(output_schema=None)
async def test_input_required_result_request_state(context: Context):
    """Does what the suite describes as `test_input_required_result_request_state`."""
    if content(context.input_responses, "confirm") is None:
        return ask("confirm", form(ok={"type": "boolean"}), "the state")
    return "state-ok" if context.request_state == "the state" else "another state"


@server.tool(output_schema=None)
async def test_input_required_result_tampered_state(context: Context):
    """Does what the suite describes as `test_input_required_result_tampered_state`."""
    if content(context.input_responses, "confirm") is None:
        return ask("confirm", form(ok={"type": "boolean"}), "the state")
    return "done"


@server.tool(output_schema=None)
async def test_input_required_result_multi_round(context: Context):
    """Does what the suite describes as `test_input_required_result_multi_round`."""
    match context.request_state:
        case None:
            return ask("step1", form(name={"type": "string"}), "one")
        case "one":
            return ask("step2", form(color={"type": "string"}), "two")
        case _:
            return "done"


@server.tool
async def test_headers(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    """Does what the suite describes as `test_headers`."""
    return region


@server.resource("test://static-text", mime_type="text/plain")
async def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
async def static_binary() -> bytes:
    return PIXEL


@server.resource("test://watched-resource", mime_type="text/plain")
async def watched() -> str:
    return "watched"


@server.resource("test://template/{id}/data", mime_type="application/json")
async def template(id: str) -> str:
    return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


@server.prompt
async def test_simple_prompt() -> str:
    """Does what the suite describes as `test_simple_prompt`."""
    return "This is a simple prompt for testing."


@server.prompt
async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Does what the suite describes as `test_prompt_with_arguments`."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt
async def test_prompt_with_embedded_resource(resourceUri: str):
    """Does what the suite describes as `test_prompt_with_embedded_resource`."""
    resource = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [Message(resource), Message("Please process the embedded resource above.")]


@server.prompt
async def test_prompt_with_image():
    """Does what the suite describes as `test_prompt_with_image`."""
    return [Message(image()), Message("Please analyze the image above.")]


@server.completion
async def complete(reference, argument, context):
    return [word for word in ("paris", "park", "party") if word.startswith(argument.value)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run(transport="http", port=int(sys.argv[1]), show_banner=False)
    else:
        server.run(show_banner=False)
