// Scores texts with an export: `node score.mjs FOLDER < texts.json > scores.json`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const { load } = await import(pathToFileURL(join(folder, "classifier.mjs")));
const classifier = await load(pathToFileURL(`${folder}/`));
const texts = JSON.parse(readFileSync(0, "utf8"));
const scores = texts.map(text =>
  ({ ids: classifier.tokenIds(text), probabilities: classifier.probabilities(text) }));
process.stdout.write(JSON.stringify(scores));
