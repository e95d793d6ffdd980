"use strict";
// What niivue prepares for shaded volumes, surfaces and drawing, and planes don't need.
// Without a graphics card that was most of the time in which a page opened.

// Shaders that cast rays, draw surfaces, take slopes, grow regions, and show atlases.
const UNSEEN = /\brayDir\b|\bin vec4 vClr\b|\buniform float dX\b|\bstrengthTex\b|\bactiveIndex\b/;
const IDLE = "#version 300 es\nprecision highp float;\nout vec4 colour;\nvoid main() { colour = vec4(0.0); }";

/** Compiles an idle shader instead of each that is never drawn with; before niivue does. */
function skipShaders(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: true, antialias: false }); // as niivue asks
  if (!gl) return; // niivue says so
  const give = gl.shaderSource.bind(gl);
  gl.shaderSource = (shader, source) => give(shader, UNSEEN.test(source) ? IDLE : source);
}

/**
 * Leaves out the slopes of grey: two passes over all slices, in which niivue waits for the
 * graphics card after each, into two textures as large as the image.
 */
function skipSlopes(nv) {
  const { gl } = nv;
  const slopes = {
    drawArrays: () => {},
    framebufferTextureLayer: () => {},
    checkFramebufferStatus: () => gl.FRAMEBUFFER_COMPLETE,
  };
  nv.blurShader = nv.sobelFirstOrderShader = { uniforms: {}, use: () => Object.assign(gl, slopes) };
  const make = nv.rgbaTex.bind(nv);
  nv.rgbaTex = (texture, unit, dims, empty) =>
    make(texture, unit, [gl.TEXTURE6, gl.TEXTURE8].includes(unit) ? [3, 1, 1, 1] : dims, empty);
  const refresh = nv.refreshLayers.bind(nv);
  nv.refreshLayers = (volume, layer) => {
    refresh(volume, layer);
    for (const name of Object.keys(slopes)) delete gl[name];
  };
}

/** Takes the range of values from the header, where Python put it, instead of all voxels. */
niivue.NVImage.prototype.calMinMax = function calMinMax() {
  const { cal_min: low, cal_max: high } = this.hdr;
  Object.assign(this, { cal_min: low, cal_max: high, robust_min: low, robust_max: high });
  const first = { 2: 0, 4: -32768 }[this.hdr.datatypeCode], last = { 2: 255, 4: 32767 }[this.hdr.datatypeCode];
  this.global_min = this.intensityRaw2Scaled(first);
  this.global_max = this.intensityRaw2Scaled(last);
  return [low, high, low, high];
};
