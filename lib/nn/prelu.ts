import { full } from '../create';
import { prelu } from '../ops/prelu';
import { checkFinite, checkOptions, type OptionNames } from '../options';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { call, count } from './layer';
import { Module } from './module';
import { Parameter } from './parameter';

/** Options of `PReLU`. */
export interface PReLUOptions {
  /** What every slope begins as. Default 0.25. */
  init?: number;
}

const names: OptionNames<PReLUOptions> = { init: true };

/**
 * x where it is above 0, else a learned slope times x: one slope for all, or one for each channel, the last axis. See `ops.prelu`.
 *
 * ```ts
 * new nn.Sequential(new nn.Conv2d(3, 16, 3), new nn.PReLU(16));
 * ```
 */
export class PReLU extends Module {
  /** The slopes [numParameters]. */
  readonly weight: Parameter;
  readonly init: number;

  /** @param numParameters 1, the default, or the number of channels. */
  constructor(
    readonly numParameters = 1,
    options: PReLUOptions = {},
  ) {
    super();
    count('PReLU', 'numParameters', numParameters);
    checkOptions('PReLU', options, names);
    const { init = 0.25 } = options;
    checkFinite('PReLU', 'init', init);
    this.init = init;
    this.weight = tidy(() => new Parameter(full([numParameters], init)));
  }

  forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }

  protected override describe(): string {
    return call([this.numParameters], { init: this.init === 0.25 ? undefined : this.init });
  }
}
