// Every element with data-chart is given the chart of that name. `ast` runs expressions without eval.

function drawCharts() {
  const chosen = { mode: "vega-lite", actions: false, ast: true, defaultStyle: false };
  const drawn = [...document.querySelectorAll("[data-chart]")].map((place) => {
    const name = place.dataset.chart;
    const spec = data.charts[name];
    if (!spec) return null;
    const renderer = name.startsWith("density") ? "canvas" : "svg"; // a heatmap has thousands of cells
    if (name !== "map") return vegaEmbed(place, spec, { ...chosen, renderer });
    const points = mapRows();
    if (!points.length) return place.append(el("p", { class: "muted" }, "No feature has a place on the map."));
    spec.datasets = { map: points, names: nameRows(), picked: ringRows(null) };
    return vegaEmbed(place, spec, { ...chosen, renderer: "canvas" }).then((result) => linkMap(result.view));
  });
  return Promise.all(drawn);
}
