// Sends writes that are deferred with an official client, asks for their state, and prints what the client's user gets.
//
// node deferred.js CLIENT SERVER [ARGUMENT...]
//
// CLIENT is `sdk`, the first generation of clients, which only speaks protocols with `initialize`, or `client`, the second.
// The server is `orders`. Prints one JSON object: for each step the result, or `{"raised": text}`.
// `deferred.py` takes the same steps.

import * as client from "@modelcontextprotocol/client";
import * as client_stdio from "@modelcontextprotocol/client/stdio";
import * as sdk from "@modelcontextprotocol/sdk/client/index.js";
import * as sdk_stdio from "@modelcontextprotocol/sdk/client/stdio.js";

const [generation, command, ...args] = process.argv.slice(2);
const [{ Client }, { StdioClientTransport }] =
  generation === "sdk" ? [sdk, sdk_stdio] : [client, client_stdio];
const session = new Client({ name: "deferred", version: "0" }, { versionNegotiation: { mode: "auto" } });
const transport = new StdioClientTransport({ command, args, stderr: "ignore" });
// The first generation reports the protocol only to its transport.
let negotiated = "unknown";
transport.setProtocolVersion = (version) => (negotiated = version);
await session.connect(transport);
// The clients check results against the schemas that they have seen.
await session.listTools();

async function call(name, args) {
  try {
    const { isError, content, structuredContent, _meta } = await session.callTool({ name, arguments: args });
    return { isError: isError ?? false, text: content.map((block) => block.text).join(""), structuredContent, _meta };
  } catch (error) {
    return { raised: String(error) };
  }
}

const receipt = (result) => result.text?.match(/rsl-[^\s:`]+/)?.[0] ?? "none";

const order = { request_id: "order 1", article: "tea" };
const accepted = await call("create_order", order);
const of_order = { receipt: receipt(accepted) };
const address = { order: 7, city: "Bergen" };
const soon = await call("set_address", address);
const steps = {
  protocol: session.getNegotiatedProtocolVersion?.() ?? negotiated,
  accepted,
  again: await call("create_order", order),
  conflict: await call("create_order", { ...order, article: "milk" }),
  with_schema: await call("book_room", { request_id: "booking 1", name: "Ada" }),
  soon,
  waiting: await call("deferred_status", of_order),
  cancel: await call("deferred_cancel", of_order),
  cancelled: await call("deferred_status", of_order),
  unknown: await call("deferred_status", { receipt: "rsl-unknown" }),
};
const patience = Date.now() + 20_000;
while (Date.now() < patience) {
  steps.delivered = await call("deferred_status", { receipt: receipt(soon) });
  if (steps.delivered.structuredContent?.state === "done") break;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
steps.after = await call("set_address", address);
await session.close();
console.log(JSON.stringify(steps));
