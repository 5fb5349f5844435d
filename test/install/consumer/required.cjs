require('./train.cjs')(require('receptive')).then(({ isa }) => console.log('good', isa));
