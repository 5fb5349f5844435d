/** A request that is answered with an error: the status, a code for programs, a sentence for people. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** Codes of errors that bad input makes. */
const faults: ReadonlySet<unknown> = new Set(['ERR_INVALID_TYPE', 'ERR_INVALID_VALUE', 'ERR_SHAPE', 'ERR_DTYPE', 'ERR_KERNEL']);

/** What the stream says of an operation that found no memory to work in (native/runtime/stream.cpp), by the code of data that are bad. */
const noScratch = 'not enough memory for the scratch space of an operation';

/** Whether an error is for want of memory: no fault of what was sent. */
export function isOutOfMemory(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    const { code } = one as Error & { code?: unknown };
    if (code === 'ERR_OUT_OF_MEMORY' || (code === 'ERR_KERNEL' && one.message.includes(noScratch))) return true;
  }
  return false;
}

/**
 * What a request is told of an error. The sentence is that of the operation which found the fault: what is around it may name files of
 * this machine, and so may all other errors, which are told to nobody.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isOutOfMemory(error)) {
    return new Problem(503, 'ERR_OUT_OF_MEMORY', 'there is not enough memory to run the model now', { 'Retry-After': '1' });
  }
  if (error instanceof Error && faults.has((error as Error & { code?: unknown }).code)) {
    let inner: Error = error;
    while (inner.cause instanceof Error) inner = inner.cause;
    return new Problem(400, (error as Error & { code: string }).code, inner.message);
  }
  return new Problem(500, 'ERR_INTERNAL', 'the model could not be run; the log of the service says why');
}

/** The fault of a request that cannot be read. */
export const unreadable = (message: string, code = 'ERR_BODY'): Problem => new Problem(400, code, message);
