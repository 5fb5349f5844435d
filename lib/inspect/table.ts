// Lists of rows that can be printed.

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly show: (row: Row) => string;
  /** Whether its cells end below each other, as numbers do. */
  readonly right?: boolean;
}

/** 61706 as `61,706`. */
export const grouped = (n: number): string => n.toLocaleString('en', { maximumFractionDigits: 3 });

/** Cells in columns, under their titles and a line; with `total`, cells of a last line under another. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], total?: readonly string[]): string {
  const body = rows.map((row) => columns.map(({ show }) => show(row)));
  const all = [columns.map(({ title }) => title), ...body, ...(total ? [total] : [])];
  const widths = columns.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i]!.right ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  return [line(all[0]!), rule, ...body.map(line), ...(total ? [rule, line(total)] : [])].join('\n');
}

/** Rows, one a layer, with totals; as a string, a table. */
export class Report<Row, Total = undefined> extends Array<Row> {
  readonly #text: () => string;

  /** What the rows add up to. */
  declare readonly total: Total;

  constructor(rows: readonly Row[], total: Total, text: (rows: readonly Row[], total: Total) => string) {
    super();
    this.push(...rows);
    this.#text = () => text(rows, total);
    Object.defineProperty(this, 'total', { value: total });
  }

  /** What `map`, `filter` and their like make is a plain array. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  override toString(): string {
    return this.#text();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
