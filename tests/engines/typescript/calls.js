// Calls tools with the official client, and prints what the client's user gets.
//
// node calls.js TOOLS SERVER [ARGUMENT...]
//
// TOOLS are names, separated by commas. Prints one JSON array: for each call the result, or `{"raised": text}`.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [tools, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "calls", version: "0" });
await client.connect(new StdioClientTransport({ command, args, stderr: "ignore" }));
// The client checks results against the schemas that it has seen.
await client.listTools();
const results = [];
for (const name of tools.split(",")) {
  try {
    const { isError, content, structuredContent, _meta } = await client.callTool({ name, arguments: {} });
    const text = content.map((block) => block.text).join("");
    results.push({ isError: isError ?? false, text, structuredContent, _meta });
  } catch (error) {
    results.push({ raised: String(error) });
  }
}
await client.close();
console.log(JSON.stringify(results));
