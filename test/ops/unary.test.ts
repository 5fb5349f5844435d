import { manualSeed, ops, type Tensor, tensor, zeros } from '../../lib';
import { distance, precision, unit } from '../support/agree';
import { leaf, positiveLeaf, spacedLeaf } from '../support/data';
import { fault } from '../support/fault';
import { gradcheck } from '../support/gradcheck';

beforeEach(() => manualSeed(1));

type Row = readonly [name: string, op: (x: Tensor) => Tensor, formula: (x: number) => number, inputs: (...shape: number[]) => Tensor];

const rows: readonly Row[] = [
  ['neg', ops.neg, (x) => -x, leaf],
  ['abs', ops.abs, Math.abs, spacedLeaf],
  ['exp', ops.exp, Math.exp, leaf],
  ['log', ops.log, Math.log, positiveLeaf],
  ['sqrt', ops.sqrt, Math.sqrt, positiveLeaf],
  ['square', ops.square, (x) => x * x, leaf],
  ['relu', ops.relu, (x) => Math.max(x, 0), spacedLeaf],
  ['relu6', ops.relu6, (x) => Math.min(Math.max(x, 0), 6), (...shape) => spacedLeaf(...shape, 70)],
  ['sigmoid', ops.sigmoid, (x) => 1 / (1 + Math.exp(-x)), leaf],
  ['tanh', ops.tanh, Math.tanh, leaf],
];

describe.each(rows)('%s', (_name, op, formula, inputs) => {
  test('forward is the formula', () => {
    const x = inputs(37);
    expect(distance(op(x).dataSync(), x.dataSync().map(formula))).toBeLessThan(1e-15);
  });

  test.each([[[]], [[7]], [[3, 5]]])('gradient at shape %j', (shape) => gradcheck(op, [inputs(...shape)]));

  test.each([1, 15, 16, 17, 1000])('float32 agrees with float64 for %d elements', (n) => {
    for (const one of precision(op, [inputs(n)])) expect(one).toBeLessThan(20 * unit);
  });

  test('of no elements', () => expect(op(zeros([0, 3])).shape).toEqual([0, 3]));

  test('int32 is refused', () => {
    expect(fault(() => op(zeros([2], { dtype: 'int32' }))).code).toBe('ERR_DTYPE');
  });
});

test.each<[string, number, (x: Tensor) => Tensor]>([
  ['abs', 0, ops.abs],
  ['relu', 0, ops.relu],
  ['relu6', 0, ops.relu6],
  ['relu6', 6, ops.relu6],
])('%s › its gradient at %d is 0', (_name, at, op) => {
  const x = tensor([at], null, { requiresGrad: true });
  op(x).backward();
  expect(x.grad!.dataSync()[0]).toBe(0);
});

test.each<[string, (x: Tensor) => Tensor]>([
  ['relu', ops.relu],
  ['relu6', ops.relu6],
])('%s › NaN stays NaN', (_name, op) => expect(op(tensor([Number.NaN])).dataSync()[0]).toBeNaN());

test.each([
  ['exp', ops.exp, [Infinity, -Infinity, 1000], [Infinity, 0, Infinity]],
  ['log', ops.log, [0, -1, Infinity], [-Infinity, Number.NaN, Infinity]],
  ['sigmoid', ops.sigmoid, [1000, -1000, 0], [1, 0, 0.5]],
  ['tanh', ops.tanh, [1000, -1000, 0], [1, -1, 0]],
])('%s › at its ends', (_name, op, x, expected) => {
  for (const dtype of ['float32', 'float64'] as const) expect(Array.from(op(tensor(x, null, { dtype })).dataSync())).toEqual(expected);
});
