// What the page shows now, and the controls that change it.

const facts = JSON.parse($("facts").textContent);
const state = { variant: null, jpeg: null, component: 0, column: 0, row: 0, scan: 0, original: null, opened: true, names: ["Y"] };
const panel = new BlockPanel($("steps"));
const viewer = new Viewer($("canvas"), facts.width, facts.height, chooseAt);
const layers = new Map(); // by id of the data: pictures that have been decoded
const jpegs = new Map(); // likewise, files whose coefficients have been read
let turn = 0; // a choice that comes while another is loaded replaces it

async function layerOf(id, type, part = { left: 0, top: 0, width: facts.width, height: facts.height }) {
  if (!layers.has(id)) {
    const options = { imageOrientation: "none", colorSpaceConversion: "none" };
    const image = await createImageBitmap(new Blob([bytesOf(id)], { type }), options).catch(() => null);
    if (layers.size > 3) { // of large pictures a few take enough memory; the viewer may still hold it
      layers.delete([...layers.keys()].find((key) => key !== "original"));
    }
    layers.set(id, image && { image, ...part });
  }
  return layers.get(id);
}

function jpegOf(index) {
  if (!jpegs.has(index)) {
    if (jpegs.size > 2) jpegs.delete(jpegs.keys().next().value);
    jpegs.set(index, new Jpeg(bytesOf(`file-${index}`), facts.standardTables));
  }
  return jpegs.get(index);
}

const labelOf = (variant) => ({ quality: `quality ${variant.value}`, target: `MS-SSIM ${variant.value}`, file: "this file" })[variant.kind];

// Of a file that browsers do not open, the page may have the picture.
async function pictureOf(variant) {
  const own = facts.opens === false ? null : await layerOf(`file-${facts.variants.indexOf(variant)}`, "image/jpeg");
  state.opened = Boolean(own);
  return own || ($("decoded") ? layerOf("decoded", "image/png") : null);
}

// --- the file that is shown

async function chooseVariant(variant) {
  const mine = ++turn;
  state.variant = variant;
  state.jpeg = jpegOf(facts.variants.indexOf(variant));
  const { jpeg } = state;
  state.names = jpeg.frame ? componentNames(jpeg.frame.components.length, facts.color) : [];
  state.component = Math.min(state.component, Math.max(jpeg.planes.length - 1, 0));
  showRate();
  fillComponents();
  showAnatomy($("anatomy"), jpeg, state.names);
  if (jpeg.frame) showTables($("table-cards"), facts, jpeg, state.names);
  showBlock();
  await showLayers(mine);
  showProblems();
}

function showProblems() {
  const found = [...new Set([facts.problem, ...state.jpeg.problems].filter(Boolean))];
  if (state.jpeg.standardTables.size) found.push("The file brings no Huffman tables. Those of T.81 K.3 are used, as most decoders do.");
  if (!state.opened) {
    found.push(facts.opens === false ? "Browsers do not open this kind of file." : "This browser does not open the file.",
      $("decoded") ? "The picture was decoded by pyjpegml, and is shown in 8 bits." : "There is no picture of it in this page; what the file holds is shown below.");
  }
  $("problems").hidden = found.length === 0;
  $("problems").replaceChildren(...found.map((text) => make("p", {}, text)));
}

function showRate() {
  const { variant } = state;
  $("rate").hidden = facts.mode === "inspect";
  if ($("rate").hidden) return;
  const list = facts.variants.filter((v) => v.kind === variant.kind);
  const slider = $("slider");
  slider.max = list.length - 1;
  slider.value = list.indexOf(variant);
  slider.setAttribute("aria-valuetext", labelOf(variant));
  $("slider-label").textContent = variant.kind === "quality" ? `IJG quality ${variant.value}` : `MS-SSIM of at least ${variant.value}`;
  const bitsPerPixel = (8 * variant.bytes) / (facts.width * facts.height);
  $("rate-facts").replaceChildren(make("b", {}, `${whole(variant.bytes)} bytes`), make("br"), `${bitsPerPixel.toFixed(3)} bits per pixel, MS-SSIM ${variant.msSsim.toFixed(5)}`);
  drawChart($("chart"), facts.variants, variant);
}

// --- the picture

async function showLayers(mine = ++turn) {
  const view = $("view").value;
  const against = $("against").value;
  const compares = view === "side" || view === "difference";
  $("against-label").hidden = !compares;
  const left = await pictureOf(state.variant);
  let right = null;
  if (view === "original" || (compares && against === "original")) right = state.original;
  else if (compares) right = await pictureOf(facts.variants[against]);
  const map = view === "bits" ? bitsMap() : view === "losses" ? await lossesMap() : null;
  if (mine !== turn) return;
  const other = compares && against !== "original" ? labelOf(facts.variants[against]) : "original";
  viewer.layers = { view, left, right, map, labels: [labelOf(state.variant), other] };
  showLegend(view, map);
  if (viewer.fitted) viewer.fit();
  else viewer.move(0, 0);
  document.documentElement.dataset.ready = String(mine);
}

function showLegend(view, map) {
  const legend = $("legend");
  legend.hidden = !map;
  if (!map) return;
  const ramp = make("i");
  ramp.style.background = `linear-gradient(90deg, ${RAMP.map((c) => `rgb(${c})`).join()})`;
  legend.replaceChildren(map.low, ramp, map.high);
}

// What one value of two hundred is above: the end of a map's colours.
const nearlyLargest = (values) => values.slice().sort()[Math.floor(0.995 * (values.length - 1))] || 1;

// Bits of all components over each block of the first one: counted from the file.
function bitsMap() {
  const { jpeg } = state;
  if (jpeg.refusal) return null;
  const [first] = jpeg.planes;
  const values = new Float32Array(first.across * first.down);
  jpeg.planes.forEach((plane, c) => {
    const ratioX = first.h / plane.h;
    const ratioY = first.v / plane.v;
    for (let row = 0; row < first.down; row++) {
      for (let column = 0; column < first.across; column++) {
        const index = Math.floor(row / ratioY) * plane.stride + Math.floor(column / ratioX);
        values[row * first.across + column] += jpeg.bitsOf(c, index) / Math.max(ratioX * ratioY, 1);
      }
    }
  });
  const most = nearlyLargest(values);
  const image = mapImage(values, first.across, first.down, most);
  return { image, across: 8 * first.hMax / first.h, down: 8 * first.vMax / first.v, low: "0 bits", high: `${whole(most)} bits or more a block, chroma shared out` };
}

async function lossesMap() {
  const packed = await inflated(bytesOf(`losses-${facts.variants.indexOf(state.variant)}`));
  const columns = Math.ceil(facts.width / 8);
  const rows = Math.ceil(facts.height / 8);
  const most = nearlyLargest(packed); // each byte is 255 times the root of what is lost
  const least = (1 - (most / 255) ** 2).toFixed(3);
  return { image: mapImage(packed, columns, rows, most), across: 8, down: 8, low: "nothing lost", high: `MS-SSIM of ${least} or less in the block` };
}

// --- the block

function chooseAt(x, y) {
  const plane = state.jpeg.planes[state.component];
  if (!plane) return;
  const scaleX = plane.hMax / plane.h;
  const scaleY = plane.vMax / plane.v;
  chooseBlock(Math.floor(x / (8 * scaleX)), Math.floor(y / (8 * scaleY)));
}

function chooseBlock(column, row) {
  const plane = state.jpeg.planes[state.component];
  state.column = Math.min(Math.max(column, 0), plane.across - 1);
  state.row = Math.min(Math.max(row, 0), plane.down - 1);
  showBlock();
  viewer.draw();
}

function showBlock() {
  const { jpeg, component } = state;
  $("refusal").hidden = !jpeg.refusal;
  $("steps").hidden = Boolean(jpeg.refusal);
  if (jpeg.refusal) {
    $("refusal").textContent = jpeg.refusal;
    $("steps").replaceChildren();
    $("place").textContent = "";
    return;
  }
  const plane = jpeg.planes[component];
  state.column = Math.min(state.column, plane.across - 1);
  state.row = Math.min(state.row, plane.down - 1);
  const { column, row } = state;
  const width = (8 * plane.hMax) / plane.h;
  const height = (8 * plane.vMax) / plane.v;
  viewer.block = { left: column * width, top: row * height, width, height };
  $("column").max = plane.across - 1;
  $("row").max = plane.down - 1;
  $("column").value = column;
  $("row").value = row;
  const scans = jpeg.scans.filter((scan) => scan.partOf(component));
  $("scan-label").hidden = jpeg.scans.length < 2;
  $("scan").replaceChildren(...scans.map((scan, i) => make("option", { value: i }, `${jpeg.scans.indexOf(scan) + 1}: ${bandName(scan.header)}`)));
  state.scan = Math.min(state.scan, scans.length - 1);
  $("scan").value = state.scan;
  const bits = jpeg.bitsOf(component, row * plane.stride + column);
  $("place").textContent = `Block ${column}, ${row} of ${state.names[component]}: pixels ${column * width} to ${Math.min((column + 1) * width, facts.width) - 1} across, ` +
    `${row * height} to ${Math.min((row + 1) * height, facts.height) - 1} down; ${plural(bits, "bit")}.`;
  if (!scans.length) {
    $("steps").replaceChildren(make("p", { class: "note" }, "No scan of this component could be read."));
    return;
  }
  panel.show(jpeg, state.names, component, column, row, scans[state.scan], originalPixels(width, height));
}

// The original's pixels under the block, and those beside it that subsampling may need.
function originalPixels(width, height) {
  const { original, column, row } = state;
  if (!original || state.jpeg.frame.precision !== 8) return null;
  const left = Math.min(column * width, facts.width - 1);
  const top = Math.min(row * height, facts.height - 1);
  const part = make("canvas", { width: width + 8, height: height + 8 });
  const context = part.getContext("2d", { willReadFrequently: true });
  context.drawImage(original.image, original.left - left, original.top - top);
  const right = Math.min(left + width + 8, original.left + original.width);
  const bottom = Math.min(top + height + 8, original.top + original.height);
  if (left < original.left || top < original.top || right <= left || bottom <= top) return null;
  const { data } = context.getImageData(0, 0, right - left, bottom - top);
  return { data, left, top, width: right - left, height: bottom - top };
}

function fillComponents() {
  const choices = state.jpeg.planes.map((_, i) => ({ value: i, label: state.names[i] }));
  radios($("components"), "component", choices, state.component, (value) => {
    const { left, top } = viewer.block; // stay at the same place of the picture
    state.component = value;
    chooseAt(left, top);
  });
}

// --- the beginning

function listen() {
  $("view").addEventListener("change", () => showLayers());
  $("against").addEventListener("change", () => showLayers());
  $("grid").addEventListener("change", () => {
    viewer.grid = $("grid").checked;
    viewer.draw();
  });
  $("zoom-in").addEventListener("click", () => viewer.zoomBy(1.5));
  $("zoom-out").addEventListener("click", () => viewer.zoomBy(1 / 1.5));
  $("zoom-fit").addEventListener("click", () => viewer.fit());
  $("zoom-block").addEventListener("click", () => viewer.zoomToBlock());
  for (const id of ["column", "row"]) {
    $(id).addEventListener("change", () => {
      chooseBlock(Number($("column").value), Number($("row").value));
      viewer.reveal();
    });
  }
  $("scan").addEventListener("change", () => {
    state.scan = Number($("scan").value);
    showBlock();
  });
  $("slider").addEventListener("input", () => {
    chooseVariant(facts.variants.filter((v) => v.kind === state.variant.kind)[Number($("slider").value)]);
  });
  window.addEventListener("beforeprint", () => viewer.drawNow());
}

function fillKinds() {
  const kinds = [{ value: "quality", label: "quality" }, { value: "target", label: "MS-SSIM" }]
    .filter(({ value }) => facts.variants.some((v) => v.kind === value));
  radios($("kinds"), "kind", kinds, state.variant.kind, (kind) => {
    const same = facts.variants.filter((v) => v.kind === kind);
    const near = (v) => Math.abs(Math.log((1 - v.msSsim) / (1 - state.variant.msSsim)));
    chooseVariant(same.reduce((best, v) => (near(v) < near(best) ? v : best)));
  });
  if (facts.leftOut.length) {
    const named = facts.leftOut.map((v) => `${labelOf(v)} (${whole(v.bytes)} bytes)`);
    $("left-out").textContent = `Left out, so that the page stays small: ${named.join(", ")}.`;
  }
}

function fillViews() {
  const { original } = facts;
  for (const option of [...$("view").options]) {
    const needsOriginal = ["original", "losses", "side", "difference"].includes(option.value);
    if ((needsOriginal && !original) || (option.value === "bits" && state.jpeg.refusal)) option.remove();
  }
  const others = facts.variants.map((variant, i) => make("option", { value: i }, labelOf(variant)));
  $("against").replaceChildren(...(original ? [make("option", { value: "original" }, "the original")] : []), ...others);
}

async function begin() {
  const pixels = whole(facts.width * facts.height);
  const partial = facts.original && (facts.original.width < facts.width || facts.original.height < facts.height);
  $("summary").textContent = facts.mode === "inspect"
    ? `${facts.width} × ${facts.height} pixels, ${facts.process}, ${facts.color}, ${plural(facts.variants[0].bytes, "byte")}. Choose a block, and see every bit that makes it.`
    : `${facts.width} × ${facts.height} pixels (${pixels}), as ${facts.variants.length} JPEGs. Choose a block, and follow it from its samples to the very bits of the file.` +
      (partial ? ` Of the original, ${facts.original.width} × ${facts.original.height} pixels in the middle are in this page, without loss.` : "");
  const start = facts.variants.find((v) => v.kind === "target" && v.value === facts.compared) || facts.variants[0];
  state.variant = start;
  if (facts.original) state.original = await layerOf("original", "image/png", facts.original);
  state.column = Math.floor(facts.width / 16);
  state.row = Math.floor(facts.height / 16);
  listen();
  await chooseVariant(start);
  fillViews();
  fillKinds();
}

begin();
