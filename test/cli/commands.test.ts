import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, loadOnnx, models, noGrad, readSafetensors, save, tensor } from '../../lib';
import { distance } from '../support/agree';
import { events, main, receptive, writeDigits } from './support';

// The built commands, in processes of their own, on 300 training and 100 test images whose class is a bright row.

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'receptive-cli-'));
  writeDigits(join(dir, 'digits'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('train, evaluate, predict', () => {
  const train = (...more: string[]) => receptive(['train', 'mnist', '--data', join(dir, 'digits'), '--batch-size', '10', ...more]);

  test('train saves a model that evaluate and predict agree on', async () => {
    const out = join(dir, 'new', 'folder', 'model.safetensors');
    const trained = await train('--epochs', '4', '--lr', '0.01', '--seed', '7', '--out', out, '--json');
    expect(trained.stderr).toBe('');
    expect(trained.code).toBe(0);
    const [start, ...rest] = events(trained);
    expect(start).toMatchObject({ event: 'start', arch: 'lenet5', epochs: 4, parameters: 61706 });
    expect(rest.map(({ event }) => event)).toEqual(['epoch', 'epoch', 'epoch', 'epoch', 'done']);
    const { accuracy } = rest.at(-1);
    expect(accuracy).toBe(1);

    const [measured] = events(await receptive(['evaluate', out, '--data', join(dir, 'digits'), '--json']));
    expect(measured).toMatchObject({ accuracy, images: 100, loss: rest.at(-1).loss });

    const predictions = events(
      await receptive(['predict', out, '--data', join(dir, 'digits'), '--start', '95', '--count', '20', '--json']),
    );
    expect(predictions.map(({ index }) => index)).toEqual([95, 96, 97, 98, 99]);
    for (const { label, predicted, confidence } of predictions) {
      expect(predicted).toBe(label);
      expect(confidence).toBeGreaterThan(0.5);
    }
  });

  test('convert makes an ONNX file that computes the same, and safetensors of it', async () => {
    const [trained, onnx, weights] = ['trained.safetensors', 'trained.onnx', 'weights.safetensors'].map((name) => join(dir, name));
    await train('--epochs', '1', '--out', trained!);
    const converted = await receptive(['convert', trained!, onnx!]);
    expect([converted.code, converted.stderr]).toEqual([0, '']);
    expect(converted.stdout).toContain('lenet5 for mnist');

    const told = await receptive(['convert', onnx!]);
    expect([told.code, told.stderr]).toEqual([0, '']);
    expect(told.stdout).toMatch(/^ +2 {2}Conv$/m);
    expect(told.stdout).toMatch(/^61,706 parameters; every operator is supported$/m);
    const [event] = events(await receptive(['convert', onnx!, '--json']));
    expect(event).toMatchObject({ opset: 17, operators: { Conv: 2, MaxPool: 2, Gemm: 3 }, parameters: 61706 });

    const model = models.lenet5();
    await load(trained!, model);
    const pixels = Float32Array.from({ length: 784 }, (_, i) => (i % 17) / 17);
    using session = await loadOnnx(onnx!, { layout: 'nhwc' });
    const { output } = await session.run({ [session.inputs[0]!.name]: { data: pixels, shape: [1, 28, 28, 1] } });
    const expected = noGrad(() => model.eval().forward(tensor(pixels, [1, 28, 28, 1])));
    expect(distance(await output!.data(), await expected.data())).toBeLessThan(1e-5);

    expect((await receptive(['convert', onnx!, weights!])).code).toBe(0);
    const { tensors } = await readSafetensors(weights!);
    expect(Object.values(tensors).reduce((sum, { size }) => sum + size, 0)).toBe(61_706);
    expect((await receptive(['convert', weights!])).stdout).toMatch(/^61,706 numbers$/m);
  });

  test('inspect tells what the saved network is made of and what it sees', async () => {
    const out = join(dir, 'inspected.safetensors');
    await train('--epochs', '1', '--out', out);
    const drawing = join(dir, 'drawings', 'fields.svg');
    const told = await receptive(['inspect', out, '--draw', drawing]);
    expect([told.code, told.stderr]).toEqual([0, '']);
    expect(told.stdout).toMatch(/^lenet5 for mnist, on an input of shape \[1,28,28,1\]$/m);
    expect(told.stdout).toMatch(/^total +61,706 +416,520$/m); // the summary
    expect(told.stdout).toMatch(/^5 +MaxPool2d +16 +4 +6 +2$/m); // receptive fields
    expect(told.stdout).toMatch(/^total +61,706 +423,038 +6\.9 x$/m); // parameters
    expect(readFileSync(drawing, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);

    const [event, ...rest] = events(await receptive(['inspect', out, '--input', '2,28,28,1', '--json']));
    expect(rest).toEqual([]);
    expect(event).toMatchObject({
      model: out,
      architecture: 'lenet5',
      input: [2, 28, 28, 1],
      total: { parameters: 61_706, macs: 2 * 416_520 },
    });
    expect(event.layers[3]).toMatchObject({ name: '3', type: 'Conv2d', outputShape: [2, 10, 10, 16], receptiveField: 14 });
    expect(event.receptiveFields[3]).toMatchObject({ name: '3', size: 14, jump: 2, start: 5, padding: 2 });
    expect(event.parameters.total).toEqual({ shared: 61_706, unshared: 423_038 });

    const refused = await receptive(['inspect', out, '--input', '1,20,20,1']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^receptive: linear: input has 144 features/)]);
  });

  test('a pipe gets plain lines: one an epoch, no bar, no control characters', async () => {
    const { code, stdout } = await train('--epochs', '2', '--arch', 'mlp', '--optimizer', 'adam', '--out', join(dir, 'mlp.safetensors'));
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('epoch'))).toHaveLength(2);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the absence of control characters is what is tested
    expect(stdout).not.toMatch(/[\r\x1b]/);
    expect(stdout).toContain('#7: ');
  });

  test('the same seed trains the same bits, for any number of threads', async () => {
    const files = ['a', 'b', 'c'].map((name) => join(dir, `${name}.safetensors`));
    await train('--epochs', '1', '--seed', '3', '--threads', '1', '--out', files[0]);
    await train('--epochs', '1', '--seed', '3', '--threads', '2', '--out', files[1]);
    await train('--epochs', '1', '--seed', '4', '--threads', '2', '--out', files[2]);
    const [a, b, c] = files.map((file) => readFileSync(file));
    expect(a.equals(b)).toBe(true);
    expect(a.equals(c)).toBe(false);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s stops after the running step, saves, says where and exits %d', async (signal, code) => {
    const out = join(dir, 'stopped.safetensors');
    const args = ['train', 'mnist', '--data', join(dir, 'digits'), '--batch-size', '10', '--epochs', '1000', '--out', out, '--json'];
    const stopped = await receptive(args, {
      onLine: (line, kill) => {
        if (JSON.parse(line).event === 'epoch') kill(signal);
      },
    });
    expect(stopped.code).toBe(code);
    expect(events(stopped).at(-1)).toMatchObject({ event: 'interrupted', out });
    expect((await receptive(['evaluate', out, '--data', join(dir, 'digits')])).code).toBe(0);
  });

  const checkpointed = (folder: string) => ['--checkpoint-dir', join(dir, folder), '--checkpoint-every', '7', '--epochs', '6'];

  test('a training that was killed or interrupted goes on with --resume to the same file', async () => {
    const [whole, parts] = ['whole', 'parts'].map((name) => join(dir, `${name}.safetensors`));
    await train('--epochs', '6', '--out', whole);

    const args = ['train', 'mnist', '--data', join(dir, 'digits'), '--batch-size', '10', '--json', '--resume', '--out', parts];
    for (const [signal, epochs] of [
      ['SIGKILL', 1],
      ['SIGINT', 3],
    ] as const) {
      const stopped = await receptive([...args, ...checkpointed('resumed')], {
        onLine: (line, kill) => {
          const { event, epoch } = JSON.parse(line);
          if (event === 'epoch' && epoch === epochs) kill(signal);
        },
      });
      expect(stopped.code).toBe(signal === 'SIGINT' ? 130 : null);
    }
    const last = await receptive([...args, ...checkpointed('resumed')]);
    expect(last).toMatchObject({ code: 0, stderr: '' });
    expect(events(last).map(({ event }) => event)).toContain('resumed');
    expect(events(last).filter(({ event }) => event === 'epoch').length).toBeLessThan(4);
    expect(readFileSync(parts).equals(readFileSync(whole))).toBe(true);

    const again = await receptive([...args, ...checkpointed('resumed')]);
    expect(events(again).at(-1)).toEqual({ ...events(last).at(-1), seconds: expect.any(Number) });
    const anew = await receptive([...args.filter((arg) => arg !== '--resume'), ...checkpointed('resumed')]);
    expect(anew).toMatchObject({ code: 1, stderr: expect.stringMatching(/holds checkpoints of an earlier training/) });
  });

  test.each([
    ['adamw', 'constant', ['--clip-norm', '1']],
    ['rmsprop', 'one-cycle', ['--detect-anomaly']],
    ['adam', 'step', ['--warm-up', '1']],
  ])('--optimizer %s --schedule %s learn as well', async (optimizer, schedule, more) => {
    const out = join(dir, `${optimizer}.safetensors`);
    const trained = await train('--optimizer', optimizer, '--schedule', schedule, '--epochs', '4', '--out', out, '--json', ...more);
    expect(trained).toMatchObject({ code: 0, stderr: '' });
    expect(events(trained)[0]).toMatchObject({ optimizer, schedule });
    expect(events(trained).at(-1).accuracy).toBeGreaterThan(0.9);
  });

  test('a reader that goes away ends nothing early', async () => {
    const out = join(dir, 'piped.safetensors');
    const child = spawn(
      'sh',
      [
        '-c',
        '"$0" "$@" | head -n 1',
        process.execPath,
        main,
        'train',
        'mnist',
        '--data',
        join(dir, 'digits'),
        '--epochs',
        '2',
        '--out',
        out,
      ],
      {
        stdio: 'ignore',
      },
    );
    await new Promise((resolve) => child.on('close', resolve));
    expect(existsSync(out)).toBe(true);
  });
});

describe('what a user can put right is one line that names it, and exit code 1', () => {
  const digits = () => ['--data', join(dir, 'digits')];
  const description = (value: unknown) => ({ receptive: JSON.stringify(value) });
  const lenet5 = { task: 'mnist', architecture: 'lenet5', options: { classes: 10 }, labels: [...'0123456789'] };
  const damaged: [name: string, metadata: Record<string, string>, message: RegExp][] = [
    ['no-description', {}, /which network they belong to/],
    ['not-json', { receptive: '{' }, /not JSON/],
    ['null', description(null), /trained for undefined, this version knows mnist, fashion, images, text/],
    ['other-task', description({ task: 'speech' }), /trained for "speech"/],
    ['task-of-the-prototype', description({ task: 'constructor' }), /trained for "constructor"/],
    ['other-network', description({ task: 'mnist', architecture: 'adam' }), /network is "adam", this version knows lenet5, mlp for mnist/],
    ['no-options', description({ ...lenet5, options: undefined }), /options are missing/],
    ['no-labels', description({ ...lenet5, labels: [1, 2] }), /names of the classes are missing/],
    ['bad-options', description({ ...lenet5, options: { size: 1 } }), /cannot be built: lenet5: size is 1/],
    ['no-weights', description(lenet5), /does not fit the model: .* is missing/],
  ];
  test.each(damaged)('evaluate › %s', async (name, metadata, message) => {
    const path = join(dir, `${name}.safetensors`);
    await save(path, {}, { metadata });
    expect((await readSafetensors(path)).metadata).toMatchObject(metadata);
    const { code, stderr } = await receptive(['evaluate', path, ...digits()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(path);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  const cases: [name: string, args: () => string[], message: RegExp][] = [
    ['a missing model', () => ['evaluate', join(dir, 'none'), ...digits()], /none: ENOENT/],
    ['a missing folder of data', () => ['train', 'mnist', '--data', join(dir, 'none')], /none: ENOENT/],
    ['a folder without data', () => ['train', 'mnist', '--data', dir], /holds none of (train|t10k)-images-idx3-ubyte/],
    ['an output that is a folder', () => ['train', 'mnist', ...digits(), '--out', dir], /is a folder/],
    ['an output below a file', () => ['train', 'mnist', ...digits(), '--out', join(main, 'model')], /EEXIST|ENOTDIR/],
    ['a task nobody knows', () => ['train', 'cifar'], /unknown command 'cifar'\n\(a task is one of mnist, fashion, images, text\)/],
    ['no epochs', () => ['train', 'mnist', '--epochs', '0'], /--epochs.*Expected a positive integer/],
    ['a negative rate', () => ['train', 'mnist', '--lr', '-1'], /--lr.*Expected a number of at least 0/],
    ['a network nobody knows', () => ['train', 'mnist', '--arch', 'vgg'], /--arch.*Expected one of lenet5, mlp/],
    [
      'resuming from nowhere',
      () => ['train', 'mnist', ...digits(), '--resume'],
      /--resume is true, expected left out, since there is no --checkpoint-dir/,
    ],
    [
      'patience without a measure',
      () => ['train', 'mnist', ...digits(), '--patience', '3'],
      /--patience is 3, expected left out: this task keeps no samples/,
    ],
    [
      'a schedule nobody knows',
      () => ['train', 'mnist', '--schedule', 'linear'],
      /--schedule.*Allowed choices are cosine, constant, step, one-cycle/,
    ],
    ['a shape that is none', () => ['inspect', 'model', '--input', '1,28,x'], /--input.*Expected positive integers/],
    ['a file to convert of no known kind', () => ['convert', 'model.pt'], /convert: <from> is "model.pt", expected a file that ends in/],
    ['a conversion to the same kind', () => ['convert', 'a.onnx', 'b.onnx'], /<to> is "b.onnx", expected a file of the other kind/],
    ['a missing file to convert', () => ['convert', join(dir, 'none.onnx')], /none.onnx: ENOENT/],
    ['a missing model to inspect', () => ['inspect', join(dir, 'none')], /none: ENOENT/],
    ['an option nobody knows', () => ['train', 'mnist', '--epoch', '3'], /unknown option '--epoch'/],
  ];
  test.each(cases)('%s', async (_, args, message) => {
    const { code, stderr, stdout } = await receptive(args());
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe('');
  });

  test('an image for a model that does not say how it reads them', async () => {
    const path = join(dir, 'untrained.safetensors');
    await save(path, models.lenet5(), { metadata: description(lenet5) });
    const { code, stderr } = await receptive(['predict', path, 'seven.png', ...digits()]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${path}: does not say how its images are read`)]);
  });

  test.each([
    ['predict', ['--ngrams', '3'], '--ngrams is 3'],
    ['evaluate', ['--text', 'body'], '--text is "body"'],
    ['evaluate', ['--no-cache'], '--no-cache is true'],
    ['evaluate', ['--held-out'], '--held-out is true'],
  ])('an option of another task: %s %j', async (command, option, what) => {
    const path = join(dir, 'lenet5.safetensors');
    await save(path, models.lenet5(), { metadata: description(lenet5) });
    const { code, stderr } = await receptive([command, path, ...digits(), ...option]);
    const message = `receptive: ${command}: ${what}, expected left out: the model is for the task mnist, which has no such option\n`;
    expect([code, stderr]).toEqual([1, message]);
    expect((await receptive([command, path, ...digits()])).stderr).not.toContain('left out');
  });

  test('nothing is left beside an output that could not be written', () => {
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

test.each(['train mnist', 'train text', 'evaluate', 'predict'])('%s --help names its options', async (command) => {
  const { code, stdout } = await receptive([...command.split(' '), '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/--data <path>/);
  expect(stdout).toMatch(/--json/);
});
