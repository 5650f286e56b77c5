// Elements of the page, and numbers as the page writes them. Text from files is only ever text.

const $ = (id) => document.getElementById(id);

// make("td", {class: "zero", title: "..."}, child, child...): children are elements or text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const whole = (number) => Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, ",");
const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");

// The bytes of a data element (base64).
function bytesOf(id) {
  const text = atob($(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Radio buttons that look like one control.
function radios(holder, name, choices, chosen, onChange) {
  holder.replaceChildren(
    ...choices.map(({ value, label }) => {
      const input = make("input", { type: "radio", name, value, checked: value === chosen ? "" : null });
      input.addEventListener("change", () => onChange(value));
      return make("label", {}, input, label);
    }),
  );
}

// An 8x8 table. `style(value, i)` gives {text, back, ink, className} of a cell.
function matrix(caption, values, style) {
  const table = make("table", { class: "matrix", "aria-label": caption });
  const body = make("tbody");
  for (let row = 0; row < 8; row++) {
    const tr = make("tr");
    for (let column = 0; column < 8; column++) {
      const i = 8 * row + column;
      const { text, back, ink, className, title } = style(values[i], i);
      const td = make("td", { class: className, "data-place": i, title }, text);
      if (back) td.style.background = back;
      if (ink) td.style.color = ink;
      tr.append(td);
    }
    body.append(tr);
  }
  table.append(body);
  return table;
}

// Cells as grey as their samples.
function sampleStyle(most) {
  return (value) => {
    const level = Math.round((255 * value) / most);
    return { text: String(value), back: `rgb(${level} ${level} ${level})`, ink: level > 118 ? "#000" : "#fff" };
  };
}

// Cells of a quantization table: the more coloured the larger the step.
const stepStyle = (value) => ({
  text: String(value),
  back: `rgb(var(--plus) / ${(0.04 + 0.4 * (Math.log(value) / Math.log(256))).toFixed(2)})`,
});

// Cells the more coloured the further they are from 0.
function signedStyle(most, format = String) {
  return (value) => {
    const text = format(value).replace("-", "−");
    if (Number(format(value)) === 0) return { text: text.replace("−", ""), className: "zero" };
    const strength = Math.min(Math.log1p(Math.abs(value)) / Math.log1p(most), 1);
    const color = value > 0 ? "--plus" : "--minus";
    return { text, back: `rgb(var(${color}) / ${(0.08 + 0.3 * strength).toFixed(2)})` };
  };
}
