import { ReceptiveError, rangeError, typeError } from '../errors';
import type { Module, StateDict } from '../nn';
import { ConvLayer } from '../nn/convLayer';
import { reshape } from '../ops/reshape';
import { transpose } from '../ops/transpose';
import type { OptionNames } from '../options';
import { scope } from '../scope';
import { checkShape, type Shape, sameShape, showShape } from '../shape';
import type { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type FlattenedOrders, flattenedOrders, type Turned } from './torchOrder';

// Names and layouts that files have for what a model holds. PyTorch has kernels [out,in/groups,places…] where the layers here have
// [places…,in/groups,out], and so of transposed convolutions [in,out/groups,places…]; running_mean for runningMean; features of
// flattened images in the order of torchOrder.ts. Fully connected layers, embeddings and normalisations have the same.

export interface StateOptions {
  /** Whether names and the order of axes in the file are PyTorch's or those of the layers here. Default 'nhwc'. */
  layout?: 'nhwc' | 'torch';
  /** What the file calls a tensor, by the name it would have without: an object of those that differ, or a function. */
  keyMap?: Readonly<Record<string, string>> | ((name: string) => string);
  /** With 'torch', the shape of an input, where it takes one to know how images are flattened. */
  input?: Shape;
}

export const stateOptionNames: OptionNames<StateOptions> = { layout: true, keyMap: true, input: true };

/** How a file has a tensor of a model. */
interface State {
  /** Its name there. */
  readonly name: string;
  /** Its shape there. */
  readonly shape: Shape;
  to(tensor: Tensor): Tensor;
  from(tensor: Tensor): Tensor;
}

export function checkStateOptions(operation: string, { layout = 'nhwc', keyMap, input }: StateOptions): void {
  if (layout !== 'nhwc' && layout !== 'torch') throw rangeError(operation, 'layout', layout, "'nhwc' or 'torch'");
  const isMap =
    typeof keyMap === 'function' ||
    (typeof keyMap === 'object' && keyMap !== null && Object.values(keyMap).every((key) => typeof key === 'string'));
  if (keyMap !== undefined && !isMap) throw typeError(operation, 'keyMap', keyMap, 'an object of names, or a function that gives them');
  if (input !== undefined) checkShape(operation, input);
}

/** What PyTorch counts in normalisations besides what ours do; it is filled in where a file has it not. */
const counted = /(^|\.)num_batches_tracked$/;

const torchName = (name: string): string =>
  name.replace(/(^|\.)runningMean$/, '$1running_mean').replace(/(^|\.)runningVar$/, '$1running_var');

/** How a file has the tensors of a model, by their names here. */
function statesOf(model: Module, { layout, keyMap, input }: StateOptions): Map<string, State> {
  const kernels = new Set<Tensor>();
  if (layout === 'torch') for (const [, module] of model.namedModules()) if (module instanceof ConvLayer) kernels.add(module.weight);
  const orders: FlattenedOrders = layout === 'torch' ? flattenedOrders(model, input) : new Map();
  const taken = new Map<string, string>();
  const states = Object.entries(model.stateDict()).map(([own, tensor]) => {
    const state = stateOf(layout === 'torch' ? torchName(own) : own, tensor, kernels.has(tensor), orders.get(own));
    const name = renamed(state.name, keyMap);
    if (taken.has(name)) throw rangeError('keyMap', `the name of both ${taken.get(name)} and ${own}`, name, 'names that differ');
    taken.set(name, own);
    return [own, { ...state, name }] as const;
  });
  return new Map(states);
}

function renamed(name: string, keyMap: StateOptions['keyMap']): string {
  if (typeof keyMap !== 'function') return keyMap && Object.hasOwn(keyMap, name) ? keyMap[name]! : name;
  const key: unknown = keyMap(name);
  if (typeof key !== 'string') throw typeError('keyMap', `what it gives for ${name}`, key, 'a string');
  return key;
}

function stateOf(name: string, { shape }: Tensor, isKernel: boolean, turns: readonly Turned[] = []): State {
  if (isKernel) {
    const places = shape.length - 2;
    const there = [places + 1, places, ...Array.from({ length: places }, (_, axis) => axis)];
    const back = [...Array.from({ length: places }, (_, axis) => axis + 2), 1, 0];
    return {
      name,
      shape: there.map((axis) => shape[axis]!),
      to: (tensor) => transpose(tensor, there),
      from: (tensor) => transpose(tensor, back),
    };
  }
  return {
    name,
    shape,
    to: (tensor) => turns.reduce((turned, turn) => channelsFirst(turned, turn), tensor),
    from: (tensor) => turns.reduce((turned, turn) => channelsLast(turned, turn), tensor),
  };
}

/** The axes before and behind the one that an image stands along, and how many they are. */
function around({ shape }: Tensor, { axis, image }: Turned) {
  const [before, behind] = [shape.slice(0, axis), shape.slice(axis + 1)];
  const places = image.slice(0, -1);
  const axes = (from: number, length: number) => Array.from({ length }, (_, i) => from + i);
  return { before, behind, places, channels: image.at(-1)!, axes, p: places.length };
}

/** [before…, places…, channels, behind…] as [before…, channels, places…, behind…], of the same shape. */
function channelsFirst(tensor: Tensor, turn: Turned): Tensor {
  const { before, behind, places, channels, axes, p } = around(tensor, turn);
  const order = [...axes(0, turn.axis), turn.axis + p, ...axes(turn.axis, p), ...axes(turn.axis + p + 1, behind.length)];
  return reshape(transpose(reshape(tensor, [...before, ...places, channels, ...behind]), order), tensor.shape);
}

/** The inverse of `channelsFirst`. */
function channelsLast(tensor: Tensor, turn: Turned): Tensor {
  const { before, behind, places, channels, axes, p } = around(tensor, turn);
  const order = [...axes(0, turn.axis), ...axes(turn.axis + 1, p), turn.axis, ...axes(turn.axis + p + 1, behind.length)];
  return reshape(transpose(reshape(tensor, [...before, channels, ...places, ...behind]), order), tensor.shape);
}

/** A model's tensors as they are now, as a file is to have them: in memory of their own. */
export function toFile(model: Module, options: StateOptions): StateDict {
  const states = statesOf(model, options);
  const entries = Object.entries(model.stateDict());
  return scope.outside(() =>
    tidy(() => Object.fromEntries(entries.map(([own, tensor]) => [states.get(own)!.name, states.get(own)!.to(tensor.copy())]))),
  );
}

/**
 * The tensors of a file as a model has them.
 * @throws ReceptiveError that names, as the file does, what does not fit; where strict, also what is missing or is not the model's.
 */
export function fromFile(model: Module, tensors: StateDict, options: StateOptions, strict: boolean): StateDict {
  const states = statesOf(model, options);
  const names = new Set(Array.from(states.values(), ({ name }) => name));
  const faults: string[] = [];
  const found: [string, Tensor][] = [];
  for (const [own, { name, shape, from }] of states) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name]! : null;
    if (tensor && sameShape(tensor.shape, shape)) found.push([own, scope.outside(() => tidy(() => from(tensor)))]);
    else if (tensor) faults.push(`${name} has shape ${showShape(tensor.shape)}, expected ${showShape(shape)}`);
    else if (strict) faults.push(`${name} is missing`);
  }
  for (const name of Object.keys(tensors)) {
    const ignored = names.has(name) || (options.layout === 'torch' && counted.test(name));
    if (strict && !ignored) faults.push(`${name} is not in the model`);
  }
  if (faults.length === 0) return Object.fromEntries(found);
  for (const [, tensor] of found) tensor.dispose();
  throw new ReceptiveError('ERR_INVALID_VALUE', `the state does not fit the model: ${faults.join('; ')}`);
}
