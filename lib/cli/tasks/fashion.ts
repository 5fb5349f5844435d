import { existsSync } from 'node:fs';
import * as data from '../../data';
import { ReceptiveError } from '../../errors';
import { publishedSet } from './publishedSet';

/** Where Debian's package puts the files. */
const installed = '/usr/share/datasets/fashion-mnist';

/** The ten kinds of clothes of Fashion-MNIST, 28x28 grey. */
export const fashion = publishedSet({
  name: 'fashion',
  summary: 'recognise the clothes of Fashion-MNIST',
  data: "directory of the IDX files, plain or .gz (default: those of Debian's package dataset-fashion-mnist)",
  defaults: { epochs: 10, batchSize: 128, optimizer: 'sgd', lr: 0.15, schedule: 'one-cycle' },
  networks: {
    smallVgg: { classes: 10, channels: 1 },
    lenet5: { classes: 10 },
    mlp: { inputs: 784, hidden: [256], classes: 10 },
  },
  augment: { flip: true, crop: { padding: 1 } },
  read: async (dir) => data.fashionMnist({ dir: dir ?? installedClothes() }),
});

function installedClothes(): string {
  if (existsSync(installed)) return installed;
  throw new ReceptiveError(
    'ERR_FILE',
    'no Fashion-MNIST files: give their directory with --data DIR, or run "apt-get install dataset-fashion-mnist" (Debian, Ubuntu)',
  );
}
