import { type Command, InvalidArgumentError, type Option } from 'commander';

// What option values must be. commander prints the option's name before these messages.

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Expected a positive integer.');
  return value;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Expected an integer of at least 0.');
  return value;
}

export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new InvalidArgumentError('Expected a number of at least 0.');
  return value;
}

/** One of some names, in any case. */
export function oneOf(names: readonly string[]): (text: string) => string {
  return (text) => {
    const found = names.find((name) => name.toLowerCase() === text.toLowerCase());
    if (found === undefined) throw new InvalidArgumentError(`Expected one of ${names.join(', ')}.`);
    return found;
  };
}

/** A share of a whole. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1)) throw new InvalidArgumentError('Expected a number from 0 to, not including, 1.');
  return value;
}

/** Some of these names, between commas, or none of them. */
export function someOf(names: readonly string[]): (text: string) => string[] {
  return (text) => {
    const list = text === 'none' ? [] : text.split(',').map((name) => name.trim());
    if (!list.every((name) => names.includes(name)))
      throw new InvalidArgumentError(`Expected none, or some of ${names.join(', ')} between commas.`);
    return list;
  };
}

/** Adds an option that several tasks have, unless one of them has added it already. */
export function addShared(command: Command, option: Option): void {
  if (!command.options.some(({ long }) => long === option.long)) command.addOption(option);
}

/** Dimensions with commas between them. */
export function shape(text: string): number[] {
  const dimensions = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (!dimensions.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new InvalidArgumentError('Expected positive integers with commas between them, such as 1,28,28,1.');
  }
  return dimensions;
}

/** Numbers between commas. */
export const positiveIntegers = (text: string): number[] => text.split(',').map(positiveInteger);

/** Numbers of any kind between commas. */
export function numbers(text: string): number[] {
  const list = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (!list.every(Number.isFinite)) throw new InvalidArgumentError('Expected numbers with commas between them.');
  return list;
}
