// Feature cards: what a feature fires on and what it is associated with.

function stat(label, value, hint = null) {
  return el("div", { title: hint }, value, el("small", {}, label));
}

function tieRow(row, tie) {
  const better = onTest(tie) ? betterThan(tie.pair, tie.effect, row.feature) : [];
  const adjusted = missing(tie.effect_adjusted) ? null : el("span", { class: "sub" }, `adjusted ${fixed(tie.effect_adjusted)} ${interval(tie.ci_low_adjusted, tie.ci_high_adjusted)}`);
  return el(
    "tr",
    {},
    el("td", {}, el("span", { class: isFound(tie) ? "" : "muted" }, pairs[tie.pair].label), el("span", { class: "sub" }, [tie.pooling, tie.verdict].filter(Boolean).join(" · "))),
    el("td", {}, effectText(tie), adjusted, betterChips(better.slice(0, 1)), better.length > 1 ? chip(`+${better.length - 1}`, "warn", better.slice(1).map((unit) => sourceLabel(unit.source)).join(", ")) : null),
    el("td", {}, onTest(tie) ? drawStrip(tie, row.feature) : null),
    el("td", { class: "num" }, `q ${small(tie.q_select)}`),
  );
}

function contextLine([value, before, token, after]) {
  const text = (numbers) => numbers.map((number) => data.examples.tokens[number]).join(" ");
  const called = (numbers) => numbers.map((number) => spelled(data.examples.tokens[number])).join(names.size ? "\n" : " ");
  const line = el(
    "div",
    { class: "context" },
    el("span", { class: "before" }, el("bdi", {}, text(before))),
    el("mark", { title: called([token]) }, text([token])),
    el("span", { class: "after" }, text(after)),
  );
  return el("li", { title: called([...before, token, ...after]) }, el("i", { title: "activation" }, value.toPrecision(3)), line);
}

// The associations found; where there are none, the nearest to one. The others are a click away.
function tiesPart(row) {
  if (!row.ties.length) return el("p", { class: "muted" }, "It was tested against no covariate: it fires in too few subjects.");
  const found = row.ties.filter(isFound);
  const shown = (found.length ? found : row.ties).slice(0, found.length ? 6 : 1);
  const rest = row.ties.filter((tie) => !shown.includes(tie));
  const table = (ties) => el("table", { class: "ties" }, el("tbody", {}, ties.map((tie) => tieRow(row, tie))));
  const more = rest.length ? el("details", { class: "rest" }, el("summary", {}, `${count(rest.length)} more, by smallest q`), table(rest)) : null;
  return el("div", {}, table(shown), more);
}

function card(row) {
  const examples = data.examples.rows[row.feature] || [];
  const tokens = trackLines(row.feature) ?? (examples.length
    ? el("ul", { class: "tokens" }, examples.map(contextLine))
    : el("p", { class: "muted" }, "Its examples are not in this report."));
  return el(
    "article",
    { class: "card" },
    el("header", {}, el("b", {}, `Feature ${row.feature}`), el("span", { title: row.cluster_label }, inCluster(row) ? row.cluster_label : "in no cluster")),
    el("div", {}, chip(row.best_token ?? none, "", "its commonest token"), nameOf(row.best_token) && el("span", { class: "name" }, nameOf(row.best_token)), row.token_purity >= 0.9 ? chip("mostly one token") : null),
    el(
      "div",
      { class: "stats" },
      stat("of rows", percent(row.firing_rate), "Share of rows on which it fires"),
      stat("subjects", count(row.n_subjects), missing(row.share_of_subjects) ? "In whom it fires at least once" : `In whom it fires at least once: ${percent(row.share_of_subjects)} of the train split`),
      missing(row.share_when_present) ? null : stat("of their rows", percent(row.share_when_present), "Mean share of rows on which it fires, over the subjects in whom it does"),
      stat("one token", percent(row.token_purity), "Share of its active rows that hold its commonest token"),
      stat("stability", missing(row.stability) ? none : fixed(row.stability), "Mean best decoder cosine in the other seeds"),
    ),
    ...captionLines(row.feature),
    el("h4", {}, row.ties.some(isFound) || !row.ties.length ? "Associated with" : `Nothing found at q ≤ ${data.q}; nearest to it`),
    tiesPart(row),
    ...usedLines(row.feature),
    ...conceptLines(row.feature),
    ...profileLines(row.feature),
    ...tokenLines(row.feature),
    ...kinLines(row.feature),
    el("h4", {}, "Fires most on"),
    tokens,
  );
}

const cardStep = 8; // cards drawn at a time

function moreCards() {
  const list = document.getElementById("card-list");
  const waiting = data.cards.slice(list.children.length);
  for (const feature of waiting.slice(0, cardStep)) {
    const node = card(featureOf.get(feature));
    node.id = `feature-${feature}`;
    list.append(node);
  }
  const left = Math.max(waiting.length - cardStep, 0);
  document.getElementById("more-cards").hidden = !left;
  document.getElementById("more-cards").textContent = `Show more cards (${count(left)} left)`;
}

function drawCards() {
  document.getElementById("more-cards").addEventListener("click", moreCards);
  moreCards();
  addEventListener("beforeprint", () => {
    while (!document.getElementById("more-cards").hidden) moreCards();
  });
}

// The feature that the address asks for, as #feature=N (or #feature-N).
function askedFeature() {
  const asked = /^#feature[=-](\d+)$/.exec(location.hash);
  return asked ? Number(asked[1]) : null;
}

// Go to a feature's card; one that is not in the list is drawn above it.
function openFeature(feature, event = null) {
  if (event) event.preventDefault();
  const row = featureOf.get(feature);
  if (!row) return;
  const place = document.getElementById("picked-card");
  for (const old of document.querySelectorAll(".card.picked")) old.classList.remove("picked");
  const listed = document.getElementById(`feature-${feature}`);
  place.hidden = Boolean(listed);
  if (!listed) place.replaceChildren(card(row));
  const node = listed || place.firstChild;
  node.classList.add("picked");
  node.scrollIntoView({ block: "center" });
  history.replaceState(null, "", `#feature=${feature}`);
}
