// What a card shows beside associations: where, when and on what a feature fires, in counts; its kin; its strongest rows as tracks.

const pictured = data.portraits;
const wordAt = (number) => pictured.words[number];
const axisNames = { age: "Age, years", "years since the first row": "Years since the first row", year: "Calendar year", position: "Position", strength: "Activation" };
const shortNumber = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

// bars: [{share, title}], in order; the tallest fills the height.
function barPicture(name, bars, low, high) {
  const [width, height, gap] = [150, 46, 1];
  const step = width / bars.length;
  const tallest = Math.max(...bars.map((bar) => bar.share), 1e-12);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: ${bars.filter((bar) => bar.share).map((bar) => bar.title).join("; ")}` });
  bars.forEach((bar, place) => {
    const tall = bar.share ? Math.max((bar.share / tallest) * (height - 2), 0.8) : 0;
    const mark = svg("rect", { x: (place * step + gap / 2).toFixed(2), y: (height - tall).toFixed(2), width: Math.max(step - gap, 0.5).toFixed(2), height: tall.toFixed(2), class: "bar" });
    const reach = svg("rect", { x: (place * step).toFixed(2), y: 0, width: step.toFixed(2), height, class: "reach" }, svg("title", {}, bar.title));
    drawing.append(mark, reach);
  });
  return el("figure", { class: "histogram" }, el("figcaption", {}, name), drawing, el("div", { class: "ends" }, el("span", {}, low), el("span", {}, high)));
}

function axisHistogram(axis, [bins, rows, subjects]) {
  const at = new Map(bins.map((bin, place) => [bin, place]));
  const bars = axis.bin.map((bin, place) => {
    const here = at.get(bin);
    const ends = `${shortNumber(axis.low[place])} to ${shortNumber(axis.high[place])}`;
    if (here === undefined) return { share: 0, title: `${ends}: on none of ${count(axis.rows[place])} rows` };
    const share = rows[here] / axis.rows[place];
    return { share, title: `${ends}: on ${percent(share)} of ${count(axis.rows[place])} rows, in ${count(subjects[here])} of ${count(axis.subjects[place])} subjects` };
  });
  return barPicture(axisNames[axis.kind] ?? axis.kind, bars, shortNumber(axis.low[0]), shortNumber(axis.high.at(-1)));
}

function strengthHistogram([bins, rows, subjects, step]) {
  const all = rows.reduce((sum, each) => sum + each, 0);
  const bars = Array.from({ length: bins.at(-1) + 1 }, (_, bin) => {
    const here = bins.indexOf(bin);
    const ends = `${shortNumber(bin * step)} to ${shortNumber((bin + 1) * step)}`;
    return here < 0 ? { share: 0, title: `${ends}: never` } : { share: rows[here] / all, title: `${ends}: ${count(rows[here])} rows, ${count(subjects[here])} subjects` };
  });
  return barPicture(axisNames.strength, bars, "0", shortNumber((bins.at(-1) + 1) * step));
}

function profileLines(feature) {
  const bars = pictured && pictured.bars[feature];
  if (!bars) return [];
  const shown = pictured.axes.filter((axis) => bars[axis.kind]).map((axis) => axisHistogram(axis, bars[axis.kind]));
  const title = "Bars: share of the train split's rows in each bin on which it fires; activation: how its active rows are spread. Outer bins hold what lies beyond them.";
  return [el("h4", { title }, "When and where"), el("div", { class: "histograms" }, bars.strength ? strengthHistogram(bars.strength) : null, shown)];
}

const placeNames = { at: "At the row", before: "In the 5 rows before", behind: "In the 5 rows behind" };

function tokenRow([number, rows, subjects, share, lift]) {
  const token = wordAt(number);
  const title = `${spelled(token)}\non ${count(rows)} of its active rows (${percent(share)}), in ${count(subjects)} subjects; ${fixed(lift, 1)} times as often as elsewhere`;
  return el(
    "li",
    { title: title.slice(0, 1000) },
    el("span", { class: "share", style: `--share:${(100 * share).toFixed(1)}%` }, named(token, 40), nameOf(token) ? el("small", {}, named(nameOf(token), 48)) : null),
    el("i", {}, `×${lift >= 10 ? count(Math.round(lift)) : fixed(lift, 1)}`),
    el("i", {}, `n ${count(subjects)}`),
  );
}

function tokenLines(feature) {
  const found = pictured && pictured.tokens[feature];
  if (!found) return [];
  const lists = Object.keys(placeNames).filter((place) => found[place]).map((place) => el("div", {}, el("h5", {}, placeNames[place]), el("ul", { class: "enriched" }, found[place].map(tokenRow))));
  return [el("h4", { title: "Tokens that stand there more often than elsewhere: how much more often, and distinct subjects; the bar is their share of its active rows" }, "Enriched tokens"), el("div", { class: "enrichments" }, lists)];
}

function kinLines(feature) {
  if (!pictured) return [];
  const near = pictured.near[feature] || [];
  const links = [];
  for (let place = 0; place < near.length; place += 2) {
    const other = featureOf.get(near[place]);
    links.push(el("span", { class: "kin", title: other ? spelled(other.best_token) : null }, featureLink(near[place]), ` ${fixed(near[place + 1])}`), " ");
  }
  const seeds = pictured.seeds[feature] || [];
  const kinds = grouped((pictured.families[feature] || []).map(([kind, other, ...figures]) => ({ kind, other, figures })), "kind");
  const relative = ({ other, figures: [cosine, lift] }) => [el("span", { title: [missing(cosine) ? null : `cosine ${fixed(cosine)}`, missing(lift) ? null : `lift ${fixed(lift, 1)}`].filter(Boolean).join(", ") }, featureLink(other)), " "];
  const family = [...kinds].map(([kind, rows]) => el("span", { class: "kind" }, `${kind} `, rows.flatMap(relative)));
  const lines = [];
  if (links.length) lines.push(el("p", { class: "line" }, el("b", { title: "Cosine of decoder directions" }, "Nearest "), links));
  if (family.length) lines.push(el("p", { class: "line" }, el("b", { title: "By decoder direction and by firing together" }, "Family "), family));
  if (seeds.length) lines.push(el("p", { class: "line" }, el("b", { title: "Cosine of the nearest decoder direction in each other seed" }, "In other seeds "), seeds.map((cosine) => fixed(cosine)).join(", ")));
  return lines.length ? [el("h4", {}, "Kin"), ...lines] : [];
}

// Tracks: the rows around a strong one, each coloured by how strongly the feature fires there.
const warmth = (value, top) => `rgba(213, 94, 0, ${(0.08 + 0.5 * Math.min(value / top, 1)).toFixed(2)})`;
const farFrom = (days) => {
  const size = Math.abs(days);
  const told = size >= 730 ? `${(size / 365.25).toFixed(1)} years` : size >= 2 ? `${Math.round(size)} days` : `${(24 * size).toFixed(0)} hours`;
  return days === 0 ? "here" : `${told} ${days < 0 ? "before" : "later"}`;
};

function timedTrack([at, , tokens, values, days], top) {
  const [width, height, pad] = [460, 24, 7];
  const [first, last] = [days[0], days.at(-1)];
  const x = (day) => (last > first ? pad + ((day - first) / (last - first)) * (width - 2 * pad) : width / 2);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "timeline", role: "img", "aria-label": `${tokens.length} events from ${farFrom(first)} to ${farFrom(last)}` });
  drawing.append(svg("line", { x1: pad, x2: width - pad, y1: 12, y2: 12, class: "axis" }));
  const order = days.map((_, place) => place).sort((a, b) => values[a] - values[b]);
  for (const place of order) {
    const told = `${clipped(spelled(wordAt(tokens[place])), 200)}\n${farFrom(days[place])}; activation ${shortNumber(values[place])}`;
    const mark = { cx: x(days[place]).toFixed(1), cy: 12, r: place === at ? 6 : 4.5, fill: values[place] ? warmth(values[place], top) : "#fff", class: place === at ? "strong" : "" };
    drawing.append(svg("circle", mark, svg("title", {}, told)));
  }
  return el("div", { class: "timed" }, drawing, el("div", { class: "ends" }, el("span", {}, farFrom(first)), el("span", {}, farFrom(last))));
}

function letterTrack([at, offset, tokens, values], top) {
  return el(
    "div",
    { class: "residues" },
    tokens.map((number, place) => el("span", { class: place === at ? "strong" : null, style: values[place] ? `background:${warmth(values[place], top)}` : null, title: `${offset - at + place + 1}: ${shortNumber(values[place])}` }, wordAt(number))),
  );
}

function wordTrack([at, , tokens, values], top) {
  const part = (low, high) => tokens.slice(low, high).map((number, place) => el("span", { class: "step", style: values[low + place] ? `background:${warmth(values[low + place], top)}` : null, title: `${clipped(spelled(wordAt(number)), 200)}\nactivation ${shortNumber(values[low + place])}` }, clipped(wordAt(number), 32)));
  return el("div", { class: "steps" }, part(Math.max(0, at - 3), at), el("mark", { title: clipped(spelled(wordAt(tokens[at])), 1000) }, clipped(wordAt(tokens[at]), 32)), part(at + 1, at + 4));
}

function trackLines(feature) {
  const found = pictured && pictured.tracks[feature];
  if (!found || !found.length) return null;
  const top = Math.max(...found.flatMap((track) => track[3]));
  const letters = found.every((track) => track[2].every((number) => [...wordAt(number)].length === 1));
  const draw = (track) => (letters ? [letterTrack(track, top)] : [track[4] && track[4].length > 1 ? timedTrack(track, top) : null, wordTrack(track, top)]);
  return el("ol", { class: "tracks" }, found.map((track) => el("li", {}, el("i", { title: "activation at its strongest row" }, shortNumber(track[3][track[0]])), el("div", {}, draw(track)))));
}
