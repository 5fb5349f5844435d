// Images in a terminal: each character cell shows two pixels, one above the other, as a half block over a background.

const ramp = ' .:-=+*#%@';

/** The most columns an image takes; a larger one is shrunk by a whole factor. */
const mostColumns = 32;

export interface Drawing {
  readonly lines: readonly string[];
  /** Columns. */
  readonly width: number;
}

/**
 * Lines of 24-bit colour half blocks, or of plain characters where there is no colour.
 * @param pixels 0 to 255, [height,width,channels]; of grey, of red, green and blue, or of those and a fourth, which is not shown.
 */
export function drawImage(
  pixels: ArrayLike<number>,
  [height, width, channels]: readonly [number, number, number],
  colour: boolean,
): Drawing {
  const factor = Math.ceil(width / mostColumns);
  const [rows, columns] = [Math.ceil(height / factor), Math.ceil(width / factor)];
  /** Red, green and blue of a cell of the drawing: the mean of its pixels; black below the image. */
  const at = (row: number, column: number): [number, number, number] => {
    const sum: [number, number, number] = [0, 0, 0];
    let count = 0;
    for (let i = row * factor; i < Math.min((row + 1) * factor, height); i++) {
      for (let j = column * factor; j < Math.min((column + 1) * factor, width); j++) {
        const first = (i * width + j) * channels;
        for (let c = 0; c < 3; c++) sum[c]! += pixels[first + (channels >= 3 ? c : 0)]!;
        count++;
      }
    }
    return sum.map((v) => Math.round(v / Math.max(count, 1))) as [number, number, number];
  };
  const light = ([r, g, b]: readonly [number, number, number]) => 0.299 * r + 0.587 * g + 0.114 * b;

  const lines: string[] = [];
  for (let row = 0; row < rows; row += 2) {
    let line = '';
    for (let column = 0; column < columns; column++) {
      const [top, bottom] = [at(row, column), at(row + 1, column)];
      if (colour) line += `\x1b[38;2;${top.join(';')}m\x1b[48;2;${bottom.join(';')}m▀`;
      else line += ramp[Math.round(((light(top) + light(bottom)) / 510) * (ramp.length - 1))];
    }
    lines.push(colour ? `${line}\x1b[0m` : line);
  }
  return { lines, width: columns };
}

/** Pictures side by side, each with a caption under it; as many a row as fit in columns. */
export function gallery(pictures: readonly (Drawing & { captions: readonly string[] })[], columns: number): string {
  const gap = '  ';
  const width = Math.max(...pictures.map((picture) => Math.max(picture.width, ...picture.captions.map((caption) => caption.length))));
  const perRow = Math.max(1, Math.floor((columns + gap.length) / (width + gap.length)));
  const rows: string[] = [];
  for (let first = 0; first < pictures.length; first += perRow) {
    const row = pictures.slice(first, first + perRow);
    for (let i = 0; i < Math.max(...row.map((picture) => picture.lines.length)); i++) {
      rows.push(row.map(({ lines, width: drawn }) => (lines[i] ?? ' '.repeat(drawn)) + ' '.repeat(width - drawn)).join(gap));
    }
    for (let i = 0; i < Math.max(...row.map(({ captions }) => captions.length)); i++) {
      rows.push(
        row
          .map(({ captions }) => (captions[i] ?? '').padEnd(width))
          .join(gap)
          .trimEnd(),
      );
    }
    rows.push('');
  }
  return rows.join('\n');
}
