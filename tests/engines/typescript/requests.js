// Sends every kind of request with the official client, and prints what the client's user gets.
//
// node requests.js SERVER [ARGUMENT...]
//
// Each request is sent with `panic`, with `hang`, with `hang` and a cancellation, and at last with `ok`. Prints one JSON
// object: for each of these, for each request, the result, or `{"code", "data"}` of the error.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: "requests", version: "0" });
await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));

const requests = {
  read_resource: (what, options) => client.readResource({ uri: `test://${what}` }, options),
  get_prompt: (what, options) => client.getPrompt({ name: what }, options),
  complete: (what, options) =>
    client.complete({ ref: { type: "ref/prompt", name: "any" }, argument: { name: "any", value: what } }, options),
  list_tools: (what, options) => client.listTools({ cursor: what }, options),
};

async function all(what, requests, cancels) {
  const answers = {};
  for (const [name, send] of Object.entries(requests)) {
    const cancellation = new AbortController();
    if (cancels) setTimeout(() => cancellation.abort("no longer wanted"), 50);
    try {
      answers[name] = await send(what, { signal: cancellation.signal });
    } catch (error) {
      answers[name] = { code: error.code ?? null, data: error.data ?? null, raised: String(error) };
    }
  }
  return answers;
}

const call_tool = async (what) => client.callTool({ name: what, arguments: {} });
const results = {
  panic: await all("panic", { ...requests, call_tool }, false),
  hang: await all("hang", requests, false),
  cancel: await all("hang", requests, true),
  ok: await all("ok", { ...requests, call_tool }, false),
};
await client.close();
console.log(JSON.stringify(results));
