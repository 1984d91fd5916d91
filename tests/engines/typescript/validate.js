// Checks the HTML on stdin against the standard, and prints one JSON array: a line for each mistake.
//
// node validate.js

import { text } from "node:stream/consumers";
import { HtmlValidate } from "html-validate";

const checker = new HtmlValidate({
  root: true,
  extends: ["html-validate:standard", "html-validate:document", "html-validate:a11y"],
  rules: {
    // The page that reloads itself links to one that does not.
    "meta-refresh": "off",
    // The default type is what the standard says.
    "no-implicit-button-type": "off",
  },
});
const report = await checker.validateString(await text(process.stdin));
const lines = report.results.flatMap((result) =>
  result.messages.map(({ line, column, ruleId, message }) => `${line}:${column}: ${ruleId}: ${message}`),
);
console.log(JSON.stringify(lines));
