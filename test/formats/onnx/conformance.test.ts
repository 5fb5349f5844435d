import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { operators } from '../../../lib/formats/onnx/operators';
import { folders, installed, type Outcome, runFolder } from '../../support/onnxConformance';

// ONNX's own tests, where they are installed (Debian: libonnx-testdata). RECEPTIVE_UPDATE=1 writes the table of docs/onnx.md.

const page = join(__dirname, '../../../docs/onnx.md');
const begin = '<!-- written by test/formats/onnx/conformance.test.ts -->\n';

/** A line an operator: folders it occurs in that passed, that failed, and that need something unsupported. */
function table(outcomes: readonly Outcome[]): string {
  const count = (name: string, verdict: string) =>
    outcomes.filter((outcome) => outcome.operators.includes(name) && outcome.verdict === verdict).length;
  const names = [...new Set([...Object.keys(operators), ...outcomes.flatMap((outcome) => outcome.operators)])].sort();
  const rows = names.map((name) => {
    const since = Object.hasOwn(operators, name) ? operators[name]!.since.join(', ') : '';
    const state = since === '' ? 'no' : 'yes';
    return [name, state, since, ...['passed', 'failed', 'unsupported'].map((verdict) => count(name, verdict))];
  });
  const total = ['passed', 'failed', 'unsupported'].map((verdict) => outcomes.filter((outcome) => outcome.verdict === verdict).length);
  const head = ['operator', 'supported', 'versions told apart', 'passed', 'failed', 'unsupported'];
  const line = (cells: readonly unknown[]) => `| ${cells.join(' | ')} |\n`;
  return [
    `Of ${outcomes.length} folders ${total[0]} passed and ${total[1]} failed; ${total[2]} need something that is not supported.\n\n`,
    line(head),
    line(head.map((_, i) => (i < 3 ? '---' : '---:'))),
    ...rows.map(line),
  ].join('');
}

(installed ? describe : describe.skip)('conformance', () => {
  const outcomes: Outcome[] = [];

  test('no folder whose operators are supported fails', async () => {
    for (const name of folders()) outcomes.push(await runFolder(name));
    expect(outcomes.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
    expect(outcomes.filter(({ verdict }) => verdict === 'passed').length).toBeGreaterThan(700);
  });

  test.each(['as tensors', 'on the host'] as const)('nor where all inputs are given %s', async (as) => {
    const again = [];
    for (const { name, verdict } of outcomes) if (verdict === 'passed') again.push(await runFolder(name, as));
    expect(again.filter(({ verdict }) => verdict !== 'passed')).toEqual([]);
  });

  test('docs/onnx.md says what passed', () => {
    const text = readFileSync(page, 'utf8');
    const [above] = text.split(begin) as [string];
    const wanted = `${above}${begin}\n${table(outcomes)}`;
    if (process.env.RECEPTIVE_UPDATE) writeFileSync(page, wanted);
    // the formatter pads the columns
    const bare = (markdown: string) => markdown.replace(/ +/g, ' ').replace(/-{2,}/g, '-');
    expect(bare(readFileSync(page, 'utf8'))).toBe(bare(wanted));
  });
});
