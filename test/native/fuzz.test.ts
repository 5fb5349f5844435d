import { calls, mutate, Random } from './calls';
import { Handle, native, seeded } from './support';

// No call, however wrong, may touch memory outside its tensors. Every op is given calls it accepts and the same calls with something
// changed; bystanders show what should not have been written. Under AddressSanitizer (npm run test:asan:addon) every block ends where its
// tensor does, and any step outside is fatal.

const rounds = Number(process.env.RECEPTIVE_FUZZ ?? 1500);
const ops = native.ops as unknown as Record<string, (...args: unknown[]) => void>;

test('every op has a maker of calls', () => {
  expect(Object.keys(calls)).toEqual(expect.arrayContaining(Object.keys(ops)));
});

describe.each(Object.keys(ops).sort())('%s', (name) => {
  const op = ops[name] as (...args: unknown[]) => void;
  const make = calls[name] as (typeof calls)[string];

  test.each(['accepts right calls', 'survives wrong ones'])('%s', async (what) => {
    const wrong = what === 'survives wrong ones';
    let seed = 7;
    for (const letter of name) seed = Math.imul(seed, 31) + letter.charCodeAt(0);
    const random = new Random(seeded(seed));
    const bystanders = Array.from({ length: 20 }, (_, i) => Handle.of(new Array(64).fill(i), 64));
    const rejected: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const call = make(random, random.int(0, 1));
      for (let i = wrong ? random.int(1, 2) : 0; i > 0; i--) mutate(call, random);
      const handles = call.tensors.map((t) => t && new Handle(t.dtype, ...t.shape));
      for (const handle of handles) if (handle) native.ops.fill(handle.id, random.int(0, 3));
      try {
        op(...handles.map((handle) => handle?.id ?? 0), ...call.numbers);
      } catch (error) {
        rejected.push(`${JSON.stringify(call)}: ${(error as Error).message}`);
        expect(error).toMatchObject({
          code: expect.stringMatching(/^ERR_INVALID_(TYPE|VALUE)$/),
          message: expect.stringMatching(/^\w+: /),
        });
      }
      for (const handle of handles) if (handle) native.free(handle.id);
    }
    await native.sync().catch((error) => expect(error.code).toBe('ERR_KERNEL'));
    for (const [i, bystander] of bystanders.entries()) expect(await bystander.values()).toEqual(new Array(64).fill(i));
    if (wrong) expect(rejected.length).toBeGreaterThan(rounds / 20);
    else expect(rejected.slice(0, 3)).toEqual([]);
  });
});
