// What the page carries: columns turned into rows.

const data = JSON.parse(document.getElementById("data").textContent);

// A long column of few words comes as the words and each row's place among them.
const spelledOut = (column) => (Array.isArray(column) ? column : column.at.map((at) => (at === null ? null : column.of[at])));

function rowsOf(columns) {
  if (!columns) return [];
  const names = Object.keys(columns);
  const values = names.map((name) => spelledOut(columns[name]));
  const length = names.length ? values[0].length : 0;
  return Array.from({ length }, (_, place) => Object.fromEntries(names.map((name, at) => [name, values[at][place]])));
}

function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row[key])) groups.set(row[key], []);
    groups.get(row[key]).push(row);
  }
  return groups;
}
