// Lists a server's tools with the official client, compiles their schemas, and prints what Ajv says about them.
//
// node schemas.js SERVER [ARGUMENT...]
//
// SERVER is an executable, or the address of one that serves over HTTP.
// Prints `{"tools": names, "complaints": texts}`. The client itself compiles the schemas of results, as Ajv's default
// dialect and not strictly; here all schemas are compiled, as the dialect that they name, and strictly.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const [command, ...args] = process.argv.slice(2);
const complaints = [];
for (const level of ["log", "warn", "error"]) {
  console[level] = (...words) => complaints.push(words.join(" "));
}

const client = new Client({ name: "schemas", version: "0" });
const transport = command.startsWith("http:")
  ? new StreamableHTTPClientTransport(new URL(command))
  : new StdioClientTransport({ command, args, stderr: "ignore" });
await client.connect(transport);
const { tools } = await client.listTools();
await client.close();

for (const tool of tools) {
  for (const schema of [tool.inputSchema, tool.outputSchema]) {
    // An `Option` of a type is that type or null.
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, validateFormats: true, allErrors: true });
    addFormats.default(ajv);
    try {
      if (schema) ajv.compile(schema);
    } catch (error) {
      complaints.push(`${tool.name}: ${error.message}`);
    }
  }
}
process.stdout.write(JSON.stringify({ tools: tools.map((tool) => tool.name), complaints }));
