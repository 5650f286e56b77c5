// The entropy-coded data: bits to coefficients, written to be read (T.81 F.2.2 and G.2).
//
// Every block is decoded by one function, blockOf...(reader, ...). Given a `log`, the same function
// notes each code that it reads: so what the page shows of a block is what its decoder did.

class CodingError extends Error {}

// The coded data of one scan without stuffing, and where each of their bytes stands in the file.
class CodedData {
  constructor(bytes, start, end) {
    this.bytes = new Uint8Array(end - start + 8); // and zeros, so that a look ahead needs no check
    this.start = start;
    this.intervalEnds = [];
    this.gapPlaces = []; // from that plain byte on ...
    this.gapSizes = []; // ... so many bytes of the file have been left out
    let plain = 0;
    let left = 0;
    const skip = (count) => {
      left += count;
      this.gapPlaces.push(plain);
      this.gapSizes.push(left);
    };
    for (let i = start; i < end; ) {
      let next = bytes.indexOf(0xff, i);
      if (next < 0 || next > end) next = end;
      this.bytes.set(bytes.subarray(i, next), plain);
      plain += next - i;
      i = next;
      if (i >= end) break;
      if (bytes[i + 1] === 0) { // a stuffed byte (B.1.1.5)
        this.bytes[plain++] = 0xff;
        skip(1);
        i += 2;
      } else if (bytes[i + 1] >= 0xd0 && bytes[i + 1] <= 0xd7) { // a restart marker
        this.intervalEnds.push(plain);
        skip(2);
        i += 2;
      } else { // a fill byte, or the end of the file
        skip(1);
        i += 1;
      }
    }
    this.intervalEnds.push(plain);
    this.size = plain;
  }

  // Offset in the file of a byte.
  offset(plain) {
    let low = 0;
    let high = this.gapPlaces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.gapPlaces[middle] <= plain) low = middle + 1;
      else high = middle;
    }
    return this.start + plain + (low ? this.gapSizes[low - 1] : 0);
  }
}

class BitReader {
  constructor(coded) {
    this.bytes = coded.bytes;
    this.position = 0; // in bits
  }

  peek16() {
    const i = this.position >>> 3;
    const b = this.bytes;
    return (((b[i] << 16) | (b[i + 1] << 8) | b[i + 2]) >>> (8 - (this.position & 7))) & 0xffff;
  }

  symbol(table) {
    const found = table.lookUp[this.peek16()];
    if (found === 0) throw new CodingError("bits that are no Huffman code");
    this.position += found >> 8;
    return found & 255;
  }

  raw(size) { // up to 16 bits
    if (size === 0) return 0;
    const value = this.peek16() >>> (16 - size);
    this.position += size;
    return value;
  }
}

// The value that `size` raw bits stand for (Figure F.12).
const extend = (raw, size) => (size && raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw);

// DC, as its difference to the prediction (F.2.2.1).
function readDc(reader, state, part, log) {
  const from = reader.position;
  const size = reader.symbol(part.dc);
  if (size > 15) throw new CodingError("a category above 15");
  const difference = extend(reader.raw(size), size);
  const predicted = state.predictions[part.component];
  state.predictions[part.component] += difference;
  if (log) log.push({ kind: "DC", k: 0, from, symbol: size, value: difference, predicted });
  return state.predictions[part.component];
}

// Each function reads one block into out[at...at+63], natural order. `state` belongs to the scan:
// predictions of DC, the blocks left of an EOBn, the parameters of the scan header.

function blockSequential(reader, state, part, out, at, log) {
  out[at] = readDc(reader, state, part, log);
  for (let k = 1; k < 64; k++) {
    const from = reader.position;
    const symbol = reader.symbol(part.ac);
    const run = symbol >> 4;
    const bits = symbol & 15;
    if (bits === 0 && run !== 15) {
      if (log) log.push({ kind: "EOB", k, from, symbol, run: 64 - k, value: 0 });
      return;
    }
    k += run;
    if (k > 63) throw new CodingError("a run of zeros goes beyond the block");
    const value = extend(reader.raw(bits), bits);
    out[at + ZIGZAG[k]] = value;
    if (log) log.push({ kind: bits ? "AC" : "ZRL", k, from, symbol, run, value });
  }
}

function blockDcFirst(reader, state, part, out, at, log) {
  out[at] = readDc(reader, state, part, log) << state.low;
}

function blockDcRefinement(reader, state, part, out, at, log) {
  const from = reader.position;
  const bit = reader.raw(1);
  out[at] |= bit << state.low;
  if (log) log.push({ kind: "bit", k: 0, from, symbol: null, value: bit << state.low });
}

function blockAcFirst(reader, state, part, out, at, log) {
  if (state.eobRun > 0) {
    state.eobRun--;
    return;
  }
  for (let k = state.first; k <= state.last; k++) {
    const from = reader.position;
    const symbol = reader.symbol(part.ac);
    const run = symbol >> 4;
    const size = symbol & 15;
    if (size === 0 && run < 15) {
      state.eobRun = (1 << run) + reader.raw(run);
      if (log) log.push({ kind: "EOBn", k, from, symbol, run: state.last + 1 - k, value: state.eobRun });
      state.eobRun--;
      return;
    }
    k += run;
    if (k > state.last) throw new CodingError("a run of zeros goes beyond the band");
    const value = extend(reader.raw(size), size) << state.low;
    out[at + ZIGZAG[k]] = value;
    if (log) log.push({ kind: size ? "AC" : "ZRL", k, from, symbol, run, value });
  }
}

// G.1.2.3: coefficients that are not zero yet get a bit each as the runs pass over them.
function blockAcRefinement(reader, state, part, out, at, log) {
  const unit = 1 << state.low;
  let k = state.first;
  const correct = () => {
    const place = at + ZIGZAG[k];
    const from = reader.position;
    const bit = reader.raw(1);
    if (bit && (Math.abs(out[place]) & unit) === 0) out[place] += out[place] > 0 ? unit : -unit;
    if (log) log.push({ kind: "bit", k, from, symbol: null, value: bit * unit });
  };
  if (state.eobRun === 0) {
    for (; k <= state.last; k++) {
      const from = reader.position;
      const symbol = reader.symbol(part.ac);
      const run = symbol >> 4;
      const size = symbol & 15;
      if (size === 0 && run < 15) {
        state.eobRun = (1 << run) + reader.raw(run);
        if (log) log.push({ kind: "EOBn", k, from, symbol, run: state.last + 1 - k, value: state.eobRun });
        break;
      }
      if (size > 1) throw new CodingError("a new coefficient of more than one bit");
      const value = size ? (reader.raw(1) ? unit : -unit) : 0;
      const entry = { kind: size ? "AC" : "ZRL", k, from, symbol, run, value };
      if (log) log.push(entry);
      let zeros = run;
      for (; k <= state.last; k++) {
        if (out[at + ZIGZAG[k]] !== 0) correct();
        else if (zeros-- === 0) break;
      }
      if (k > state.last) throw new CodingError("a run of zeros goes beyond the band");
      entry.k = k;
      if (value) out[at + ZIGZAG[k]] = value;
    }
  }
  if (state.eobRun > 0) {
    for (; k <= state.last; k++) if (out[at + ZIGZAG[k]] !== 0) correct();
    state.eobRun--;
  }
}

function blockFunction(progressive, header) {
  if (!progressive) return blockSequential;
  if (header.first === 0) return header.high ? blockDcRefinement : blockDcFirst;
  return header.high ? blockAcRefinement : blockAcFirst;
}

// Where the blocks of each component lie (A.1.1, A.2.4).
function planesOf(frame) {
  const single = frame.components.length === 1;
  const factors = frame.components.map((c) => (single ? { h: 1, v: 1 } : c));
  const hMax = Math.max(...factors.map((c) => c.h));
  const vMax = Math.max(...factors.map((c) => c.v));
  const mcusAcross = Math.ceil(frame.width / (8 * hMax));
  const mcusDown = Math.ceil(frame.height / (8 * vMax));
  return factors.map(({ h, v }) => {
    const width = Math.ceil((frame.width * h) / hMax);
    const height = Math.ceil((frame.height * v) / vMax);
    return {
      h, v, hMax, vMax, mcusAcross, mcusDown,
      across: Math.ceil(width / 8), down: Math.ceil(height / 8),
      stride: mcusAcross * h, rows: mcusDown * v,
      coefficients: new Int16Array(64 * mcusAcross * h * mcusDown * v),
    };
  });
}

// One scan: decoded at once; for each block of each of its components it keeps where the bits of
// the block start and end, and the state that its first bit is read in.
class Scan {
  constructor(jpeg, segment, data, tables, restartInterval) {
    this.header = parseScanHeader(jpeg.bytes, segment);
    this.coded = new CodedData(jpeg.bytes, data.offset, data.end);
    this.progressive = jpeg.frame.sof === 2;
    this.restartInterval = restartInterval;
    this.decodeBlock = blockFunction(this.progressive, this.header);
    this.problem = null;
    const needsDc = this.header.first === 0 && !(this.progressive && this.header.high);
    const needsAc = this.header.last > 0;
    this.parts = this.header.components.map(({ id, dc, ac }) => {
      const component = jpeg.frame.components.findIndex((c) => c.id === id);
      if (component < 0) throw new CodingError(`the scan names a component ${id} that the frame has not`);
      const part = { component, dc: tables.get(`DC${dc}`), ac: tables.get(`AC${ac}`), dcName: `DC${dc}`, acName: `AC${ac}` };
      if ((needsDc && !part.dc) || (needsAc && !part.ac)) throw new CodingError("a Huffman table is missing");
      const plane = jpeg.planes[component];
      part.starts = new Uint32Array(plane.stride * plane.rows);
      part.ends = new Uint32Array(plane.stride * plane.rows);
      part.eobRuns = new Uint16Array(this.progressive && this.header.first ? plane.stride * plane.rows : 0);
      return part;
    });
    this.decode(jpeg.planes);
  }

  freshState() {
    const { first, last, low } = this.header;
    return { predictions: [0, 0, 0, 0], eobRun: 0, first, last, low };
  }

  decode(planes) {
    const reader = new BitReader(this.coded);
    const state = this.freshState();
    const single = this.parts.length === 1;
    const one = planes[this.parts[0].component];
    const across = single ? one.across : one.mcusAcross;
    const mcus = across * (single ? one.down : one.mcusDown);
    let interval = 0;
    let limit = 8 * this.coded.intervalEnds[0];
    let mcu = 0;
    const block = (part, plane, index) => {
      part.starts[index] = reader.position;
      if (part.eobRuns.length) part.eobRuns[index] = state.eobRun;
      this.decodeBlock(reader, state, part, plane.coefficients, 64 * index, null);
      part.ends[index] = reader.position;
      if (reader.position > limit) throw new CodingError("the data end early");
    };
    try {
      for (; mcu < mcus; mcu++) {
        if (this.restartInterval && mcu && mcu % this.restartInterval === 0) {
          reader.position = 8 * this.coded.intervalEnds[interval++];
          if (interval >= this.coded.intervalEnds.length) throw new CodingError("a restart marker is missing");
          limit = 8 * this.coded.intervalEnds[interval];
          state.predictions.fill(0);
          state.eobRun = 0;
        }
        const row = Math.floor(mcu / across);
        const column = mcu - row * across;
        if (single) {
          block(this.parts[0], one, row * one.stride + column);
          continue;
        }
        for (const part of this.parts) {
          const plane = planes[part.component];
          for (let y = 0; y < plane.v; y++) {
            for (let x = 0; x < plane.h; x++) {
              block(part, plane, (row * plane.v + y) * plane.stride + column * plane.h + x);
            }
          }
        }
      }
    } catch (error) {
      if (!(error instanceof CodingError)) throw error;
      const at = this.coded.offset(Math.min(reader.position >>> 3, this.coded.size));
      this.problem = `${error.message}, in MCU ${mcu} of ${mcus}, at byte ${at}`;
    }
  }

  partOf(component) {
    return this.parts.find((part) => part.component === component);
  }

  // What the bits of one block say: the block is read once more, with a log.
  trace(planes, component, index) {
    const part = this.partOf(component);
    const out = planes[component].coefficients.slice(64 * index, 64 * index + 64);
    const dc = out[0];
    const { first, last, high } = this.header;
    if (this.progressive && high) { // as the block was before this scan
      for (let k = first; k <= last; k++) {
        const value = out[ZIGZAG[k]];
        out[ZIGZAG[k]] = Math.sign(value) * ((Math.abs(value) >> high) << high);
      }
    } else {
      out.fill(0);
    }
    const reader = new BitReader(this.coded);
    reader.position = part.starts[index];
    const state = this.freshState();
    state.eobRun = part.eobRuns.length ? part.eobRuns[index] : 0;
    const log = [];
    this.decodeBlock(reader, state, part, out, 0, log);
    if (log.length && log[0].kind === "DC") { // the prediction follows from what it led to
      log[0].predicted = (dc >> (this.progressive ? this.header.low : 0)) - log[0].value;
    }
    log.forEach((entry, i) => {
      const table = entry.kind === "DC" ? part.dc : part.ac;
      entry.code = entry.symbol === null ? "" : table.codes.get(entry.symbol);
      entry.to = i + 1 < log.length ? log[i + 1].from : reader.position;
    });
    return { log, start: part.starts[index], end: reader.position, part };
  }
}

// A file that is decoded as far as the page can: segments, and coefficients with their bits.
// `standard` are the tables of T.81 K.3: by name, their counts and symbols.
class Jpeg {
  constructor(bytes, standard) {
    this.bytes = bytes;
    const { segments, problem } = parseSegments(bytes);
    this.segments = segments;
    this.problems = problem ? [problem] : [];
    this.frame = null;
    this.planes = [];
    this.scans = [];
    this.qtables = new Map();
    this.refusal = null; // why there are no coefficients
    this.standardTables = new Map(); // those of K.3, if the file leaves it to them
    const tables = new Map();
    let restartInterval = 0;
    for (const [i, segment] of segments.entries()) {
      if (isFrame(segment.code) && !this.frame) {
        this.frame = parseFrame(bytes, segment);
        const dnl = segments.find((s) => s.name === "DNL");
        if (dnl && !this.frame.height) this.frame.height = (bytes[dnl.offset + 4] << 8) | bytes[dnl.offset + 5];
        this.refusal = Jpeg.refusalOf(this.frame);
        if (!this.refusal) this.planes = planesOf(this.frame);
      } else if (segment.name === "DQT") {
        parseQtables(bytes, segment).forEach((table, slot) => this.qtables.set(slot, table));
      } else if (segment.name === "DHT") {
        parseHuffmanTables(bytes, segment).forEach((table, name) => tables.set(name, table));
      } else if (segment.name === "DRI") {
        restartInterval = (bytes[segment.offset + 4] << 8) | bytes[segment.offset + 5];
      } else if (segment.name === "SOS" && this.planes.length) {
        if (!tables.size && !this.standardTables.size) { // no DHT so far, as in Motion JPEG
          for (const [name, { counts, symbols }] of Object.entries(standard)) {
            this.standardTables.set(name, new HuffmanTable(counts, symbols));
          }
        }
        this.addScan(segment, segments[i + 1], tables.size ? tables : this.standardTables, restartInterval);
      }
    }
    if (!this.frame) this.refusal = "There is no frame header.";
    else if (!this.refusal && !this.scans.length) this.refusal = "No scan could be read.";
  }

  addScan(segment, data, tables, restartInterval) {
    try {
      const scan = new Scan(this, segment, data, tables, restartInterval);
      this.scans.push(scan);
      if (scan.problem) this.problems.push(`Scan ${this.scans.length}: ${scan.problem}.`);
    } catch (error) {
      if (!(error instanceof CodingError)) throw error;
      this.problems.push(`The scan at byte ${segment.offset}: ${error.message}.`);
    }
  }

  static refusalOf(frame) {
    if (frame.sof === 3) return "A lossless file has samples, and no coefficients: there are no blocks to show.";
    if (frame.sof === 9 || frame.sof === 10) {
      return "Its codes are arithmetic ones: bits are shared between symbols, so no bit belongs to one block.";
    }
    if (frame.sof > 2) return "Files of this coding process have no blocks that this page can read.";
    if (frame.height === 0) return "The height is said nowhere in the file.";
    return null;
  }

  qtable(component) {
    return this.qtables.get(this.frame.components[component].slot) || new Uint16Array(64).fill(1);
  }

  // Bits of a block of a component, in all scans.
  bitsOf(component, index) {
    let total = 0;
    for (const scan of this.scans) {
      const part = scan.partOf(component);
      if (part) total += part.ends[index] - part.starts[index];
    }
    return total;
  }
}
