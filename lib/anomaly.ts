import { aroundRules, Node, synchronous } from './autograd';
import { full } from './create';
import { isFloat } from './dtype';
import { ReceptiveError, typeError } from './errors';
import { native } from './native';
import { aroundForward } from './nn/around';
import { Module } from './nn/module';
import { type Inputs, type Op, observe } from './op';
import { checkOptions, type OptionNames } from './options';
import { scope } from './scope';
import { showShape } from './shape';
import type { Tensor } from './tensor';

/**
 * Watches the operations that run, forward and backward, for the first number that is not finite. Each tensor is looked at once, on the
 * native thread, behind the operation that made it; one number tells in the end which was the first.
 */
export class Watch {
  /** What was looked at, in order: what to say where it is the first with NaN or infinity in it. */
  readonly #places: ((what: string) => string)[] = [];
  readonly #first: Tensor;
  /** What has been looked at: memory, and the writes it had seen. */
  readonly #seen = new WeakMap<Tensor['storage'], number>();
  /** Of the modules running, the innermost last. */
  readonly #layers: string[] = [];
  readonly #ofNode = new WeakMap<Node, string>();
  readonly #names = new Map<Tensor, string>();

  /** @param model Whose layers and parameters are to be named. */
  constructor(private readonly model: Module | null) {
    this.#first = scope.outside(() => full([], 0, { dtype: 'int32' }));
    for (const [name, parameter] of model?.namedParameters() ?? []) this.#names.set(parameter, `parameter ${name}`);
    for (const [name, buffer] of model?.namedBuffers() ?? []) this.#names.set(buffer, `buffer ${name}`);
  }

  /** Runs fn, and watches what it records. */
  run<R>(fn: () => R): R {
    const observed = () => observe({ hollow: false, ran: (op, inputs, _attrs, output) => this.#ran(op, inputs, output) }, fn);
    const both = () => aroundRules((node, grad, rule) => this.#ranBack(node, grad, rule), observed);
    const result = this.model ? aroundForward(this.model, (name, _module, _inputs, run) => this.#inside(name, run), both) : both();
    for (const [tensor, name] of this.#names) {
      if (tensor.grad) this.#look(tensor.grad, (what) => `the gradient of ${name}, added up, became ${what}`);
    }
    return result;
  }

  /** What is wrong, once it is known: 'log in layer 2 gave NaN'; null where nothing is. Asks at once, and ends the watch. */
  async found(): Promise<string | null> {
    const answer = this.#first.item();
    this.#first.dispose();
    const code = await answer;
    return code === 0 ? null : this.#places[(code >> 1) - 1]!((code & 1) === 1 ? 'NaN' : 'infinity');
  }

  #inside<R>(layer: string, fn: () => R): R {
    this.#layers.push(layer);
    try {
      return fn();
    } finally {
      this.#layers.pop();
    }
  }

  #ran(op: Op<Inputs, unknown>, inputs: Inputs, output: Tensor): void {
    const layer = this.#layers.at(-1);
    const place = layer === undefined ? op.name : layer === '' ? `${op.name} in the model` : `${op.name} in layer ${layer}`;
    for (const [i, input] of inputs.entries()) {
      if (!input) continue;
      const { shape } = input;
      const name = this.#names.get(input);
      this.#look(input, (what) =>
        name
          ? `${name} ${showShape(shape)} was ${what} before ${place} ran`
          : `${place} was given ${what}, in an input ${i} of shape ${showShape(shape)} that no operation made`,
      );
    }
    const { shape } = output;
    this.#look(output, (what) => `${place} gave ${what}, in an output of shape ${showShape(shape)}`);
    if (output.history instanceof Node) this.#ofNode.set(output.history, place);
  }

  #ranBack(node: Node, grad: Tensor, rule: () => readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    const place = this.#ofNode.get(node) ?? node.name;
    this.#look(grad, (what) => `the gradients that came back to ${place}, added up, became ${what}`);
    const results = observe(null, rule);
    for (const [i, result] of results.entries()) {
      if (!result) continue;
      const { shape } = result;
      this.#look(result, (what) => `the gradient of ${place} gave ${what}, for input ${i} of shape ${showShape(shape)}`);
    }
    return results;
  }

  #look(tensor: Tensor, say: (what: string) => string): void {
    const { storage, dtype } = tensor;
    if (!isFloat(dtype) || this.#seen.get(storage) === storage.version) return;
    this.#seen.set(storage, storage.version);
    native.ops.find_nonfinite(tensor.id, this.#first.id, this.#places.push(say));
  }
}

/** Options of `detectAnomaly`. */
export interface DetectAnomalyOptions {
  /** The model whose layers and parameters are to be named. */
  model?: Module;
}

const names: OptionNames<DetectAnomalyOptions> = { model: true };

/**
 * Runs fn and looks at everything it computes, forward and backward, for numbers that are not finite. It takes a pass over each tensor,
 * and waits in the end; to look at a whole training there is the Trainer's option of this name.
 *
 * Infinity counts wherever an operation gives it, in a mask of -Infinity too.
 * @returns What fn returns.
 * @throws ReceptiveError `ERR_DIVERGED`, which names the first operation that gave NaN or infinity, and with the option `model` its layer,
 * or the parameter or input that was not finite before.
 * @throws TypeError where fn returns a promise.
 * @example
 * await detectAnomaly(() => losses.crossEntropy(model.forward(x), labels).backward(), { model });
 */
export async function detectAnomaly<R>(fn: () => R, options: DetectAnomalyOptions = {}): Promise<R> {
  if (typeof fn !== 'function') throw typeError('detectAnomaly', 'fn', fn, 'a function');
  checkOptions('detectAnomaly', options, names);
  const { model } = options;
  if (model !== undefined && !(model instanceof Module)) throw typeError('detectAnomaly', 'model', model, 'a Module');
  const watch = new Watch(model ?? null);
  const result = watch.run(() => synchronous('detectAnomaly', fn()));
  const fault = await watch.found();
  if (fault) throw new ReceptiveError('ERR_DIVERGED', `detectAnomaly: ${fault}`);
  return result;
}
