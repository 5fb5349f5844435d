'use strict';
// A roofline picture (Williams, Waterman and Patterson 2009) of every layer's forward pass, from the figures of a run.
// usage: node bench/roofline.cjs results.json > docs/roofline.svg
// Across: the definition's FLOP per byte of input, weights, bias and output, each moved once. Up: GFLOP/s, again the definition's.
const { readFileSync } = require('node:fs');

const width = 1080;
const chart = { left: 64, top: 56, right: 700, bottom: 600 };

// Dark on light, and the other way round where the reader's pages are.
const style = `
  svg { font: 12px system-ui, sans-serif; color: #1c2733; }
  text { fill: currentColor; } .page { fill: #fff; } .grid { stroke: currentColor; opacity: 0.14; } .axis { stroke: currentColor; opacity: 0.6; }
  .roof { stroke: #c2410c; stroke-width: 2; fill: none; } .roofs { fill: #c2410c; } .dot { fill: #0a6cc4; }
  .lead { stroke: currentColor; opacity: 0.3; fill: none; } .title { font-size: 16px; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    svg { color: #dbe4ee; } .page { fill: #10161d; } .roof { stroke: #ff9d5c; } .roofs { fill: #ff9d5c; } .dot { fill: #58b0ff; }
  }`;

const xml = (string) => string.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const round = (value) => Number(value.toFixed(1));

/** A logarithmic scale from values to pixels, and the marks of 1, 2 and 5 times the powers of ten on it. */
function scale(low, high, from, to) {
  const at = (value) => from + ((to - from) * Math.log(value / low)) / Math.log(high / low);
  const marks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const digit of [1, 2, 5]) {
      const mark = digit * 10 ** power;
      if (mark >= low * 0.999 && mark <= high * 1.001) marks.push(mark);
    }
  }
  return { at, marks };
}

/** Places for labels in a column, none over another, each as near to where it wants to be as that leaves. */
function column(wanted, gap, top, bottom) {
  const places = [];
  for (const y of wanted) places.push(Math.max(y, top, places.length > 0 ? places.at(-1) + gap : top));
  for (let i = places.length - 1, limit = bottom; i >= 0; i--, limit -= gap) places[i] = Math.min(places[i], limit);
  return places;
}

function roofline({ machine, rows }) {
  const { peak, bandwidth, threads, cpu } = machine;
  const layers = rows
    .filter(({ set, task }) => set === 'layers' && task === 'forward')
    .map(({ name, flops, bytes, flopsPerSecond }) => ({ name, intensity: flops / bytes, speed: flopsPerSecond / 1e9 }))
    .sort((a, b) => b.speed - a.speed);
  if (layers.length === 0) throw new Error('no layers in this file');
  const roof = peak / 1e9;
  const ridge = peak / bandwidth;
  const intensities = [...layers.map(({ intensity }) => intensity), ridge];
  const speeds = [...layers.map(({ speed }) => speed), roof];
  const lowest = Math.min(...intensities) / 1.6;
  const x = scale(lowest, Math.max(...intensities) * 1.6, chart.left, chart.right);
  const y = scale(Math.min(...speeds) / 1.6, Math.max(...speeds) * 1.5, chart.bottom, chart.top);
  const line = (name, x1, y1, x2, y2) => `<line class="${name}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
  const label = (text, at, level, more = '') => `<text x="${round(at)}" y="${round(level)}" ${more}>${xml(text)}</text>`;

  const parts = [];
  for (const mark of x.marks) {
    parts.push(line('grid', x.at(mark), chart.top, x.at(mark), chart.bottom));
    parts.push(label(String(mark), x.at(mark), chart.bottom + 18, 'text-anchor="middle"'));
  }
  for (const mark of y.marks) {
    parts.push(line('grid', chart.left, y.at(mark), chart.right, y.at(mark)));
    parts.push(label(String(mark), chart.left - 8, y.at(mark) + 4, 'text-anchor="end"'));
  }
  parts.push(
    line('axis', chart.left, chart.bottom, chart.right, chart.bottom),
    line('axis', chart.left, chart.top, chart.left, chart.bottom),
  );
  parts.push(
    label(
      'FLOP per byte (input, weights and output moved once)',
      (chart.left + chart.right) / 2,
      chart.bottom + 42,
      'text-anchor="middle"',
    ),
  );
  parts.push(label('GFLOP/s of the direct algorithm', chart.left, chart.top - 10));

  // Memory's roof enters from the left or from below, whichever the axes cut first, and ends at the ridge.
  const lowestSpeed = Math.min(...speeds) / 1.6;
  const begin = Math.max(lowest, (lowestSpeed * 1e9) / bandwidth);
  const beginSpeed = (begin * bandwidth) / 1e9;
  const corner = [x.at(ridge), y.at(roof)].map(round);
  parts.push(
    `<polyline class="roof" points="${round(x.at(begin))},${round(y.at(beginSpeed))} ${corner.join(',')} ${chart.right},${corner[1]}"/>`,
    label(`peak ${Math.round(roof)} GFLOP/s`, chart.left + 8, corner[1] - 6, 'class="roofs"'),
    line('grid', chart.left, corner[1], corner[0], corner[1]),
  );
  const middle = [Math.sqrt(begin * ridge), Math.sqrt(beginSpeed * roof)];
  const slope = (-Math.atan2(y.at(beginSpeed) - corner[1], corner[0] - x.at(begin)) * 180) / Math.PI;
  const at = `${round(x.at(middle[0]))} ${round(y.at(middle[1]))}`;
  parts.push(
    `<text class="roofs" transform="translate(${at}) rotate(${round(slope)})" y="-7" text-anchor="middle">memory ${round(bandwidth / 1e9)} GB/s</text>`,
  );

  const gap = Math.min(17, (chart.bottom - chart.top) / layers.length);
  const places = column(
    layers.map(({ speed }) => y.at(speed)),
    gap,
    chart.top,
    chart.bottom,
  );
  for (const [i, { name, intensity, speed }] of layers.entries()) {
    const [cx, cy, level] = [x.at(intensity), y.at(speed), places[i]];
    parts.push(`<path class="lead" d="M${round(cx)} ${round(cy)} L${chart.right + 12} ${round(level)} h8"/>`);
    parts.push(`<circle class="dot" cx="${round(cx)}" cy="${round(cy)}" r="4"><title>${xml(name)}</title></circle>`);
    parts.push(label(`${name}: ${Math.round(speed)} GFLOP/s, ${Math.round((100 * speed) / roof)} % of peak`, chart.right + 24, level + 4));
  }
  const title = `Layers, forward, on ${threads} threads of ${cpu}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${chart.bottom + 60}" role="img" aria-label="${xml(title)}">
<style>${style}
</style>
<rect class="page" width="${width}" height="${chart.bottom + 60}"/>
${label(title, chart.left, 26, 'class="title"')}
${parts.join('\n')}
</svg>
`;
}

try {
  process.stdout.write(roofline(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))));
} catch (error) {
  console.error(`roofline: ${error.message}\nusage: node bench/roofline.cjs results.json > docs/roofline.svg`);
  process.exitCode = 1;
}
