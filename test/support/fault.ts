/** What a function throws, as a value to compare: its class, code and message. */
export function fault(fn: () => unknown): { name: string; code: string; message: string } {
  try {
    fn();
  } catch (error) {
    const { name, code, message } = error as Error & { code: string };
    return { name, code, message };
  }
  throw new Error('nothing was thrown');
}
