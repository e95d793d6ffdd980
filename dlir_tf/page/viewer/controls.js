"use strict";
// Buttons, keys, and the table of what is at the cross-hair.

const KEYS = { x: "cross", g: "grid", a: "arrows", j: "jacobian", l: "labels", p: "landmarks" };
const MODES = ["side", "blend", "swipe", "checker", "difference"];
const nameOf = (role) => page.panes[role].figure.querySelector("figcaption").textContent;

function readoutLater() {
  if (page.reading) return;
  page.reading = true;
  requestAnimationFrame(() => {
    page.reading = false;
    showReadout();
  });
}

const short = (value) => (Number.isInteger(value) ? String(value) : Number(value.toPrecision(5)).toString());

function readings() {
  const shape = page.data.grid.shape;
  const voxel = voxelAt(page.frac).map((v, a) => Math.max(0, Math.min(shape[a] - 1, Math.round(v))));
  const mm = worldOf(voxel);
  const own = page.data.voxel.map((row) => row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3]);
  const rows = [
    ["Place (RAS mm)", mm.map((v) => v.toFixed(1)).join(", ")],
    ["Voxel of the fixed image", own.map((v) => short(Math.round(v * 10) / 10)).join(", ")],
  ];
  const index = voxel[0] + shape[0] * (voxel[1] + shape[1] * voxel[2]);
  for (const role of page.roles) {
    let text = short(valueAt(page.panes[role], voxel));
    if (page.labels[role]) text += `, label ${page.data.labels[page.labels[role][index]]}`;
    rows.push([nameOf(role), text]);
  }
  if (page.displacement) rows.push(["Displacement", `${lengthOf(page.displacement(voxel)).toFixed(2)} mm`]);
  if (page.jacobian) {
    const step = page.jacobian[index];
    rows.push(["Jacobian", step ? (step / 127).toFixed(2) : "fold"]);
  }
  return rows;
}

function showReadout() {
  const body = document.querySelector("#readout tbody");
  body.replaceChildren(...readings().map(([name, value]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head, Object.assign(document.createElement("td"), { textContent: value }));
    return row;
  }));
}

function showLegend() {
  const items = [];
  const line = (colour, text, dashed) => {
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    swatch.style.borderTopColor = colour;
    if (dashed) swatch.style.borderTopStyle = "dashed";
    const item = document.createElement("li");
    item.append(swatch, text);
    items.push(item);
  };
  if (drawn("labels")) {
    (page.data.labels || []).forEach((name, code) => {
      if (name && items.length < 12) line(`hsl(${hueOf(code)} 80% 45%)`, `label ${name}`);
    });
    line("currentColor", "fixed outlines");
    line("currentColor", "outlines of the other image", true);
  }
  if (drawn("landmarks")) {
    line("#c9a400", "landmark of the fixed image");
    line("#d6399f", "its partner, and the way between");
  }
  if (drawn("grid") || drawn("arrows")) {
    line(colourOf(0), "0 mm");
    line(colourOf(page.largest), `${page.largest.toFixed(1)} mm`);
  }
  if (drawn("jacobian")) {
    line("rgb(40 70 255)", "volume shrinks");
    line("rgb(225 0 20)", "volume grows (within 5 %: clear)");
    line("rgb(255 0 255)", "folds");
  }
  document.getElementById("legend").replaceChildren(...items);
}

/** For each image its window and its colours. */
function makeWindows() {
  const place = document.getElementById("windows");
  for (const role of page.roles) {
    const box = document.createElement("fieldset");
    box.append(Object.assign(document.createElement("legend"), { textContent: nameOf(role) }));
    const pane = page.panes[role];
    for (const end of ["min", "max"]) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "number", step: "any" });
      input.id = `window-${role}-${end}`;
      input.value = short(pane.volume[`cal_${end}`]);
      input.addEventListener("change", () => setWindow(pane, end, Number(input.value)));
      label.append(end === "min" ? "black at " : "white at ", input);
      box.append(label);
    }
    const label = document.createElement("label");
    const select = Object.assign(document.createElement("select"), { id: `colours-${role}` });
    for (const name of COLOURS) select.add(new Option(name, name));
    select.addEventListener("change", () => pane.nv.setColormap(pane.volume.id, select.value));
    label.append("colours ", select);
    box.append(label);
    place.append(box);
  }
}

function setWindow(pane, end, value) {
  if (!Number.isFinite(value)) return;
  pane.volume[`cal_${end}`] = value;
  pane.nv.updateGLVolume();
  pane.nv.drawScene();
}

function windowChanged(pane) {
  for (const end of ["min", "max"]) {
    const input = document.getElementById(`window-${pane.role}-${end}`);
    if (input) input.value = short(pane.volume[`cal_${end}`]);
  }
}

async function draw(name) {
  if (name === "jacobian") {
    await showJacobian(drawn("jacobian"));
  }
  inkAll();
  showLegend();
}

function choose(name, value) {
  const input = document.querySelector(`input[name="${name}"][value="${value}"]`);
  if (!input || input.closest("[hidden]")) return;
  input.checked = true;
  showMode();
}

function pressed(event) {
  const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrows = { ArrowLeft: [0, 1], ArrowRight: [0, -1], ArrowUp: [1, 1], ArrowDown: [1, -1], PageUp: [2, 1], PageDown: [2, -1] };
  const key = event.key.toLowerCase();
  const inStage = event.target.closest("#stage") || event.target === document.body;
  if (arrows[event.key] && inStage) {
    const axes = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] }[shownPlanes()] || [0, 1, 2];
    const [which, step] = arrows[event.key];
    const voxel = voxelAt(page.frac).map(Math.round);
    voxel[axes[which]] += step;
    goToVoxel(voxel);
  } else if (MODES[Number(key) - 1]) choose("mode", MODES[Number(key) - 1]);
  else if (key === "b") choose("other", page.other === "moved" ? "moving" : "moved");
  else if (key === "+" || key === "-") {
    const slider = document.getElementById("amount");
    slider.value = Number(slider.value) + (key === "+" ? 5 : -5);
    showAmount();
  } else if (KEYS[key] && !document.getElementById(`draw-${KEYS[key]}`).closest("label").hidden) {
    const box = document.getElementById(`draw-${KEYS[key]}`);
    box.checked = !box.checked;
    draw(KEYS[key]);
  } else if (page.data.frames && (key === "," || key === ".")) showFrame(page.frame + (key === "." ? 1 : -1));
  else if (page.data.frames && key === " " && inStage) play(!page.playing);
  else if (key === "r") {
    for (const pane of Object.values(page.panes)) pane.nv.setPan2Dxyzmm([0, 0, 0, 1]);
    goHome();
  } else if (key === "?") {
    const list = document.getElementById("keys");
    list.open = !list.open;
  } else return;
  event.preventDefault();
  event.stopPropagation(); // niivue has keys of its own
}

function makeControls() {
  for (const label of document.querySelectorAll("[data-needs]")) {
    const need = label.dataset.needs;
    label.hidden = need === "jacobian" ? !volumeText("jacobian") : !page.data[need];
  }
  document.getElementById("planes-label").hidden = page.data.flat.length > 0;
  document.getElementById("compared").hidden = !page.roles.includes("moved");
  const other = page.roles.includes("moved") ? "moved" : "moving";
  document.querySelector(`input[name="other"][value="${other}"]`).checked = true;
  for (const input of document.querySelectorAll("input[name=mode], input[name=other]")) {
    input.addEventListener("change", showMode);
  }
  document.getElementById("amount").addEventListener("input", showAmount);
  document.getElementById("planes").addEventListener("change", showPlanes);
  for (const name of Object.values(KEYS)) {
    document.getElementById(`draw-${name}`).addEventListener("change", () => draw(name));
  }
  for (const button of document.querySelectorAll("button.landmark")) {
    button.addEventListener("click", () => {
      goTo(fracOf(voxelOf(page.data.landmarks[Number(button.dataset.index)].fixed)));
      document.getElementById("stage").scrollIntoView({ block: "nearest" });
    });
  }
  document.addEventListener("keydown", pressed, true);
}
