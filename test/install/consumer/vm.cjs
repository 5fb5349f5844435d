// Code of another context has its own Array, Float32Array and Error.
const vm = require('node:vm');

const context = vm.createContext({ receptive: require('receptive') });
const result = vm.runInContext(
  `
  const { ops, tensor } = receptive;
  const sum = ops.sum(tensor(new Float32Array([1, 2, 3, 4]), [2, 2])).itemSync() + ops.sum(tensor([[1, 2], [3, 4]])).itemSync();
  let code;
  try {
    tensor(new Float32Array(3), [2, 2]);
  } catch (error) {
    code = error.code;
  }
  JSON.stringify({ sum, code });
  `,
  context,
);
const { sum, code } = JSON.parse(result);
if (sum !== 20 || code !== 'ERR_SHAPE') throw new Error(result);
console.log('good');
