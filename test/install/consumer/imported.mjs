import { createRequire } from 'node:module';
import * as receptive from 'receptive';
import { nn, Tensor, tensor } from 'receptive';
import train from './train.cjs';

const required = createRequire(import.meta.url)('receptive');
if (required.Tensor !== Tensor || required.nn !== nn || !(required.ones([1]) instanceof Tensor) || tensor([1]).itemSync() !== 1) {
  throw new Error('import and require give different objects');
}
console.log('good', (await train(receptive)).isa);
