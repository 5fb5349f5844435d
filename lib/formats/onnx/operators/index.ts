import { activationOperators } from './activation';
import { arithmeticOperators } from './arithmetic';
import { convolutionOperators } from './convolution';
import { createOperators } from './create';
import { normalisationOperators } from './normalisation';
import type { Operator, Operators } from './operator';
import { poolOperators } from './pool';
import { productOperators } from './product';
import { reduceOperators } from './reduce';
import { resizeOperators } from './resize';
import { selectOperators } from './select';
import { shapeOperators } from './shape';

/** All operators, a row each, by family. */
export const operators: Operators = {
  ...activationOperators,
  ...arithmeticOperators,
  ...convolutionOperators,
  ...createOperators,
  ...normalisationOperators,
  ...poolOperators,
  ...productOperators,
  ...reduceOperators,
  ...resizeOperators,
  ...selectOperators,
  ...shapeOperators,
};

export const operatorNamed = (name: string): Operator | undefined => (Object.hasOwn(operators, name) ? operators[name] : undefined);
