import fc from 'fast-check';
import { type CsvFormat, parseCsv } from '../../lib/formats/csv';

const comma: CsvFormat = { delimiter: ',', quote: '"' };
const records = (text: string, format = comma) => [...parseCsv(text, format)].map(({ fields }) => fields);
const lines = (text: string, format = comma) => [...parseCsv(text, format)].map(({ line }) => line);

describe('parseCsv', () => {
  test.each<[string, string, string[][]]>([
    ['nothing', '', []],
    ['one record, with and without a line end', 'a,b', [['a', 'b']]],
    [
      'records between line ends of any kind',
      'a,b\nc,d\r\ne,f\rg,h\n',
      [
        ['a', 'b'],
        ['c', 'd'],
        ['e', 'f'],
        ['g', 'h'],
      ],
    ],
    [
      'blank lines',
      '\n\na,b\r\n\r\nc,d\n\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'empty fields',
      ',\na,\n,b\n,,',
      [
        ['', ''],
        ['a', ''],
        ['', 'b'],
        ['', '', ''],
      ],
    ],
    ['one empty quoted field', '""\n', [['']]],
    ['quotes around a delimiter, a line end and a quote', '"a,b","c\nd","e ""f"""', [['a,b', 'c\nd', 'e "f"']]],
    ['quotes around nothing and around quotes alone', '"",""""', [['', '"']]],
    ['blanks belong to the field', ' a , b ', [[' a ', ' b ']]],
    ['letters of any script', 'žluťoučký,你好 👩‍👧\n', [['žluťoučký', '你好 👩‍👧']]],
  ])('%s', (_, text, expected) => {
    expect(records(text)).toEqual(expected);
  });

  test('another delimiter, another quote, or none', () => {
    expect(records("a\t'b\tc'\n", { delimiter: '\t', quote: "'" })).toEqual([['a', 'b\tc']]);
    expect(records('5" disk\t"x\n', { delimiter: '\t', quote: null })).toEqual([['5" disk', '"x']]);
  });

  test('says the line a record begins on, line ends inside quotes counted', () => {
    expect(lines('a\n\n"b\r\nc\rd\n"\ne,f\r\n"g"\r\nh')).toEqual([1, 3, 7, 8, 9]);
  });

  test('reads what RFC 4180 writes, whatever is in the fields', () => {
    const field = fc.string({ unit: fc.oneof(fc.constantFrom(',', '"', '\n', '\r', ' '), fc.string({ unit: 'grapheme', maxLength: 1 })) });
    const rows = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 6 });
    const write = (end: string, all: boolean) => (fields: string[]) =>
      fields.map((f) => (all || /[",\r\n]/.test(f) ? `"${f.replaceAll('"', '""')}"` : f)).join(',') + end;
    fc.assert(
      fc.property(rows, fc.constantFrom('\n', '\r\n', '\r'), fc.boolean(), (table, end, all) => {
        expect(records(table.map(write(end, all)).join(''))).toEqual(table);
      }),
      { numRuns: 500 },
    );
  });

  test.each<[string, string, number, RegExp]>([
    ['a quote that never closes', 'a,b\nc,"d\ne,f\n', 2, /a quote opens and never closes/],
    ['text behind a closing quote', 'a,b\n"c\n"d,e\n', 3, /text follows a closing quote \(after .*c\\n\\""\)/],
    ['a quote inside a plain field', 'a,b\n\nc,5" disk\n', 3, /a quote inside a field that does not begin with one \(after "5"\)/],
  ])('%s', (_, text, line, fault) => {
    expect(() => records(text)).toThrow(expect.objectContaining({ line, message: expect.stringMatching(fault) }));
  });
});
