// The file as a chain of segments, each opened on request.

const KINDS = [
  ["k-meta", "metadata"], ["k-tables", "quantization tables"], ["k-frame", "frame header"],
  ["k-huffman", "Huffman tables"], ["k-scan", "scan headers"], ["k-data", "coded data"],
  ["k-end", "start, end and others"],
];

function kindOf(segment) {
  const { name } = segment;
  if (name.startsWith("APP") || name === "COM") return "k-meta";
  if (name === "DQT") return "k-tables";
  if (name === "DHT" || name === "DAC") return "k-huffman";
  if (name === "SOS") return "k-scan";
  if (name === "data") return "k-data";
  return isFrame(segment.code) ? "k-frame" : "k-end";
}

function asText(bytes) {
  return Array.from(bytes, (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : "·")).join("");
}

function bandName(header) {
  const band = header.last === 0 ? "DC" : header.first === 0 ? "all of it" : `AC ${header.first} to ${header.last}`;
  if (!header.high && !header.low) return band;
  return header.high ? `${band}, bit ${header.low} more` : `${band}, from bit ${header.low} up`;
}

function codeLines(tables) {
  return [...tables].flatMap(([slot, t]) => [`${slot}: code, symbol`,
    ...[...t.codes].map(([symbol, code]) => `  ${code.padEnd(17)}${slot.startsWith("DC") ? `size ${symbol}` : `${symbol >> 4}/${symbol & 15}`}`)]);
}

// A line about a segment, and lines of what it holds.
function describe(jpeg, segment, names) {
  const { bytes, frame } = jpeg;
  const payload = bytes.subarray(segment.offset + 4, segment.end);
  const { name } = segment;
  if (name === "SOI") return ["start of image", []];
  if (name === "EOI") return ["end of image", []];
  if (name === "data") return ["Huffman codes and raw bits, with a zero stuffed behind every FF", []];
  if (name === "COM") return ["comment", [asText(payload.subarray(0, 400))]];
  if (name.startsWith("APP")) return [asText(payload.subarray(0, 12)).split("·")[0] || "application data", []];
  if (isFrame(segment.code)) {
    const f = parseFrame(bytes, segment);
    const known = PROCESSES[f.sof] || "hierarchical or reserved";
    return [`${known}, ${f.width} × ${f.height}, ${f.precision} bits`,
      f.components.map((c, i) => `component ${c.id} (${names[i] || "?"}): factors ${c.h}×${c.v}, quantization table ${c.slot}`)];
  }
  if (name === "DQT") {
    const tables = [...parseQtables(bytes, segment)];
    return [`table ${tables.map(([slot]) => slot).join(", ")}`,
      tables.flatMap(([slot, t]) => [`table ${slot}, natural order:`,
        ...Array.from({ length: 8 }, (_, r) => Array.from(t.subarray(8 * r, 8 * r + 8), (s) => String(s).padStart(4)).join(""))])];
  }
  if (name === "DHT") {
    const tables = [...parseHuffmanTables(bytes, segment)];
    return [tables.map(([slot, t]) => `${slot}, ${t.codes.size} codes`).join("; "), codeLines(tables)];
  }
  if (name === "SOS") {
    const h = parseScanHeader(bytes, segment);
    const parts = h.components.map(({ id, dc, ac }) => {
      const i = frame ? frame.components.findIndex((c) => c.id === id) : -1;
      return `${names[i] || `component ${id}`}: tables DC${dc}, AC${ac}`;
    });
    return [`${h.components.length} component${h.components.length > 1 ? "s" : ""}, ${bandName(h)}`, parts];
  }
  if (name === "DRI") return [`restart interval of ${(payload[0] << 8) | payload[1]} MCUs`, []];
  if (name === "DNL") return [`number of lines: ${(payload[0] << 8) | payload[1]}`, []];
  if (name === "junk") return ["bytes that belong to no segment", []];
  if (name === "behind the end") return ["bytes behind the image: other images, or nothing a decoder needs", []];
  return ["", []];
}

function hexDump(bytes, start, end) {
  const lines = [];
  const stop = Math.min(end, start + 256);
  for (let at = start; at < stop; at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, stop));
    lines.push(`${String(at).padStart(8)}  ${Array.from(row, hex).join(" ").padEnd(48)} ${asText(row)}`);
  }
  if (stop < end) lines.push(`${" ".repeat(10)}and ${plural(end - stop, "byte")} more`);
  return lines.join("\n");
}

function showAnatomy(holder, jpeg, names) {
  const total = jpeg.bytes.length;
  const ruler = make("div", { class: "ruler", role: "img", "aria-label": `${plural(total, "byte")} in ${plural(jpeg.segments.length, "part")}, drawn to scale` });
  const list = make("div", { id: "segments" });
  for (const segment of jpeg.segments) {
    const size = segment.end - segment.offset;
    const kind = kindOf(segment);
    const bar = make("span", { class: kind, title: `${segment.name}, ${plural(size, "byte")}` });
    bar.style.flex = `${size} 0 0`;
    ruler.append(bar);
    const [about, lines] = describe(jpeg, segment, names);
    const details = make("details", { "data-offset": segment.offset },
      make("summary", {}, make("i", { class: kind }), make("b", {}, segment.name),
        make("span", { class: "soft" }, `at ${whole(segment.offset)}`),
        make("span", { class: "soft length" }, plural(size, "byte")), make("span", { class: "about" }, about)));
    details.addEventListener("toggle", () => {
      if (!details.open || details.children.length > 1) return;
      details.append(make("div", {}, lines.length ? make("pre", { class: "hex mono", tabindex: 0, role: "region", "aria-label": `What ${segment.name} says` }, lines.join("\n")) : null,
        make("pre", { class: "hex mono", tabindex: 0, role: "region", "aria-label": `Bytes of ${segment.name}` }, hexDump(jpeg.bytes, segment.offset, segment.end))));
    });
    list.append(details);
  }
  if (jpeg.standardTables.size) {
    list.append(make("details", { id: "standard-tables" },
      make("summary", {}, make("i", { class: "k-huffman" }), make("b", {}, "K.3"), make("span", { class: "soft" }, "nowhere"),
        make("span", { class: "soft length" }, "0 bytes"), make("span", { class: "about" }, "the standard's Huffman tables, because the file has none")),
      make("div", {}, make("pre", { class: "hex mono", tabindex: 0, role: "region", "aria-label": "The standard's Huffman tables" }, codeLines(jpeg.standardTables).join("\n")))));
  }
  const used = new Set(jpeg.segments.map(kindOf));
  const legend = make("div", { class: "kinds" }, ...KINDS.filter(([kind]) => used.has(kind)).map(([kind, text]) => {
    const size = jpeg.segments.filter((s) => kindOf(s) === kind).reduce((sum, s) => sum + s.end - s.offset, 0);
    return make("span", {}, make("i", { class: kind }), `${text}: ${plural(size, "byte")}`);
  }));
  holder.replaceChildren(ruler, legend, list);
}
