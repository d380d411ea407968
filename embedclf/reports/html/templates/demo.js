import { load } from "./classifier.mjs";

const LABELS_SHOWN = 10;
const form = element("row"), answer = element("answer");
const find = name => answer.querySelector(name);

function show(classifier) {
  const row = Object.fromEntries(new FormData(form));
  const isEmpty = Object.values(row).every(cell => !cell.trim());
  answer.hidden = isEmpty;
  element("status").textContent = isEmpty ? "Type a text to see its label." : "";
  if (isEmpty) return;
  const prediction = classifier.predict(row, { topK: LABELS_SHOWN });
  const labels = [prediction.label].flat(), probabilities = [prediction.probability].flat();
  const pairs = labels.map((label, index) => predictedOf(visible(label), score(probabilities[index])));
  find("h2").replaceChildren(...pairs.length ? pairs : [predictedOf("no label", "")]);
  find(".default").hidden = !prediction.noKnownToken;
  find(".ranking").replaceChildren(...prediction.labels.map(each =>
    rankOf(each.label, each.probability, each.predicted)));
  const tokens = classifier.explain(row, labels[0] ?? prediction.labels[0].label);
  showTokens(tokens);
  find(".truncated").hidden = !prediction.truncated;
  find(".truncated").textContent = `Truncated: the model reads only the first ${count(tokens.length)} tokens.`;
}

function showTokens(tokens) {
  const marks = tokens.flatMap(({ token, known, contribution }) =>
    [markOf(visible(token), contribution ?? 0, known), " "]);
  find(".tokens").replaceChildren(...marks);
  const hasColors = tokens.some(token => token.contribution !== null);
  if (!hasColors) find(".tokens").querySelectorAll("mark").forEach(mark => mark.removeAttribute("title"));
  element("colors").hidden = !hasColors;
}

form.addEventListener("submit", event => event.preventDefault());
try {
  const classifier = await load();
  form.addEventListener("input", () => show(classifier));
  show(classifier); // a browser keeps what was typed when the page is loaded again
} catch (error) {
  const advice = location.protocol === "file:" ? "; open the page from a web server" : "";
  element("status").textContent = `Error: the classifier cannot be loaded${advice}: ${error.message}`;
  element("status").classList.add("caution");
}
