import * as fc from 'fast-check';
import { manualSeed, ops, type Tensor, tensor, zeros } from '../../lib';
import { distance, precision, unit } from './agree';
import { randomNumbers, sizeOf } from './data';
import { fault } from './fault';
import { gradcheck } from './gradcheck';

export interface ElementwiseRow {
  /** With its parameters, where it has any. */
  readonly name: string;
  readonly op: (x: Tensor) => Tensor;
  readonly formula: (x: number) => number;
  /** Float64 leaves whose values lie where the function has a derivative. */
  readonly inputs: (...shape: number[]) => Tensor;
  /** Where random values are drawn from. */
  readonly range: readonly [low: number, high: number];
  /** Whether it has a gradient. Default true. */
  readonly differentiable?: boolean;
}

/** What holds for every elementwise function. */
export function describeElementwise(rows: readonly ElementwiseRow[]): void {
  beforeEach(() => manualSeed(1));

  describe.each(rows)('$name', ({ op, formula, inputs, range: [low, high], differentiable = true }) => {
    test('forward is the formula, whatever the shape', () => {
      const shapes = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 });
      fc.assert(
        fc.property(shapes, fc.nat(), (shape, seed) => {
          const next = randomNumbers(seed);
          const values = Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(low + (high - low) * next()));
          const x = tensor(values, shape);
          const y = op(x);
          expect(y.shape).toEqual(shape);
          expect(distance(y.dataSync(), values.map(formula))).toBeLessThan(1e-14);
          expect(distance(op(ops.cast(x, 'float32')).dataSync(), y.dataSync())).toBeLessThan(20 * unit);
        }),
        { numRuns: 200, seed: 1 },
      );
    });

    if (differentiable) {
      test.each([[[]], [[7]], [[3, 5]]])('gradient at shape %j', (shape) => gradcheck(op, [inputs(...shape)]));
    } else {
      test('has no gradient', () => expect(op(inputs(3)).requiresGrad).toBe(false));
    }

    test.each([1, 15, 16, 17, 1000])('float32 agrees with float64 for %d elements', (n) => {
      for (const one of precision(op, [inputs(n)])) expect(one).toBeLessThan(20 * unit);
    });

    test('of no elements', () => expect(op(zeros([0, 3])).shape).toEqual([0, 3]));

    test('NaN stays NaN', () => expect(op(tensor([Number.NaN])).dataSync()[0]).toBeNaN());

    test('int32 is refused', () => {
      expect(fault(() => op(zeros([2], { dtype: 'int32' }))).code).toBe('ERR_DTYPE');
    });

    test('as a callback of map it sees the tensor only', () => {
      const x = tensor([low]);
      expect([x].map(op)[0]!.dataSync()).toEqual(op(x).dataSync());
    });
  });
}
