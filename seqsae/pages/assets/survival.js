// Times to events: which feature's curves are shown, how many are at risk, and the hazard ratio.

const followedViews = new Map();
const ratiosOf = grouped(data.survival ? rowsOf(data.survival.ratios) : [], "covariate");
const riskOf = grouped(data.survival ? rowsOf(data.survival.risk) : [], "covariate");

function ratioLines(row) {
  const value = missing(row.ratio) ? ["Hazard ratio: not told"] : [`Hazard ratio ${fixed(row.ratio)} `, el("span", { class: "number" }, interval(row.low, row.high))];
  const n = `${count(row.n_adjusted)} subjects, ${count(row.n_positive_adjusted)} events`;
  const p = missing(row.p_test_adjusted_holm) ? "" : `, Holm-corrected p ${small(row.p_test_adjusted_holm)}`;
  const seeds = missing(row.n_seeds) ? "" : `, repeated in ${row.replicated_seeds} of ${row.n_seeds} seeds`;
  return el(
    "div",
    { class: "ratio" },
    el("p", {}, featureLink(row.feature), " ", verdictMark(row.verdict)),
    el("p", { class: "ratio-value", title: `For a standard deviation of the feature's ranks, beyond the confounders; ${n}, test split` }, value),
    el("p", { class: "note" }, `Beyond the confounders, for one standard deviation of the ranks (${row.pooling}); ${n}, test split${p}${seeds}.`),
    missing(row.note) ? null : el("p", { class: "note note-of" }, `Note: ${row.note}.`),
  );
}

function riskTable(covariate, feature) {
  const groups = (riskOf.get(covariate) || []).filter((row) => row.feature === feature).sort((a, b) => Number(b.fires) - Number(a.fires));
  if (!groups.length) return null;
  const times = groups[0].times;
  const heads = ["At risk", ...times.map((time) => String(time)), "events", "n"];
  const rows = groups.map((group) => el("tr", {}, el("th", { scope: "row", class: "plain" }, group.fires ? "fires" : "does not fire"), group.at_risk.map((n) => el("td", { class: "num" }, count(n))), el("td", { class: "num" }, count(group.events)), el("td", { class: "num" }, count(group.n))));
  const title = "Subjects under observation at the first step at or after each time; where observation begins late the number may grow";
  return el("table", { class: "risk", title }, el("thead", {}, el("tr", {}, heads.map((head, at) => el("th", { scope: "col", class: at ? "plain num" : "plain" }, head)))), el("tbody", {}, rows));
}

function drawSurvival() {
  if (!data.survival) return;
  data.survival.covariates.forEach((covariate, number) => {
    const place = document.querySelector(`.survival[data-covariate="${number}"]`);
    const chart = place.parentElement.querySelector(".chart");
    const rows = ratiosOf.get(covariate) || [];
    const side = el("div", { class: "survival-side" });
    const below = el("div", { class: "scroll short", tabindex: "0" });
    const buttons = rows.map((row) => el("button", { type: "button", class: "key", "aria-pressed": "false", onclick: () => show(row) }, keyGlyph(verdictLook(row.verdict)[1], verdictLook(row.verdict)[0]), `#${row.feature}`));
    const show = (row) => {
      rows.forEach((each, at) => buttons[at].setAttribute("aria-pressed", String(each === row)));
      side.replaceChildren(ratioLines(row));
      const risk = riskTable(covariate, row.feature);
      below.replaceChildren(...(risk ? [risk] : []));
      const view = followedViews.get(`followed-${number}`);
      if (view) view.signal("shown", row.feature).runAsync();
      place.dataset.feature = row.feature;
    };
    place.append(el("div", { class: "legend" }, buttons));
    const grid = el("div", { class: "survival-grid" });
    chart.before(grid);
    grid.append(chart, side, below);
    if (rows.length) show(rows[0]);
  });
}

// Called with each chart's Vega view once it is drawn.
function chartDrawn(name, view) {
  if (name === "volcano" || name === "confounding") linkCovered(name, view);
  if (!name.startsWith("followed-")) return;
  followedViews.set(name, view);
  const asked = document.querySelector(`.survival[data-covariate="${name.slice("followed-".length)}"]`).dataset.feature;
  if (asked) view.signal("shown", Number(asked)).runAsync();
}
