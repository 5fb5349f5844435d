'use strict';
// The tables of a run: for a terminal, and as Markdown.

const names = {
  layers: { title: 'Layers', forward: 'forward', train: 'forward + backward' },
  models: { title: 'Networks', forward: 'inference', train: 'training step' },
  epoch: { title: 'An epoch', epoch: 'epoch, data loading included' },
  memory: { title: 'Peak resident memory of the process', memory: 'training step' },
};

/** Three significant digits, and all digits of a whole number's. */
const short = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3));

const inUnit = {
  ms: (value) => (value >= 1000 ? `${short(value / 1000)} s` : `${short(value)} ms`),
  bytes: (value) => `${short(value / 2 ** 20)} MiB`,
};

/** Tables of headings and cells, one a set. */
function tables({ rows, versions }) {
  const peers = versions.slice(1).map(({ name }) => name);
  return Object.keys(names)
    .map((set) => ({ set, title: names[set].title, rows: rows.filter((row) => row.set === set) }))
    .filter((table) => table.rows.length > 0)
    .map(({ set, title, rows }) => {
      const rate = { layers: ['GFLOP/s', '% of peak'], models: ['batch', 'items/s'], epoch: ['items/s'], memory: [] }[set];
      const head = ['case', 'task', 'receptive', 'over the rounds', ...rate, ...peers];
      const cells = rows.map((row) => {
        const show = inUnit[row.unit];
        const [own, ...others] = row.results;
        const figures = {
          layers: () => [short(row.flopsPerSecond / 1e9), String(Math.round(100 * row.ofPeak))],
          models: () => [String(row.batch), short(row.itemsPerSecond)],
          epoch: () => [short(row.itemsPerSecond)],
          memory: () => [],
        }[set]();
        if (own.unsupported) return [row.title, names[set][row.task], '-', '-', ...rate.map(() => '-'), ...peers.map(() => '-')];
        const ratio = ({ median, ratio, variant, unsupported }) =>
          unsupported ? '-' : `${ratio.toFixed(2)} x (${show(median)}${variant === 'channels_last' ? ', cl' : ''})`;
        return [
          row.title,
          names[set][row.task],
          show(own.median),
          `${show(own.low)} to ${show(own.high)}`,
          ...figures,
          ...others.map(ratio),
        ];
      });
      return { title, lines: [head, ...cells] };
    });
}

function notes({ machine, versions, absent, rounds, seconds, rows, minutes }) {
  const each = typeof seconds === 'number' ? `${seconds} s` : `${seconds.layers} s (layers) or ${seconds.models} s (networks)`;
  const peak = machine.peak ? `multiply-add peak ${short(machine.peak / 1e9)} GFLOP/s, ` : '';
  const reasons = new Set(
    rows.flatMap((row) => row.results.filter((result) => result.unsupported).map(({ name, unsupported }) => `${name}: ${unsupported}`)),
  );
  return [
    `${machine.cpu}, ${machine.cpus} CPUs, ${short(machine.memory / 2 ** 30)} GiB, ${machine.system}, Node ${machine.node}`,
    `${machine.threads} threads each; ${peak}memory ${short(machine.bandwidth / 1e9)} GB/s, as receptive measured them in this run`,
    `${versions.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
    `Medians over ${rounds} rounds of ${each}, in turns; ${minutes.toFixed(1)} minutes. Peers: their figure / receptive's (their figure); cl: channels_last was PyTorch's better layout`,
    ...absent.map(({ name, missing }) => `Missing, ${name}: ${missing}`),
    ...[...reasons].map((reason) => `Not measured, ${reason}`),
  ];
}

function aligned(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const row = (line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd();
  return lines.map(row).join('\n');
}

const text = (report) =>
  [...tables(report).map(({ title, lines }) => `${title}\n${aligned(lines)}\n`), notes(report).join('\n')].join('\n');

function markdown(report) {
  const row = (line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const table = ({ title, lines: [head, ...rows] }) => `### ${title}\n\n${[head, head.map(() => '---'), ...rows].map(row).join('\n')}\n`;
  const facts = notes(report).map((note) => `- ${note}`);
  return `${[...tables(report).map(table), facts.join('\n')].join('\n')}\n`;
}

module.exports = { text, markdown };
