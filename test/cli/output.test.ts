import { EventEmitter } from 'node:events';
import { numbers, shape, someOf, wholeNumber } from '../../lib/cli/arguments';
import { gallery } from '../../lib/cli/draw';
import { bar, clock, createOutput } from '../../lib/cli/output';

/** A stream that keeps what is written. */
class Screen extends EventEmitter {
  text = '';
  constructor(
    readonly isTTY: boolean,
    readonly columns = 20,
  ) {
    super();
  }
  write(text: string): void {
    this.text += text;
  }
}

function output({ json = false, terminal = true } = {}) {
  const screen = new Screen(terminal);
  return { screen, output: createOutput(json, screen as unknown as NodeJS.WriteStream) };
}

test('on a terminal a bar is cut to its width, and gives way to a line', () => {
  const { screen, output: out } = output();
  out.progress('x'.repeat(30));
  expect(screen.text).toBe(`\r${'x'.repeat(19)}\x1b[K`);
  screen.text = '';
  out.line('done');
  out.line();
  out.clear(); // nothing is drawn any more
  expect(screen.text).toBe('\r\x1b[2Kdone\n\n');
});

test('a pipe gets lines alone, a program events alone', () => {
  const people = output({ terminal: false });
  people.output.progress('50 %');
  people.output.event({ event: 'epoch' });
  people.output.line('epoch');
  expect(people.screen.text).toBe('epoch\n');
  const program = output({ json: true });
  program.output.progress('50 %');
  program.output.line('epoch');
  program.output.event({ event: 'epoch' });
  expect(program.screen.text).toBe('{"event":"epoch"}\n');
});

test('a reader that went away is no failure; a disk that is full is', () => {
  const { screen } = output();
  const failure = (code: string) => () => screen.emit('error', Object.assign(new Error(code), { code }));
  expect(failure('EPIPE')).not.toThrow();
  expect(failure('ENOSPC')).toThrow('ENOSPC');
});

test('bars and clocks', () => {
  expect([bar(1, 4, 8), bar(0, 0, 4), bar(4, 4, 4)]).toEqual(['━━──────', '────', '━━━━']);
  expect([clock(75), clock(3600 + 62), clock(Infinity)]).toEqual(['1:15', '1:01:02', '-:--']);
});

test('pictures of different heights beside each other', () => {
  const picture = (lines: string[], captions: string[]) => ({ lines, width: lines[0]!.length, captions });
  expect(gallery([picture(['ab', 'cd'], ['one']), picture(['ef'], ['two', 'more'])], 20)).toBe(
    'ab    ef\ncd\none   two\n      more\n'.replace('cd\n', 'cd        \n').replace('ef\n', 'ef  \n'),
  );
});

test.each<[string, () => unknown]>([
  ['Expected an integer of at least 0', () => wholeNumber('')],
  ['Expected an integer of at least 0', () => wholeNumber('-1')],
  ['Expected positive integers with commas between them', () => shape('1,,2')],
  ['Expected numbers with commas between them', () => numbers('0.5,')],
  ['Expected numbers with commas between them', () => numbers('half')],
  ['Expected none, or some of a, b between commas', () => someOf(['a', 'b'])('a,c')],
])('%s', (message, call) => {
  expect(call).toThrow(message);
});

test('lists of arguments', () => {
  expect(numbers('0.5, -1,2e3')).toEqual([0.5, -1, 2000]);
  expect(someOf(['a', 'b'])('none')).toEqual([]);
  expect(someOf(['a', 'b'])('b, a')).toEqual(['b', 'a']);
});
