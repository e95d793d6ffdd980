"use strict";
// What Python packed: JSON, volumes as text, numbers as text.

const page = {
  data: JSON.parse(document.getElementById("page-data").textContent),
  panes: {}, // by role: fixed, moving, moved
  roles: [],
  labels: {}, // by role: codes of every voxel
  frac: [0.5, 0.5, 0.5], // the cross-hair, as fractions of the volume
};

function volumeText(name) {
  const block = document.getElementById(`volume-${name}`);
  return block ? block.textContent : null;
}

function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function gunzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** The numbers of a NIfTI file as Python packs it: 8 or 16 bits, the header 352 bytes. */
async function numbersOf(text) {
  const buffer = await gunzipped(bytesOf(text));
  const type = new DataView(buffer).getInt16(70, true);
  const kinds = { 2: Uint8Array, 4: Int16Array, 512: Uint16Array };
  return new kinds[type](buffer.slice(352));
}

/** The displacement in shown voxels at a place in shown voxels, between nodes. */
function makeField(field) {
  const stored = new Int16Array(bytesOf(field.data).buffer);
  const [nx, ny, nz] = field.shape;
  const count = nx * ny * nz;
  const at = (x, y, z, part) => stored[part * count + x + nx * (y + ny * z)] * field.scale;
  return function displacement(voxel) {
    const low = [], share = [];
    for (let a = 0; a < 3; a++) {
      const place = (voxel[a] - field.first[a]) / field.steps[a];
      const cell = Math.max(0, Math.min(field.shape[a] - 2, Math.floor(place)));
      low.push(cell);
      share.push(field.shape[a] < 2 ? 0 : Math.max(0, Math.min(1, place - cell)));
    }
    const sum = [0, 0, 0];
    for (let corner = 0; corner < 8; corner++) {
      let weight = 1;
      const node = [];
      for (let a = 0; a < 3; a++) {
        const high = (corner >> a) & 1;
        weight *= high ? share[a] : 1 - share[a];
        node.push(Math.min(field.shape[a] - 1, low[a] + high));
      }
      if (!weight) continue;
      for (let part = 0; part < 3; part++) sum[part] += weight * at(...node, part);
    }
    return sum;
  };
}

function times(matrix, vector) {
  return matrix.slice(0, 3).map((row) => row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2] + (row[3] || 0));
}

// World mm, shown voxels, and fractions of the volume (0 and 1 are its outer faces).
const voxelOf = (mm) => times(page.data.grid.inverse, mm);
const worldOf = (voxel) => times(page.data.grid.affine, voxel);
const fracOf = (voxel) => voxel.map((v, a) => (v + 0.5) / page.data.grid.shape[a]);
const voxelAt = (frac) => frac.map((f, a) => f * page.data.grid.shape[a] - 0.5);
/** How long a step in shown voxels is, in mm. */
function lengthOf(step) {
  const rows = page.data.grid.affine.slice(0, 3);
  return Math.hypot(...rows.map((row) => row[0] * step[0] + row[1] * step[1] + row[2] * step[2]));
}
