"use strict";
// What is drawn above the images: deformed grid, arrows, outlines, landmarks.

const LABEL_HUES = [48, 190, 320, 100, 265, 15, 220, 160, 290, 75];
const drawn = (name) => {
  const box = document.getElementById(`draw-${name}`);
  return box && box.checked && !box.closest("label").hidden;
};

function inkLater(pane) {
  if (!pane || pane.waiting) return;
  pane.waiting = true;
  requestAnimationFrame(() => {
    pane.waiting = false;
    drawInk(pane);
  });
}

function inkAll() {
  Object.values(page.panes).forEach(inkLater);
}

/** The planes that a pane shows: where they are, and how a place comes to lie there. */
function tilesOf(nv) {
  const tiles = [];
  for (const slice of nv.screenSlices) {
    if (slice.axCorSag > 2 || slice.AxyzMxy.length < 4) continue;
    const normal = [2, 1, 0][slice.axCorSag];
    const [right, up] = [[0, 1], [0, 2], [1, 2]][slice.axCorSag];
    let [left, top, width, height] = slice.leftTopWidthHeight;
    const mirrored = width < 0;
    if (mirrored) [left, width] = [left + width, -width];
    const place = (frac) => {
      const mm = nv.frac2mm(Float32Array.from(frac)); // along the volume's own axes
      const x = (mm[right] - slice.leftTopMM[0]) / slice.fovMM[0];
      const y = (mm[up] - slice.leftTopMM[1]) / slice.fovMM[1];
      return [left + (mirrored ? 1 - x : x) * width, top + (1 - y) * height];
    };
    // All of it is linear, so three points say where every other one lies.
    const corner = page.frac.slice();
    corner[right] = corner[up] = 0;
    const far = (axis) => corner.map((f, a) => (a === axis ? 1 : f));
    const origin = place(corner), toRight = place(far(right)), toTop = place(far(up));
    tiles.push({
      normal, right, up, left, top, width, height,
      at: (frac) => [
        origin[0] + frac[right] * (toRight[0] - origin[0]) + frac[up] * (toTop[0] - origin[0]),
        origin[1] + frac[right] * (toRight[1] - origin[1]) + frac[up] * (toTop[1] - origin[1]),
      ],
    });
  }
  return tiles;
}

function drawInk(pane) {
  const { ink, canvas, nv } = pane;
  if (ink.width !== canvas.width || ink.height !== canvas.height) {
    ink.width = canvas.width;
    ink.height = canvas.height;
  }
  // Drawn by the processor: thin lines by the thousand are its thing, not WebGL's.
  const pen = ink.getContext("2d", { willReadFrequently: true });
  pen.clearRect(0, 0, ink.width, ink.height);
  pen.lineJoin = "round";
  pane.tiles = tilesOf(nv);
  placeMasks(pane);
  const scale = window.devicePixelRatio || 1;
  for (const tile of pane.tiles) {
    pen.save();
    pen.beginPath();
    pen.rect(tile.left, tile.top, tile.width, tile.height);
    pen.clip();
    if (drawn("labels")) drawOutlines(pen, pane, tile, scale);
    if (drawn("grid") && pane.role !== "moving") drawGrid(pen, tile, scale);
    if (drawn("arrows") && pane.role !== "moving") drawArrows(pen, tile, scale);
    if (drawn("landmarks")) drawLandmarks(pen, pane, tile, scale);
    if (drawn("cross")) drawCross(pen, tile, scale);
    pen.restore();
  }
}

/** The cross-hair, with a gap that shows the voxel itself. */
function drawCross(pen, tile, scale) {
  const [x, y] = tile.at(page.frac);
  const gap = 7 * scale;
  pen.lineWidth = 1.2 * scale;
  pen.strokeStyle = "#3cc3ff";
  pen.beginPath();
  for (const [from, to] of [[tile.left, x - gap], [x + gap, tile.left + tile.width]]) {
    if (to > from) { pen.moveTo(from, y); pen.lineTo(to, y); }
  }
  for (const [from, to] of [[tile.top, y - gap], [y + gap, tile.top + tile.height]]) {
    if (to > from) { pen.moveTo(x, from); pen.lineTo(x, to); }
  }
  pen.stroke();
}

/** Nodes of the field in a plane, each with the place it goes to. */
function nodesIn(tile) {
  const { field, grid } = page.data;
  const voxel = voxelAt(page.frac);
  const lines = [];
  for (let j = 0; j < field.shape[tile.up]; j++) {
    const line = [];
    for (let i = 0; i < field.shape[tile.right]; i++) {
      const start = voxel.slice();
      start[tile.right] = field.first[tile.right] + i * field.steps[tile.right];
      start[tile.up] = field.first[tile.up] + j * field.steps[tile.up];
      const step = page.displacement(start);
      const end = start.map((v, a) => v + step[a]);
      line.push({ from: tile.at(fracOf(start)), to: tile.at(fracOf(end)), size: lengthOf(step) });
    }
    lines.push(line);
  }
  return lines;
}

function colourOf(size) {
  const share = Math.min(1, size / (page.largest || 1));
  return `hsl(${210 - 210 * share} 95% 62%)`;
}

function drawGrid(pen, tile, scale) {
  const lines = nodesIn(tile);
  pen.lineWidth = 1.2 * scale;
  const stroke = (a, b) => {
    pen.strokeStyle = colourOf((a.size + b.size) / 2);
    pen.beginPath();
    pen.moveTo(...a.to);
    pen.lineTo(...b.to);
    pen.stroke();
  };
  lines.forEach((line, j) => line.forEach((node, i) => {
    if (i + 1 < line.length) stroke(node, line[i + 1]);
    if (j + 1 < lines.length) stroke(node, lines[j + 1][i]);
  }));
}

function drawArrows(pen, tile, scale) {
  pen.lineWidth = 1.6 * scale;
  for (const { from, to, size } of nodesIn(tile).flat()) {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (length < 1.5 * scale) continue;
    const head = Math.min(5 * scale, length / 2);
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    pen.strokeStyle = colourOf(size);
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    for (const turn of [2.6, -2.6]) {
      pen.moveTo(...to);
      pen.lineTo(to[0] + head * Math.cos(angle + turn), to[1] + head * Math.sin(angle + turn));
    }
    pen.stroke();
  }
}

const hueOf = (code) => LABEL_HUES[(code - 1) % LABEL_HUES.length];

/** Borders of labels: of the fixed image full lines, of the other one broken ones. */
function drawOutlines(pen, pane, tile, scale) {
  const shape = page.data.grid.shape;
  const small = Math.min(tile.width / shape[tile.right], tile.height / shape[tile.up]) < 8 * scale;
  for (const role of new Set(["fixed", pane.role])) {
    const codes = page.labels[role];
    if (!codes) continue;
    // Dashes begin anew at every voxel: where these are small, some are left out.
    const broken = role !== "fixed";
    pen.setLineDash(broken && !small ? [4 * scale, 3 * scale] : []);
    for (const [code, path] of bordersIn(codes, tile, broken && small)) {
      pen.lineWidth = 3.2 * scale;
      pen.strokeStyle = "rgb(0 0 0 / 55%)";
      pen.stroke(path);
      pen.lineWidth = 1.7 * scale;
      pen.strokeStyle = `hsl(${hueOf(code)} 95% 60%)`;
      pen.stroke(path);
    }
  }
  pen.setLineDash([]);
}

function bordersIn(codes, tile, withGaps) {
  const shape = page.data.grid.shape, strides = [1, shape[0], shape[0] * shape[1]];
  const voxel = voxelAt(page.frac).map((v, a) => Math.max(0, Math.min(shape[a] - 1, Math.round(v))));
  const { right, up, normal } = tile;
  const base = voxel[normal] * strides[normal];
  const codeAt = (i, j) =>
    i < 0 || j < 0 || i >= shape[right] || j >= shape[up] ? 0 : codes[base + i * strides[right] + j * strides[up]];
  const corner = (i, j) => {
    const frac = page.frac.slice();
    frac[right] = i / shape[right];
    frac[up] = j / shape[up];
    return tile.at(frac);
  };
  const paths = new Map();
  const add = (code, from, to) => {
    if (!page.data.labels[code]) return; // the background
    if (!paths.has(code)) paths.set(code, new Path2D());
    paths.get(code).moveTo(...from);
    paths.get(code).lineTo(...to);
  };
  for (let j = 0; j <= shape[up]; j++) {
    for (let i = 0; i <= shape[right]; i++) {
      if (withGaps && (2 * i + j) % 5 > 2) continue;
      const here = codeAt(i, j), left = codeAt(i - 1, j), below = codeAt(i, j - 1);
      if (here !== left) for (const code of [here, left]) add(code, corner(i, j), corner(i, j + 1));
      if (here !== below) for (const code of [here, below]) add(code, corner(i, j), corner(i + 1, j));
    }
  }
  return paths;
}

/** A cross where a landmark is, a ring where its partner lies, a line between. */
function drawLandmarks(pen, pane, tile, scale) {
  const kind = pane.role === "moving" || (pane.role === "fixed" && page.other === "moving") ? "before" : "after";
  const here = voxelAt(page.frac)[tile.normal];
  for (const row of page.data.landmarks || []) {
    const voxel = voxelOf(row.fixed);
    const away = Math.abs(voxel[tile.normal] - here);
    if (away > 3) continue;
    pen.globalAlpha = away <= 1 ? 1 : 0.45;
    const [x, y] = tile.at(fracOf(voxel));
    const size = 5 * scale;
    pen.lineWidth = 2 * scale;
    pen.strokeStyle = "#ffe14d";
    pen.beginPath();
    pen.moveTo(x - size, y); pen.lineTo(x + size, y);
    pen.moveTo(x, y - size); pen.lineTo(x, y + size);
    pen.stroke();
    if (!row[kind]) continue;
    const [u, v] = tile.at(fracOf(voxelOf(row[kind])));
    pen.strokeStyle = "#ff6ad5";
    pen.beginPath();
    pen.moveTo(x, y); pen.lineTo(u, v);
    pen.moveTo(u + size, v); pen.arc(u, v, size, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}
