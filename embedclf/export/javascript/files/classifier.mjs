/**
 * A text classifier, exported by embedclf: text -> tokens -> ids -> probabilities of labels.
 *
 * Needs no other module. Written in ES2022: browsers since 2022, Node.js since 18. Its data are
 * `model.json` and `model.bin` beside this module, on a web server or, in Node.js, in a folder.
 *
 * Classes of characters and their lower case come from tables in `model.json`. All engines thus
 * read the same tokens, but for one thing: `String.normalize` knows the characters of the engine's
 * version of Unicode.
 */

const PADDING = 0, UNKNOWN = 1, FIRST_TOKEN = 2;
const BLANK = 0, WORD = 1, SYMBOL = 2;
const PICTURE = 1, TONE = 2, FLAG = 3, JOINER = 4, ZERO_WIDTH = 5;
const MATCH_END = "\x1f";

/**
 * Load a classifier.
 *
 * @param {string | URL} [location] The folder of the export; by default, that of this module.
 * @returns {Promise<Classifier>}
 */
export async function load(location = new URL(".", import.meta.url)) {
  const folder = await folderAt(location);
  const [json, binary] = await Promise.all([read(folder, "model.json"), read(folder, "model.bin")]);
  return new Classifier(JSON.parse(new TextDecoder().decode(json)), binary);
}

/** A classifier; `load` makes it. */
export class Classifier {
  /**
   * @param {object} model The values of `model.json`.
   * @param {ArrayBuffer} binary The bytes of `model.bin`.
   */
  constructor(model, binary) {
    /** @type {string} `binary`, `multiclass` or `multilabel`. */
    this.task = model.task;
    /** @type {string[]} The labels, in the order of `probabilities`. */
    this.labels = model.labels;
    /** @type {{text: string[], fields: string[]}} The columns of a row. */
    this.columns = model.columns;
    this._model = model;
    this._tokenizer = new Tokenizer(model.text, model.tokens, tensorsOf(model.ngrams, binary));
    this._network = new Network(model.network, tensorsOf(model.network.tensors, binary));
  }

  /** Whether `explain` returns contributions: the network has no hidden layers. */
  get hasContributions() {
    return this._network.layers.length === 1;
  }

  /**
   * Predict the label of a text, or all its labels in a multilabel task.
   *
   * @param {string | null | Object<string, string | null>} row A text, or the cells of its columns.
   * @param {{topK?: number}} [options] How many labels to rank; by default all.
   */
  predict(row, { topK = this.labels.length } = {}) {
    const encoding = this._tokenizer.encode(this._textOf(row));
    const outputs = this._outputs(encoding.ids);
    const byLabel = this._byLabel(outputs), decisions = this._decide(outputs);
    const pairOf = id =>
      ({ label: this.labels[id], probability: byLabel[id], predicted: decisions.includes(id) });
    const isSet = this.task === "multilabel", [best] = decisions;
    return {
      label: isSet ? decisions.map(id => this.labels[id]) : this.labels[best],
      probability: isSet ? decisions.map(id => byLabel[id]) : byLabel[best],
      labels: this._rank(byLabel, decisions).slice(0, topK).map(pairOf),
      truncated: encoding.length > this._tokenizer.sequenceLength,
      unknownShare: encoding.length ? encoding.unknown / encoding.length : 1,
      noKnownToken: !encoding.ids.some(id => id > UNKNOWN),
    };
  }

  /** Return the calibrated probability of each label, in the order of `labels`. */
  probabilities(row) {
    return this._byLabel(this._outputs(this._tokenizer.encode(this._textOf(row)).ids));
  }

  /** Return the tokens of a text, in the vocabulary or not, without truncation. */
  tokens(row) {
    return this._tokenizer.split(this._textOf(row));
  }

  /** Return the ids that the network reads: of the first tokens, then of their known n-grams. */
  tokenIds(row) {
    return this._tokenizer.encode(this._textOf(row)).ids;
  }

  /**
   * Return the tokens that are read, each with what it adds to the logit of a label. An n-gram's
   * contribution is divided among its tokens. With hidden layers, contributions are null: there,
   * they depend on each other.
   *
   * @returns {{token: string, known: boolean, contribution: number | null}[]}
   */
  explain(row, label) {
    const output = this.labels.indexOf(label);
    if (output < 0) throw new Error(`no label ${label}; labels: ${this.labels.join(", ")}`);
    const encoding = this._tokenizer.encode(this._textOf(row));
    const contributions = this._contributions(encoding, output);
    return encoding.ids.slice(0, encoding.read).map((id, place) => ({
      token: encoding.tokens[place], known: id !== UNKNOWN, contribution: contributions?.[place] ?? null,
    }));
  }

  /** A text as it is, or the text of a row: its fields, then its text columns. */
  _textOf(row) {
    if (row === null || row === undefined) return "";
    if (typeof row === "string") return wellFormed(row);
    if (typeof row !== "object") throw new TypeError("pass a text, or an object with its columns");
    const { text, fields, constants } = this.columns;
    const cell = name => {
      if (!(name in row)) throw new Error(`no column ${name}; columns: ${[...fields, ...text]
        .filter(column => !(column in constants)).join(", ")}`);
      return wellFormed(String(row[name] ?? ""));
    };
    const words = fields.map(name => this._tokenizer.fields.write(name, constants[name] ?? cell(name)));
    return [...words, ...text.map(cell)].join(" ");
  }

  /** What each token adds to the logit of a label, or null if there are hidden layers. */
  _contributions({ ids, read, ngrams }, output) {
    if (!this.hasContributions) return null;
    const isBinary = this.task === "binary", sign = isBinary && output === 0 ? -1 : 1;
    const added = this._network.contributions(ids, isBinary ? 0 : output).map(each => sign * each);
    const byToken = added.slice(0, read);
    for (const { place, first, last } of ngrams)
      for (let token = first; token <= last; token++) byToken[token] += added[place] / (last - first + 1);
    return byToken;
  }

  /** The probability of each output: a binary task has one, that of the second label. */
  _outputs(ids) {
    const logits = this._network.logits(ids), { calibration } = this._model;
    const outputs = this.task === "multiclass" ? softmax(logits) : logits.map(sigmoid);
    if (!calibration) return outputs;
    const calibrated = Array.from(outputs, (output, index) => interpolate(output, calibration[index]));
    const total = this.task === "multiclass" ? calibrated.reduce((sum, each) => sum + each) : 1;
    return Float32Array.from(calibrated, each => each / total);
  }

  _byLabel(outputs) {
    return Array.from(this.task === "binary" ? [Math.fround(1 - outputs[0]), outputs[0]] : outputs);
  }

  /** The ids of the predicted labels. */
  _decide(outputs) {
    if (this.task === "multiclass") return [outputs.indexOf(largestOf(outputs))];
    const { thresholds } = this._model;
    const reached = Array.from(outputs, (output, index) => output >= thresholds[index]);
    if (this.task === "binary") return [reached[0] ? 1 : 0];
    return [...reached.keys()].filter(id => reached[id]);
  }

  /** The ids of all labels, the most probable first; in a binary task, the predicted one first. */
  _rank(byLabel, [predicted]) {
    if (this.task === "binary") return [predicted, 1 - predicted];
    return [...byLabel.keys()].sort((one, other) => byLabel[other] - byLabel[one] || one - other);
  }
}

// --- Text -> tokens -> ids

class Tokenizer {
  constructor(rules, tokens, ngrams) {
    this.rules = rules;
    this.sequenceLength = rules.sequence_length;
    this.fields = new Fields(rules, text => this._normalizeCharacters(text));
    this.expressions = Object.fromEntries(Object.entries(rules.expressions).map(
      ([name, source]) => [name, new RegExp(source, "gu")]));
    this.classes = fillRuns(rules.classes);
    this.lone = new Set(rules.lone);
    this.spaces = fillRuns(rules.spaces);
    this.emojiParts = fillRuns(rules.emoji_parts);
    this.lowerCase = lowerCaseOf(rules.lower_case);
    this.markup = rules.markup && new Markup(rules.markup);
    this.ids = new Map(tokens.map((token, index) => [token, FIRST_TOKEN + index]));
    this.firstNgramId = FIRST_TOKEN + tokens.length;
    this.firstVectorId = this.firstNgramId - rules.vector_words;
    this.ngrams = new Ngrams(ngrams, rules.max_n, this.firstNgramId);
  }

  encode(text) {
    const tokens = this.split(text), length = this.sequenceLength;
    const ids = tokens.map(token => this.ids.get(token) ?? UNKNOWN);
    // A text begins after its fields; words that only have vectors are part of no n-gram.
    const inNgrams = ids.map((id, place) =>
      this.fields.isField(tokens[place]) ? PADDING : id < this.firstVectorId ? id : UNKNOWN);
    const found = this.ngrams.find(inNgrams, length);
    const read = Math.min(ids.length, length);
    return {
      tokens, read, length: ids.length,
      unknown: ids.filter(id => id === UNKNOWN).length,
      ids: [...ids.slice(0, length), ...found.map(({ id }) => id)],
      ngrams: found.map(({ first, last }, index) => ({ place: read + index, first, last })),
    };
  }

  split(text) {
    const [words, rest] = this.fields.split(text);
    return [...words, ...this._splitText(rest)].map(token => this.fields.bin(token));
  }

  _splitText(written) {
    const { unit, token_pattern: pattern } = this.rules, { token, space } = this.expressions;
    const text = this.normalize(written);
    if (token) {
      const read = text.replaceAll(MATCH_END, " "), matches = read.match(token) ?? [];
      if (unit === "character")
        return this._splitCharacters((read.search(token) > 0 ? " " : "") + matches.join(" "));
      return matches.map(match => match.replace(space, " ").replace(/^ +| +$/g, "")).filter(Boolean);
    }
    if (unit === "character") {
      const kept = pattern === "words" ? this._words(text).join(" ") : text;
      return this._splitCharacters(kept);
    }
    return pattern === "words_and_symbols" ? this._wordsAndSymbols(text) : this._words(text);
  }

  /** Without markup and invisible characters, in one form. */
  normalize(written) {
    const { token_pattern: pattern } = this.rules, { emoji, joiners, invisible } = this.expressions;
    let text = this.markup ? this.markup.remove(written) : written;
    if (isAscii(text)) return this._lowerAscii(text);
    text = this._lowerAscii(text);
    if (pattern !== "classic") {
      text = text.replace(invisible, "").replace(this.expressions.blank, " ");
      text = text.replace(joiners, (_, kept) => kept ?? "");
    }
    text = this._normalizeCharacters(text);
    return emoji ? text.replace(emoji, " $& ") : text;
  }

  /** NFC, lower case and plain apostrophes. */
  _normalizeCharacters(written) {
    const text = this._lowerAscii(written);
    if (isAscii(text)) return text;
    const composed = text.normalize("NFC");
    const lower = this.rules.lowercase ? this._lower(composed) : composed;
    return lower.replaceAll("\u2019", "'");
  }

  _lowerAscii(text) {
    return this.rules.lowercase ? text.replace(/[A-Z]+/g, letters => letters.toLowerCase()) : text;
  }

  _lower(text) {
    let lower = "";
    for (const character of text) lower += this.lowerCase.get(character) ?? character;
    return lower;
  }

  /** Runs of letters, numbers and marks, with apostrophes only inside, and emoji. */
  _words(text) {
    let spaced = "";
    for (const character of this._characters(text)) {
      const isWord = character === "'" || this._isKey(character)
        || this.classes[character.codePointAt()] === WORD;
      spaced += isWord ? character : " ";
    }
    return spaced.split(/ +/).map(word => word.replace(/^'+|'+$/g, "")).filter(Boolean);
  }

  /** Words, and runs of symbols but for lone marks: C++, !!! and :). */
  _wordsAndSymbols(text) {
    const characters = this._characters(text);
    const classes = characters.map(character => this._symbolClass(character)).join("") + " ";
    const slice = (start, end) => characters.slice(start, end).join("");
    const tokens = [];
    for (const part of classes.matchAll(PARTS)) {
      const start = part.index, end = start + part[0].length;
      const wordEnd = start + (part.groups.word ?? "").length;
      // A space stands for the repeats that do not count.
      const run = slice(wordEnd, end).replace(REPEATS, "$1$1$1 ");
      const pieces = run.split(" ").filter(Boolean);
      if (part.groups.word) {
        // C++ and C#, but not a+b
        const hasEnding = run.endsWith(" ") || pieces.length > 1 || !"wm3".includes(classes[end]);
        tokens.push(slice(start, wordEnd) + (pieces.length && hasEnding ? pieces.shift() : ""));
      }
      tokens.push(...pieces.filter(piece => !this.lone.has(piece)));
    }
    return tokens;
  }

  /** The characters of a text; a key such as 1 with U+20E3 is one of two code points. */
  _characters(text) {
    return this.rules.token_pattern === "classic" ? [...text] : text.match(/[0-9#*]\u20e3|[^]/gu) ?? [];
  }

  _isKey(character) {
    return character[1] === "\u20e3";
  }

  _symbolClass(character) {
    if (this._isKey(character)) return "w";
    if (character in EMOTICON_CLASSES) return EMOTICON_CLASSES[character];
    return [" ", "w", "s"][this.classes[character.codePointAt()]];
  }

  /** Characters without white space; an emoji of several code points is one. */
  _splitCharacters(text) {
    const tokens = [];
    let previous = 0, letters = 0, isFirst = true, canJoin = false;
    for (const character of text) {
      const point = character.codePointAt();
      const part = this.emojiParts[point];
      letters = part === FLAG ? letters + 1 : 0;
      const isJoined = !isFirst && (part >= JOINER || previous === ZERO_WIDTH
        || part === TONE && (previous === PICTURE || previous === TONE)
        || part === FLAG && letters % 2 === 0);
      if (isJoined) { if (canJoin) tokens[tokens.length - 1] += character; }
      else if ((canJoin = !this.spaces[point])) tokens.push(character);
      previous = part;
      isFirst = false;
    }
    return tokens;
  }
}

/** ASCII characters that can be part of an emoticon, or the end of a word. */
const EMOTICON_CLASSES = {
  ...Object.fromEntries([..."DPOXdpox"].map(mouth => [mouth, "m"])),
  ":": ":", ";": ":", "=": ":", "+": "+", "#": "+", "3": "3", "<": "<", "-": "-", "'": "'",
};

/** In a string of classes: a word and what it can end in, or a run of symbols. */
const PARTS =
  /(?<word>[wm3]+(?:'+[wm3]+)*)(?:\++)?|\++|(?:(?::[-']?m|<3)(?![wm3'])|[s:<'-])+/g;

const REPEATS = /([^])\1{3,}/gu;

/** The columns beside the text, each written before it as `name=cell`. */
class Fields {
  constructor(rules, normalize) {
    this.names = new Map(rules.fields); // of columns: of their fields
    this.numeric = rules.numeric_fields;
    this.normalize = normalize;
    this.space = new RegExp(`[${rules.space}]`, "u");
    this.spaces = new RegExp(`[${rules.space}]+`, "gu");
    this.outerSpaces = new RegExp(`^[${rules.space}]+|[${rules.space}]+$`, "gu");
    this.prefixes = [...this.names.values()].map(name => `${name}=`);
    this.digits = rules.digits;
  }

  write(column, cell) {
    return `${this.names.get(column)}=${cell.replace(this.outerSpaces, "").replace(this.spaces, "_")}`;
  }

  isField(token) {
    return this.prefixes.some(prefix => token.startsWith(prefix));
  }

  /** The words of the fields that a text begins with, and the text after them. */
  split(text) {
    const words = [];
    let rest = text;
    for (const prefix of this.prefixes) {
      if (!rest.startsWith(prefix)) continue;
      const place = rest.search(this.space), end = place < 0 ? rest.length : place;
      words.push(prefix + this.normalize(rest.slice(prefix.length, end)));
      rest = rest.slice(end + 1);
    }
    return [words, rest];
  }

  /** The token of a number is that of its bin: `minutes=q1`. */
  bin(token) {
    for (const [name, edges] of Object.entries(this.numeric)) {
      if (!token.startsWith(`${name}=`)) continue;
      const cell = token.slice(name.length + 1), number = this._number(cell);
      if (number !== null) return `${name}=q${1 + edges.filter(edge => edge < number).length}`;
      const isBin = /^q[1-9]$/.test(cell) && Number(cell[1]) <= edges.length + 1;
      return `${name}=${isBin ? cell : ""}`;
    }
    return token;
  }

  _number(cell) {
    const digits = Array.from(cell.replace(this.outerSpaces, ""), character => {
      const point = character.codePointAt(), zero = this.digits.find(each => point - each >>> 0 < 10);
      return zero === undefined ? character : point - zero;
    }).join("");
    if (!/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(digits)) return null;
    return Number.isFinite(Number(digits)) ? Number(digits) : null;
  }
}

/** HTML: entities are decoded, comments and tags removed. */
class Markup {
  constructor(markup) {
    const compile = source => new RegExp(source.replaceAll("(?!W)", `(?!${markup.word})`), "gsu");
    this.entity = compile(markup.entity);
    this.hidden = compile(markup.hidden);
    this.formatting = compile(markup.formatting);
    this.separating = compile(markup.separating);
    this.names = new Map(Object.entries(markup.names));
    this.numbers = new Map(Object.entries(markup.numbers));
  }

  remove(text) {
    if (!/[&<]/.test(text)) return text;
    const decode = (...match) => this._decode(match[0], match.at(-1).name);
    return text.replace(this.entity, decode).replace(this.entity, decode) // &amp;#39; is escaped twice
      .replace(this.hidden, " ").replace(this.formatting, "").replace(this.separating, " ");
  }

  _decode(entity, name) {
    if (name !== undefined) return this.names.get(name) ?? entity;
    const digits = entity.replace(/^&#|;$/g, "");
    const number = /^x/i.test(digits) ? parseInt(digits.slice(1), 16) : parseInt(digits, 10);
    if (number > 0x10ffff || (number >= 0xd800 && number < 0xe000)) return "\ufffd";
    return this.numbers.get(String(number)) ?? String.fromCodePoint(number);
  }
}

/** Known n-grams: pairs of a head (a token, or the n-gram one token shorter) and the last token. */
class Ngrams {
  constructor({ heads, tails }, maxN, firstId) {
    Object.assign(this, { heads, tails, maxN, firstId });
  }

  /** The n-grams of a text: bigrams in their order, then trigrams, and so on. */
  find(ids, length) {
    const read = ids.slice(0, length), found = [];
    // Where a text is truncated is not its end: no n-gram ends with UNKNOWN.
    const padded = [PADDING, ...read, ...ids.length > length ? [UNKNOWN] : [], PADDING];
    let heads = padded;
    for (let n = 2; n <= this.maxN; n++) {
      const longer = new Array(padded.length).fill(PADDING);
      for (let place = 0; place + n <= padded.length; place++) {
        const head = heads[place], last = padded[place + n - 2], tail = padded[place + n - 1];
        const isKnown = head > UNKNOWN && last > UNKNOWN && tail !== UNKNOWN
          || n === 2 && head === PADDING && tail > UNKNOWN;
        if (!isKnown || !(longer[place] = this._idOf(head, tail))) continue;
        const first = Math.max(place - 1, 0), end = Math.min(place + n - 2, read.length - 1);
        found.push({ id: longer[place], first, last: end });
      }
      heads = longer;
    }
    return found;
  }

  /** A binary search: pairs are in ascending order. */
  _idOf(head, tail) {
    const { heads, tails } = this;
    let low = 0, high = heads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (heads[middle] < head || heads[middle] === head && tails[middle] < tail) low = middle + 1;
      else high = middle;
    }
    return heads[low] === head && tails[low] === tail ? this.firstId + low : PADDING;
  }
}

// --- Ids -> logits

class Network {
  constructor({ pooling, layers }, tensors) {
    Object.assign(this, { pooling, layers, tensors });
    this.width = tensors.table.shape.at(-1);
    this.keptWidth = tensors.kept ? tensors.kept.shape[1] : 0;
    this.rows = tensors.table.shape.at(-2);
    this.isFused = !tensors.kernel_0;
  }

  logits(ids) {
    let units = this._firstUnits(ids);
    for (let layer = 1; layer < this.layers.length; layer++)
      units = this._dense(units.map(unit => Math.max(unit, 0)), layer);
    return units;
  }

  /** What each id adds to an output of the only layer. */
  contributions(ids, output) {
    const { tensors: { kernel_0: kernel }, layers: [units] } = this;
    const columnOf = (vector, offset) => vector.reduce(
      (sum, number, index) => sum + number * kernel[(offset + index) * units + output], 0);
    const divisor = this._divisor(ids.length), size = this.width + this.keptWidth;
    if (this.isFused) return ids.map((id, place) => this._fusedRow(id, place)[output] / divisor);
    if (this.pooling === "flatten")
      return ids.map((id, place) => columnOf(this._vector(id), place * size));
    if (this.pooling !== "max") return ids.map(id => columnOf(this._vector(id), 0) / divisor);
    const vectors = ids.map(id => this._vector(id)), sums = ids.map(() => 0);
    for (let index = 0; index < size && ids.length; index++) {
      let largest = 0;
      vectors.forEach((vector, place) => { if (vector[index] > vectors[largest][index]) largest = place; });
      sums[largest] += vectors[largest][index] * kernel[index * units + output];
    }
    return sums;
  }

  _firstUnits(ids) {
    if (!this.isFused) return this._dense(this._pool(ids), 0);
    const isFlat = this.pooling === "flatten";
    const positions = isFlat ? this.tensors.table.shape[0] : ids.length;
    const read = Array.from({ length: positions }, (_, place) => ids[place] ?? PADDING);
    const units = sumRows(read.map((id, place) => this._fusedRow(id, place)), this.width);
    const divisor = this._divisor(ids.length), bias = this.tensors.bias_0;
    return units.map((unit, index) => Math.fround(unit / divisor) + bias[index]);
  }

  /** What an id adds to each unit of the first layer; with flatten, at its position. */
  _fusedRow(id, place) {
    const row = (this.pooling === "flatten" ? place * this.rows : 0) + id;
    return this.tensors.table.subarray(row * this.width, (row + 1) * this.width);
  }

  /** Numbers that training did not change, which n-grams lack, and those that it did. */
  _vector(id) {
    const vector = new Float32Array(this.keptWidth + this.width);
    if (this.keptWidth) vector.set(rowOf(this.tensors.kept, id, this.keptWidth));
    vector.set(rowOf(this.tensors.table, id, this.width), this.keptWidth);
    return vector;
  }

  _pool(ids) {
    const size = this.keptWidth + this.width;
    if (this.pooling === "flatten") {
      const features = new Float32Array(this.tensors.kernel_0.shape[0]);
      for (let place = 0; place * size < features.length; place++)
        features.set(this._vector(ids[place] ?? PADDING), place * size);
      return features;
    }
    const vectors = ids.map(id => this._vector(id));
    if (this.pooling === "max") {
      if (!ids.length) return new Float32Array(size);
      return vectors.reduce((largest, vector) => largest.map((each, index) => Math.max(each, vector[index])));
    }
    const divisor = this._divisor(ids.length);
    return sumRows(vectors, size).map(each => each / divisor);
  }

  _divisor(length) {
    const count = Math.max(length, 1);
    return this.pooling === "average" ? count : this.pooling === "sqrt" ? Math.fround(Math.sqrt(count)) : 1;
  }

  _dense(inputs, layer) {
    const kernel = this.tensors[`kernel_${layer}`], units = this.layers[layer];
    const sums = new Float64Array(units);
    for (let index = 0; index < inputs.length; index++) {
      if (inputs[index] === 0) continue;
      for (let unit = 0; unit < units; unit++) sums[unit] += inputs[index] * kernel[index * units + unit];
    }
    const bias = this.tensors[`bias_${layer}`];
    return Float32Array.from(sums, (each, unit) => Math.fround(each) + bias[unit]);
  }
}

/**
 * Sum rows as the run does: float32, the first row and a pairwise sum of the others, as in NumPy's
 * `add.reduceat`. The sums are then equal to the last bit.
 */
function sumRows(rows, size) {
  if (!rows.length) return new Float32Array(size);
  return add(Float32Array.from(rows[0]), sumPairwise(rows, 1, rows.length, size));
}

function sumPairwise(rows, start, end, size) {
  const count = end - start;
  if (count > 128) {
    const half = count >>> 1, middle = start + half - half % 8;
    return add(sumPairwise(rows, start, middle, size), sumPairwise(rows, middle, end, size));
  }
  const rest = end - count % 8;
  let total = new Float32Array(size);
  if (count >= 8) {
    const [a, b, c, d, e, f, g, h] = rows.slice(start, start + 8).map((row, place) => {
      const every = Float32Array.from(row);
      for (let index = start + place + 8; index < rest; index += 8) add(every, rows[index]);
      return every;
    });
    total = add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h)));
  }
  for (let index = rest; index < end; index++) add(total, rows[index]);
  return total;
}

/** Add a row to a sum, which is rounded to float32 as it is an array of them. */
function add(total, row) {
  for (let index = 0; index < total.length; index++) total[index] += row[index];
  return total;
}

// --- Logits -> probabilities

/** In the steps of the run, each rounded to float32. */
const sigmoid = logit => 0.5 * Math.fround(1 + Math.fround(Math.tanh(0.5 * logit)));

function softmax(logits) {
  const largest = largestOf(logits);
  const powers = logits.map(logit => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power);
  return powers.map(power => power / total);
}

const largestOf = numbers => numbers.reduce((largest, each) => Math.max(largest, each));

/** A piecewise linear curve, constant beyond its ends. */
function interpolate(x, [xs, ys]) {
  if (x <= xs[0]) return ys[0];
  const next = xs.findIndex(each => each > x);
  if (next < 0) return ys.at(-1);
  const slope = (ys[next] - ys[next - 1]) / (xs[next] - xs[next - 1]);
  return slope * (x - xs[next - 1]) + ys[next - 1];
}

// --- Tables, tensors, files

/** Pairs of a length and a value, one after the other, for all code points. */
function fillRuns(runs) {
  const table = new Uint8Array(0x110000);
  let start = 0;
  for (let index = 0; index < runs.length; index += 2) {
    table.fill(runs[index + 1], start, start + runs[index]);
    start += runs[index];
  }
  return table;
}

/** Runs of code points with the same distance to their lower case. */
function lowerCaseOf(runs) {
  const lower = new Map();
  let first = 0;
  for (let index = 0; index < runs.length; index += 4) {
    const [gap, count, step, added] = runs.slice(index, index + 4);
    first += gap;
    for (let place = 0; place < count; place++) {
      const point = first + place * step;
      lower.set(String.fromCodePoint(point), String.fromCodePoint(point + added));
    }
  }
  return lower;
}

function tensorsOf(descriptions, binary) {
  const types = { float32: Float32Array, int32: Int32Array };
  return Object.fromEntries(Object.entries(descriptions).map(([name, { type, shape, offset }]) => {
    const tensor = new types[type](binary, offset, shape.reduce((size, each) => size * each, 1));
    return [name, Object.assign(tensor, { shape })];
  }));
}

const rowOf = (tensor, row, width) => tensor.subarray(row * width, (row + 1) * width);

const isAscii = text => /^[\0-\x7f]*$/.test(text);

/** A half of a character that has two UTF-16 units is replaced by U+FFFD. */
const wellFormed = text => text.replace(/\p{Surrogate}/gu, "\ufffd");

async function folderAt(location) {
  const text = String(location).replace(/\/?$/, "/");
  if (/^[a-z][a-z0-9+.-]+:/i.test(text)) return new URL(text);
  const page = globalThis.document?.baseURI ?? globalThis.location?.href;
  return page ? new URL(text, page) : (await import("node:url")).pathToFileURL(text);
}

async function read(folder, name) {
  const file = new URL(name, folder);
  if (file.protocol === "file:" && !globalThis.document) {
    const bytes = await (await import("node:fs/promises")).readFile(file);
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  }
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file}: status ${response.status}`);
  return response.arrayBuffer();
}
