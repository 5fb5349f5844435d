import { data, memory, ones, type Tensor, tensor, tidy, zeros } from '../../lib';
import { fault } from '../support/fault';
import { settle } from '../support/memory';

const classes = ['cat', 'dog'];

describe('ImageDataset', () => {
  test('normalises each channel by its own mean and deviation', () => {
    const pixels = Uint8Array.of(0, 51, 102, 153, 204, 255);
    const set = new data.ImageDataset(tensor(pixels, [1, 1, 2, 3]), Int32Array.of(1), {
      classes,
      normalization: { mean: [0, 0.5, 1], std: [1, 0.5, 0.2] },
    });
    const { x, y } = set.batch(Int32Array.of(0));
    expect([x.dtype, x.shape, y.dtype, [...y.dataSync()]]).toEqual(['float32', [1, 1, 2, 3], 'int32', [1]]);
    expect(Array.from(x.dataSync(), (v) => Number(v.toFixed(5)))).toEqual([0, -0.6, -3, 0.6, 0.6, 0]);
    expect([...set.pixels(Int32Array.of(0, 0)).x.dataSync()]).toEqual([...pixels, ...pixels]);
  });

  test('batches are the pixels as numbers, of a subset too', () => {
    const pixels = tensor(
      Uint8Array.from({ length: 6 * 5 * 5 }, (_, i) => (i * 91) % 256),
      [6, 5, 5, 1],
    );
    const labels = Int32Array.of(0, 1, 1, 0, 1, 0);
    const set = new data.ImageDataset(pixels, labels, { classes, normalization: { mean: 0.25, std: 0.5 } });
    const part = set.subset([5, 0, 4, 4]);
    for (const [given, taken, places] of [
      [set, [3, 1, 3], [3, 1, 3]],
      [part, [2, 0, 3], [4, 5, 4]],
    ] as const) {
      const { x, y } = given.batch(Int32Array.from(taken)) as { x: Tensor; y: Tensor };
      const expected = places.flatMap((n) => Array.from({ length: 25 }, (_, i) => (((n * 25 + i) * 91) % 256) / 255 / 0.5 - 0.5));
      expect(x.shape).toEqual([3, 5, 5, 1]);
      for (const [i, v] of x.dataSync().entries()) expect(v).toBeCloseTo(expected[i], 6);
      expect([...y.dataSync()]).toEqual(places.map((n) => labels[n]));
    }
    expect(fault(() => set.batch(Int32Array.of(6))).message).toBe('pixels: an index is 6, expected an integer from 0 to 5');
    expect(fault(() => part.batch(Int32Array.of(4))).message).toContain('pixels: an index is -1');
  });

  test('shares the memory of the tensor it is made from, also inside a tidy, and frees what is its own', async () => {
    await settle();
    const before = memory().tensors;
    const set = tidy(() => {
      const made = new data.ImageDataset(ones([2, 4, 4, 1], { dtype: 'uint8' }), Int32Array.of(0, 1), {
        classes,
        normalization: { mean: 0, std: 1 },
      });
      return () => made;
    })();
    const { x, y } = set.batch(Int32Array.of(1));
    expect(x.dataSync()[0]).toBeCloseTo(1 / 255, 7);
    for (const one of [x, y, set]) one.dispose();
    expect(memory().tensors).toBe(before);
  });

  const make =
    (shape: number[], labels: unknown, normalization: unknown, names: unknown = classes, dtype: 'uint8' | 'float32' = 'uint8') =>
    () =>
      new data.ImageDataset(zeros(shape, { dtype }), labels as Int32Array, { classes: names, normalization } as data.ImageOptions);
  const unit = { mean: 0, std: 1 };

  test.each<[string, () => unknown, string]>([
    ['a shape', make([1, 4], Int32Array.of(0), unit), 'ImageDataset: images has shape [1,4], expected [N,H,W,C]'],
    ['bytes', make([1, 1, 1, 1], Int32Array.of(0), unit, classes, 'float32'), 'ImageDataset: images are float32, expected uint8'],
    ['as many labels as images', make([1, 2, 2, 1], Int32Array.of(0, 0), unit), '2 labels for images of shape [1,2,2,1]'],
    ['labels in an Int32Array', make([1, 1, 1, 1], [0], unit), 'ImageDataset: labels is [0], expected an Int32Array'],
    ['labels that are classes', make([2, 1, 1, 1], Int32Array.of(0, 2), unit), 'label 1 is 2, expected a class from 0 to 1'],
    ['names of classes', make([1, 1, 1, 1], Int32Array.of(0), unit, 2), 'ImageDataset: classes is 2, expected a list of strings'],
    ['a deviation', make([1, 1, 1, 1], Int32Array.of(0), { mean: 0, std: 0 }), 'std is 0, expected a positive number, or 1 of them'],
    ['a mean for each channel', make([1, 1, 1, 3], Int32Array.of(0), { mean: [0, 0], std: 1 }), 'mean is [0,0], expected a finite number'],
    ['means that are numbers', make([1, 1, 1, 1], Int32Array.of(0), { mean: '0', std: 1 }), 'mean is "0"'],
  ])('expects %s', (_, call, message) => {
    expect(fault(call).message).toContain(message);
  });
});
