/** What went wrong, for programs to switch on; docs/errors.md says what each means and what to do. */
export type ErrorCode =
  | 'ERR_INVALID_TYPE' // an argument of the wrong kind
  | 'ERR_INVALID_VALUE' // of the right kind, out of range
  | 'ERR_SHAPE' // shapes that do not go together
  | 'ERR_DTYPE' // element types that do not go together
  | 'ERR_DISPOSED' // a tensor used after dispose()
  | 'ERR_AUTOGRAD' // misuse of the tape
  | 'ERR_BUSY' // more work than is accepted at a time
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_KERNEL' // data found to be bad while a kernel ran
  | 'ERR_FILE' // a file that is missing, truncated or not what it claims to be
  | 'ERR_DIVERGED' // training whose numbers are no longer finite
  | 'ERR_UNSUPPORTED' // this build or platform does not have it
  | 'ERR_NODE_API' // Node refused what the addon asked of it
  | 'ERR_RECEPTIVE'; // a fault of this library

/** What the library's errors carry, whatever their class: the operation where it is known, the last three where the error is of one argument. */
export interface CodedError extends Error {
  readonly code: ErrorCode;
  /** Where the code is explained: a place in a page of this package. */
  readonly docs: string;
  /** The function that was called. */
  readonly operation?: string;
  /** Its argument that cannot be used. */
  readonly argument?: string;
  /** What that was. */
  readonly received?: unknown;
  /** What it may be. */
  readonly expected?: string;
}

const pageOf = (code: ErrorCode): string => `receptive/docs/errors.md#${code.toLowerCase()}`;

/** An error of this library that is neither a wrong type nor a wrong range. Every error it throws carries a `code`. */
export class ReceptiveError extends Error implements CodedError {
  override readonly name = 'ReceptiveError';
  readonly code: ErrorCode;
  readonly docs: string;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.docs = pageOf(code);
  }
}

/** What an error is about, beside its message. */
type Details = Pick<CodedError, 'operation' | 'argument' | 'received' | 'expected'>;

function coded<E extends Error>(error: E, code: ErrorCode, details: Details): E & CodedError {
  // Not enumerable, for the message says them: whoever prints the error wants them once, and what came may be large.
  for (const [name, value] of Object.entries(details)) Object.defineProperty(error, name, { value });
  return Object.assign(error, { code, docs: pageOf(code) });
}

/** An argument of the wrong kind: `conv2d: stride is "two", expected a positive integer or a pair of them`. */
export function typeError(operation: string, argument: string, received: unknown, expected: string, shown = show(received)): TypeError {
  const message = `${operation}: ${argument} is ${shown}, expected ${expected}`;
  return coded(new TypeError(message), 'ERR_INVALID_TYPE', { operation, argument, received, expected });
}

/** An argument of the right kind whose value cannot be used. */
export function rangeError(operation: string, argument: string, received: unknown, expected: string): RangeError {
  const message = `${operation}: ${argument} is ${show(received)}, expected ${expected}`;
  return coded(new RangeError(message), 'ERR_INVALID_VALUE', { operation, argument, received, expected });
}

/** Shapes that do not go together; the message says which. */
export function shapeError(operation: string, message: string, details: Omit<Details, 'operation'> = {}): RangeError {
  return coded(new RangeError(`${operation}: ${message}`), 'ERR_SHAPE', { operation, ...details });
}

/** Element types that do not go together. */
export function dtypeError(operation: string, message: string, details: Omit<Details, 'operation'> = {}): TypeError {
  return coded(new TypeError(`${operation}: ${message}`), 'ERR_DTYPE', { operation, ...details });
}

/** A value as an error message shows it: short, and never by running the value's own code. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item) => (Array.isArray(item) ? '[…]' : show(item)));
    return `[${items.join(',')}${value.length > 8 ? ',…' : ''}]`;
  }
  if (ArrayBuffer.isView(value)) return `a ${Object.prototype.toString.call(value).slice(8, -1)} of ${value.byteLength} bytes`;
  if (typeof value === 'object' && value !== null)
    return `an ${Object.prototype.toString.call(value).slice(8, -1)}`.replace(/^an (?=[^AEIOU])/, 'a ');
  return String(value);
}
