import { inflateSync } from 'node:zlib';
import { inspect, models, nn, ones, ops, type Tensor } from '../../lib';

/** The values of an element's attributes. */
const attributes = (element: string): Record<string, string> =>
  Object.fromEntries([...element.matchAll(/ ([\w:-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));

/** Fields as a drawing shows them: title, and the cells [top, bottom, left, right] of the box and [row, column] of its middle. */
function fieldsIn(svg: string, cell: number, origin: readonly [top: number, left: number] = [0, 0]) {
  return [...svg.matchAll(/<g><title>(.*?)<\/title>(<rect [^>]*>)(<circle [^>]*>)<\/g>/g)].map(([, title, rect, circle]) => {
    const [{ x, y, width, height }, { cx, cy }] = [attributes(rect), attributes(circle)];
    const [row, column] = [(at: string) => (Number(at) - 12) / cell + origin[0], (at: string) => (Number(at) - 12) / cell + origin[1]];
    return {
      title,
      box: [row(y), row(y) + Number(height) / cell, column(x), column(x) + Number(width) / cell].map((n) => Math.round(n * 100) / 100),
      middle: [row(cy), column(cx)].map((n) => Math.round(n * 100) / 100),
    };
  });
}

describe('inspect.drawReceptiveField', () => {
  test('draws what a unit of the last layer sees, and the nearest units of the layers before it', () => {
    const svg = inspect.drawReceptiveField(models.lenet5(), [1, 28, 28, 1], { layers: ['0', '3', '5'], unit: [1, 3], width: 280 });
    expect(fieldsIn(svg, 10)).toEqual([
      { title: '5 MaxPool2d: 16, jump 4', box: [2, 18, 10, 26], middle: [10, 18] },
      { title: '3 Conv2d: 14, jump 2', box: [4, 18, 12, 26], middle: [11, 19] },
      { title: '0 Conv2d: 5, jump 1', box: [8, 13, 16, 21], middle: [10.5, 18.5] },
    ]);
  });

  test('shows padding around the picture', () => {
    const svg = inspect.drawReceptiveField(models.lenet5(), [1, 28, 28, 1], { layers: ['5'], unit: [0, 4], width: 300 });
    // from two rows above the picture to its last
    expect(fieldsIn(svg, 10, [-2, 0])).toEqual([{ title: '5 MaxPool2d: 16, jump 4', box: [-2, 14, 14, 30], middle: [6, 22] }]);
    expect(svg).toContain('<rect x="12" y="32" width="280" height="280" fill="#e8e8e8"/>');
  });

  test('of a network shows each layer that sees more, and all there is at the end', () => {
    const fields = fieldsIn(inspect.drawReceptiveField(models.lenet5(), [1, 28, 28, 1], { width: 280 }), 10);
    expect(fields.map(({ title }) => title)).toEqual([
      ...['6 Flatten: 28', '5 MaxPool2d: 16, jump 4', '3 Conv2d: 14, jump 2', '2 MaxPool2d: 6, jump 2', '0 Conv2d: 5, jump 1'],
    ]);
    expect(fields[0].box).toEqual([0, 28, 0, 28]);
  });

  test.each([
    [1, 0],
    [3, 2],
    [4, 2],
  ])('puts a picture of %i channels under them', (channels, colourType) => {
    const image = Float32Array.from({ length: 2 * 3 * channels }, (_, i) => i - 2);
    const svg = inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 3, channels], { image });
    const png = Buffer.from(/href="data:image\/png;base64,([^"]+)"/.exec(svg)![1], 'base64');
    expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]));
    expect([png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]]).toEqual([3, 2, 8, colourType]);
    expect(png.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082'); // the last chunk of every PNG file
    const start = png.indexOf('IDAT');
    const lines = inflateSync(png.subarray(start + 4, start + 4 + png.readUInt32BE(start - 4)));
    const shown = channels === 1 ? 1 : 3;
    const expected = Array.from({ length: 2 }, (_, y) => [
      0,
      ...Array.from({ length: 3 * shown }, (__, i) =>
        Math.round(((y * 3 + Math.floor(i / shown)) * channels + (i % shown)) * (255 / (image.length - 1))),
      ),
    ]);
    expect([...lines]).toEqual(expected.flat());
  });

  test('of a sequence is a strip; names are made safe', () => {
    const model = Object.assign(new nn.Sequential(), { 'a<b&"c"': new nn.Linear(2, 3) });
    model.forward = (x: Tensor) => model['a<b&"c"'].forward(ops.slice(x, [0, 1]));
    const [field] = fieldsIn(inspect.drawReceptiveField(model, [1, 20, 2], { layers: ['a<b&"c"'], unit: [4], width: 400 }), 20);
    expect(field).toEqual({ title: 'a&lt;b&amp;&quot;c&quot; Linear: 1, jump 1', box: [0, 1, 5, 6], middle: [0.5, 5.5] });
  });

  test('a unit alone is one of the last layer that gives an image', () => {
    const draw = (options: object) => inspect.drawReceptiveField(models.lenet5(), [1, 28, 28, 1], { ...options, unit: [2, 2] });
    const drawn = draw({});
    expect(drawn).toContain('5 MaxPool2d'); // no fully connected layer behind it
    expect(drawn).not.toContain('Linear');
    expect(drawn).toBe(draw({ layers: ['0', '2', '3', '5'] }));
  });

  test.each<[string, () => unknown, string]>([
    [
      'an option it does not have',
      () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 1], { size: 3 } as never),
      'an option name is "size"',
    ],
    [
      'an unknown layer',
      () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 1], { layers: ['x'] }),
      'drawReceptiveField: layer is "x"',
    ],
    ['no layers', () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 1], { layers: [] }), 'layers is [], expected a list of layers'],
    [
      'a unit out of range',
      () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 1], { unit: [2, 0] }),
      'drawReceptiveField: unit is [2,0]',
    ],
    ['a volume', () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 2, 1]), 'the input has shape [1,2,2,2,1], expected [N,H,W,C]'],
    [
      'a picture of another size',
      () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 1], { image: [1, 2, 3] }),
      'image has 3 values, expected 2 x 2 pixels',
    ],
    ['no width', () => inspect.drawReceptiveField(new nn.ReLU(), [1, 2, 2, 1], { width: 0 }), 'width is 0'],
    [
      'a model that sees nothing',
      () => inspect.drawReceptiveField(new Constant(), [1, 2, 2, 1]),
      'layers is "none", expected layers that depend on the input',
    ],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(message);
  });
});

class Constant extends nn.Module {
  scale = new nn.Parameter(ones([1]));
  forward(_x: Tensor): Tensor {
    return ops.exp(this.scale);
  }
}
