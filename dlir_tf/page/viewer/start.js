"use strict";
// Opens the images, then everything that goes with them.

const MOST_OUTLINED = 21; // the background among them

async function start() {
  const figures = Array.from(document.querySelectorAll(".pane"));
  page.roles = figures.map((figure) => figure.dataset.role);
  if (page.data.field) {
    page.largest = page.data.field.largest;
    if (!page.data.frames) page.displacement = makeField(page.data.field);
  }
  for (const role of page.roles) {
    const text = volumeText(`${role}_labels`);
    if (text) page.labels[role] = await numbersOf(text);
  }
  const jacobian = volumeText("jacobian");
  if (jacobian) page.jacobian = await numbersOf(jacobian);
  // So many outlines would hide what they are of; a tick brings them back.
  if ((page.data.labels || []).length > MOST_OUTLINED) document.getElementById("draw-labels").checked = false;
  makeControls();
  makeFrames();
  for (const pane of await Promise.all(figures.map(openPane))) page.panes[pane.role] = pane;
  page.opened = true;
  linkPanes();
  makeWindows();
  showMode();
  goHome();
  if (page.data.frames) tellFrame();
  document.getElementById("status").textContent = "";
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  document.getElementById("status").textContent =
    `The images can't be shown: ${error.message}. A browser with WebGL 2 is needed.`;
  document.body.dataset.ready = "failed";
  console.error(error);
});
