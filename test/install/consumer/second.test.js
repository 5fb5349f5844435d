const receptive = require('receptive');
const train = require('./train.cjs');

test('trains', async () => expect(await train(receptive)).toHaveProperty('isa'));
test('takes arrays and typed arrays of the test', () =>
  expect(receptive.ops.sum(receptive.tensor(new Float32Array(4).fill(2))).itemSync()).toBe(8));
test('throws errors of the test', () => expect(() => receptive.ones([-1])).toThrow(RangeError));
