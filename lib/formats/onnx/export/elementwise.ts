import type { TraceNode, Value } from '../../../trace';
import { type AttributesOf, type Exporter, elementCode, type Written } from './exporter';
import type { Rows } from './rows';

// What is computed element by element stays in the order it is written in.

/** One operator on one input. */
const unary =
  (operator: string, attributes: (numbers: readonly number[]) => AttributesOf = () => ({})) =>
  (to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written => {
    const { name, axes } = to.written(x!);
    return to.set(output, to.emit(operator, [name], attributes((attrs as readonly number[] | undefined) ?? [])), axes);
  };

/** Several operators on one input: a function of the exporter and the input's name that gives the output's. */
const composed =
  (make: (to: Exporter, x: string, value: Value, numbers: readonly number[]) => string) =>
  (to: Exporter, { inputs: [x], attrs, output }: TraceNode): Written => {
    const { name, axes } = to.written(x!);
    return to.set(output, make(to, name, x!, (attrs as readonly number[] | undefined) ?? []), axes);
  };

const clip = composed((to, x, value, [low, high]) => {
  const bound = (n: number | undefined) => (n !== undefined && Number.isFinite(n) ? to.scalar(n, value) : '');
  const [min, max] = [bound(low), bound(high)];
  return to.emit('Clip', max === '' ? (min === '' ? [x] : [x, min]) : [x, min, max]);
});

/** Operands in one order: that of the one that is written otherwise than here, if there is one. */
export function together(to: Exporter, operands: readonly Value[], output: Value): { names: string[]; axes: readonly number[] } {
  const rank = output.shape.length;
  const full = operands.filter(({ shape }) => shape.length === rank).map((operand) => to.written(operand).axes);
  const axes = full.find((order) => order.some((axis, i) => axis !== i)) ?? Array.from({ length: rank }, (_, i) => i);
  const names = operands.map((operand) => {
    const missing = rank - operand.shape.length;
    if (missing === 0) return to.as(operand, axes);
    // stretched along the axes it lacks, which come first here
    if (axes.every((axis, i) => axis === i) || operand.shape.length === 0) return to.plain(operand);
    if (operand.shape.length === 1) {
      const place = axes.indexOf(rank - 1);
      return to.reshapedWeight(operand, [operand.shape[0]!, ...new Array<number>(rank - 1 - place).fill(1)]);
    }
    const widened = to.emit('Unsqueeze', [to.plain(operand), to.ints(...Array.from({ length: missing }, (_, i) => i))]);
    return to.emit('Transpose', [widened], { perm: axes });
  });
  return { names, axes };
}

const binary =
  (operator: string) =>
  (to: Exporter, { inputs, output }: TraceNode): Written => {
    const { names, axes } = together(to, inputs as Value[], output);
    return to.set(output, to.emit(operator, names), axes);
  };

/** A comparison, whose result is of the operands' type here. */
const comparison =
  (operator: string) =>
  (to: Exporter, { inputs, output }: TraceNode): Written => {
    const { names, axes } = together(to, inputs as Value[], output);
    return to.set(output, to.emit('Cast', [to.emit(operator, names)], { to: elementCode(output.dtype) }), axes);
  };

const bool = 9;

export const elementwiseRows: Rows = {
  abs: unary('Abs'),
  ceil: unary('Ceil'),
  cos: unary('Cos'),
  erf: unary('Erf'),
  exp: unary('Exp'),
  floor: unary('Floor'),
  log: unary('Log'),
  neg: unary('Neg'),
  reciprocal: unary('Reciprocal'),
  relu: unary('Relu'),
  round: unary('Round'),
  sigmoid: unary('Sigmoid'),
  sign: unary('Sign'),
  sin: unary('Sin'),
  sqrt: unary('Sqrt'),
  tanh: unary('Tanh'),
  hardSwish: unary('HardSwish'),
  hardSigmoid: unary('HardSigmoid', () => ({ alpha: { float: 1 / 6 }, beta: { float: 0.5 } })),
  elu: unary('Elu', ([alpha]) => ({ alpha: { float: alpha! } })),
  leakyRelu: unary('LeakyRelu', ([slope]) => ({ alpha: { float: slope! } })),
  relu6: clip,
  clamp: clip,
  hardtanh: clip,
  rsqrt: composed((to, x) => to.emit('Reciprocal', [to.emit('Sqrt', [x])])),
  square: composed((to, x) => to.emit('Mul', [x, x])),
  silu: composed((to, x) => to.emit('Mul', [x, to.emit('Sigmoid', [x])])),
  gelu: composed((to, x, value) => {
    const inner = to.emit('Erf', [to.emit('Mul', [x, to.scalar(Math.SQRT1_2, value)])]);
    return to.emit('Mul', [to.emit('Mul', [x, to.scalar(0.5, value)]), to.emit('Add', [inner, to.scalar(1, value)])]);
  }),
  geluTanh: composed((to, x, value) => {
    const cube = to.emit('Mul', [to.emit('Mul', [x, x]), x]);
    const sum = to.emit('Add', [x, to.emit('Mul', [cube, to.scalar(0.044715, value)])]);
    const inner = to.emit('Tanh', [to.emit('Mul', [sum, to.scalar(Math.sqrt(2 / Math.PI), value)])]);
    return to.emit('Mul', [to.emit('Mul', [x, to.scalar(0.5, value)]), to.emit('Add', [inner, to.scalar(1, value)])]);
  }),
  softplus: composed((to, x, value, [beta]) => {
    if (beta === 1) return to.emit('Softplus', [x]);
    const inner = to.emit('Softplus', [to.emit('Mul', [x, to.scalar(beta!, value)])]);
    return to.emit('Mul', [inner, to.scalar(1 / beta!, value)]);
  }),
  prelu(to, { inputs: [x, slope], output }) {
    const { name, axes } = to.written(x!);
    const place = axes.indexOf(x!.shape.length - 1);
    const shape = slope!.shape[0] === 1 ? [1] : [slope!.shape[0]!, ...new Array<number>(Math.max(axes.length - 1 - place, 0)).fill(1)];
    return to.set(output, to.emit('PRelu', [name, to.reshapedWeight(slope!, shape)]), axes);
  },
  add: binary('Add'),
  sub: binary('Sub'),
  mul: binary('Mul'),
  div: binary('Div'),
  pow: binary('Pow'),
  maximum: binary('Max'),
  minimum: binary('Min'),
  equal: comparison('Equal'),
  greater: comparison('Greater'),
  greaterEqual: comparison('GreaterOrEqual'),
  where(to, { inputs, output }) {
    const { names, axes } = together(to, inputs as Value[], output);
    const [condition, a, b] = names as [string, string, string];
    return to.set(output, to.emit('Where', [to.emit('Cast', [condition], { to: bool }), a, b]), axes);
  },
  cast(to, { inputs: [x], output }) {
    const { name, axes } = to.written(x!);
    // numbers are rounded here, and cut off there
    const whole = output.dtype !== 'float32' && output.dtype !== 'float64' && x!.dtype.startsWith('float');
    return to.set(output, to.emit('Cast', [whole ? to.emit('Round', [name]) : name], { to: elementCode(output.dtype) }), axes);
  },
};
