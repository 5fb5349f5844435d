import { rangeError, typeError } from './errors';

/** The names of an options type: all of them and no others, or it does not compile. */
export type OptionNames<O extends object> = Readonly<Record<keyof O, true>>;

/** Throws unless options is an object of these names only: one that is misspelt, or given by position, would be ignored without a word. */
export function checkOptions(operation: string, options: unknown, names: Readonly<Record<string, true>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw typeError(operation, 'options', options, `an object such as { ${Object.keys(names).join(', ')} }`);
  }
  for (const name in options) {
    if (names[name] !== true) throw rangeError(operation, 'an option name', name, `one of ${Object.keys(names).join(', ')}`);
  }
}

/** Throws unless value is a finite number. */
export function checkFinite(operation: string, what: string, value: unknown): void {
  if (!Number.isFinite(value)) throw rangeError(operation, what, value, 'a finite number');
}

/** Throws unless value is a finite number above 0. */
export function checkPositive(operation: string, what: string, value: unknown): void {
  if (!(Number.isFinite(value) && (value as number) > 0)) throw rangeError(operation, what, value, 'a positive number');
}
