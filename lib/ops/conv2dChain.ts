import type { Dtype } from '../dtype';
import { native } from '../native';
import type { Inputs, Op } from '../op';
import type { Shape } from '../shape';
import { type ConvAttrs, convNumbers } from './conv2d';
import { clip, type Rectifier } from './rectifier';
import type { Window } from './window';

/** @internal A convolution as a chain has it. */
export type ChainedConv = ConvAttrs<Window> & { readonly activation: Rectifier | null };

/** @internal What a chain comes to. */
export interface ChainAttrs {
  readonly convolutions: readonly ChainedConv[];
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/**
 * @internal Two or three convolutions one behind the other, a few rows at a time, so that what is between them stays in a core's cache.
 * Inputs: x; weight and bias of each of three, null where there is none; what is added to the last, or null. Plans have it in the place of
 * the convolutions (`lib/graph/passes/chain.ts`); nothing else does, so it has no gradient.
 */
export const conv2dChain: Op<Inputs, ChainAttrs> = {
  name: 'conv2dChain',
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  forward({ inputs, attrs: { convolutions }, output }) {
    const numbers = convolutions.flatMap((attrs) => [...convNumbers(attrs), ...clip(attrs.activation)]);
    native.ops.conv2d_chain(...inputs.map((input) => input?.id ?? 0), output.id, ...numbers);
  },
};
