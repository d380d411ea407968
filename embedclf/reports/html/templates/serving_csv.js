"use strict";

// Reads and writes CSV as RFC 4180 has it.

function findDelimiter(text) {
  const header = text.slice(0, text.search(/[\r\n]|$/)).replace(/"[^"]*"/g, "");
  const count = delimiter => header.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, each) => count(each) > count(best) ? each : best);
}

function parseCsv(text) {
  const delimiter = findDelimiter(text);
  const cell = new RegExp(
    `(?:"([^"]*(?:""[^"]*)*)"|([^"${delimiter}\\r\\n][^${delimiter}\\r\\n]*|))` +
    `(${delimiter}|\\r\\n|\\r|\\n|$)`, "y");
  const rows = [];
  let row = [], start = 0, match;
  do {
    match = cell.exec(text);
    if (!match) throw new Error(`line ${lineOf(text, start)}: a quote is not closed or is out of place`);
    start = cell.lastIndex;
    row.push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === delimiter) continue;
    const isBlank = row.length === 1 && match[2] === "";
    if (!isBlank) {
      if (rows.length && row.length !== rows[0].length) {
        const line = lineOf(text, match.index), cells = row.length === 1 ? "cell" : "cells";
        throw new Error(`line ${line}: ${row.length} ${cells}, but the header has ${rows[0].length}`);
      }
      rows.push(row);
    }
    row = [];
  } while (match[3] !== "");
  return rows;
}

function lineOf(text, index) {
  return text.slice(0, index).split(/\r\n|\r|\n/).length;
}

function formatCsv(rows) {
  const quote = cell => /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  // Excel takes a file without the mark for an old encoding.
  return "\ufeff" + rows.map(row => row.map(quote).join(",") + "\r\n").join("");
}
