// Quantization tables side by side, and the chart of sizes and scores.

function tableCard(title, about, tables, names) {
  const card = make("section", { class: "step" }, make("h3", {}, title), about);
  tables.forEach((table, i) => {
    card.append(make("p", { class: "hint" }, names[i]), matrix(`${title}: ${names[i]}`, table, stepStyle));
  });
  return card;
}

function distinctTables(qtables, names) {
  const kept = [];
  qtables.forEach((table, i) => {
    const same = kept.find((other) => other.table.every((step, k) => step === table[k]));
    if (same) same.name += ` and ${names[i]}`;
    else kept.push({ table, name: names[i] });
  });
  return [kept.map(({ table }) => table), kept.map(({ name }) => name)];
}

function showTables(holder, facts, jpeg, names) {
  const cards = make("div", { class: "cards" });
  if (facts.tables.length) {
    const most = Math.max(...facts.tables.map((t) => t.bytes));
    for (const t of facts.tables) {
      const saved = 100 * (1 - t.bytes / most);
      const about = make("p", {}, make("b", {}, plural(t.bytes, "byte")),
        saved >= 0.05 ? `, ${saved.toFixed(1)}% saved. ` : ". ",
        `${t.about[0].toUpperCase()}${t.about.slice(1)}. ${t.subsampling}, MS-SSIM ${t.msSsim.toFixed(4)}${t.met ? "" : ", not met"}.`);
      cards.append(tableCard(t.name, about, ...distinctTables(t.qtables, names)));
    }
    holder.replaceChildren(
      make("p", { class: "lead" }, `Four ways to an MS-SSIM of ${facts.compared}, in sequential files: the same picture, the same score, other tables. Each cell is the step of one frequency; upper left is DC.`), cards);
    return;
  }
  const [tables, labels] = distinctTables(jpeg.frame.components.map((_, i) => jpeg.qtable(i)), names);
  const quality = facts.quality === null ? "" : facts.qualityExact
    ? `The first is Annex K's at quality ${facts.quality}.` : `The nearest of Annex K's to the first is that of quality ${facts.quality}; it is not the same.`;
  cards.append(tableCard("In this file", make("p", {}, quality), tables, labels));
  holder.replaceChildren(cards);
}

// Bytes across, MS-SSIM up: 1 - MS-SSIM and bytes both in logarithms, as the curves are straight so.
function drawChart(holder, variants, current) {
  const width = 320;
  const height = 244;
  const box = { left: 44, right: 12, top: 14, bottom: 46 };
  const xs = variants.map((v) => Math.log(v.bytes));
  const ys = variants.map((v) => Math.log(Math.max(1 - v.msSsim, 1e-5)));
  const scale = (values, low, high) => {
    const from = Math.min(...values) - 0.1;
    const to = Math.max(...values) + 0.1;
    return (value) => low + ((value - from) / (to - from)) * (high - low);
  };
  const x = scale(xs, box.left, width - box.right);
  const y = scale(ys, box.top, height - box.bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "MS-SSIM over bytes: files by quality, and by target. A point further to the left is smaller, higher up is nearer to the original." });
  for (const score of [0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]) {
    const at = y(Math.log(1 - score));
    if (at < box.top || at > height - box.bottom) continue;
    picture.append(svg("line", { class: "axis", x1: box.left, x2: width - box.right, y1: at, y2: at }),
      svg("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, String(score)));
  }
  const sizes = [1, 2, 5].flatMap((m) => [3, 4, 5, 6, 7].map((e) => m * 10 ** e)).sort((a, b) => a - b);
  let last = -Infinity;
  for (const size of sizes) {
    const at = x(Math.log(size));
    if (at < box.left || at > width - box.right - 10 || at - last < 45) continue;
    last = at;
    picture.append(svg("line", { class: "axis", x1: at, x2: at, y1: box.top, y2: height - box.bottom }),
      svg("text", { x: at, y: height - 30, "text-anchor": "middle" }, size >= 1e6 ? `${size / 1e6} MB` : `${size / 1e3} kB`));
  }
  for (const kind of ["quality", "target"]) {
    const places = variants.map((v, i) => [v, i]).filter(([v]) => v.kind === kind).sort((a, b) => a[0].bytes - b[0].bytes)
      .map(([, i]) => [x(xs[i]), y(ys[i])]);
    if (!places.length) continue;
    picture.append(svg("path", { class: kind, d: `M${places.map((p) => p.map((c) => c.toFixed(1)).join(" ")).join("L")}` }));
    for (const [cx, cy] of places) picture.append(svg("circle", { class: kind, cx, cy, r: 3.5 }));
  }
  const i = variants.indexOf(current);
  picture.append(svg("circle", { class: `${current.kind} now`, cx: x(xs[i]), cy: y(ys[i]), r: 6.5 }));
  picture.append(svg("circle", { class: "quality", cx: box.left + 4, cy: height - 8, r: 3.5 }), svg("text", { x: box.left + 12, y: height - 4 }, "Annex K by quality"),
    svg("circle", { class: "target", cx: box.left + 136, cy: height - 8, r: 3.5 }), svg("text", { x: box.left + 144, y: height - 4 }, "by MS-SSIM target"));
  holder.replaceChildren(picture);
}
