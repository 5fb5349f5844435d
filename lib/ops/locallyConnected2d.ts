import { shapeError } from '../errors';
import { native } from '../native';
import { apply, checkShapeOf, commonFloat, type Op } from '../op';
import { checkOptions, type OptionNames } from '../options';
import { whole } from '../reach';
import { showShape, sizeOf } from '../shape';
import { Tensor } from '../tensor';
import { sumTo } from './gradients';
import { makeWindow, outputSize, type Window, type WindowOptions, windowOptionNames, windowReach } from './window';

/** Options of `locallyConnected2d`. */
export interface LocallyConnected2dOptions extends WindowOptions {
  /** Added to the output, a number for each place and channel: [H',W',K]. */
  bias?: Tensor | null;
}

const names: OptionNames<LocallyConnected2dOptions> = { ...windowOptionNames, bias: true };

const numbers = ({ stride, padding, dilation }: Window): number[] => [...stride, ...padding, ...dilation];

const op: Op<[Tensor, Tensor, Tensor | null], Window> = {
  name: 'locallyConnected2d',
  infer([x, w, bias], window) {
    const dtype = commonFloat('locallyConnected2d', [x, w, bias]);
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    const [rows, columns, , , depth, kernels] = w.shape as [number, number, number, number, number, number];
    const where = `(input ${showShape(x.shape)}, kernel ${showShape(w.shape)})`;
    if (channels !== depth) throw shapeError('locallyConnected2d', `input has ${channels} channels, kernel expects ${depth} ${where}`);
    const size = outputSize('locallyConnected2d', [height, width], window);
    if (size[0] !== rows || size[1] !== columns) {
      throw shapeError('locallyConnected2d', `output has ${size.join('x')} places, kernel is for ${rows}x${columns} ${where}`);
    }
    if (bias) checkShapeOf('locallyConnected2d', 'bias', bias, [rows, columns, kernels]);
    return { shape: [n, rows, columns, kernels], dtype };
  },
  forward({ inputs: [x, w, bias], attrs, output, needs, save }) {
    native.ops.locally_connected2d(x.id, w.id, bias?.id ?? 0, output.id, ...numbers(attrs));
    save(needs[1] ? x : null, needs[0] ? w : null);
  },
  backward(grad, { saved: [x, w], shapes, needs, attrs }) {
    const gradient = (i: number) => (needs[i] ? Tensor.empty(shapes[i]!, grad.dtype) : null);
    const [dx, dw] = [gradient(0), gradient(1)];
    if (dx) native.ops.locally_connected2d_backward_input(grad.id, w!.id, dx.id, ...numbers(attrs));
    if (dw) native.ops.locally_connected2d_backward_weight(x!.id, grad.id, dw.id, ...numbers(attrs));
    return [dx, dw, needs[2] ? sumTo(grad, shapes[2]!) : null];
  },
  linear: () => [0],
  reach: (_shapes, window) => [windowReach(window, 'all'), whole(6, [0, 1], [1, 2], [5, 3]), whole(3, [0, 1], [1, 2], [2, 3])],
  macs: ([, w], _attrs, [n]) => n! * sizeOf(w!),
};

/**
 * Convolution without parameter sharing, each place of the output with a kernel of its own:
 * y[n,i,j,k] = b[i,j,k] + Σ x[n, i·s-p+a·d, j·s-p+b·d, c] · w[i,j,a,b,c,k]. With equal kernels it is `conv2d`.
 *
 * x [N,H,W,C], w [H',W',kh,kw,C,K] give [N,H',W',K], H' and W' as for `conv2d`.
 * @throws RangeError where the channels or the places do not agree, or the window is larger than the padded input.
 * @example
 * const x = randn([8, 28, 28, 1]), w = randn([24, 24, 5, 5, 1, 6]);
 * ops.locallyConnected2d(x, w).shape; // [8, 24, 24, 6]
 */
export function locallyConnected2d(x: Tensor, w: Tensor, options: LocallyConnected2dOptions = {}): Tensor {
  checkShapeOf('locallyConnected2d', 'input', x, 'N,H,W,C');
  checkShapeOf('locallyConnected2d', 'kernel', w, "H',W',kh,kw,C,K");
  checkOptions('locallyConnected2d', options, names);
  const window = makeWindow('locallyConnected2d', [x.shape[1]!, x.shape[2]!], [w.shape[2]!, w.shape[3]!], options);
  return apply(op, [x, w, options.bias ?? null], window);
}
