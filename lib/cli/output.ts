/** Where a command writes: sentences for people, or one JSON object a line for programs. */
export interface Output {
  readonly json: boolean;
  /** A line for people; nothing with --json. */
  line(text?: string): void;
  /** A line for programs; nothing without --json. */
  event(event: Record<string, unknown>): void;
  /** A bar that is redrawn in place on a terminal, and stays out of a pipe. */
  progress(text: string): void;
  /** Takes the bar away. */
  clear(): void;
}

export function createOutput(json: boolean, stream: NodeJS.WriteStream = process.stdout): Output {
  let drawn = 0;
  // A reader that went away (`receptive … | head`) is no failure of the command's work.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const clear = () => {
    if (drawn > 0) stream.write('\r\x1b[2K');
    drawn = 0;
  };
  return {
    json,
    line(text = '') {
      if (json) return;
      clear();
      stream.write(`${text}\n`);
    },
    event(event) {
      if (json) stream.write(`${JSON.stringify(event)}\n`);
    },
    progress(text) {
      if (json || !stream.isTTY) return;
      const fitting = text.slice(0, Math.max(1, stream.columns - 1));
      stream.write(`\r${fitting}\x1b[K`);
      drawn = fitting.length;
    },
    clear,
  };
}

/** `━━━━━───── 512/938`, by the fraction done. */
export function bar(done: number, total: number, width = 24): string {
  const filled = total > 0 ? Math.round((done / total) * width) : 0;
  return '━'.repeat(filled) + '─'.repeat(width - filled);
}

/** 75 seconds as `1:15`. */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-:--';
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}

export const percent = (fraction: number, digits = 2): string => `${(fraction * 100).toFixed(digits)} %`;
export const count = (n: number): string => Math.round(n).toLocaleString('en');

/** Bold where the terminal can and NO_COLOR does not forbid it. */
export function emphasis(text: string): string {
  const styled = process.stdout.isTTY && process.stdout.getColorDepth() > 1;
  return styled ? `\x1b[1m${text}\x1b[22m` : text;
}
