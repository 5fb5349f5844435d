import { type Normalization, type ReadImageOptions, Tokenizer } from '../data';
import { photographs } from '../data/imageFolder';
import { ReceptiveError, rangeError, typeError } from '../errors';
import { Session } from '../graph/session';
import { checkOptions, type OptionNames } from '../options';
import { Batcher, type BatchReport } from './batcher';
import { arrayOf, type HostArray, varies } from './feeds';
import type { BatcherOptions } from './options';

/** A model to serve, and how requests become its input and its output an answer. */
export interface Served {
  /** Belongs to the service, which disposes of it when it stops or another takes its place. */
  session: Session;
  /** What the service says it serves. Default 'model'. */
  name?: string;
  /** Names of the classes, in the order of the first output: it is then answered as predictions. */
  labels?: readonly string[];
  /** What the first output holds for each class, where there are labels. Default 'logits', which softmax makes probabilities of. */
  scores?: 'logits' | 'probabilities';
  /** How image files become the input, which then is [N,H,W,C]. Without it images are not taken. */
  images?: ReadImageOptions;
  /**
   * What makes numbers of texts, for an input [N,L] of int32, padded with 0 behind; texts are cut to its `maxLength`, or to 1024 tokens.
   * Without it texts are not taken.
   */
  tokenizer?: Tokenizer;
}

/**
 * What was given, or opened, as something to serve.
 * @throws TypeError where there is no session in it.
 */
export function asServed(source: unknown): Served {
  if (source instanceof Session) return { session: source };
  if (typeof source === 'object' && source !== null && (source as Partial<Served>).session instanceof Session) return source as Served;
  throw typeError('serve', 'model', source, 'a Session, or { session, … }');
}

const names: OptionNames<Served> = { session: true, name: true, labels: true, scores: true, images: true, tokenizer: true };

/** The shortest length texts are padded to. */
const shortest = 16;

/** A model while it is served: it is freed when another has taken its place and no request uses it any more. */
export class Model {
  readonly session: Session;
  readonly name: string;
  readonly labels: readonly string[] | null;
  readonly scores: 'logits' | 'probabilities';
  readonly images: ReadImageOptions | null;
  readonly tokenizer: Tokenizer | null;
  readonly batcher: Batcher;
  #users = 0;
  #retired: (() => void) | null = null;

  constructor(served: Served, limits: BatcherOptions, onBatch: (report: BatchReport) => void) {
    checkOptions('serve', served, names);
    const { session, name = 'model', labels = null, scores = 'logits', images = null, tokenizer = null } = served;
    if (typeof name !== 'string') throw typeError('serve', 'name', name, 'a string');
    if (labels !== null && !(Array.isArray(labels) && labels.every((label) => typeof label === 'string'))) {
      throw typeError('serve', 'labels', labels, 'a list of strings');
    }
    if (scores !== 'logits' && scores !== 'probabilities') throw rangeError('serve', 'scores', scores, "'logits' or 'probabilities'");
    if (tokenizer !== null && !(tokenizer instanceof Tokenizer)) throw typeError('serve', 'tokenizer', tokenizer, 'a Tokenizer');
    this.session = session;
    this.name = name;
    this.labels = labels;
    this.scores = scores;
    this.images = images;
    this.tokenizer = tokenizer;
    this.batcher = new Batcher(session, limits, onBatch);
    this.#check();
  }

  /** Throws where what is said about the inputs and outputs does not go with those of the session. */
  #check(): void {
    const { inputs, outputs } = this.session;
    const fault = (message: string) => new ReceptiveError('ERR_INVALID_VALUE', `serve: ${message}`);
    if (this.images && this.tokenizer) throw fault('a model takes either images or texts');
    const shown = inputs.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`).join(', ');
    const [{ shape, dtype }, ...others] = inputs as [(typeof inputs)[number], ...typeof inputs];
    if (this.images) {
      const { size, channels = 3 } = this.images;
      const wanted = [...(typeof size === 'number' ? [size, size] : size), channels];
      const fits = shape.length === 4 && dtype === 'float32' && wanted.every((n, axis) => varies(shape[axis + 1]) || shape[axis + 1] === n);
      if (!fits || others.length > 0) throw fault(`images are float32 [N,${wanted}], the model takes ${shown}`);
    }
    if (this.tokenizer && (shape.length !== 2 || dtype !== 'int32' || others.length > 0)) {
      throw fault(`texts are int32 [N,L], the model takes ${shown}`);
    }
    if (this.labels) {
      const { name, shape: scores } = outputs[0]!;
      const classes = scores[1];
      if (scores.length !== 2 || !(varies(classes) || classes === this.labels.length)) {
        throw fault(
          `there are ${this.labels.length} labels, output ${JSON.stringify(name)} is [${scores}], expected [N,${this.labels.length}]`,
        );
      }
    }
  }

  /** What was done to the pixels of images, where white is 1, and is to be done to numbers that are given for them; null of other inputs. */
  get normalization(): Normalization | null {
    return this.images && (this.images.normalization ?? photographs[this.images.channels ?? 3]!);
  }

  /** Lengths that texts are padded to: few, so that each has its plan. Empty where the model has one of its own, or takes no texts. */
  get lengths(): number[] {
    if (!this.tokenizer || !varies(this.session.inputs[0]!.shape[1])) return [];
    const most = this.tokenizer.maxLength ?? 1024;
    const lengths: number[] = [];
    for (let length = shortest; length < most; length *= 2) lengths.push(length);
    return [...lengths, most];
  }

  /**
   * Makes ready for every size of batch, and sees whether what a row gives depends on its neighbours.
   * @throws What the model throws when it runs; ERR_UNSUPPORTED for one whose rows cannot run together.
   */
  async prepare(): Promise<void> {
    const { lengths, batcher } = this;
    await batcher.warm(lengths);
    if (!batcher.together || batcher.sizes.length === 1) return;
    const length = lengths[0] ?? 64;
    const rows = [0, 1].map((row) => this.#row(row, length));
    const both = Object.fromEntries(
      Object.entries(rows[0]!).map(([name, { data, shape }]) => {
        const joined = arrayOf(this.session.inputs.find((input) => input.name === name)!.dtype, 2 * data.length);
        joined.set(data);
        joined.set(rows[1]![name]!.data, data.length);
        return [name, { data: joined, shape: [2, ...shape.slice(1)] }];
      }),
    );
    const run = async (feeds: Record<string, HostArray>) => {
      const outputs = await this.session.run(feeds);
      const values = await Promise.all(this.session.outputs.map(({ name }) => outputs[name]!.data()));
      for (const output of Object.values(outputs)) output.dispose();
      return values;
    };
    const [first, second, together] = [await run(rows[0]!), await run(rows[1]!), await run(both)];
    for (const [i, { name }] of this.session.outputs.entries()) {
      const alone = [...first[i]!, ...second[i]!];
      const largest = alone.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const differs = together[i]!.length !== alone.length || together[i]!.some((v, k) => Math.abs(v - alone[k]!) > 1e-3 * largest);
      if (!differs) continue;
      throw new ReceptiveError(
        'ERR_UNSUPPORTED',
        `serve: what output ${JSON.stringify(name)} holds for a row depends on the other rows of its batch: serve it with maxBatch 1`,
      );
    }
  }

  /** A row to try the model with: noise, or the same small number everywhere. */
  #row(row: number, length: number): Record<string, HostArray> {
    let state = row + 1;
    const noise = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647 - 0.5;
    };
    const entries = this.session.inputs.map(({ name, dtype, shape }) => {
      const whole = shape.map((n, axis) => (varies(n) ? (axis === 0 ? 1 : length) : (n as number)));
      const data = arrayOf(
        dtype,
        whole.reduce((a, b) => a * b, 1),
      );
      const isFloat = dtype === 'float32' || dtype === 'float64';
      return [name, { data: isFloat ? data.map(noise) : data.fill(row), shape: whole }] as const;
    });
    return Object.fromEntries(entries) as Record<string, HostArray>;
  }

  /** Takes part in keeping the model; give it back by `release`. */
  hold(): this {
    this.#users++;
    return this;
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.#retired?.();
  }

  /** Frees the model once nobody uses it. */
  async retire(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#retired = resolve;
      });
    }
    await this.batcher.close();
    this.session.dispose();
  }
}
