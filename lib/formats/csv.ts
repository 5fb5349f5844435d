// Comma-separated values, RFC 4180: fields between delimiters, records between line ends (CRLF, LF or CR), quotes around a field that
// holds either, and two for one quote inside. Every fault is an error; nothing is guessed.

export interface CsvFormat {
  /** One character. */
  readonly delimiter: string;
  /** One character; null where the file knows no quotes and every one is text. */
  readonly quote: string | null;
}

export interface CsvRecord {
  /** Of the file, counted from 1, where the record begins. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** A fault of a line, counted from 1. */
export class CsvError extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

/** The records of a text, one after the other. Blank lines are none. */
export function* parseCsv(text: string, { delimiter, quote }: CsvFormat): Generator<CsvRecord, void, void> {
  const isEnd = (at: number): boolean => at >= text.length || text[at] === '\n' || text[at] === '\r';
  const lineEnds = /\r\n|\n|\r/g;
  let line = 1;
  let at = 0;

  /** The field that begins here, after which `at` is behind it. */
  const field = (): string => {
    if (quote !== null && text[at] === quote) return quoted(quote);
    const start = at;
    while (!isEnd(at) && text[at] !== delimiter) {
      if (text[at] === quote)
        throw new CsvError(line, `a quote inside a field that does not begin with one (after ${near(text, start, at)})`);
      at++;
    }
    return text.slice(start, at);
  };

  const quoted = (mark: string): string => {
    const opened = line;
    let value = '';
    for (let start = at + 1; ; start = at + 1) {
      at = text.indexOf(mark, start);
      if (at < 0) throw new CsvError(opened, 'a quote opens and never closes');
      const piece = text.slice(start, at);
      value += piece;
      line += piece.match(lineEnds)?.length ?? 0;
      at++;
      if (text[at] !== mark) break;
      value += mark;
    }
    if (!isEnd(at) && text[at] !== delimiter) throw new CsvError(line, `text follows a closing quote (after ${near(text, at - 12, at)})`);
    return value;
  };

  while (at < text.length) {
    if (!isEnd(at)) {
      const record = { line, fields: [field()] };
      while (text[at] === delimiter && at < text.length) {
        at++;
        record.fields.push(field());
      }
      yield record;
    }
    at += text.startsWith('\r\n', at) ? 2 : 1;
    line++;
  }
}

/** A few characters before a place, for a message. */
const near = (text: string, start: number, end: number): string => JSON.stringify(text.slice(Math.max(start, end - 20, 0), end));
