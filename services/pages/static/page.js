// Replaces each chart's picture by the same chart drawn to the page's width, with tooltips.
"use strict";

const OPTIONS = {
  actions: false,
  ast: true, // no eval: the page's security policy forbids it
  defaultStyle: false,
  mode: "vega-lite",
  renderer: "svg",
  tooltip: { disableDefaultStyle: true },
};

async function draw(figure) {
  const target = figure.querySelector(".drawing");
  const specification = JSON.parse(figure.querySelector("script").textContent);
  const room = Math.max(180, figure.clientWidth - Number(figure.dataset.margin));
  for (const panel of specification.vconcat) panel.width = room;
  if (figure.drawn) figure.drawn.finalize();
  figure.drawn = await vegaEmbed(target, specification, OPTIONS);
  for (const nothing of target.querySelectorAll('[role="graphics-symbol"]:not([aria-label])')) {
    nothing.removeAttribute("role"); // a layer without marks has no name, and a symbol without a name is a riddle
    nothing.removeAttribute("aria-roledescription");
  }
  figure.dataset.state = "drawn";
}

function drawAll() {
  for (const figure of document.querySelectorAll("figure[data-margin]:has(script)")) draw(figure);
}

let waiting;
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return;
  width = window.innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 150);
});
drawAll();
