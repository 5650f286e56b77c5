// The DCT as it is defined (T.81 A.3.3), in floating point: a page shows one block at a time.

const COSINES = Array.from({ length: 8 }, (_, u) =>
  Array.from({ length: 8 }, (_, x) => (u ? 0.5 : Math.SQRT1_2 / 2) * Math.cos(((2 * x + 1) * u * Math.PI) / 16)));

// Samples, less half their range, to coefficients.
function forwardDct(samples, middle) {
  const out = new Float64Array(64);
  for (let v = 0; v < 8; v++) {
    for (let u = 0; u < 8; u++) {
      let sum = 0;
      for (let y = 0; y < 8; y++) {
        for (let x = 0; x < 8; x++) sum += COSINES[v][y] * COSINES[u][x] * (samples[8 * y + x] - middle);
      }
      out[8 * v + u] = sum;
    }
  }
  return out;
}

// Coefficients to samples, rounded and limited to their range.
function inverseDct(coefficients, middle) {
  const out = new Int32Array(64);
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      let sum = middle;
      for (let v = 0; v < 8; v++) {
        for (let u = 0; u < 8; u++) sum += COSINES[v][y] * COSINES[u][x] * coefficients[8 * v + u];
      }
      out[8 * y + x] = Math.min(Math.max(Math.round(sum), 0), 2 * middle - 1);
    }
  }
  return out;
}

// One sample of Y, Cb or Cr (T.871 clause 7), rounded as the encoder rounds.
function colorSample(component, r, g, b) {
  if (component === 0) return (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
  if (component === 1) return (-11059 * r - 21709 * g + 32768 * b + (128 << 16) + 32767) >> 16;
  return (32768 * r - 27439 * g - 5329 * b + (128 << 16) + 32767) >> 16;
}

// The encoder's samples of one block: colour, edges repeated, subsampled.
// `pixels` are {data, left, top, width, height}: RGBA of a part of the picture; null if the block is
// not all in it.
function encoderSamples(pixels, jpeg, component, column, row) {
  const plane = jpeg.planes[component];
  const { width, height } = jpeg.frame;
  const grey = jpeg.planes.length === 1;
  const across = plane.hMax / plane.h;
  const down = plane.vMax / plane.v;
  const at = (x, y) => {
    const px = Math.min(x, width - 1) - pixels.left;
    const py = Math.min(y, height - 1) - pixels.top;
    if (px < 0 || py < 0 || px >= pixels.width || py >= pixels.height) return NaN;
    const i = 4 * (py * pixels.width + px);
    const { data } = pixels;
    return grey ? data[i] : colorSample(component, data[i], data[i + 1], data[i + 2]);
  };
  const rows = Math.ceil(height / plane.vMax) * plane.vMax / down; // of samples; below, the last one
  const out = new Int32Array(64);
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      const left = (8 * column + x) * across;
      const top = Math.min(8 * row + y, rows - 1) * down;
      let sum = 0;
      for (let j = 0; j < down; j++) for (let i = 0; i < across; i++) sum += at(left + i, top + j);
      if (Number.isNaN(sum)) return null;
      const odd = x & 1;
      if (across === 2 && down === 2) out[8 * y + x] = (sum + 1 + odd) >> 2;
      else if (across === 2 && down === 1) out[8 * y + x] = (sum + odd) >> 1;
      else if (across === 1 && down === 2) out[8 * y + x] = (sum + 1) >> 1;
      else out[8 * y + x] = Math.floor((2 * sum + across * down) / (2 * across * down));
    }
  }
  return out;
}
