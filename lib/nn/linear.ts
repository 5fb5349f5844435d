import { linear } from '../ops/linear';
import type { Finish } from '../ops/rectifier';
import { checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { after } from './fusion';
import { call, count, weightAndBias } from './layer';
import { Module } from './module';
import type { Parameter } from './parameter';
import { finish, finishes } from './passes';

/** Options of `Linear`. */
export interface LinearOptions {
  /** Whether a learned number is added to every output. Default true. */
  bias?: boolean;
}

const names: OptionNames<LinearOptions> = { bias: 'boolean' };

/**
 * A fully connected layer on the last axis: input [...,inFeatures], output [...,outFeatures].
 *
 * `weight` [outFeatures,inFeatures] and `bias` [outFeatures] start evenly spread over ±1/√inFeatures, as PyTorch's do.
 *
 * ```ts
 * new nn.Linear(84, 10).forward(randn([8, 84])).shape; // [8, 10]
 * ```
 */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    super();
    checkOptions('Linear', options, names);
    const { bias = true } = options;
    count('Linear', 'inFeatures', inFeatures);
    count('Linear', 'outFeatures', outFeatures);
    [this.weight, this.bias] = weightAndBias([outFeatures, inFeatures], bias ? [outFeatures] : null, inFeatures);
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  /** @internal */
  override get [finishes](): boolean {
    return this.forward === Linear.prototype.forward;
  }

  /** @internal */
  override [finish](x: Tensor, { add, activation }: Finish): Tensor {
    return add ? after('linear', this.forward(x), { add, activation }) : linear(x, this.weight, this.bias, { activation });
  }

  protected override describe(): string {
    return call([this.inFeatures, this.outFeatures], { bias: this.bias ? undefined : false });
  }
}
