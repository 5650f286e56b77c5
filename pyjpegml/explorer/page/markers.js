// The marker segments of a file (T.81 Annex B), as far as a page needs them.

const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
  13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52,
  45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

const PROCESSES = {
  0: "baseline", 1: "extended sequential", 2: "progressive", 3: "lossless",
  9: "arithmetic sequential", 10: "arithmetic progressive",
};

const NAMES = {
  0xd8: "SOI", 0xd9: "EOI", 0xda: "SOS", 0xdb: "DQT", 0xdc: "DNL", 0xdd: "DRI", 0xc4: "DHT",
  0xcc: "DAC", 0xfe: "COM", 0xc8: "JPG", 0xde: "DHP", 0xdf: "EXP", 0x01: "TEM",
};

function markerName(code) {
  if (NAMES[code]) return NAMES[code];
  if (code >= 0xc0 && code <= 0xcf) return `SOF${code - 0xc0}`;
  if (code >= 0xd0 && code <= 0xd7) return `RST${code - 0xd0}`;
  if (code >= 0xe0 && code <= 0xef) return `APP${code - 0xe0}`;
  return `FF${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

const isFrame = (code) => code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code);

// Offset of the marker that ends entropy-coded data (B.1.1.5), or the length of the file.
function endOfScan(bytes, position) {
  for (;;) {
    const at = bytes.indexOf(0xff, position);
    if (at < 0 || at + 1 >= bytes.length) return bytes.length;
    const code = bytes[at + 1];
    if (code !== 0 && code !== 0xff && !(code >= 0xd0 && code <= 0xd7)) return at;
    position = at + (code === 0xff ? 1 : 2);
  }
}

// All segments: {code, name, offset, end}, and the coded data behind each SOS as {name: "data"}.
// A file that breaks off gives what there is, and `problem` says where it stopped.
function parseSegments(bytes) {
  const segments = [];
  let position = 0;
  let problem = null;
  while (position < bytes.length) {
    let at = bytes.indexOf(0xff, position);
    while (at >= 0 && (bytes[at + 1] === 0xff || bytes[at + 1] === 0)) at = bytes.indexOf(0xff, at + 1);
    if (at < 0 || at + 1 >= bytes.length) {
      problem = `The data end at byte ${bytes.length}, where a marker should be.`;
      break;
    }
    if (at > position) segments.push({ code: -1, name: "junk", offset: position, end: at });
    const code = bytes[at + 1];
    const bare = code === 0xd8 || code === 0xd9 || code === 0x01 || (code >= 0xd0 && code <= 0xd7);
    const end = bare ? at + 2 : at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
    if (!bare && (at + 4 > bytes.length || end > bytes.length || end < at + 4)) {
      problem = `The ${markerName(code)} segment at byte ${at} does not fit into the file.`;
      break;
    }
    segments.push({ code, name: markerName(code), offset: at, end });
    position = end;
    if (code === 0xd9) break;
    if (code === 0xda) {
      position = endOfScan(bytes, end);
      segments.push({ code: -2, name: "data", offset: end, end: position });
    }
  }
  if (position < bytes.length && !problem) {
    segments.push({ code: -1, name: "behind the end", offset: position, end: bytes.length });
  }
  return { segments, problem };
}

function parseFrame(bytes, segment) {
  const p = segment.offset + 4;
  const components = [];
  for (let i = 0; i < bytes[p + 5]; i++) {
    const q = p + 6 + 3 * i;
    components.push({ id: bytes[q], h: bytes[q + 1] >> 4, v: bytes[q + 1] & 15, slot: bytes[q + 2] });
  }
  return {
    sof: segment.code - 0xc0,
    precision: bytes[p],
    height: (bytes[p + 1] << 8) | bytes[p + 2],
    width: (bytes[p + 3] << 8) | bytes[p + 4],
    components,
  };
}

function parseScanHeader(bytes, segment) {
  const p = segment.offset + 4;
  const count = bytes[p];
  const components = [];
  for (let i = 0; i < count; i++) {
    const tables = bytes[p + 2 + 2 * i];
    components.push({ id: bytes[p + 1 + 2 * i], dc: tables >> 4, ac: tables & 15 });
  }
  const q = p + 1 + 2 * count;
  return { components, first: bytes[q], last: bytes[q + 1], high: bytes[q + 2] >> 4, low: bytes[q + 2] & 15 };
}

// Quantization tables by slot, natural order (B.2.4.1).
function parseQtables(bytes, segment) {
  const tables = new Map();
  let p = segment.offset + 4;
  while (p < segment.end) {
    const wide = bytes[p] >> 4;
    const steps = new Uint16Array(64);
    for (let k = 0; k < 64; k++) {
      const q = p + 1 + (k << wide);
      steps[ZIGZAG[k]] = wide ? (bytes[q] << 8) | bytes[q + 1] : bytes[q];
    }
    tables.set(bytes[p] & 15, steps);
    p += 1 + (64 << wide);
  }
  return tables;
}

// A Huffman table: its codes counted upwards (Annex C), and what each 16 bits start with.
class HuffmanTable {
  constructor(counts, symbols) {
    this.lookUp = new Uint16Array(65536); // length of the code << 8 | symbol; 0 for no code
    this.codes = new Map(); // by symbol, as text of 0 and 1
    let code = 0;
    let i = 0;
    for (let length = 1; length <= 16; length++) {
      for (let n = 0; n < counts[length - 1]; n++, i++, code++) {
        this.codes.set(symbols[i], code.toString(2).padStart(length, "0"));
        this.lookUp.fill((length << 8) | symbols[i], code << (16 - length), (code + 1) << (16 - length));
      }
      code <<= 1;
    }
  }
}

// Huffman tables by "DC0", "AC1" and so on (B.2.4.2).
function parseHuffmanTables(bytes, segment) {
  const tables = new Map();
  let p = segment.offset + 4;
  while (p < segment.end) {
    const counts = bytes.subarray(p + 1, p + 17);
    const total = counts.reduce((a, b) => a + b, 0);
    const name = `${bytes[p] >> 4 ? "AC" : "DC"}${bytes[p] & 15}`;
    tables.set(name, new HuffmanTable(counts, bytes.subarray(p + 17, p + 17 + total)));
    p += 17 + total;
  }
  return tables;
}
