// The map, table and card of features.

const hues = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A4E9E"];
const shapes = ["circle", "square", "triangle-up", "diamond"];
const look = (cluster) =>
  missing(cluster) || cluster < 0 || cluster >= hues.length * shapes.length
    ? { color: "#b9c1ca", shape: "circle" }
    : { color: hues[cluster % hues.length], shape: shapes[Math.floor(cluster / hues.length)] };
const features = table("features");
const state = { map: null, table: null };
const bestTie = (feature) => [...(tiesOf.get(feature) ?? [])].sort((a, b) => (b.verdict === "supported") - (a.verdict === "supported") || strength(b.effect, b.effect_name) - strength(a.effect, a.effect_name))[0];
const tieText = (feature) => ((tie) => (tie ? `${labelOf(tie)} (${tie.verdict})` : "nothing"))(bestTie(feature));

function mapRows() {
  const largest = Math.max(1, ...features.map((row) => row.subjects ?? 0));
  return features.filter((row) => !missing(row.x)).map((row) => ({
    feature: row.feature, x: row.x, y: row.y, ...look(row.cluster), name: `#${row.feature}`, size: 40 + 150 * Math.sqrt((row.subjects ?? 0) / largest),
    tokens: topTokens(row.feature) || none, subjects: atLeast(row.subjects), tie: tieText(row.feature),
  }));
}

const featureColumns = [
  { key: "feature", title: "Feature", value: (row) => row.feature, draw: (row) => featureLink(row.feature) },
  { key: "tokens", title: "Fires on", value: (row) => topTokens(row.feature), draw: (row) => el("span", { class: "ellip" }, topTokens(row.feature) || none) },
  { key: "subjects", title: "Subjects", numeric: true, hint: "In whom it fires, rounded, all splits", value: (row) => row.subjects, draw: (row) => count(row.subjects) },
  { key: "stability", title: "Stability", numeric: true, hint: "Mean cosine with the nearest feature of the other seeds", value: (row) => row.stability, draw: (row) => fixed(row.stability) },
  { key: "tie", title: "Associated with", value: (row) => tieText(row.feature), draw: (row) => el("span", { class: "ellip" }, tieText(row.feature)) },
];

function bars(rows, name, value, said) {
  const largest = Math.max(...rows.map(value), 1e-9);
  return el("div", { class: "bars" }, rows.flatMap((row) => [
    el("span", { class: "name", title: name(row) }, name(row)),
    el("span", { class: "bar", style: `width:${((100 * value(row)) / largest).toFixed(1)}%` }),
    el("span", { class: "said" }, said(row)),
  ]));
}

function profile(feature, name) {
  const rows = table("when").filter((row) => row.feature === feature && row.bin.startsWith(`${name} `));
  if (rows.length < 2) return [];
  const place = (row) => (row.bin.includes("below") ? -1 : Number(row.bin.split(" ")[1]));
  rows.sort((a, b) => place(a) - place(b));
  const largest = Math.max(...rows.map((row) => row.lift ?? 0), 1e-9);
  const bar = (row) => el("div", { style: `height:${((100 * (row.lift ?? 0)) / largest).toFixed(1)}%`, title: `${row.bin}: ${atLeast(row.subjects)} subjects, lift ${row.lift ?? none}` });
  const heading = { position: "Place in the sequence", age: "Age in years", year: "Calendar year" }[name];
  const end = (row) => row.bin.replace(`${name} `, "");
  return [el("h4", {}, heading), el("div", { class: "profile", role: "img", "aria-label": rows.map((row) => `${row.bin}: lift ${row.lift}`).join("; ") }, rows.map(bar)),
    el("div", { class: "ends" }, el("span", {}, end(rows[0])), el("span", {}, "lift over all rows"), el("span", {}, end(rows[rows.length - 1])))];
}

function card(row) {
  const said = (each) => `lift ${missing(each.lift) ? none : each.lift} · ${atLeast(each.subjects)} subjects`;
  const tokens = tokensOf.get(row.feature) ?? [];
  const pairs = table("ngrams").filter((each) => each.feature === row.feature);
  const ties = tiesOf.get(row.feature) ?? [];
  const facts = [`fires in ${count(row.subjects)} subjects (${count(row.subjects_test)} of the test split)`, missing(row.rows_each) ? null : `on ${row.rows_each} rows of each`, missing(row.stability) ? null : `stability ${fixed(row.stability)}`];
  const levels = grouped(levelsOf.get(row.feature) ?? [], "covariate");
  const shares = [...levels].map(([name, each]) => [el("b", {}, name), bars(each, (level) => level.level, (level) => (level.firing ?? 0) / level.subjects, (level) => `${percent((level.firing ?? 0) / level.subjects)} of ${count(level.subjects)}`)]);
  return [
    el("h3", {}, `Feature #${row.feature}`), el("p", { class: "note" }, facts.filter(Boolean).join(" · ")),
    ...(tokens.length ? [el("h4", {}, "Tokens it fires on"), bars(tokens.slice(0, 8), (each) => each.token, (each) => each.share ?? 0, said)] : []),
    ...(pairs.length ? [el("h4", {}, "Pairs of tokens"), bars(pairs, (each) => each.ngram, (each) => each.share ?? 0, said)] : []),
    ...["position", "age", "year"].flatMap((name) => profile(row.feature, name)),
    ...(ties.length ? [el("h4", {}, "Associated with"), el("table", { class: "ties" }, el("tbody", {}, ties.map((tie) => el("tr", {}, el("td", {}, labelOf(tie)), el("td", {}, strip(tie)), el("td", {}, verdictChip(tie.verdict))))))] : []),
    ...(shares.length ? [el("h4", {}, "Subjects in whom it fires, by level (test split)"), ...shares.flat()] : []),
  ];
}

function openFeature(feature, jump = true) {
  const row = features.find((each) => each.feature === feature);
  if (!row) return;
  document.getElementById("feature-card").replaceChildren(...card(row));
  if (state.map && !missing(row.x)) state.map.data("picked", [{ x: row.x, y: row.y }]).run();
  if (jump) document.getElementById("features").scrollIntoView();
}

function drawFeatures() {
  const place = document.getElementById("feature-table");
  if (!place) return Promise.resolve();
  state.table = new SortedTable(place, featureColumns, features, { page: 30 });
  const search = document.getElementById("feature-search");
  const text = (row) => `#${row.feature} ${(tokensOf.get(row.feature) ?? []).map((each) => each.token).join(" ")} ${(tiesOf.get(row.feature) ?? []).map(labelOf).join(" ")}`.toLowerCase();
  const words = new Map(features.map((row) => [row.feature, text(row)]));
  const refilter = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const left = state.table.filter((row) => asked.every((word) => words.get(row.feature).includes(word)));
    document.getElementById("feature-count").textContent = `${count(left)} of ${count(features.length)} features`;
  };
  search.addEventListener("input", refilter);
  refilter();
  const rows = mapRows();
  const first = features.find((row) => bestTie(row.feature)?.verdict === "supported") ?? features[0];
  const spec = { ...data.charts.map, datasets: { rows, picked: rows.slice(0, 1) } };
  const drawn = rows.length ? embed(document.getElementById("feature-map"), spec, "canvas") : Promise.resolve(null);
  return drawn.then((made) => {
    state.map = made ? made.view : null;
    if (made) made.view.addEventListener("click", (event, item) => item && item.datum && !missing(item.datum.feature) && openFeature(item.datum.feature, false));
    if (first) openFeature(first.feature, false);
  });
}
