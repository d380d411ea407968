// What a page needs to show predictions. Every text is shown as a text node, never as HTML.
const settings = JSON.parse(document.getElementById("settings").textContent);
const element = id => document.getElementById(id);
const copyOf = id => element(id).content.cloneNode(true);
const score = probability => probability.toFixed(4);
const count = number => number.toLocaleString("en-US");

function predictedOf(label, probability) {
  const predicted = copyOf("predicted");
  predicted.querySelector(".label").textContent = label;
  predicted.querySelector(".probability").textContent = probability;
  return predicted;
}

function rankOf(label, probability, isPredicted) {
  const rank = copyOf("rank"), item = rank.firstElementChild;
  item.classList.toggle("predicted", isPredicted);
  item.querySelector("bdi").textContent = visible(label);
  item.querySelector("i").style.setProperty("--width", probability);
  item.querySelector(".probability").textContent = score(probability);
  return rank;
}

function markOf(text, contribution, isKnown) {
  const mark = document.createElement("mark");
  const level = settings.steps.filter(step => Math.abs(contribution) >= step).length;
  mark.className = `${contribution > 0 ? "for" : "against"} level-${level}`;
  mark.classList.toggle("unknown", !isKnown);
  mark.title = `${contribution < 0 ? "" : "+"}${contribution.toFixed(4)}`;
  mark.textContent = text;
  return mark;
}

// Control characters are shown as symbols, since they could make a text look like another one.
function visible(text) {
  return text.replaceAll("\r\n", "\n").replace(
    /[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g,
    control => control < " " ? String.fromCharCode(0x2400 + control.charCodeAt()) : "\ufffd");
}
