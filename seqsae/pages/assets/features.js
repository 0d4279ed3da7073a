// The map, the scatter and the feature table: a brush on a chart narrows the table, a search, tick or cluster dims the charts.

const hues = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4E9E"];
const shapes = ["circle", "square", "triangle-up", "diamond"];
const noise = "#b9c1ca";
const view = { brushes: {}, cluster: null, search: "", onlyFound: false, table: null, charts: {}, lit: "" };

const inCluster = (row) => !missing(row.cluster) && row.cluster >= 0;
const look = (cluster) =>
  cluster >= 0 && cluster < hues.length * shapes.length
    ? { color: hues[cluster % hues.length], shape: shapes[Math.floor(cluster / hues.length)] }
    : { color: noise, shape: "circle" };

// Where each chart of features puts them: map units, or shares (which the log axes need above zero).
const placeOn = {
  map: (row) => (missing(row.x) || missing(row.y) ? null : [row.x, row.y]),
  breadth: (row) => (row.share_of_subjects > 0 && row.share_when_present > 0 ? [row.share_of_subjects, row.share_when_present] : null),
};

function pointRows(name) {
  return features.filter(placeOn[name]).map((row) => ({
    feature: row.feature,
    x: placeOn[name](row)[0],
    y: placeOn[name](row)[1],
    ...look(inCluster(row) ? row.cluster : -1),
    lit: 1,
    size: 34 + 90 * Math.min(1, Math.sqrt(row.firing_rate || 0)),
    name: `#${row.feature}`,
    token: clipped(spelled(row.best_token) ?? none, 200),
    cluster: inCluster(row) ? clipped(String(row.cluster_label), 200) : "none",
    firing: percent(row.firing_rate),
    breadth: missing(row.share_of_subjects) ? count(row.n_subjects) : `${count(row.n_subjects)} (${percent(row.share_of_subjects)}), ${percent(row.share_when_present)} of their rows`,
    caption: clipped(captionText(row.feature) ?? none, 300),
    tie: row.top && isFound(row.top) ? `${clipped(pairs[row.top.pair].label, 200)} (q ${small(row.top.q_select)})` : "nothing at this q",
  }));
}

function clusters() {
  const members = [...grouped(features.filter(inCluster), "cluster").entries()].sort((a, b) => a[0] - b[0]);
  return members.map(([cluster, rows]) => ({ cluster, rows, label: rows[0].cluster_label ?? `cluster ${cluster}` }));
}

// A label at the median of each of the larger clusters; without any an empty one, as an axis has no ends without rows.
function nameRows() {
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const names = clusters().slice(0, 14).map(({ rows, label }) => ({
    x: median(rows.map((row) => row.x)),
    y: median(rows.map((row) => row.y)),
    text: clipped(String(label), 60),
  }));
  return names.length ? names : [{ ...ringRows("map", null)[0], text: "" }];
}

function brushed(row) {
  return Object.entries(view.brushes).every(([name, brush]) => {
    const at = placeOn[name](row);
    const within = (value, ends) => value >= Math.min(...ends) && value <= Math.max(...ends);
    return at && within(at[0], brush.x) && within(at[1], brush.y);
  });
}

// What search, tick and cluster leave; the charts dim the others.
function lit(row) {
  if (view.cluster !== null && row.cluster !== view.cluster) return false;
  if (view.onlyFound && !(row.top && isFound(row.top))) return false;
  return view.search.split(/\s+/).every((word) => row.words.includes(word));
}

function refilter() {
  const left = view.table.filter((row) => lit(row) && brushed(row));
  document.getElementById("feature-count").textContent = `${count(left)} of ${count(features.length)} features`;
  document.getElementById("clear-brush").hidden = !Object.keys(view.brushes).length && view.cluster === null;
  relight();
}

// Dim on the charts what the table has not, once typing pauses.
function relight() {
  const asked = JSON.stringify([view.cluster, view.onlyFound, view.search]);
  if (asked === view.lit) return;
  view.lit = asked;
  clearTimeout(view.timer);
  view.timer = setTimeout(() => {
    const on = new Set(features.filter(lit).map((row) => row.feature));
    for (const [name, chart] of Object.entries(view.charts)) {
      chart.data("map", pointRows(name).map((point) => ({ ...point, lit: on.has(point.feature) ? 1 : 0 }))).runAsync();
    }
  }, 60);
}

function clusterCell(row) {
  if (!inCluster(row)) return el("span", { class: "muted" }, none);
  const { color, shape } = look(row.cluster);
  return el("span", { class: "ellip", title: row.cluster_label }, keyGlyph(shape, color), ` ${row.cluster_label}`);
}

function captionCell(feature) {
  if (!isCaptioned(feature)) return el("span", { class: "muted" }, none);
  const { caption, f1, null_95 } = captionOf.get(feature);
  return [el("span", { class: "rule", title: caption }, caption), el("span", { class: "sub" }, `F1 ${fixed(f1)}${missing(null_95) ? "" : `, chance ${fixed(null_95)}`}`)];
}

function topCell(row) {
  if (!row.top) return el("span", { class: "muted" }, "not tested");
  const label = pairs[row.top.pair].label;
  return [el("span", { class: isFound(row.top) ? "ellip" : "ellip muted", title: label }, label), el("span", { class: "sub" }, row.top.verdict)];
}

// Supported ones first, then by q.
const rankOf = (row) => (row.top ? (row.top.verdict === "supported" ? 0 : 1) + row.top.q_select : 3);

function remarks(row) {
  const plain = row.token_purity >= 0.9 ? [chip("one token", "", `${percent(row.token_purity)} of its active rows hold ${spelled(row.best_token)}`)] : [];
  return el("div", { class: "chips" }, betterChips(row.better.slice(0, 1)), row.better.length > 1 ? chip(`+${row.better.length - 1}`, "warn", row.better.slice(1).map((unit) => sourceLabel(unit.source)).join(", ")) : null, plain);
}

const captionColumn = {
  key: "caption", title: "Fires where", hint: "A short rule, found on the select split; sorted by its F1 on the test split", first: "descending",
  value: (row) => (isCaptioned(row.feature) ? captionOf.get(row.feature).f1 : null),
  draw: (row) => captionCell(row.feature),
};

const featureColumns = [
  { key: "feature", title: "Feature", value: (row) => row.feature, first: "ascending", draw: (row) => featureLink(row.feature) },
  { key: "cluster", title: "Cluster", value: (row) => (inCluster(row) ? row.cluster_label : null), draw: clusterCell },
  { key: "token", title: "Best token", value: (row) => row.best_token, draw: (row) => [el("span", { class: "ellip mono", title: spelled(row.best_token) }, row.best_token ?? none), nameBelow(row.best_token)] },
  ...(data.captions ? [captionColumn] : []),
  { key: "purity", title: "Purity", numeric: true, hint: "Share of its active rows that hold its commonest token", value: (row) => row.token_purity, draw: (row) => percent(row.token_purity) },
  { key: "rate", title: "Fires on", numeric: true, hint: "Share of rows", value: (row) => row.firing_rate, draw: (row) => percent(row.firing_rate) },
  { key: "subjects", title: "Subjects", numeric: true, value: (row) => row.n_subjects, draw: (row) => count(row.n_subjects) },
  { key: "stability", title: "Stability", numeric: true, hint: "Mean best decoder cosine in the other seeds", value: (row) => row.stability, draw: (row) => fixed(row.stability) },
  { key: "tie", title: "Associated with", value: (row) => row.top && pairs[row.top.pair].label, draw: topCell },
  { key: "effect", title: "Effect", hint: "Sorted by strength", first: "descending", value: (row) => row.top && effectSize(row.top), draw: (row) => (row.top ? effectText(row.top) : none) },
  { key: "q", title: "q", numeric: true, first: "ascending", hint: "Benjamini-Hochberg, select split", value: (row) => row.top && row.top.q_select, draw: (row) => (row.top ? small(row.top.q_select) : none) },
  { key: "remarks", title: "Remarks", value: (row) => row.better.length, first: "descending", draw: remarks },
];

function drawFeatures() {
  const options = { page: 50, empty: "No feature fits.", onHover: showPicked };
  view.table = new SortedTable(document.getElementById("feature-table"), featureColumns, [...features].sort((a, b) => rankOf(a) - rankOf(b)), options);
  document.getElementById("feature-search").addEventListener("input", (event) => {
    view.search = event.target.value.trim().toLowerCase();
    refilter();
  });
  document.getElementById("only-found").addEventListener("change", (event) => {
    view.onlyFound = event.target.checked;
    refilter();
  });
  document.getElementById("clear-brush").addEventListener("click", clearSelection);
  drawClusterLegend();
  refilter();
}

function drawClusterLegend() {
  const buttons = clusters().slice(0, hues.length * shapes.length).map(({ cluster, rows, label }) => {
    const { color, shape } = look(cluster);
    const pick = () => {
      view.cluster = view.cluster === cluster ? null : cluster;
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.cluster === String(view.cluster)));
      refilter();
    };
    return el("button", { type: "button", class: "key", title: label, "aria-pressed": "false", "data-cluster": cluster, onclick: pick }, keyGlyph(shape, color), el("span", {}, label), el("small", {}, count(rows.length)));
  });
  const loose = features.filter((row) => !inCluster(row)).length;
  const rest = loose ? [el("span", { class: "key" }, keyGlyph("circle", noise), "in no cluster ", el("small", {}, count(loose)))] : [];
  document.getElementById("cluster-legend").replaceChildren(...buttons, ...rest);
}

function clearSelection() {
  view.cluster = null;
  for (const button of document.querySelectorAll("#cluster-legend button")) button.setAttribute("aria-pressed", "false");
  // The brush in pixels; `brush_x` itself holds data units, as the fields are called x and y. Nil extent: no brush.
  for (const name of Object.keys(view.brushes)) view.charts[name].signal("brush_x_1", [0, 0]).signal("brush_y_1", [0, 0]).runAsync();
  view.brushes = {};
  refilter();
}

// The row under the pointer is ringed on the charts; without one the ring stays unseen.
function ringRows(name, row) {
  const ringed = row && placeOn[name](row) ? row : null;
  const [x, y] = placeOn[name](ringed || features.find(placeOn[name]));
  return [{ x, y, shown: ringed ? 1 : 0 }];
}

function showPicked(row) {
  for (const [name, chart] of Object.entries(view.charts)) chart.data("picked", ringRows(name, row)).runAsync();
}

// Draw a chart of features and tie it to the table.
function drawPoints(name, place, spec, options) {
  const rows = pointRows(name);
  if (!rows.length) return place.append(el("p", { class: "muted" }, "No feature has a place here."));
  spec.datasets = { map: rows, picked: ringRows(name, null), ...(name === "map" ? { names: nameRows() } : {}) };
  return vegaEmbed(place, spec, options).then((result) => {
    view.charts[name] = result.view;
    result.view.addSignalListener("brush", (_, ranges) => {
      if (ranges && ranges.x && ranges.y) view.brushes[name] = ranges;
      else delete view.brushes[name];
      refilter();
    });
    result.view.addEventListener("click", (_, item) => {
      if (item && item.datum && !missing(item.datum.feature)) openFeature(item.datum.feature);
    });
  });
}
