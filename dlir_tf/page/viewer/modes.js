"use strict";
// Two images in one place: blended, swiped, as a checkerboard, or their difference.
// The page lays one canvas over the other; niivue need not draw again.

const AMOUNTS = {
  side: null,
  blend: { name: "Opacity of the upper image", value: 50 },
  swipe: { name: "Swipe line", value: 50 },
  checker: { name: "Size of the squares", value: 35 },
  difference: { name: "Brightness", value: 40 },
};
const checkedOf = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

function showMode() {
  const stage = document.getElementById("stage");
  const mode = checkedOf("mode");
  page.other = page.roles.includes("moved") ? checkedOf("other") : "moving";
  if (page.mode !== mode && AMOUNTS[mode]) {
    document.getElementById("amount").value = AMOUNTS[mode].value;
    document.getElementById("amount-name").textContent = AMOUNTS[mode].name;
  }
  page.mode = mode;
  stage.dataset.mode = mode;
  document.getElementById("amount-label").hidden = !AMOUNTS[mode];
  for (const pane of Object.values(page.panes)) {
    pane.figure.classList.toggle("over", mode !== "side" && pane.role === page.other);
    pane.figure.classList.toggle("away", mode !== "side" && pane.role !== page.other && pane.role !== "fixed");
  }
  showAmount();
  showLegend();
  // Their places have changed, and with them how large they are.
  requestAnimationFrame(() => Object.values(page.panes).forEach((pane) => pane.nv.resizeListener()));
}

function showAmount() {
  const amount = Number(document.getElementById("amount").value) / 100;
  if (AMOUNTS[page.mode]) AMOUNTS[page.mode].value = 100 * amount;
  const stage = document.getElementById("stage");
  stage.style.setProperty("--amount", amount);
  stage.style.setProperty("--gain", page.mode === "difference" ? 0.5 + 5 * amount * amount : 1);
  page.amount = amount;
  Object.values(page.panes).forEach(placeMasks);
}

/** Hides the parts of the upper image that the lower one shows through. */
function placeMasks(pane) {
  const gl = pane.figure.querySelector(".gl");
  const upper = pane.figure.classList.contains("over");
  const style = gl.style;
  if (!upper || (page.mode !== "swipe" && page.mode !== "checker")) {
    style.maskImage = "";
    return;
  }
  if (page.mode === "checker") {
    const size = 12 + 150 * page.amount;
    style.maskImage = "repeating-conic-gradient(#000 0 25%, transparent 0 50%)";
    style.maskSize = `${2 * size}px ${2 * size}px`;
    style.maskPosition = "0 0";
    style.maskRepeat = "repeat";
    return;
  }
  // A swipe line in each plane, at the same share of its width.
  const scale = pane.canvas.width / pane.canvas.clientWidth || 1;
  const parts = (pane.tiles || []).map((tile) => ({
    left: (tile.left + page.amount * tile.width) / scale,
    top: tile.top / scale,
    width: ((1 - page.amount) * tile.width) / scale,
    height: tile.height / scale,
  }));
  style.maskImage = parts.map(() => "linear-gradient(#000 0 0)").join(",") || "none";
  style.maskSize = parts.map((p) => `${p.width}px ${p.height}px`).join(",");
  style.maskPosition = parts.map((p) => `${p.left}px ${p.top}px`).join(",");
  style.maskRepeat = "no-repeat";
}
