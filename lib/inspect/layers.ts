import { noGrad } from '../autograd';
import { ReceptiveError, rangeError, typeError } from '../errors';
import { inMode } from '../nn/mode';
import { Module } from '../nn/module';
import { Parameter } from '../nn/parameter';
import { randomState, setRandomState } from '../random';
import { checkShape, type Shape } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type LayerCall, type Trace, trace } from '../trace';

// What the functions of `inspect` share: a model is run once, in inference mode, and left as it was.

/** A layer: its dotted name, with #2 behind it for its second run, or the module itself. */
export type LayerName = string | Module;

/** Runs the model on x and hands its trace on. Of what is made only the result is kept. */
export function traced<R>(model: Module, x: Tensor, hollow: boolean, use: (trace: Trace) => R): R {
  const random = randomState();
  try {
    return tidy(() => {
      const record = inMode(model, 'inference', () => trace(model, [x], { hollow }));
      try {
        return use(record);
      } finally {
        record.dispose();
      }
    });
  } finally {
    setRandomState(random);
  }
}

/** Hands on what the model does with an input of this shape, computing nothing; of a tensor, what it does with that. */
export function outlined<R>(operation: string, model: Module, input: Shape | Tensor, use: (trace: Trace) => R): R {
  checkModel(operation, model);
  const report = (record: Trace) => {
    if (record.whole.output || layersOf(record).length > 0) return use(record);
    throw new ReceptiveError('ERR_UNSUPPORTED', `${operation}: neither the model's forward nor a layer inside of it gives a Tensor`);
  };
  if (input instanceof Tensor) {
    checkInput(operation, input.shape);
    return noGrad(() => traced(model, input, false, report));
  }
  const shape = checkShape(operation, input);
  checkInput(operation, shape);
  const dtype = model.parameters()[0]?.dtype ?? 'float32';
  return noGrad(() => tidy(() => traced(model, Tensor.hollow(shape, dtype), true, report)));
}

/** The same values as a leaf of its own. */
export function differentiable(operation: string, input: Tensor): Tensor {
  checkInput(operation, input.shape);
  const x = input.detach();
  if (x.dtype !== 'float32' && x.dtype !== 'float64') {
    throw typeError(operation, 'the input', input.dtype, 'float32 or float64, for which there is a gradient');
  }
  x.requiresGrad = true;
  return x;
}

export function checkModel(operation: string, model: unknown): asserts model is Module {
  if (!(model instanceof Module)) throw typeError(operation, 'model', model, 'a Module');
}

/** Throws unless the shape is one of samples, at least one, of at least one place. */
export function checkInput(operation: string, shape: Shape): void {
  if (shape.length < 2 || shape.includes(0)) {
    throw rangeError(operation, 'the input shape', [...shape], '[N,…,C], with no dimension of 0');
  }
}

/** Parameters that a module holds itself, not in a module inside. */
export const ownParameters = (module: Module): Parameter[] =>
  Array.from(module.namedParts(), ([, part]) => part).filter((part) => part instanceof Parameter);

/** The runs that are rows of a report: of modules that hold no others, that run operations between those they hold, or hold parameters. */
export function layersOf({ calls, nodes }: Trace): (LayerCall & { readonly output: NonNullable<LayerCall['output']> })[] {
  const working = new Set(nodes.map(({ call }) => call));
  const isLayer = (call: LayerCall) => working.has(call) || ownParameters(call.module).length > 0 || !holdsModules(call.module);
  return calls.filter((call) => call.output !== null && isLayer(call)) as ReturnType<typeof layersOf>;
}

function holdsModules(module: Module): boolean {
  for (const [, part] of module.namedParts()) if (part instanceof Module) return true;
  return false;
}

/** The run of a layer. */
export function findLayer(operation: string, { calls }: Trace, layer: LayerName): LayerCall & { output: NonNullable<LayerCall['output']> } {
  const found = calls.find(({ name, module }) => (layer instanceof Module ? module === layer : name === layer));
  if (!found) {
    const names = calls.map(({ name }) => JSON.stringify(name));
    throw rangeError(operation, 'layer', layer, `a layer that ran, one of ${names.join(', ')}`);
  }
  if (!found.output) throw rangeError(operation, 'layer', layer, 'a layer that gives a tensor');
  return found as ReturnType<typeof findLayer>;
}

/** How a layer is called in a table. */
export const titleOf = (name: string): string => (name === '' ? '(model)' : name);
