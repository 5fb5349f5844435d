// Under the permission model: no files, no workers, no processes, but addons.
const { ops, ones } = require('receptive');
if (process.permission.has('fs.write') || process.permission.has('worker')) throw new Error('the permission model is off');
console.log(ops.sum(ones([3])).itemSync() === 3 ? 'good' : 'wrong');
