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
  showExplanations(classifier, row, labels.length ? labels : [prediction.labels[0].label], labels.length > 0);
  find(".truncated").hidden = !prediction.truncated;
}

// Without contributions, the tokens are the same for every label.
function showExplanations(classifier, row, labels, arePredicted) {
  const { hasContributions } = classifier;
  const isNamed = hasContributions && (labels.length > 1 || !arePredicted);
  const status = arePredicted ? "" : ", not predicted";
  const explanations = labels.slice(0, hasContributions ? labels.length : 1).map(label => {
    const heading = isNamed ? `contributions to ${visible(label)}${status}` : "";
    return explanationOf(heading, classifier.explain(row, label));
  });
  find(".explanations").replaceChildren(...explanations);
  element("colors").hidden = !hasContributions;
}

function explanationOf(heading, tokens) {
  const copy = copyOf("explanation");
  copy.querySelector(".explained").hidden = !heading;
  copy.querySelector(".explained").textContent = heading;
  copy.querySelector(".tokens").append(...tokens.flatMap(token => [tokenOf(token), " "]));
  return copy;
}

function tokenOf({ token, known, contribution }) {
  const mark = markOf(visible(token), contribution ?? 0, known);
  if (contribution === null) mark.removeAttribute("title");
  return mark;
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
