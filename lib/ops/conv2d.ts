import { rangeError, shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { showShape } from '../shape';
import { Tensor } from '../tensor';
import { sumTo } from './gradients';
import { makeWindow, outputSize, type Window, type WindowOptions, windowOptionNames } from './window';

/**
 * How a float32 convolution and its gradients are computed. 'direct' sums the products in order: its error is at most that of a sum of
 * kh·kw·C/groups rounded products. 'winograd' filters tiles of outputs by fewer products (Winograd 1980; Lavin and Gray 2016), for kernels
 * of 3x3 or 1x3 to 1x5 taps without stride, dilation and groups: up to three times as fast, with a largest error of about 1e-5 of the
 * outputs' root mean square, where direct sums over 256 channels have 5e-6. 'auto' takes what costs less. float64 is always direct.
 */
export type ConvAlgorithm = 'auto' | 'direct' | 'winograd';

export interface Conv2dOptions extends WindowOptions {
  /** Added to every output cell: [K]. */
  bias?: Tensor | null;
  /** Output channels of group i see the input channels of group i only. Divides both. Default 1. */
  groups?: number;
  /** Default 'auto'. */
  algorithm?: ConvAlgorithm;
}

const names: OptionNames<Conv2dOptions> = { ...windowOptionNames, bias: true, groups: true, algorithm: true };

interface Attrs {
  readonly window: Window;
  readonly groups: number;
  readonly algorithm: ConvAlgorithm;
}

const algorithms: Readonly<Record<ConvAlgorithm, number>> = { auto: 0, direct: 1, winograd: 2 };

const numbers = ({ window: { stride, padding, dilation }, groups, algorithm }: Attrs): number[] => [
  ...stride,
  ...padding,
  ...dilation,
  groups,
  algorithms[algorithm],
];

function canFilter({ kernel: [rows, columns], stride, dilation }: Window, groups: number): boolean {
  const taps = rows === 3 ? columns === 3 : rows === 1 && columns >= 3 && columns <= 5;
  return taps && groups === 1 && [...stride, ...dilation].every((n) => n === 1);
}

const op: Op<[Tensor, Tensor, Tensor | null], Attrs> = {
  name: 'conv2d',
  infer([x, w, bias], { window, groups }) {
    const dtype = commonFloat('conv2d', [x, w, bias]);
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    const [, , depth, kernels] = w.shape as [number, number, number, number];
    const where = `(input ${showShape(x.shape)}, kernel ${showShape(w.shape)}, groups ${groups})`;
    if (channels !== depth * groups) {
      throw shapeError('conv2d', `input has ${channels} channels, kernel expects ${depth * groups} ${where}`);
    }
    if (kernels % groups !== 0) throw shapeError('conv2d', `kernel has ${kernels} output channels, which groups do not divide ${where}`);
    if (bias) checkShapeOf('conv2d', 'bias', bias, [kernels]);
    return { shape: [n, ...outputSize('conv2d', [height, width], window), kernels], dtype };
  },
  forward({ inputs: [x, w, bias], attrs, output, needs, save }) {
    native.ops.conv2d(x.id, w.id, bias?.id ?? 0, output.id, ...numbers(attrs));
    save(needs[1] ? x : null, needs[0] ? w : null);
  },
  backward(grad, { saved: [x, w], shapes, needs, attrs }) {
    const gradient = (i: number) => (needs[i] ? Tensor.empty(shapes[i]!, grad.dtype) : null);
    const [dx, dw, db] = [gradient(0), gradient(1), gradient(2)];
    if (dx) native.ops.conv2d_backward_input(grad.id, w!.id, dx.id, ...numbers(attrs));
    if (dw) native.ops.conv2d_backward_weight(x!.id, grad.id, dw.id, db?.id ?? 0, ...numbers(attrs));
    return [dx, dw, dw ? db : db && sumTo(grad, db.shape)];
  },
};

/**
 * Convolution of an image as networks use it, y[n,i,j,k] = b[k] + Σ x[n, i·s-p+a·d, j·s-p+b·d, c] · w[a,b,c,k]: a cross-correlation, cells
 * outside of the input being 0. Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016).
 *
 * x [N,H,W,C], w [kh,kw,C/groups,K] give [N,H',W',K] with H' = floor((H + top + bottom - dilation·(kh-1) - 1) / stride) + 1, and W' alike.
 * @throws RangeError where the channels do not agree or the window is larger than the padded input.
 * @example
 * const x = randn([8, 28, 28, 1]), w = randn([5, 5, 1, 6]);
 * ops.conv2d(x, w, { padding: 'same' }).shape; // [8, 28, 28, 6]
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  checkShapeOf('conv2d', 'input', x, 'N,H,W,C');
  checkShapeOf('conv2d', 'kernel', w, 'kh,kw,C/groups,K');
  checkOptions('conv2d', options, names);
  const { bias = null, groups = 1, algorithm = 'auto' } = options;
  if (!Number.isInteger(groups) || groups < 1) throw rangeError('conv2d', 'groups', groups, 'a positive integer');
  if (!Object.hasOwn(algorithms, algorithm)) throw rangeError('conv2d', 'algorithm', algorithm, "'auto', 'direct' or 'winograd'");
  const window = makeWindow('conv2d', [x.shape[1]!, x.shape[2]!], [w.shape[0]!, w.shape[1]!], options);
  if (algorithm === 'winograd' && !canFilter(window, groups)) {
    const { kernel, stride, dilation } = window;
    throw rangeError(
      'conv2d',
      'algorithm',
      algorithm,
      `'auto' or 'direct' for a kernel of ${kernel.join('x')} taps, stride [${stride}], dilation [${dilation}], ${groups} groups: ` +
        'it filters 3x3, or 1x3 to 1x5, taps without any of these',
    );
  }
  return apply(op, [x, w, bias], { window, groups, algorithm });
}
