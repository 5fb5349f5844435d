import { manualSeed, nn, noGrad, ops, optim, tensor } from '../../lib';

beforeEach(() => manualSeed(1));

describe('Embedding', () => {
  test('shows itself, maps shapes, has one parameter', () => {
    const layer = new nn.Embedding(7, 4, { paddingIdx: -7 });
    expect(String(layer)).toBe('Embedding(7, 4, { paddingIdx: 0 })');
    expect(String(new nn.Embedding(7, 4))).toBe('Embedding(7, 4)');
    expect(layer.forward(tensor(Int32Array.of(1, 0, 6), [3, 1])).shape).toEqual([3, 1, 4]);
    expect(Object.keys(layer.stateDict())).toEqual(['weight']);
    expect(layer.weight.shape).toEqual([7, 4]);
  });

  test('starts as normal samples of standard deviation 1, the padding row as zeros', () => {
    const values = new nn.Embedding(200, 100, { paddingIdx: 3 }).weight.dataSync();
    const others = [...values].filter((_, i) => Math.floor(i / 100) !== 3);
    expect([...values.slice(300, 400)]).toEqual(new Array(100).fill(0));
    const mean = others.reduce((a, b) => a + b, 0) / others.length;
    const variance = others.reduce((a, b) => a + (b - mean) ** 2, 0) / others.length;
    expect(Math.abs(mean)).toBeLessThan(0.036); // 5 standard deviations of a mean of 19,900
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    expect(others).not.toContain(0);
  });

  test('training moves the rows in use, and never the padding row', () => {
    const layer = new nn.Embedding(5, 3, { paddingIdx: 0 });
    const before = layer.weight.dataSync();
    const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 });
    for (let step = 0; step < 3; step++) {
      ops.sum(layer.forward(tensor(Int32Array.of(0, 2, 0, 4), [2, 2]))).backward();
      optimizer.step();
      optimizer.zeroGrad();
    }
    const moved = noGrad(() => ops.sub(layer.weight, tensor(before, [5, 3])));
    const sizes = Array.from(moved.dataSync(), (v) => Math.round(v * 1e5) / 1e5);
    expect(sizes).toEqual([0, 0, 0, 0, 0, 0, -0.3, -0.3, -0.3, 0, 0, 0, -0.3, -0.3, -0.3]);
  });
});
