// What the page carries: columns turned into rows.

const data = JSON.parse(document.getElementById("data").textContent);

// A long column may come as the values in it and each row's place among them, or as the usual value and the rows that differ.
function spelledOut(column) {
  if (Array.isArray(column)) return column;
  if (column.at) return column.at.map((at) => (at === null ? null : column.of[at]));
  const values = Array(column.length).fill(column.usual);
  let row = -1;
  column.gaps.forEach((gap, place) => { row += gap; values[row] = column.is[place]; });
  return values;
}

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
