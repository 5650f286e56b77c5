// The picture on a canvas: zoomed and moved, with its blocks, maps and comparisons.

// Colours of a map, dark to light: so that it can be read without telling hues apart.
const RAMP = [[13, 8, 60], [90, 20, 110], [175, 45, 95], [235, 105, 55], [250, 185, 60], [252, 250, 190]];

function rampColor(t) {
  const at = Math.min(Math.max(t, 0), 1) * (RAMP.length - 1);
  const i = Math.min(Math.floor(at), RAMP.length - 2);
  return RAMP[i].map((from, c) => Math.round(from + (at - i) * (RAMP[i + 1][c] - from)));
}

// A picture of one pixel for each block.
function mapImage(values, columns, rows, most) {
  const canvas = make("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < columns * rows; i++) {
    const [r, g, b] = rampColor(values[i] / most);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

class Viewer {
  constructor(canvas, width, height, onChoose) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.width = width;
    this.height = height;
    this.onChoose = onChoose;
    this.layers = { view: "picture", left: null, right: null, map: null, labels: ["", ""] };
    this.block = { left: 0, top: 0, width: 8, height: 8 };
    this.grid = true;
    this.fitted = true;
    this.zoom = 1;
    this.x = 0; // the picture's point in the canvas's upper left corner
    this.y = 0;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  get side() {
    return this.layers.view === "side";
  }

  get paneWidth() {
    return this.side ? this.canvas.width / 2 : this.canvas.width;
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const shape = Math.min(Math.max(this.height / this.width, 0.4), width < 600 ? 1.1 : 0.75);
    const wanted = Math.round(width * shape);
    this.canvas.style.height = `${wanted}px`;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(wanted * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(wanted * ratio);
    }
    if (this.fitted) this.fit();
    else this.draw();
  }

  get leastZoom() {
    return Math.min(this.paneWidth / this.width, this.canvas.height / this.height);
  }

  fit() {
    this.fitted = true;
    this.zoom = this.leastZoom;
    this.move(0, 0);
  }

  zoomBy(factor, x = this.paneWidth / 2, y = this.canvas.height / 2) {
    const zoom = Math.min(Math.max(this.zoom * factor, this.leastZoom), 48);
    this.x += x / this.zoom - x / zoom;
    this.y += y / this.zoom - y / zoom;
    this.zoom = zoom;
    this.fitted = zoom <= this.leastZoom * 1.0001;
    this.move(0, 0);
  }

  zoomToBlock() {
    this.zoom = Math.min(48, this.canvas.height / (8 * this.block.height));
    this.fitted = this.zoom <= this.leastZoom;
    this.x = this.block.left + this.block.width / 2 - this.paneWidth / this.zoom / 2;
    this.y = this.block.top + this.block.height / 2 - this.canvas.height / this.zoom / 2;
    this.move(0, 0);
  }

  // By some pixels of the canvas; the picture stays in sight, or in the middle.
  move(dx, dy) {
    const limit = (start, shown, size) => (shown >= size ? (size - shown) / 2 : Math.min(Math.max(start, 0), size - shown));
    this.x = limit(this.x + dx / this.zoom, this.paneWidth / this.zoom, this.width);
    this.y = limit(this.y + dy / this.zoom, this.canvas.height / this.zoom, this.height);
    this.canvas.classList.toggle("moving", !this.fitted);
    this.draw();
  }

  // Bring the chosen block into sight.
  reveal() {
    const { left, top, width, height } = this.block;
    const across = this.paneWidth / this.zoom;
    const down = this.canvas.height / this.zoom;
    if (left < this.x) this.x = left - width;
    if (left + width > this.x + across) this.x = left + 2 * width - across;
    if (top < this.y) this.y = top - height;
    if (top + height > this.y + down) this.y = top + 2 * height - down;
    this.move(0, 0);
  }

  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { context, canvas } = this;
    const { view, left, right, map } = this.layers;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#77736c";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!left && !right) return;
    if (view === "side") {
      this.pane(0, () => this.paint(right));
      this.pane(this.paneWidth, () => this.paint(left));
      this.caption(this.layers.labels[1], 0);
      this.caption(this.layers.labels[0], this.paneWidth);
      context.fillStyle = "#fff";
      context.fillRect(this.paneWidth - 1, 0, 2, canvas.height);
    } else if (view === "difference") {
      this.difference(left, right);
    } else {
      this.pane(0, () => this.paint(view === "original" ? right : left));
      if (map) this.pane(0, () => this.paintMap(map));
    }
    for (const offset of this.side ? [0, this.paneWidth] : [0]) this.pane(offset, () => this.overlay());
  }

  // Draw in the picture's own pixels, within one pane.
  pane(offset, paint) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(offset, 0, this.paneWidth, this.canvas.height);
    context.clip();
    context.setTransform(this.zoom, 0, 0, this.zoom, offset - this.x * this.zoom, -this.y * this.zoom);
    paint();
    context.restore();
  }

  // `layer` is {image, left, top, width, height}: a picture or a part of it.
  paint(layer) {
    const { context } = this;
    if (!layer) return;
    context.imageSmoothingEnabled = this.zoom < 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(layer.image, layer.left, layer.top, layer.width, layer.height);
  }

  paintMap({ image, across, down }) {
    const { context } = this;
    context.beginPath();
    context.rect(0, 0, this.width, this.height);
    context.clip();
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, 0, image.width * across, image.height * down);
  }

  caption(text, offset) {
    const { context } = this;
    const ratio = window.devicePixelRatio || 1;
    context.font = `${13 * ratio}px system-ui, sans-serif`;
    const width = context.measureText(text).width + 16 * ratio;
    context.fillStyle = "rgb(0 0 0 / .7)";
    context.fillRect(offset, 0, width, 24 * ratio);
    context.fillStyle = "#fff";
    context.fillText(text, offset + 8 * ratio, 17 * ratio);
  }

  // Both layers as they are seen, and eight times what they differ by, around grey.
  difference(left, right) {
    const { context, canvas } = this;
    if (!left || !right) return;
    const view = [];
    for (const layer of [left, right]) {
      context.fillRect(0, 0, canvas.width, canvas.height);
      this.pane(0, () => this.paint(layer));
      view.push(context.getImageData(0, 0, canvas.width, canvas.height));
    }
    const [a, b] = view.map((image) => image.data);
    for (let i = 0; i < a.length; i++) a[i] = i % 4 === 3 ? 255 : 128 + 8 * (a[i] - b[i]);
    context.putImageData(view[0], 0, 0);
    const part = [left, right].find((l) => l.width < this.width || l.height < this.height);
    if (!part) return;
    this.pane(0, () => { // where one of them is not known there is no difference to show
      context.fillStyle = "rgb(60 58 54)";
      context.beginPath();
      context.rect(0, 0, this.width, this.height);
      context.rect(part.left, part.top, part.width, part.height);
      context.fill("evenodd");
    });
  }

  overlay() {
    const { context, zoom } = this;
    const { left, top, width, height } = this.block;
    const ratio = window.devicePixelRatio || 1;
    const shownStep = (width * zoom) / ratio;
    if (this.grid && shownStep >= 6) {
      context.beginPath();
      const right = Math.min(this.width, this.x + this.paneWidth / zoom);
      const bottom = Math.min(this.height, this.y + this.canvas.height / zoom);
      for (let x = Math.ceil(Math.max(this.x, 0) / width) * width; x <= right; x += width) {
        context.moveTo(x, Math.max(this.y, 0));
        context.lineTo(x, bottom);
      }
      for (let y = Math.ceil(Math.max(this.y, 0) / height) * height; y <= bottom; y += height) {
        context.moveTo(Math.max(this.x, 0), y);
        context.lineTo(right, y);
      }
      context.strokeStyle = `rgb(255 255 255 / ${Math.min(0.1 + shownStep / 150, 0.4)})`;
      context.lineWidth = 1 / zoom;
      context.stroke();
    }
    const margin = Math.max(0, (12 * ratio) / zoom - width) / 2; // a small block is still to be found
    for (const [color, line] of [["#000", 5], ["#ffd84d", 2.5]]) {
      context.strokeStyle = color;
      context.lineWidth = (line * ratio) / zoom;
      context.strokeRect(left - margin, top - margin, width + 2 * margin, height + 2 * margin);
    }
  }

  // --- mouse, touch, keys

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    let x = (event.clientX - box.left) * ratio;
    if (this.side && x >= this.paneWidth) x -= this.paneWidth;
    return { x, y: (event.clientY - box.top) * ratio };
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event);
      if (pointers.size === 1) moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const ratio = canvas.width / canvas.clientWidth;
      const dx = (event.clientX - before.clientX) * ratio;
      const dy = (event.clientY - before.clientY) * ratio;
      moved += Math.hypot(dx, dy);
      if (pointers.size === 2) {
        const other = [...pointers.values()].find((p) => p.pointerId !== event.pointerId);
        const distance = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
        const { x, y } = this.pointOf(other);
        this.zoomBy(Math.max(distance(event), 1) / Math.max(distance(before), 1), x, y);
      } else if (moved > 4 * ratio && !this.fitted) {
        canvas.setPointerCapture(event.pointerId);
        this.move(-dx, -dy);
      }
      pointers.set(event.pointerId, event);
    });
    canvas.addEventListener("pointerup", (event) => {
      const ratio = canvas.width / canvas.clientWidth;
      if (pointers.size === 1 && moved <= 6 * ratio) {
        const { x, y } = this.pointOf(event);
        this.onChoose(this.x + x / this.zoom, this.y + y / this.zoom);
      }
      pointers.delete(event.pointerId);
    });
    canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && this.fitted && event.deltaY > 0) return; // the page may scroll on
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      const { x, y } = this.pointOf(event);
      this.zoomBy(Math.exp(-event.deltaY / 300), x, y);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const step = steps[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (step) {
        const far = event.shiftKey ? 8 : 1;
        const { left, top, width, height } = this.block;
        this.onChoose(left + width / 2 + far * step[0] * width, top + height / 2 + far * step[1] * height);
        this.reveal();
      } else if (event.key === "+" || event.key === "=") this.zoomBy(1.5);
      else if (event.key === "-") this.zoomBy(1 / 1.5);
      else if (event.key === "0") this.fit();
      else if (event.key === "Enter") this.zoomToBlock();
      else return;
      event.preventDefault();
    });
  }
}
