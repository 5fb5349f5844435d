import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { data } from '../../lib';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'texts-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  await mkdir(join(dir, name, '..'), { recursive: true });
  await writeFile(join(dir, name), content);
  return join(dir, name);
}

/** Texts with the names of their classes. */
const samples = ({ texts, labels, classes }: data.TextDataset) => texts.map((text, i) => [text, classes[labels[i]]]);

/** Bytes with one that is no UTF-8 on the third line. */
const invalid = (before: string) => Buffer.concat([Buffer.from(before), Buffer.of(0xe9), Buffer.from('\n')]);

describe('csv', () => {
  const read = async (content: string | Uint8Array, options: Partial<data.CsvOptions> = {}) =>
    data.csv({ file: await write('reviews.csv', content), ...options });

  test('columns by the names of the header, classes sorted', async () => {
    const set = await read('id,label,text\n1,good,"fine, really"\n2,bad,"no ""fun"" at\nall"\n3,good,\n');
    expect(set.classes).toEqual(['bad', 'good']);
    expect([...set.labels]).toEqual([1, 0, 1]);
    expect(set.texts).toEqual(['fine, really', 'no "fun" at\nall', '']);
  });

  test('other names, by place, another delimiter, without a header, without quotes, a byte order mark', async () => {
    const expected = [
      ['a b', 'x'],
      ['c', 'y'],
    ];
    expect(samples(await read('\ufeffbody;kind\na b;x\nc;y', { text: 'body', label: 'kind', delimiter: ';' }))).toEqual(expected);
    expect(samples(await read('kind,body\nx,a b\ny,c', { text: 1, label: 0 }))).toEqual(expected);
    expect(samples(await read('a b,x\nc,y', { header: false }))).toEqual(expected);
    expect(samples(await read('a b\tx\n5" c\ty', { header: false, delimiter: '\t', quote: null }))[1]).toEqual(['5" c', 'y']);
  });

  test('classes as they are given, in that order', async () => {
    const set = await read('text,label\na,x\nb,y', { classes: ['y', 'z', 'x'] });
    expect([set.classes, [...set.labels]]).toEqual([
      ['y', 'z', 'x'],
      [2, 0],
    ]);
  });

  test('latin1', async () => {
    const file = await write('latin1.csv', Buffer.from('text,label\ncaf\xe9,x\n', 'latin1'));
    expect((await data.csv({ file, encoding: 'latin1' })).texts).toEqual(['café']);
  });

  test.each<[string, string | Uint8Array, Partial<data.CsvOptions>, string]>([
    ['empty', '', {}, 'is empty'],
    ['a header alone', 'text,label\n', {}, 'holds no samples'],
    ['no such column', 'text,kind\na,b\n', {}, 'line 1: names no column "label", but text, kind'],
    ['a column named twice', 'text,label,text\n', {}, 'line 1: names two columns "text"'],
    ['no such place', 'a,b\n', { header: false, label: 2 }, 'line 1: has 2 fields, so no column 2 counted from 0'],
    ['fewer fields', 'text,label\na,b\n\nc\n', {}, 'line 4: has 1 field, line 1 has 2'],
    ['more fields', 'text,label\na,b\nc,d,e\n', {}, 'line 3: has 3 fields, line 1 has 2'],
    ['an open quote', 'text,label\na,b\n"c,d\n', {}, 'line 3: a quote opens and never closes'],
    ['a quote out of place', 'text,label\na,b\nc"d,e\n', {}, 'line 3: a quote inside a field'],
    ['an empty label', 'text,label\na,b\nc,\n', {}, 'line 3: the label is empty'],
    ['an unknown label', 'text,label\na,b\nc,d\n', { classes: ['b'] }, 'line 3: the label is "d", expected one of b'],
    ['no UTF-8', invalid('text,label\na,b\nc'), {}, 'line 3: is not valid UTF-8'],
  ])('%s', async (_, content, options, fault) => {
    const reading = read(content, options);
    await expect(reading).rejects.toMatchObject({ code: 'ERR_FILE', message: expect.stringContaining(`reviews.csv: ${fault}`) });
  });

  test.each<[string, Partial<data.CsvOptions>, string]>([
    ['a file', { file: 3 as never }, 'csv: file is 3, expected a path'],
    ['a header', { header: 1 as never }, 'csv: header is 1, expected true or false'],
    ['one character', { delimiter: '||' }, 'csv: delimiter is "||", expected one character other than a line end'],
    ['a quote', { quote: '\n' }, 'csv: quote is "\\n", expected one character other than a line end, or null'],
    ['two characters', { delimiter: '"' }, 'csv: quote is "\\"", expected another character than the delimiter'],
    ['a place', { header: false, text: 'body' }, 'csv: text is "body", expected the place of a column, counted from 0'],
    ['a column', { label: -1 }, 'csv: label is -1, expected the name of a column'],
    ['classes', { classes: ['a', 'a'] }, 'csv: classes is ["a","a"], expected each name once, "a" is there twice'],
    ['class names', { classes: ['a', 1 as never] }, 'csv: classes[1] is 1, expected a string'],
    ['an encoding', { encoding: 'utf-16' as never }, "csv: encoding is \"utf-16\", expected 'utf-8' or 'latin1'"],
  ])('expects %s', async (_, options, message) => {
    await expect(data.csv({ file: join(dir, 'none'), ...options })).rejects.toThrow(message);
  });

  test('a missing file', async () => {
    await expect(data.csv({ file: join(dir, 'none') })).rejects.toMatchObject({ code: 'ERR_FILE', cause: { code: 'ENOENT' } });
  });
});

describe('jsonl', () => {
  const read = async (content: string | Uint8Array, options: Partial<data.JsonlOptions> = {}) =>
    data.jsonl({ file: await write('messages.jsonl', content), ...options });

  test('an object a line, labels of any simple type, blank lines, CRLF, no last line end', async () => {
    const set = await read('{"text":"a","label":1}\r\n\n  {"label":true,"text":"b\\nc","more":[]}\n{"text":"","label":"1"}');
    expect(samples(set)).toEqual([
      ['a', '1'],
      ['b\nc', 'true'],
      ['', '1'],
    ]);
  });

  test('other members, also of names from the prototype chain', async () => {
    expect(samples(await read('{"toString":"a","__proto__":"x"}', { text: 'toString', label: '__proto__' }))).toEqual([['a', 'x']]);
  });

  test.each<[string, string | Uint8Array, Partial<data.JsonlOptions>, string | RegExp]>([
    ['empty', '', {}, 'is empty'],
    ['blank', '\n \n', {}, 'holds no samples'],
    ['no JSON', '{"text":"a","label":"b"}\n\n{"text":', {}, 'line 3: is not JSON: '],
    ['no object', '[1]', {}, 'line 1: is not a JSON object'],
    ['null', 'null', {}, 'line 1: is not a JSON object'],
    ['no text', '{"label":"b"}', {}, 'line 1: its "text" is missing, expected a string'],
    ['a text of the prototype', '{"label":"b"}', { text: 'toString' }, 'line 1: its "toString" is missing, expected a string'],
    ['a number for a text', '{"text":3,"label":"b"}', {}, 'line 1: its "text" is a number, expected a string'],
    ['a null label', '{"text":"a","label":null}', {}, 'line 1: its "label" is null, expected a string, a number or a boolean'],
    ['a list for a label', '{"text":"a","label":["b"]}', {}, 'line 1: its "label" is an array'],
    ['an object for a label', '{"text":"a","label":{}}', {}, 'line 1: its "label" is an object'],
    ['an empty label', '{"text":"a","label":""}', {}, 'line 1: the label is empty'],
    ['no UTF-8', invalid('{"text":"a","label":"b"}\n\n'), {}, 'line 3: is not valid UTF-8'],
  ])('%s', async (_, content, options, fault) => {
    const reading = read(content, options);
    await expect(reading).rejects.toMatchObject({ code: 'ERR_FILE', message: expect.stringContaining(`messages.jsonl: ${fault}`) });
  });

  test('expects names', async () => {
    await expect(data.jsonl({ file: 'x', label: 1 as never })).rejects.toThrow('jsonl: label is 1, expected the name of a member');
  });
});

describe('textFolder', () => {
  test('folders are classes, files texts, both in the order of their names; all else is passed over', async () => {
    await write('spam/2.txt', 'buy');
    await write('spam/10.txt', 'now');
    await write('spam/notes.md', 'no text');
    await write('ham/a.txt', 'hello\nthere');
    await write('.hidden/a.txt', 'no class');
    await write('readme.txt', 'no class either');
    const set = await data.textFolder({ dir });
    expect(samples(set)).toEqual([
      ['hello\nthere', 'ham'],
      ['now', 'spam'],
      ['buy', 'spam'],
    ]);
  });

  test('follows links to folders and to files', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'texts-'));
    await writeFile(join(elsewhere, 'a.txt'), 'linked');
    await symlink(elsewhere, join(dir, 'x'));
    await write('y/b.txt', 'plain');
    await symlink(join(elsewhere, 'a.txt'), join(dir, 'y', 'c.txt'));
    expect(samples(await data.textFolder({ dir }))).toEqual([
      ['linked', 'x'],
      ['plain', 'y'],
      ['linked', 'y'],
    ]);
    await rm(elsewhere, { recursive: true });
  });

  test('more files than are read at once stay in order', async () => {
    const texts = Array.from({ length: 50 }, (_, i) => String(i + 100));
    for (const text of texts) await write(`a/${text}.txt`, text);
    expect((await data.textFolder({ dir })).texts).toEqual(texts);
  });

  test('another extension, another encoding', async () => {
    await write('a/1.eml', Buffer.of(0xe9));
    expect((await data.textFolder({ dir, extension: '.eml', encoding: 'latin1' })).texts).toEqual(['é']);
  });

  test('faults name the file or the folder', async () => {
    await expect(data.textFolder({ dir })).rejects.toThrow(`${dir}: holds no folders, expected one for each class`);
    await mkdir(join(dir, 'a'));
    await expect(data.textFolder({ dir })).rejects.toThrow(`${join(dir, 'a')}: holds no files whose names end in .txt`);
    await write('a/1.txt', invalid('one\n\n'));
    await expect(data.textFolder({ dir })).rejects.toThrow(`${join(dir, 'a', '1.txt')}: line 3: is not valid UTF-8`);
    await write('a/1.txt', 'text');
    await expect(data.textFolder({ dir, classes: ['b'] })).rejects.toThrow(`${join(dir, 'a')}: the label is "a", expected one of b`);
    await expect(data.textFolder({ dir: join(dir, 'none') })).rejects.toMatchObject({ code: 'ERR_FILE', cause: { code: 'ENOENT' } });
    await expect(data.textFolder({ dir, extension: 1 as never })).rejects.toThrow('textFolder: extension is 1');
  });
});
