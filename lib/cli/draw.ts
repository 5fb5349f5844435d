// Grey images in a terminal: each character cell shows two pixels, one above the other, as a half block over a background.

const ramp = ' .:-=+*#%@';

/** Lines of 24-bit colour half blocks, or of plain characters where there is no colour. Pixels are 0 to 255, row-major. */
export function drawGrey(pixels: Uint8Array, height: number, width: number, colour: boolean): string[] {
  const at = (y: number, x: number) => (y < height ? pixels[y * width + x]! : 0);
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let line = '';
    for (let x = 0; x < width; x++) {
      const [top, bottom] = [at(y, x), at(y + 1, x)];
      if (colour) line += `\x1b[38;2;${top};${top};${top}m\x1b[48;2;${bottom};${bottom};${bottom}m▀`;
      else line += ramp[Math.round(((top + bottom) / 510) * (ramp.length - 1))];
    }
    lines.push(colour ? `${line}\x1b[0m` : line);
  }
  return lines;
}

/** Pictures side by side, each with a caption under it; as many a row as fit in columns. */
export function gallery(
  pictures: readonly { lines: readonly string[]; width: number; captions: readonly string[] }[],
  columns: number,
): string {
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
