import { rangeError, typeError } from './errors';

/** The names of an options type: all of them and no others, or it does not compile; 'boolean' for one that is true or false. */
export type OptionNames<O extends object> = Readonly<Record<keyof O, true | 'boolean'>>;

/** Throws unless options is an object of these names only: one that is misspelt, or given by position, would be ignored without a word. */
export function checkOptions(operation: string, options: unknown, names: Readonly<Record<string, true | 'boolean'>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw typeError(operation, 'options', options, `an object such as { ${Object.keys(names).join(', ')} }`);
  }
  for (const name in options) {
    if (!Object.hasOwn(names, name)) throw rangeError(operation, 'an option name', name, `one of ${Object.keys(names).join(', ')}`);
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (names[name] === 'boolean' && value !== undefined && typeof value !== 'boolean')
      throw typeError(operation, name, value, 'true or false');
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
