"use strict";
// A niivue for each image. All images lie on one grid, so they share cross-hair,
// planes, zoom and proportions, and can be laid over each other by the page alone.

const COLOURS = ["gray", "red", "green", "blue", "warm", "cool", "hot", "winter", "viridis", "inferno"];

const OPTIONS = {
  backColor: [0, 0, 0, 1],
  crosshairWidth: 0, // drawn in ink instead, with a gap that shows the voxel
  fontColor: [0.75, 0.78, 0.82, 1],
  fontMinPx: 11,
  isRadiologicalConvention: true,
  sagittalNoseLeft: true,
  dragAndDropEnabled: false,
  clipPlaneHotKey: "",
  cycleClipPlaneHotKey: "",
  viewModeHotKey: "",
  loadingText: "",
  logLevel: "error",
  multiplanarPadPixels: 4,
};

async function openPane(figure) {
  const role = figure.dataset.role;
  const canvas = figure.querySelector(".gl canvas");
  const nv = new niivue.Niivue({
    ...OPTIONS,
    multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
    multiplanarLayout: niivue.MULTIPLANAR_TYPE.AUTO,
  });
  skipShaders(canvas);
  await nv.attachToCanvas(canvas, false);
  skipSlopes(nv);
  nv.opts.sliceType = sliceTypeOf(shownPlanes());
  canvas.tabIndex = -1; // the stage has the focus, and the keys
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", figure.querySelector("figcaption").textContent);
  const pane = { role, nv, canvas, figure, ink: figure.querySelector(".ink"), volume: null };
  const draw = nv.drawScene.bind(nv);
  nv.drawScene = () => {
    if (!page.opened) return undefined; // once, when all is there
    const said = draw();
    inkLater(pane);
    return said;
  };
  pane.volume = await niivue.NVImage.loadFromBase64({ base64: volumeText(role), name: `${role}.nii.gz` });
  const [low, high] = page.data.volumes[role].window;
  pane.volume.cal_min = low;
  pane.volume.cal_max = high;
  if (pane.volume.nFrame4D > 1) pane.volume.frame4D = page.frame;
  nv.addVolume(pane.volume);
  return pane;
}

function linkPanes() {
  const all = Object.values(page.panes);
  for (const pane of all) {
    pane.nv.broadcastTo(all.filter((other) => other !== pane).map((other) => other.nv), { "2d": true, "3d": false });
    pane.nv.onLocationChange = () => {
      page.frac = Array.from(pane.nv.scene.crosshairPos);
      readoutLater();
    };
    pane.nv.onIntensityChange = () => windowChanged(pane);
  }
}

/** Moves all cross-hairs to a place, given as fractions of the volume. */
function goTo(frac) {
  page.frac = frac.map((f) => Math.max(0, Math.min(1, f)));
  for (const pane of Object.values(page.panes)) {
    pane.nv.scene.crosshairPos = Float32Array.from(page.frac);
    pane.nv.drawScene();
  }
  readoutLater();
}

/** To the middle of a voxel, so that what is seen is that voxel's value. */
function goToVoxel(voxel) {
  const shape = page.data.grid.shape;
  goTo(fracOf(voxel.map((v, a) => Math.max(0, Math.min(shape[a] - 1, Math.round(v))))));
}

/** To where a page begins: what is labelled, or the middle. */
function goHome() {
  goToVoxel(page.data.start || page.data.grid.shape.map((size) => (size - 1) / 2));
}

/** Which planes are shown: an image of one slice has but one. */
function shownPlanes() {
  const flat = page.data.flat;
  if (flat.length) return ["sagittal", "coronal", "axial"][flat[flat.length - 1]];
  return document.getElementById("planes").value;
}

function sliceTypeOf(planes) {
  return { axial: 0, coronal: 1, sagittal: 2, all: 3 }[planes];
}

function showPlanes() {
  for (const pane of Object.values(page.panes)) pane.nv.setSliceType(sliceTypeOf(shownPlanes()));
}

/** The value of an image at a voxel, in its own unit. */
function valueAt(pane, voxel) {
  const [nx, ny] = page.data.grid.shape;
  const [x, y, z] = voxel;
  const { hdr, img } = pane.volume;
  const first = pane.volume.frame4D * pane.volume.nVox3D;
  return img[first + x + nx * (y + ny * z)] * hdr.scl_slope + hdr.scl_inter;
}

const JACOBIAN = "dlir-jacobian";

/** Folds are magenta, shrinking is blue, growing is red, what keeps its volume clear. */
async function showJacobian(on) {
  for (const pane of Object.values(page.panes)) {
    if (pane.role === "moving") continue;
    if (on && !pane.jacobian) {
      pane.nv.addColormap(JACOBIAN, {
        R: [255, 20, 150, 150, 255, 255, 225], G: [0, 50, 205, 205, 190, 190, 0],
        B: [255, 255, 255, 255, 140, 140, 20], A: [255, 255, 255, 0, 0, 255, 255],
        I: [0, 1, 120, 121, 133, 134, 255],
      });
      pane.jacobian = await niivue.NVImage.loadFromBase64({
        base64: volumeText("jacobian"), name: "jacobian.nii.gz", colormap: JACOBIAN,
      });
      if (pane.jacobian.nFrame4D > 1) pane.jacobian.frame4D = page.frame;
      pane.nv.addVolume(pane.jacobian);
    }
    if (pane.jacobian) pane.nv.setOpacity(1, on ? 0.6 : 0);
  }
}
