import { typeError } from '../errors';
import { checkShapeOf } from '../op';
import { locallyConnected2d } from '../ops/locallyConnected2d';
import { makeWindow, outputSize, type Padding, type Pair, perAxis, type WindowOptions, windowOptionNames } from '../ops/window';
import { checkOptions, type OptionNames } from '../options';
import { sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import { call, count, weightAndBias } from './layer';
import { Module } from './module';
import type { Parameter } from './parameter';

/** Options of `LocallyConnected2d`. */
export interface LocallyConnected2dOptions extends WindowOptions {
  /** Height and width of the input, which say how many places there are. */
  inputSize: Pair;
  /** Whether a learned number is added to every output cell. Default true. */
  bias?: boolean;
}

const names: OptionNames<LocallyConnected2dOptions> = { inputSize: true, ...windowOptionNames, bias: 'boolean' };

/**
 * Convolution without parameter sharing, each place of the output with learned kernels of its own: input [N,H,W,inChannels], output
 * [N,H',W',outChannels]; see `ops.locallyConnected2d`. It holds H'·W' times the parameters of `Conv2d`.
 *
 * `weight` [H',W',kh,kw,inChannels,outChannels] and `bias` [H',W',outChannels] start evenly spread over ±1/√(kh·kw·inChannels), as those of
 * `Conv2d` do.
 *
 * ```ts
 * const layer = new nn.LocallyConnected2d(1, 6, 5, { inputSize: 28, padding: 'same' });
 * layer.forward(randn([8, 28, 28, 1])).shape; // [8, 28, 28, 6]
 * ```
 */
export class LocallyConnected2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly inputSize: Pair;
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    readonly kernelSize: Pair,
    options: LocallyConnected2dOptions,
  ) {
    super();
    const { name } = new.target;
    checkOptions(name, options, names);
    const { inputSize, stride = 1, padding = 0, dilation = 1, bias = true } = options;
    if (inputSize === undefined) throw typeError(name, 'inputSize', inputSize, 'the height and width of the input');
    count(name, 'inChannels', inChannels);
    count(name, 'outChannels', outChannels);
    const [height, width] = perAxis(name, 'inputSize', inputSize, 2) as [number, number];
    const window = makeWindow(name, [height, width], kernelSize, { stride, padding, dilation });
    const places = outputSize(name, [height, width], window);
    this.inputSize = inputSize;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    const shape = [...places, ...window.kernel, inChannels, outChannels];
    [this.weight, this.bias] = weightAndBias(shape, bias ? [...places, outChannels] : null, sizeOf(window.kernel) * inChannels);
  }

  forward(x: Tensor): Tensor {
    const { inputSize, bias, stride, padding, dilation } = this;
    checkShapeOf('LocallyConnected2d', 'input', x, 'N,H,W,C');
    const [height, width] = perAxis('LocallyConnected2d', 'inputSize', inputSize, 2) as [number, number];
    checkShapeOf('LocallyConnected2d', 'input', x, [x.shape[0]!, height, width, this.inChannels]);
    return locallyConnected2d(x, this.weight, { bias, stride, padding, dilation });
  }

  protected override describe(): string {
    const { inChannels, outChannels, kernelSize, inputSize, stride, padding, dilation, bias } = this;
    return call([inChannels, outChannels, kernelSize], {
      inputSize,
      stride: stride === 1 ? undefined : stride,
      padding: padding === 0 ? undefined : padding,
      dilation: dilation === 1 ? undefined : dilation,
      bias: bias ? undefined : false,
    });
  }
}
