import { metrics, tensor } from '../../lib';

describe('accuracy', () => {
  const output = tensor([
    [0.1, 2, -1],
    [3, 2, 1],
    [0, 0, 9],
    [1, 0, 0],
  ]);

  test('of labels', () => {
    expect(metrics.accuracy(output, tensor(Int32Array.of(1, 0, 2, 2))).itemSync()).toBe(0.75);
  });

  test('of probabilities: the likeliest class counts', () => {
    const targets = [
      [0.3, 0.7, 0],
      [0.5, 0.25, 0.25],
      [0, 0.6, 0.4],
      [0.1, 0, 0.9],
    ];
    expect(metrics.accuracy(output, tensor(targets)).itemSync()).toBe(0.5);
  });
});
