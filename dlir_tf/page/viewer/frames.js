"use strict";
// The frames of a series: one of them is shown, and everything that belongs to it.

/** Sets up the slider, if the page is of a series; before anything is drawn. */
function makeFrames() {
  const { frames } = page.data;
  if (!frames) return;
  page.whole = { labels: { ...page.labels }, jacobian: page.jacobian };
  page.fields = [];
  chooseFrame(frames.first);
  const slider = document.getElementById("frame");
  slider.addEventListener("input", () => showFrame(Number(slider.value)));
  document.getElementById("play").addEventListener("click", () => play(!page.playing));
  // Who asked for less motion gets little, even when it was asked for.
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) document.getElementById("speed").value = "2";
  for (const button of document.querySelectorAll("button.frame")) {
    button.addEventListener("click", () => showFrame(Number(button.dataset.frame)));
  }
  document.querySelectorAll(".curves").forEach(makeCurves);
}

/** The part of a series' numbers that is of the current frame; of others, all. */
function ofFrame(numbers) {
  const size = page.data.grid.shape.reduce((product, n) => product * n, 1);
  if (!numbers || numbers.length === size) return numbers;
  return numbers.subarray(page.frame * size, (page.frame + 1) * size);
}

function chooseFrame(number) {
  const { count } = page.data.frames;
  page.frame = ((number % count) + count) % count;
  for (const [role, codes] of Object.entries(page.whole.labels)) page.labels[role] = ofFrame(codes);
  page.jacobian = ofFrame(page.whole.jacobian);
  const { field } = page.data;
  page.fields[page.frame] ||= makeField({ ...field, ...field.frames[page.frame] });
  page.displacement = page.fields[page.frame];
  for (const row of page.data.landmarks || []) row.before = row.frames[page.frame];
}

/** Shows a frame everywhere: images, labels, deformation, curves and the table. */
function showFrame(number) {
  if (!page.data.frames) return;
  chooseFrame(number);
  for (const pane of Object.values(page.panes)) {
    const series = pane.nv.volumes.filter((volume) => volume.nFrame4D > 1);
    if (!series.some((volume) => volume.frame4D !== page.frame)) continue;
    for (const volume of series) volume.frame4D = page.frame;
    pane.nv.updateGLVolume();
  }
  tellFrame();
  inkAll();
  readoutLater();
}

function tellFrame() {
  const { count, seconds } = page.data.frames;
  const slider = document.getElementById("frame");
  const time = seconds ? ` (${(page.frame * seconds).toFixed(2)} s)` : "";
  const told = `Frame ${page.frame} of 0 to ${count - 1}${time}`;
  slider.value = page.frame;
  slider.setAttribute("aria-valuetext", told);
  document.getElementById("frame-told").textContent = told;
  for (const row of document.querySelectorAll("#frame-table tbody tr")) {
    if (Number(row.dataset.frame) === page.frame) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  for (const figure of document.querySelectorAll(".curves")) {
    const svg = figure.querySelector("svg"), mark = figure.querySelector(".mark");
    const x = Number(svg.dataset.left) + (Number(svg.dataset.span) * page.frame) / Math.max(count - 1, 1);
    mark.setAttribute("x1", x);
    mark.setAttribute("x2", x);
    const { values, unit } = page.data.curves.find((one) => one.name === figure.dataset.name);
    for (const now of figure.querySelectorAll(".now")) {
      const value = values[now.dataset.line][page.frame];
      now.textContent = value === null ? "–" : `${Number(value.toPrecision(4))} ${unit}`;
    }
  }
}

const CURVE_HUES = [210, 25, 130, 300];

/** Colours of curves are those of their labels' outlines; a click goes to a frame. */
function makeCurves(figure) {
  const { labels } = page.data.curves.find((one) => one.name === figure.dataset.name);
  labels.forEach((label, index) => {
    const code = label === null ? -1 : (page.data.labels || []).indexOf(label);
    const hue = code > 0 ? hueOf(code) : CURVE_HUES[index % CURVE_HUES.length];
    for (const part of figure.querySelectorAll(`[data-line="${index}"]`)) part.style.setProperty("--hue", hue);
  });
  const svg = figure.querySelector("svg");
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect(), { count } = page.data.frames;
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const share = (x - Number(svg.dataset.left)) / Number(svg.dataset.span);
    showFrame(Math.max(0, Math.min(count - 1, Math.round(share * (count - 1)))));
  });
}

function play(on) {
  page.playing = on;
  const button = document.getElementById("play");
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Pause" : "Play";
  // Nobody wants ten frames a second read out.
  document.getElementById("frame-told").setAttribute("aria-live", on ? "off" : "polite");
  clearTimeout(page.timer);
  const step = () => {
    const began = performance.now();
    showFrame(page.frame + 1);
    const pause = 1000 / Number(document.getElementById("speed").value);
    // Never busier than half of the time, so that a slow machine can be stopped.
    const spent = performance.now() - began;
    page.timer = setTimeout(step, Math.max(pause - spent, spent));
  };
  if (on) step();
}
