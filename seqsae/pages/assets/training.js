// Draws the page of a training; a click on an SAE's name makes its curves stand out.

function linkLegend(views) {
  const keys = [...document.querySelectorAll("button.key[data-sae]")];
  for (const key of keys) {
    key.addEventListener("click", () => {
      const off = key.getAttribute("aria-pressed") === "true";
      for (const each of keys) each.setAttribute("aria-pressed", String(each === key && !off));
      for (const view of views) view.signal("picked", off ? null : key.dataset.sae).runAsync();
    });
  }
}

followSections();
drawCharts().then((drawn) => {
  const views = drawn.filter((each) => each !== null).map((each) => each.view);
  linkLegend(views.filter((view) => "picked" in view.getState().signals));
  document.documentElement.dataset.ready = "true";
});
