import { drawImage, gallery } from '../../lib/cli/draw';

describe('drawImage', () => {
  test('two pixels a cell, in characters by their light', () => {
    expect(drawImage([0, 255, 0, 255, 255, 0], [3, 2, 1], false)).toEqual({ lines: [' @', '+ '], width: 2 });
  });

  test('in colour: the upper pixel over the lower one', () => {
    const { lines } = drawImage([1, 2, 3, 99, 4, 5, 6, 99], [2, 1, 4], true);
    expect(lines).toEqual(['\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀\x1b[0m']);
  });

  test('a large image is shrunk to the mean of its pixels', () => {
    const { lines, width } = drawImage(
      Array.from({ length: 4 * 64 }, (_, k) => (k % 2 === 0 ? 0 : 100)),
      [4, 64, 1],
      true,
    );
    expect([width, lines.length]).toEqual([32, 1]);
    expect(lines[0]).toBe(`${'\x1b[38;2;50;50;50m\x1b[48;2;50;50;50m▀'.repeat(32)}\x1b[0m`);
  });
});

test('gallery › pictures side by side, as many a row as fit', () => {
  const picture = (mark: string) => ({ lines: [mark.repeat(3), mark.repeat(3)], width: 3, captions: [mark] });
  expect(gallery(['a', 'b', 'c'].map(picture), 8)).toBe('aaa  bbb\naaa  bbb\na    b\n\nccc\nccc\nc\n');
});
