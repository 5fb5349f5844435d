import { shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, checkTensor, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { along, whole } from '../reach';
import { showShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { add, mul } from './binary';
import { sumTo } from './gradients';
import { product } from './matmul';
import { clip, type Finish, finishing, gated, type Rectifier, rectified } from './rectifier';
import { reshape } from './reshape';

const rows = (x: Tensor): Tensor => (x.rank === 2 ? x : x.view([sizeOf(x.shape.slice(0, -1)), x.shape[x.rank - 1]!]));

/** Options of `linear`. */
export interface LinearOptions extends Pick<Finish, 'activation'> {}

const names: OptionNames<LinearOptions> = { activation: true };

interface Attrs {
  readonly activation: Rectifier | null;
}

const op: Op<[Tensor, Tensor, Tensor | null], Attrs> = {
  name: 'linear',
  infer([x, weight, bias]) {
    const dtype = commonFloat('linear', [x, weight, bias]);
    const [outFeatures, inFeatures] = weight.shape as [number, number];
    if (x.rank === 0 || x.shape[x.rank - 1] !== inFeatures) {
      throw shapeError(
        'linear',
        `input has ${x.shape[x.rank - 1] ?? 'no'} features, weight expects ${inFeatures} (input ${showShape(x.shape)}, weight ${showShape(weight.shape)})`,
        { argument: 'input', received: x.shape, expected: `${inFeatures} features` },
      );
    }
    if (bias) checkShapeOf('linear', 'bias', bias, [outFeatures]);
    return { shape: [...x.shape.slice(0, -1), outFeatures], dtype };
  },
  forward({ inputs: [x, weight, bias], attrs: { activation }, output, needs, save }) {
    const [from, to] = [rows(x), rows(output)];
    native.ops.matmul(from.id, weight.id, bias?.id ?? 0, to.id, 0, 1, ...clip(activation));
    save(needs[1] ? x : null, needs[0] ? weight : null, activation ? output : null);
  },
  backward(grad, { saved: [x, weight, y], shapes, needs, attrs: { activation } }) {
    const g = rows(activation ? gated(grad, y!, activation) : grad);
    const [outFeatures, inFeatures] = shapes[1] as [number, number];
    return [
      needs[0] ? product(g, false, weight!, false, [g.shape[0]!, inFeatures]).view(shapes[0]!) : null,
      needs[1] ? product(g, true, rows(x!), false, shapes[1]!) : null,
      needs[2] ? sumTo(g, [outFeatures]) : null,
    ];
  },
  linear: () => [0],
  rectifies: (attrs) => (attrs.activation ? { activation: null } : null),
  absorbs: {
    rectified,
    affine: ([x, weight, bias], scale, shift) => [
      x,
      mul(weight, reshape(scale, [scale.size, 1])),
      bias ? add(mul(bias, scale), shift) : shift,
    ],
  },
  reach([x], _attrs, { length }) {
    return [x!.map((_, i) => (i < length - 1 ? along(i) : null)), whole(2, [0, length - 1]), whole(1, [0, length - 1])];
  },
  macs: ([x, weight]) => sizeOf(x!) * weight![0]!,
};

/**
 * A fully connected layer, y = x Wᵀ + b, on the last axis.
 *
 * x [...,in], weight [out,in], bias [out] give [...,out]. `activation` rectifies it in the same pass.
 * @throws RangeError where the features do not agree.
 * @example
 * ops.linear(randn([8, 84]), randn([10, 84]), zeros([10])).shape; // [8, 10]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null, options: LinearOptions = {}): Tensor {
  checkTensor('linear', 'input', x);
  checkShapeOf('linear', 'weight', weight, 'out,in');
  checkOptions('linear', options, names);
  return apply(op, [x, weight, bias], finishing('linear', options));
}
