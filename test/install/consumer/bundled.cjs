const receptive = require('receptive');
require('./train.cjs')(receptive).then(({ isa, version }) => console.log('good', isa, version));
