import { Handle, native, seeded } from './support';

// No call, however wrong, may touch memory outside its tensors. Every op is called with tensors and numbers drawn at random, mostly
// small and plausible so that many calls get through; bystanders show what should not have been written. Under AddressSanitizer
// (npm run test:asan) every block ends where its tensor does, and any step outside is fatal.

const calls = Number(process.env.RECEPTIVE_FUZZ ?? 2000);
const awkward = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 1e308, -0];

/** How many tensors an op takes: the fewest arguments with which it complains of something else than their number. */
function arity(op: (...args: unknown[]) => void): { tensors: number; numbers: number } {
  try {
    op();
  } catch (error) {
    const counts = /expected (\d+) tensors and (?:at most )?(\d+) numbers/.exec((error as Error).message);
    if (counts) return { tensors: Number(counts[1]), numbers: Number(counts[2]) };
  }
  throw new Error('the op took no arguments');
}

describe.each(Object.keys(native.ops).sort())('%s', (name) => {
  const op = native.ops[name as keyof typeof native.ops] as (...args: unknown[]) => void;
  const { tensors, numbers } = arity(op);

  test('survives whatever it is called with', async () => {
    let seed = 0;
    for (const letter of name) seed = (seed * 31 + letter.charCodeAt(0)) | 0;
    const random = seeded(seed);
    const below = (n: number) => Math.floor(random() * n);
    const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;

    const bystanders = Array.from({ length: 20 }, (_, i) => Handle.of(new Array(64).fill(i), 64));
    let accepted = 0;
    const codes = new Set<unknown>();
    for (let i = 0; i < calls; i++) {
      // A few dimensions shared between the tensors of a call, so that some fit together.
      const dims = [1, 2, 3, 4, 1 + below(6), below(9)];
      const rank = below(5);
      const dtype = random() < 0.8 ? 0 : below(4);
      const shape = Array.from({ length: rank }, () => pick(dims));
      const args: unknown[] = [];
      const owners: Handle[] = [];
      for (let t = 0; t < tensors; t++) {
        const own = random() < 0.4;
        const type = random() < 0.85 ? dtype : below(4);
        const handle = new Handle(type, ...(own ? Array.from({ length: random() < 0.7 ? rank : below(7) }, () => pick(dims)) : shape));
        native.ops.fill(handle.id, below(4));
        owners.push(handle);
        args.push(random() < 0.05 ? 0 : handle.id);
      }
      const count = name === 'copy' ? below(numbers + 1) : numbers;
      for (let n = 0; n < count; n++) args.push(random() < 0.05 ? pick(awkward) : random() < 0.2 ? random() : below(4));
      try {
        op(...args);
        accepted++;
      } catch (error) {
        codes.add((error as { code?: string }).code);
        expect(error).toMatchObject({ message: expect.stringContaining(`${name}: `) });
      }
      for (const owner of owners) native.free(owner.id);
    }
    await native.sync().catch((error) => expect(error.code).toBe('ERR_KERNEL'));
    for (const [i, bystander] of bystanders.entries()) expect(await bystander.values()).toEqual(new Array(64).fill(i));
    for (const code of codes) expect(['ERR_INVALID_TYPE', 'ERR_INVALID_VALUE', 'ERR_DISPOSED']).toContain(code);
    expect(accepted).toBeGreaterThanOrEqual(0);
    if (process.env.RECEPTIVE_FUZZ_REPORT) console.log(name, accepted, 'of', calls);
  });
});
