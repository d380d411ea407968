const runs = new Map(settings.runs.map(run => [run.name, run]));
const root = location.pathname.replace(/\/?$/, "/"); // a proxy may drop the last slash
const LABELS_SHOWN = 5, MAX_BYTES = 1 << 20;
const ROWS_SHOWN = Math.min(20, settings.max_rows);
let token = "", answers = null;

// --- The server

async function predict(table, start, end, explain) {
  const rows = table.rows.slice(start, end).map(table.toInput);
  const body = { run: table.run.name, [table.key]: rows };
  body.top_k = Math.min(LABELS_SHOWN, table.run.label_count);
  if (explain) body.explain = true;
  const response = await post(JSON.stringify(body));
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const fault = answer.error ?? `the server answered with status ${response.status}`;
    throw new Error(answer.field ? `${answer.field}: ${fault}` : fault);
  }
  return answer.predictions;
}

async function post(body) {
  for (;;) {
    const headers = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    const request = { method: "POST", headers, body };
    const response = await fetch(`${root}predict`, request).catch(() => {
      throw new Error("the server does not answer; try again later");
    });
    if (response.status !== 401) return response;
    token = await askForToken();
  }
}

function askForToken() {
  const dialog = element("token-dialog"), input = element("token");
  element("token-fault").hidden = token === "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    element("token-form").onsubmit = event => {
      event.preventDefault();
      resolve(input.value.trim());
      input.value = "";
      dialog.close();
    };
    dialog.onclose = () => reject(new Error("the server needs a token")); // no effect if resolved
  });
}

// A request holds as many rows as the server allows, and of long texts at most a megabyte.
function endOfRequest(table, start, maxRows) {
  const limit = Math.min(start + maxRows, table.rows.length);
  let end = start, bytes = 0;
  while (end < limit) {
    bytes += 4 * table.rows[end].reduce((sum, cell) => sum + cell.length, 0);
    if (end > start && bytes > MAX_BYTES) break;
    end++;
  }
  return end;
}

// --- What a person asks

function readTexts(text, run) {
  const rows = text.split(/\r\n|\r|\n/).filter(line => line.trim()).map(line => [line]);
  if (!rows.length) throw new Error("type a text, or choose a CSV file");
  return { run, name: "predictions", key: "texts", header: ["text"], rows, toInput: row => row[0] };
}

async function readFile(file, run) {
  let rows;
  try {
    const bytes = await file.arrayBuffer();
    rows = parseCsv(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const isEncoding = error instanceof TypeError;
    throw new Error(`${file.name}: ${isEncoding ? "not UTF-8; save it as CSV UTF-8" : error.message}`);
  }
  if (!rows.length) throw new Error(`${file.name}: the file is empty`);
  const header = rows.shift();
  const missing = run.columns.filter(column => !header.includes(column));
  if (missing.length) throw new Error(`${file.name}: no column ${missing.map(quote).join(", ")}`);
  const twice = header.find((column, index) => header.indexOf(column) < index);
  if (twice !== undefined) throw new Error(`${file.name}: two columns are named ${quote(twice)}`);
  if (!rows.length) throw new Error(`${file.name}: no rows below the header`);
  const places = run.columns.map(column => [column, header.indexOf(column)]);
  const toInput = row => Object.fromEntries(places.map(([column, index]) => [column, row[index]]));
  const name = `${file.name.replace(/\.\w+$/, "")}-predictions`;
  return { run, name, source: file.name, key: "records", header, rows, toInput };
}

const quote = name => `'${name}'`;

async function classify(read) {
  const fields = document.querySelector("#request fieldset");
  if (fields.disabled) return;
  fields.disabled = true;
  report("Classifying …");
  element("answers").hidden = true;
  try {
    const table = await read(runs.get(element("run").value));
    const predictions = await predictAll(table);
    answers = { table, predictions, shown: 0 };
    element("articles").replaceChildren();
    await showMore();
    element("answers").hidden = false;
    report(`${countRows(predictions.length)} classified with run ${table.run.name}.`);
  } catch (error) {
    report(`Error: ${error.message}`, true);
  }
  fields.disabled = false;
}

async function predictAll(table) {
  const predictions = [];
  while (predictions.length < table.rows.length) {
    const start = predictions.length, end = endOfRequest(table, start, settings.max_rows);
    for (const each of await predict(table, start, end, false)) predictions.push(each);
    report(`${count(end)} of ${countRows(table.rows.length)} classified …`);
  }
  const taken = addedColumns(table, predictions).find(column => table.header.includes(column));
  if (taken) throw new Error(`${table.source}: column ${quote(taken)} already exists; rename it`);
  return predictions;
}

function report(message, isError = false) {
  const status = element("status");
  status.textContent = visible(message);
  status.classList.toggle("caution", isError);
}

const countRows = number => `${count(number)} ${number === 1 ? "text" : "texts"}`;

// --- Answers

async function showMore() {
  const current = answers, { table, predictions, shown } = current;
  const end = endOfRequest(table, shown, ROWS_SHOWN);
  element("more").disabled = true;
  const explained = await predict(table, shown, end, true).finally(() => {
    element("more").disabled = false;
  });
  if (current !== answers) return; // others were asked for meanwhile
  explained.forEach((each, index) => element("articles").append(articleOf(each, shown + index + 1)));
  answers.shown = end;
  element("more").hidden = end === predictions.length;
}

function articleOf(prediction, row) {
  const article = copyOf("article");
  const find = name => article.querySelector(name);
  const labels = [prediction.prediction].flat(), probabilities = [prediction.probability].flat();
  const pairs = labels.map((label, index) => predictedOf(visible(label), score(probabilities[index])));
  find("h2").append(...pairs.length ? pairs : [predictedOf("no label", "")]);
  find(".row").textContent = `text ${count(row)}`;
  find(".default").hidden = !prediction.no_known_token;
  const areSeveral = prediction.explanations.length > 1 || !labels.length;
  find(".explanations").append(...prediction.explanations.map(each => explanationOf(each, areSeveral)));
  for (let rank = 1; `best_${rank}` in prediction; rank++) {
    const label = prediction[`best_${rank}`];
    find(".ranking").append(rankOf(label, prediction[`best_${rank}_probability`], labels.includes(label)));
  }
  return article;
}

function explanationOf(explanation, isNamed) {
  const copy = copyOf("explanation");
  const find = name => copy.querySelector(name);
  const status = explanation.predicted ? "" : ", not predicted";
  find(".explained").hidden = !isNamed;
  find(".explained").textContent = `contributions to ${visible(explanation.label)}${status}`;
  find(".text").append(...segmentsOf(explanation));
  const read = explanation.tokens.length, all = read + explanation.truncated;
  find(".truncated").hidden = !explanation.truncated;
  find(".truncated").textContent =
    `Truncated: the model reads only the first ${count(read)} of ${count(all)} tokens.`;
  return copy;
}

// The text as it was written, token by token; spans count code points.
function* segmentsOf(explanation) {
  const points = Array.from(explanation.text);
  const slice = (start, end) => visible(points.slice(start, end).join(""));
  const contributions = tokenContributions(explanation);
  let position = 0;
  for (const [index, token] of explanation.tokens.entries()) {
    const [start, end] = token.span;
    if (start > position) yield slice(position, start);
    if (end > start) yield markOf(slice(start, end), contributions[index], token.known);
    position = end;
  }
  const rest = document.createElement("span");
  rest.className = explanation.truncated ? "unread" : "";
  rest.textContent = slice(position);
  yield rest;
}

// An n-gram's contribution is divided evenly among its tokens.
function tokenContributions({ tokens, ngrams }) {
  const sums = tokens.map(token => token.contribution);
  for (const ngram of ngrams)
    for (let index = ngram.start; index < ngram.start + ngram.tokens; index++)
      sums[index] += ngram.contribution / ngram.tokens;
  return sums;
}

function addedColumns(table, predictions) {
  const sent = table.key === "texts" ? table.header : table.run.columns;
  return Object.keys(predictions[0]).filter(key => !sent.includes(key));
}

function download() {
  const { table, predictions } = answers;
  const added = addedColumns(table, predictions);
  const format = value => [value].flat().join(table.run.list_separator);
  const rows = table.rows.map((row, index) => [
    ...row, ...added.map(column => format(predictions[index][column]))]);
  const csv = formatCsv([[...table.header, ...added], ...rows]);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
  link.download = `${table.name}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// --- Events

function showColumns() {
  element("columns").textContent = visible(runs.get(element("run").value).columns.join(", "));
}

const classifyTexts = () => classify(run => readTexts(element("texts").value, run));
const classifyFile = file => classify(run => readFile(file, run));

element("run").addEventListener("change", showColumns);
element("request").addEventListener("submit", event => {
  event.preventDefault();
  classifyTexts();
});
element("texts").addEventListener("keydown", event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) classifyTexts();
});
element("file").addEventListener("change", event => {
  const [file] = event.target.files;
  if (file) classifyFile(file).then(() => { event.target.value = ""; }); // the same file again
});
addEventListener("dragover", event => event.preventDefault());
addEventListener("drop", event => {
  const [file] = event.dataTransfer.files;
  if (!file) return; // dropped text belongs to the text box
  event.preventDefault();
  classifyFile(file);
});
element("download").addEventListener("click", download);
element("more").addEventListener("click", () => {
  showMore().catch(error => report(`Error: ${error.message}`, true));
});
element("token-cancel").addEventListener("click", () => element("token-dialog").close());
showColumns();
