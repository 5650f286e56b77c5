// One block: samples, DCT, steps, levels, path, symbols, bits, and the way back.

function componentNames(count, color) {
  if (count === 1) return ["grey"];
  if (color === "RGB") return ["R", "G", "B"];
  if (color === "CMYK") return ["C", "M", "Y", "K"];
  if (color === "YCCK") return ["Y", "Cb", "Cr", "K"];
  return ["Y", "Cb", "Cr", "K"].slice(0, count);
}

function step(number, title, about, content, width = "") {
  return make(
    "section",
    { class: `step ${width}`.trim(), id: `step-${number}` },
    make("h3", {}, make("span", { class: "number" }, String(number)), title),
    make("p", {}, about),
    content,
  );
}

const WHAT = {
  DC: (e) => `DC is predicted as ${e.predicted}: ${signed(e.value)} makes ${e.predicted + e.value}`,
  AC: (e) => (e.run ? `after ${plural(e.run, "zero")}, ` : "") + `place ${e.k} is ${minus(e.value)}`,
  ZRL: () => "sixteen zeros",
  EOB: (e) => `end of block: the last ${plural(e.run, "place")} are zero`,
  EOBn: (e) => `the band ends here, and in ${plural(e.value, "block")} with this one`,
  bit: (e) => `one more bit of place ${e.k}: ${e.value ? `${e.value} more` : "nothing to add"}`,
};

const minus = (value) => String(value).replace("-", "−");
const signed = (value) => (value < 0 ? minus(value) : `+${value}`);

function symbolName(entry) {
  if (entry.symbol === null) return "—";
  if (entry.kind === "DC") return `size ${entry.symbol}`;
  return `${entry.symbol >> 4}/${entry.symbol & 15}`;
}

class BlockPanel {
  constructor(holder) {
    this.holder = holder;
  }

  // `pixels` as for encoderSamples, or null; `scan` one of jpeg.scans that holds the component.
  show(jpeg, names, component, column, row, scan, pixels) {
    const plane = jpeg.planes[component];
    const index = row * plane.stride + column;
    const levels = plane.coefficients.slice(64 * index, 64 * index + 64);
    const steps = jpeg.qtable(component);
    const middle = 1 << (jpeg.frame.precision - 1);
    const name = names[component];
    const samples = pixels && encoderSamples(pixels, jpeg, component, column, row);
    const parts = [];
    let number = 0;
    const add = (title, about, content, width) => parts.push(step(++number, title, about, content, width));

    let exact = null;
    if (samples) {
      exact = forwardDct(samples, middle);
      const shrunk = plane.h < plane.hMax || plane.v < plane.vMax;
      add(`Samples of ${name}`, shrunk
        ? `Colour turned into ${name}, and ${(plane.hMax / plane.h) * (plane.vMax / plane.v)} pixels merged into each sample.`
        : `The pixels' ${name}, 0 to ${2 * middle - 1}, as the encoder takes them.`,
      matrix(`Samples of ${name}`, samples, sampleStyle(2 * middle - 1)));
      add("Their DCT", "How much of each of 64 cosine patterns is in them, after 128 is taken off. Upper left: the mean, DC, times 8.",
        matrix("DCT coefficients", exact, signedStyle(8 * middle, (v) => (Math.abs(v) < 99.95 ? v.toFixed(1) : v.toFixed(0)))));
    }
    add("Steps", "The quantization table: what each coefficient is divided by. The larger, the coarser.",
      matrix("Quantization steps", steps, stepStyle));
    const levelStyle = signedStyle(Math.max(64, middle));
    let changed = 0;
    const levelTable = matrix("Quantized coefficients", levels, (value, i) => {
      const cell = levelStyle(value);
      const rounded = exact && Math.sign(exact[i]) * Math.round(Math.abs(exact[i]) / steps[i]);
      if (exact && rounded !== value) {
        changed++;
        cell.className = `${cell.className || ""} changed`.trim();
        cell.title = `rounding ${exact[i].toFixed(1)} / ${steps[i]} would give ${rounded}`;
      }
      return cell;
    });
    const kept = levels.filter((value) => value !== 0).length;
    add("Levels", `The quantized coefficients, as they stand in the file: ${plural(kept, "level")} of 64 not zero.` +
      (changed ? ` Outlined: ${plural(changed, "level")} that rounding would have made otherwise; the encoder chose, because bits are saved where MS-SSIM hardly sees it.` : ""), levelTable);
    add("The zigzag path", "From low frequencies to high ones, so that zeros come together at the end.", this.path(levels), samples ? "double" : "wide");

    const trace = scan.trace(jpeg.planes, component, index);
    const { log, part } = trace;
    const bits = trace.end - trace.start;
    const table = part.dc && part.ac ? `${part.dcName} and ${part.acName}` : part.dc ? part.dcName : part.acName;
    const known = [...jpeg.standardTables.values()];
    const origin = known.includes(part.dc) || known.includes(part.ac) ? "the standard's tables" : "tables";
    add("Symbols and codes", log.length
      ? `Each symbol is a run of zeros and the size of what follows; its Huffman code (${origin} ${table}) is followed by so many raw bits.`
      : "In this scan nothing is sent for the block: a run of ends of blocks, sent before, covers it.",
    this.symbols(log, scan), "wide");
    if (log.length) {
      const from = scan.coded.offset(trace.start >> 3);
      const to = scan.coded.offset((trace.end - 1) >> 3);
      add("The very bits", `${plural(bits, "bit")} of the file, from bit ${trace.start & 7} of byte ${whole(from)} to bit ${(trace.end - 1) & 7} of byte ${whole(to)}; bit 0 is the highest. Shaded blue: codes; orange: raw bits.`,
        this.bytes(jpeg, scan, trace), "wide");
    }
    const back = Float64Array.from(levels, (level, i) => level * steps[i]);
    add("Back: levels times steps", "What a decoder knows of the coefficients.", matrix("Dequantized coefficients", back, signedStyle(8 * middle)));
    const shown = inverseDct(back, middle);
    add(`Back: samples of ${name}`, "The inverse DCT of them, rounded and limited.", matrix("Decoded samples", shown, sampleStyle(2 * middle - 1)));
    if (samples) {
      const errors = Array.from(shown, (value, i) => value - samples[i]);
      const square = Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / 64);
      add("What was lost", `Decoded less original: ${square.toFixed(2)} levels on average (root mean square).`,
        matrix("Differences of the samples", errors, signedStyle(64)));
    }
    this.holder.replaceChildren(...parts);
    this.linkRows();
  }

  path(levels) {
    const holder = make("div", { class: "path" });
    let last = 63;
    while (last > 0 && levels[ZIGZAG[last]] === 0) last--;
    const middle = (k) => [8 * (ZIGZAG[k] & 7) + 4, 8 * (ZIGZAG[k] >> 3) + 4];
    const line = (from, to, name) => {
      const places = Array.from({ length: to - from + 1 }, (_, i) => middle(from + i).join());
      return svg("polyline", { class: name, points: places.join(" ") });
    };
    const picture = svg("svg", { viewBox: "-1 -1 66 66", role: "img", "aria-label": `The zigzag path through the block, read up to place ${last}` });
    for (let i = 0; i < 64; i++) picture.append(svg("rect", { class: "cell", x: 8 * (i & 7), y: 8 * (i >> 3), width: 8, height: 8 }));
    picture.append(line(last, 63, "rest"), line(0, last, "read"));
    for (let k = 0; k <= last; k++) {
      const [cx, cy] = middle(k);
      if (levels[ZIGZAG[k]]) picture.append(svg("circle", { cx, cy, r: 2 }));
    }
    for (let k = 0; k <= last; k++) {
      const value = levels[ZIGZAG[k]];
      holder.append(make("span", { class: value ? null : "zero", "data-k": k, title: `place ${k}` }, minus(value)));
    }
    if (last < 63) holder.append(make("span", { class: "run" }, `and ${plural(63 - last, "zero")}`));
    return make("div", { class: "zigzag" }, picture, holder);
  }

  symbols(log, scan) {
    const head = ["place", "symbol", "code", "raw bits", "in the file", "what it says"];
    const body = make("tbody");
    log.forEach((entry, i) => {
      const raw = this.bitText(scan, entry.from + entry.code.length, entry.to);
      const at = `${whole(scan.coded.offset(entry.from >> 3))}.${entry.from & 7}`;
      body.append(
        make(
          "tr",
          { tabindex: i ? -1 : 0, "data-entry": i, "data-k": entry.k, "data-from": entry.from, "data-to": entry.to },
          make("td", {}, String(entry.k)),
          make("td", {}, symbolName(entry)),
          make("td", {}, entry.code ? make("code", { class: "c" }, entry.code) : "—"),
          make("td", {}, raw ? make("code", { class: "r" }, raw) : "—"),
          make("td", { class: "mono" }, at),
          make("td", { class: "say" }, WHAT[entry.kind](entry)),
        ),
      );
    });
    const table = make("table", { class: "symbols" },
      make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))), body);
    return log.length ? make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Symbols of the block" }, table) : make("div");
  }

  bitText(scan, from, to) {
    let text = "";
    for (let bit = from; bit < to; bit++) text += (scan.coded.bytes[bit >> 3] >> (7 - (bit & 7))) & 1;
    return text;
  }

  // The bytes of the file that hold a block, stuffed ones and restart markers among them too.
  bytes(jpeg, scan, { log, start, end }) {
    const owner = new Map();
    log.forEach((entry, i) => {
      for (let bit = entry.from; bit < entry.to; bit++) {
        owner.set(bit, { i, kind: bit < entry.from + entry.code.length ? "c" : "r" });
      }
    });
    const holder = make("div", { class: "bits mono" });
    let next = scan.coded.offset(start >> 3);
    for (let plain = start >> 3; plain <= (end - 1) >> 3; plain++) {
      const offset = scan.coded.offset(plain);
      for (; next < offset; next++) holder.append(this.stuffed(jpeg.bytes[next], next));
      next = offset + 1;
      const row = make("span", { class: "row" });
      for (let bit = 8 * plain; bit < 8 * plain + 8; bit++) {
        const own = owner.get(bit);
        row.append(make("span", { class: own ? own.kind : "off", "data-owner": own ? own.i : null },
          String((jpeg.bytes[offset] >> (7 - (bit & 7))) & 1)));
      }
      holder.append(make("span", { class: "byte", "data-offset": offset }, make("small", {}, whole(offset)), row, make("small", {}, hex(jpeg.bytes[offset]))));
    }
    return holder;
  }

  stuffed(value, offset) {
    return make("span", { class: "byte stuffed", title: "no data: a zero stuffed behind FF" },
      make("small", {}, whole(offset)), make("span", { class: "row off" }, "stuffed"), make("small", {}, hex(value)));
  }

  // A symbol under the mouse or the focus shows where it is in the other pictures.
  linkRows() {
    const rows = [...this.holder.querySelectorAll("tr[data-entry]")];
    const light = (row) => {
      this.holder.querySelectorAll(".lit").forEach((element) => element.classList.remove("lit"));
      if (!row) return;
      const { k, entry } = row.dataset;
      const chosen = [`[data-owner="${entry}"]`, `.path [data-k="${k}"]`, `[aria-label="Quantized coefficients"] [data-place="${ZIGZAG[k]}"]`];
      this.holder.querySelectorAll(chosen.join()).forEach((element) => element.classList.add("lit"));
    };
    rows.forEach((row, i) => {
      row.addEventListener("mouseenter", () => light(row));
      row.addEventListener("mouseleave", () => light(null));
      row.addEventListener("focus", () => light(row));
      row.addEventListener("blur", () => light(null));
      row.addEventListener("keydown", (event) => {
        const next = rows[i + { ArrowDown: 1, ArrowUp: -1 }[event.key]];
        if (!next) return;
        event.preventDefault();
        row.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      });
    });
  }
}
