import type { Range } from './geometry';

/** What one unit sees, and what it is called. */
export interface Field {
  readonly title: string;
  readonly rows: Range;
  readonly columns: Range;
}

export const middle = ([first, last]: Range): number => (first + last + 1) / 2;

/** From violet to yellow, ever lighter. */
const colour = (i: number, n: number): string => {
  const t = n > 1 ? i / (n - 1) : 0;
  return `hsl(${Math.round(275 - 230 * t)} 85% ${Math.round(40 + 8 * t)}%)`;
};

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const short = (n: number): string => String(Number(n.toFixed(2)));

const margin = 12;
const line = 18;
/** About the width of a character of the legend. */
const character = 7.2;

/**
 * Fields on an input of this height and width, with a legend beside it.
 * @param image The address of a picture of the input.
 * @param side Of the drawing, in pixels.
 */
export function fieldsSvg(
  [height, width]: readonly [number, number],
  fields: readonly Field[],
  image: string | undefined,
  side: number,
): string {
  const top = Math.min(0, ...fields.map(({ rows }) => rows[0]));
  const bottom = Math.max(height, ...fields.map(({ rows }) => rows[1] + 1));
  const left = Math.min(0, ...fields.map(({ columns }) => columns[0]));
  const right = Math.max(width, ...fields.map(({ columns }) => columns[1] + 1));
  const scale = side / Math.max(bottom - top, right - left);
  const x = (column: number) => short(margin + (column - left) * scale);
  const y = (row: number) => short(margin + (row - top) * scale);
  const box = ([first, last]: Range, [from, to]: Range) =>
    `x="${x(from)}" y="${y(first)}" width="${short((to + 1 - from) * scale)}" height="${short((last + 1 - first) * scale)}"`;
  const input = box([0, height - 1], [0, width - 1]);

  const legend = (right - left) * scale + 2 * margin + 12;
  const paints = fields.map((_, i) => colour(i, fields.length));
  const marks = fields.map(
    ({ title, rows, columns }, i) =>
      `<g><title>${escaped(title)}</title><rect ${box(rows, columns)} fill="none" stroke="${paints[i]}" stroke-width="2"/>` +
      `<circle cx="${x(middle(columns))}" cy="${y(middle(rows))}" r="3" fill="${paints[i]}"/></g>`,
  );
  const titles = fields.map(
    ({ title }, i) =>
      `<rect x="${short(legend)}" y="${margin + line * i + 3}" width="12" height="12" fill="${paints[i]}"/>` +
      `<text x="${short(legend + 20)}" y="${margin + line * i + 13}">${escaped(title)}</text>`,
  );
  const w = Math.ceil(legend + 20 + character * Math.max(...fields.map(({ title }) => title.length)) + margin);
  const h = Math.ceil(Math.max((bottom - top) * scale, line * fields.length) + 2 * margin);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" font-family="sans-serif" font-size="13">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<rect ${input} fill="#e8e8e8"/>`,
    ...(image
      ? [`<image ${input} href="${image}" preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering:pixelated"/>`]
      : []),
    ...(scale >= 6 ? [grid(x, y, width, height)] : []),
    `<rect ${input} fill="none" stroke="#555" stroke-dasharray="4 3"/>`,
    ...marks.toReversed(), // small ones over large ones
    ...titles,
    '</svg>\n',
  ].join('\n');
}

/** Thin lines between the cells of the input. */
function grid(x: (column: number) => string, y: (row: number) => string, width: number, height: number): string {
  const columns = Array.from({ length: width - 1 }, (_, i) => `M${x(i + 1)} ${y(0)}V${y(height)}`);
  const rows = Array.from({ length: height - 1 }, (_, i) => `M${x(0)} ${y(i + 1)}H${x(width)}`);
  return `<path d="${columns.join('')}${rows.join('')}" stroke="#888" stroke-opacity="0.25" fill="none"/>`;
}
