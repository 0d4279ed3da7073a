// Every element with data-chart is given the chart of that name. `ast` runs expressions without eval.

const chartOptions = { mode: "vega-lite", actions: false, ast: true, defaultStyle: false };

// One after the other from the top; between two of them the page answers.
async function drawCharts() {
  const drawn = [];
  for (const place of document.querySelectorAll("[data-chart]")) {
    drawn.push(await drawChart(place));
    await new Promise((next) => setTimeout(next));
  }
  return drawn;
}

async function drawChart(place) {
  const name = place.dataset.chart;
  const spec = data.charts[name];
  if (!spec) return null;
  if (name === "map" || name === "breadth") return drawPoints(name, place, spec, { ...chartOptions, renderer: "canvas" });
  const renderer = name.startsWith("density") ? "canvas" : "svg"; // a heatmap has thousands of cells
  const result = await vegaEmbed(place, spec, { ...chartOptions, renderer });
  if (typeof chartDrawn === "function") chartDrawn(name, result.view);
  return result;
}
