// A table that sorts by its headings, filters, and draws a page of rows at a time.

class SortedTable {
  // columns: {key, title, value(row), draw(row), numeric, hint, first}; first: which way the first click sorts.
  constructor(place, columns, rows, { page = 100, empty = "Nothing to show.", onHover = null } = {}) {
    Object.assign(this, { columns, rows, page, shown: page, empty, onHover, keep: () => true, order: null });
    this.body = el("tbody");
    this.heads = columns.map((column) => this.head(column));
    this.more = el("button", { type: "button", class: "more", hidden: true, onclick: () => this.grow() });
    const table = el("table", {}, el("thead", {}, el("tr", {}, this.heads)), this.body);
    place.replaceChildren(el("div", { class: "scroll", tabindex: "0" }, table, this.more));
    this.draw();
  }

  head(column) {
    const attributes = { scope: "col", class: column.numeric ? "num" : "", title: column.hint };
    if (!column.value) return el("th", { ...attributes, class: `plain ${attributes.class}`.trim() }, column.title);
    const button = el("button", { type: "button", onclick: () => this.sortBy(column) }, column.title);
    return el("th", { ...attributes, "data-key": column.key }, button);
  }

  sortBy(column) {
    const first = column.first || (column.numeric ? "descending" : "ascending");
    const other = first === "ascending" ? "descending" : "ascending";
    const way = this.order && this.order.column === column && this.order.way === first ? other : first;
    this.order = { column, way };
    this.columns.forEach((each, place) => {
      if (each === column) this.heads[place].setAttribute("aria-sort", way);
      else this.heads[place].removeAttribute("aria-sort");
    });
    this.draw();
  }

  filter(keep) {
    this.keep = keep;
    this.shown = this.page;
    return this.draw();
  }

  grow() {
    this.shown += this.page;
    this.draw();
  }

  draw() {
    const kept = this.rows.filter(this.keep);
    if (this.order) kept.sort(compareBy(this.order.column.value, this.order.way));
    this.body.replaceChildren(...kept.slice(0, this.shown).map((row) => this.row(row)));
    if (!kept.length) {
      const cell = el("td", { colspan: this.columns.length, class: "empty" }, this.empty);
      this.body.append(el("tr", { class: "none" }, cell));
    }
    this.more.hidden = kept.length <= this.shown;
    this.more.textContent = `Show more (${count(kept.length - this.shown)} left)`;
    return kept.length;
  }

  row(row) {
    const cells = this.columns.map((column) => el("td", { class: column.numeric ? "num" : null }, column.draw(row)));
    const hover = this.onHover;
    return el(
      "tr",
      hover ? { onmouseenter: () => hover(row), onmouseleave: () => hover(null) } : {},
      cells,
    );
  }
}

// Empty values stand last whichever way the column is sorted; equal values keep their order.
function compareBy(value, way) {
  const sign = way === "ascending" ? 1 : -1;
  return (left, right) => {
    const [a, b] = [value(left), value(right)];
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const difference = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return sign * difference;
  };
}
