// Answers requests, one per line: the results of a method of an export, or the matches of expressions.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const loaded = new Map();

async function answer({ folder, method, rows, matches }) {
  if (matches) return matches.map(([source, text]) => text.match(new RegExp(source, "gu")) ?? []);
  if (!loaded.has(folder)) {
    const url = pathToFileURL(`${folder}/`);
    loaded.set(folder, await (await import(new URL("classifier.mjs", url))).load(folder));
  }
  const classifier = loaded.get(folder);
  return rows.map(row => classifier[method](...method === "explain" ? row : [row]));
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
