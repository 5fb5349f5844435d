/** What went wrong, for programs to switch on. */
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
  | 'ERR_UNSUPPORTED'; // this build or platform does not have it

const codeKey = 'code';

/** An error of this library that is neither a wrong type nor a wrong range. Every error it throws carries a `code`. */
export class ReceptiveError extends Error {
  override readonly name = 'ReceptiveError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

function coded<E extends Error>(error: E, code: ErrorCode): E {
  return Object.defineProperty(error, codeKey, { value: code, enumerable: true });
}

/** An argument of the wrong kind: `conv2d: stride is "two", expected a positive integer or a pair of them`. */
export function typeError(operation: string, what: string, came: unknown, expected: string): TypeError {
  return coded(new TypeError(`${operation}: ${what} is ${show(came)}, expected ${expected}`), 'ERR_INVALID_TYPE');
}

/** An argument of the right kind whose value cannot be used. */
export function rangeError(operation: string, what: string, came: unknown, expected: string): RangeError {
  return coded(new RangeError(`${operation}: ${what} is ${show(came)}, expected ${expected}`), 'ERR_INVALID_VALUE');
}

/** Shapes that do not go together; the message says which. */
export function shapeError(operation: string, message: string): RangeError {
  return coded(new RangeError(`${operation}: ${message}`), 'ERR_SHAPE');
}

/** Element types that do not go together. */
export function dtypeError(operation: string, message: string): TypeError {
  return coded(new TypeError(`${operation}: ${message}`), 'ERR_DTYPE');
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
