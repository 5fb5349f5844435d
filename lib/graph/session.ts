import { noGrad, synchronous } from '../autograd';
import { type Dtype, dtypes } from '../dtype';
import { ReceptiveError, rangeError, shapeError, typeError } from '../errors';
import { native } from '../native';
import { inMode } from '../nn/mode';
import { Module } from '../nn/module';
import { checkOptions, type OptionNames } from '../options';
import { refuseRandom } from '../random';
import { scope } from '../scope';
import type { Shape } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type Origin, trace } from '../trace';
import { Constants } from './constants';
import { checkFit, checkNamed, type Feed, filled, type OtherBatches, type SessionValue } from './feeds';
import { constantsOf, graphOf, showGraph } from './graph';
import { optimised } from './passes';
import { Plan, Workspace } from './plan';

/** Options of `Session.run`. */
export interface RunOptions {
  /** Stops the run between two operations; it then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** What a session runs. */
export interface Program {
  /** The function that makes the session. */
  readonly operation: 'compile' | 'loadOnnx';
  readonly name: string;
  readonly model: Module;
  /** Whether the model is the session's own: its parameters are used where they are, and disposed of with it. */
  readonly owned: boolean;
  /** Whether nobody else can have the model: what of it no plan needs any more is freed. */
  readonly hidden?: boolean;
  readonly inputs: readonly SessionValue[];
  /** Their names, and shapes where these are known beforehand. */
  readonly outputs: readonly (Pick<SessionValue, 'name'> & Partial<SessionValue>)[];
  /** As many plans for different shapes are kept, those used last. */
  readonly plans?: number;
  readonly otherBatches: OtherBatches;
  run(inputs: readonly Tensor[]): readonly Tensor[];
}

/** What a session has made of the shapes it was given: `Session.plans`. */
export interface SessionPlans {
  /** Plans made so far, those made again included. */
  readonly made: number;
  /** Of these, those that are kept. */
  readonly kept: number;
  /** As many are kept at most. */
  readonly most: number;
}

const defaultPlans = 8;

const runNames: OptionNames<RunOptions> = { signal: true };

/**
 * A model ready to serve: its operations are laid out once for each shape of its inputs, fused, with weights packed and all memory in one
 * piece. A run is one native call; it never holds the event loop, and runs of one session and of several follow each other in order.
 * Made by `compile` and `loadOnnx`.
 */
export class Session implements Disposable {
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
  readonly #program: Program;
  readonly #constants = new Constants();
  readonly #workspace = new Workspace();
  readonly #plans = new Map<string, Plan>();
  #made = 0;
  #disposed = false;

  /** @internal */
  constructor(program: Program) {
    this.#program = program;
    this.inputs = program.inputs;
    if (this.inputs.every(({ shape }) => shape.every((n) => typeof n === 'number' && n >= 0))) {
      const { graph } = this.#plan(this.inputs.map(({ shape }) => shape as Shape));
      this.outputs = graph.outputs.map(({ shape, dtype }, i) => ({ name: program.outputs[i]!.name, shape, dtype }));
      this.#freeAllBut(constantsOf(graph)); // there will be no other plan
    } else if (program.outputs.every((output) => output.shape && output.dtype)) {
      this.outputs = program.outputs as readonly SessionValue[];
    } else {
      // Axes of outputs that differ between two shapes of the inputs vary.
      const [one, other] = [64, 128].map((length) => this.#trace(this.inputs.map(({ shape }) => concrete(shape, length))));
      this.outputs = program.outputs.map(({ name }, i) => {
        const [a, b] = [one![i]!, other![i]!];
        return { name, dtype: a.dtype, shape: a.shape.map((n, axis) => (n === b.shape[axis] ? n : -1)) };
      });
    }
  }

  /**
   * Runs the model. The outputs are tensors of the caller's, complete when the promise resolves.
   * @param feeds Each input by its name.
   * @throws TypeError, RangeError for an input that is missing, unknown, or not of the type and shape that `inputs` says; the signal's
   * reason where it stopped the run.
   * @example
   * const { output } = await session.run({ input: image });
   */
  async run(feeds: Readonly<Record<string, Feed>>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    if (this.#disposed) throw new ReceptiveError('ERR_DISPOSED', `run: the session of ${this.#program.name} was disposed of`);
    checkOptions('run', options, runNames);
    const { signal } = options;
    if (signal !== undefined && !(typeof signal === 'object' && signal !== null && 'aborted' in signal)) {
      throw typeError('run', 'signal', signal, 'an AbortSignal');
    }
    signal?.throwIfAborted();
    return scope.outside(() => this.#start(feeds, signal));
  }

  #start(feeds: Readonly<Record<string, Feed>>, signal: AbortSignal | undefined): Promise<Record<string, Tensor>> {
    const made: Tensor[] = [];
    let outputs: Tensor[] = [];
    try {
      const inputs = this.#given(feeds, made);
      const plan = this.#plan(inputs.map(({ shape }) => shape));
      outputs = plan.graph.outputs.map(({ shape, dtype }) => Tensor.empty(shape, dtype));
      const stop = plan.run(inputs, outputs);
      signal?.addEventListener('abort', stop, { once: true });
      const done = outputs.length > 0 ? native.settled(outputs[0]!.id) : native.sync();
      return done.then(
        () => {
          signal?.removeEventListener('abort', stop);
          return Object.fromEntries(this.outputs.map(({ name }, i) => [name, outputs[i]!]));
        },
        (error) => {
          for (const output of outputs) output.dispose();
          throw signal?.aborted ? signal.reason : error;
        },
      );
    } catch (error) {
      for (const output of outputs) output.dispose();
      throw error;
    } finally {
      for (const one of made) one.dispose();
    }
  }

  /** The inputs as tensors, those that were not are added to `made`. */
  #given(feeds: Readonly<Record<string, Feed>>, made: Tensor[]): Tensor[] {
    checkNamed('run', feeds, this.inputs);
    const sizes = new Map<string, number>();
    return this.inputs.map(({ name, shape, dtype }) => {
      const feed = feeds[name];
      const what = `input ${JSON.stringify(name)}`;
      if (feed === undefined) throw typeError('run', what, feed, 'a Tensor, or { data, shape }');
      const given = feed instanceof Tensor ? feed : filled(what, feed, dtype);
      if (!(feed instanceof Tensor)) made.push(given);
      given.use('run', what);
      if (given.dtype !== dtype) throw typeError('run', `the type of ${what}`, given.dtype, dtype);
      checkFit('run', what, given.shape, shape, sizes, this.#program.otherBatches);
      return given;
    });
  }

  /** Shapes and types of the outputs for inputs of these shapes. */
  #trace(shapes: readonly Shape[]): { shape: Shape; dtype: Dtype }[] {
    return this.#traced(shapes, (record) => record.results.map(({ shape, dtype }) => ({ shape, dtype })));
  }

  #traced<R>(shapes: readonly Shape[], use: (record: ReturnType<typeof trace>) => R): R {
    const { operation, model, run, inputs } = this.#program;
    return inMode(model, 'inference', () =>
      noGrad(() =>
        tidy(() => {
          const given = shapes.map((shape, i) => Tensor.hollow(shape, inputs[i]!.dtype));
          using record = refuseRandom(operation, () => trace(model, given, { hollow: true, run }));
          return use(record);
        }),
      ),
    );
  }

  /** How many plans, one for each shapes of its inputs, it has made and keeps. One that goes on making them is given too many shapes. */
  get plans(): SessionPlans {
    return { made: this.#made, kept: this.#plans.size, most: this.#program.plans ?? defaultPlans };
  }

  /** The plan for inputs of these shapes. */
  #plan(shapes: readonly Shape[]): Plan {
    const key = JSON.stringify(shapes);
    const known = this.#plans.get(key);
    if (known) {
      this.#plans.delete(key);
      this.#plans.set(key, known); // the last in the order is the one used last
      return known;
    }
    const held: Tensor[] = []; // what a run of the model itself made on the way, which goes with the trace
    const constant = (value: Tensor, origin: Origin) => {
      if (!this.#program.owned) return this.#constants.copy(value);
      if (origin !== 'constant') return value;
      held.push(scope.outside(() => value.view(value.shape)));
      return held.at(-1)!;
    };
    const made = (record: ReturnType<typeof trace>) =>
      new Plan(optimised(graphOf(record, constant), this.#constants), this.#workspace, held);
    let plan: Plan;
    try {
      plan = this.#traced(shapes, made);
    } catch (error) {
      for (const each of held) each.dispose();
      throw error;
    }
    this.#plans.set(key, plan);
    const { most } = this.plans;
    if (this.#plans.size > most) {
      const [oldest, old] = this.#plans.entries().next().value!;
      this.#plans.delete(oldest);
      old.dispose();
    }
    try {
      this.#workspace.fit(Math.max(...Array.from(this.#plans.values(), ({ arena }) => arena.bytes)));
      for (const each of this.#plans.values()) each.settle();
    } catch (error) {
      this.#plans.delete(key);
      plan.dispose();
      throw error;
    }
    native.trim(); // what folding constants left behind, and memory that is not needed any more
    if (++this.#made === 4 * most) this.#warn();
    return plan;
  }

  /** Frees what constants were computed of: weights, say, that took over a normalisation. */
  #freeAllBut(used: ReadonlySet<Tensor>): void {
    this.#constants.keepOnly(used);
    const { model, hidden } = this.#program;
    if (hidden) {
      const storages = new Set(Array.from(used, ({ storage }) => storage));
      for (const part of [...model.parameters(), ...model.buffers()]) if (!storages.has(part.storage)) part.dispose();
    }
    native.trim();
  }

  /** Plans are made on the event loop, each for about as long as some runs take: a session that does not stop is slow. */
  #warn(): void {
    const { made, most } = this.plans;
    process.emitWarning(
      `the session of ${this.#program.name} has made ${made} plans for shapes of its inputs and keeps ${most}: pad inputs to fewer lengths and ` +
        'batch sizes, or let it keep more (the option plans)',
      { type: 'ReceptiveWarning', code: 'RECEPTIVE_PLANS' },
    );
  }

  /** What a run on inputs of these shapes comes to: operations, and bytes of memory: of the arena, of all values beside each other, of packed weights. */
  describe(...shapes: Shape[]): { operations: string[]; arenaBytes: number; valueBytes: number; packedBytes: number } {
    const given = shapes.length > 0 ? shapes : this.inputs.map(({ shape }) => concrete(shape, 1));
    if (given.length !== this.inputs.length) {
      throw shapeError('describe', `${given.length} shapes for ${this.inputs.length} inputs`, { argument: 'shapes' });
    }
    const sizes = new Map<string, number>();
    for (const [i, { name, shape }] of this.inputs.entries())
      checkFit('describe', `input ${JSON.stringify(name)}`, given[i]!, shape, sizes);
    const plan = this.#plan(given);
    const { bytes, sum } = plan.arena;
    return { operations: showGraph(plan.graph).split('\n'), arenaBytes: bytes, valueBytes: sum, packedBytes: plan.info.keptBytes };
  }

  /** Frees everything once runs under way have ended; they resolve. Disposing twice is fine. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
    this.#workspace.dispose();
    this.#constants.dispose();
    if (this.#program.owned) this.#program.model.dispose();
  }

  /** Frees its memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    const show = (values: readonly SessionValue[]) =>
      values.map(({ name, shape, dtype }) => `${name} ${dtype} [${shape.join(',')}]`).join(', ');
    return `Session(${this.#program.name}: ${show(this.inputs)} -> ${show(this.outputs)})`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** A shape whose varying axes have a length. */
const concrete = (shape: readonly (number | string)[], length: number): Shape =>
  shape.map((n) => (typeof n === 'number' && n >= 0 ? n : length));

/** A shape, or a shape and an element type; an axis that may vary is -1 or a name. */
export type InputSpec = readonly (number | string)[] | { readonly shape: readonly (number | string)[]; readonly dtype?: Dtype };

/** Options of `compile`. */
export interface CompileOptions {
  /** What the model's forward function takes: one input, named `input`. */
  input?: InputSpec;
  /** Where it takes several: each under the name `run` is to know it by, in the order of the function's parameters. */
  inputs?: Readonly<Record<string, InputSpec>>;
  /** As many shapes of the inputs are kept ready, those used last. Default 8. */
  plans?: number;
  /** Whether the model becomes the session's own: its parameters are used where they are, and disposed of with it. Default false: copied. */
  owned?: boolean;
}

const compileNames: OptionNames<CompileOptions> = { input: true, inputs: true, plans: true, owned: 'boolean' };

/**
 * Makes a session of a model, in inference mode (whatever its mode is now), with its parameters as they are now: training it further does
 * not change the session. Normalisations become part of convolutions, sums and rectifiers are done where results are stored, weights are
 * packed once, and all values share one piece of memory.
 * @throws What the model throws for such an input. ERR_UNSUPPORTED where its forward function reads values, or makes random numbers, of
 * which every run would have the same. TypeError where it gives no Tensor.
 * @example
 * const session = await compile(models.resnet18({ classes: 10, stem: 'cifar' }), { input: ['N', 32, 32, 3] });
 * const { output } = await session.run({ input: { data: pixels, shape: [1, 32, 32, 3] } });
 */
export async function compile(model: Module, options: CompileOptions): Promise<Session> {
  if (!(model instanceof Module)) throw typeError('compile', 'model', model, 'a Module');
  checkOptions('compile', options, compileNames);
  const { input, inputs, plans = defaultPlans, owned = false } = options;
  if (!Number.isSafeInteger(plans) || plans < 1) throw rangeError('compile', 'plans', plans, 'a positive integer');
  if ((input === undefined) === (inputs === undefined)) {
    throw typeError('compile', 'options', options, 'either input, or inputs by name');
  }
  const specs = inputs ?? { input: input! };
  const described = Object.entries(specs).map(([name, spec]) => checkSpec(name, spec));
  return new Session({
    operation: 'compile',
    name: model.constructor.name,
    model,
    owned,
    inputs: described,
    outputs: [{ name: 'output' }],
    plans,
    otherBatches: { length: described[0]?.shape[0] ?? null, how: "compile it with 'N' for that length" },
    run: (given) => {
      const output: unknown = synchronous('compile', model.forward(...given));
      if (!(output instanceof Tensor)) throw typeError('compile', 'what forward gives', output, 'a Tensor');
      return [output];
    },
  });
}

function checkSpec(name: string, spec: InputSpec): SessionValue {
  const what = `input ${JSON.stringify(name)}`;
  const { shape, dtype = 'float32' } = Array.isArray(spec)
    ? { shape: spec as readonly (number | string)[] }
    : (spec as Exclude<InputSpec, readonly unknown[]>);
  if (!Array.isArray(shape))
    throw typeError('compile', `the shape of ${what}`, shape, 'an array of lengths, with -1 or a name for one that varies');
  for (const n of shape) {
    const fits = typeof n === 'string' ? n !== '' : Number.isInteger(n) && n >= -1;
    if (!fits) throw rangeError('compile', `a length of ${what}`, n, 'a length, or -1 or a name for one that varies');
  }
  if (!Object.hasOwn(dtypes, dtype)) throw rangeError('compile', `the type of ${what}`, dtype, Object.keys(dtypes).join(', '));
  return { name, shape: [...shape], dtype };
}
