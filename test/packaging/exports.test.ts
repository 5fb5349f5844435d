import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, run, temporaryDirectory } from './support';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

const lib: typeof import('../../lib') = require('../../lib');

const temporary = temporaryDirectory();

describe('the packed package', () => {
  const folder = join(temporary, 'consumer');
  const installed = join(folder, 'node_modules', 'receptive');
  let packed: Packed;

  beforeAll(() => {
    mkdirSync(folder);
    const output = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
      env: { ...process.env, npm_config_loglevel: 'silent' },
    });
    packed = (JSON.parse(output) as Packed[])[0]!;
    // As npm would install it where there is a prebuilt binary: nothing is compiled.
    mkdirSync(dirname(installed), { recursive: true });
    run('tar', ['-xzf', join(folder, packed.filename)], { cwd: folder });
    renameSync(join(folder, 'package'), installed);
    const prebuilds = join(installed, 'prebuilds', `${process.platform}-${process.arch}`);
    mkdirSync(prebuilds, { recursive: true });
    copyFileSync(require('node-gyp-build').resolve(root), join(prebuilds, 'receptive.node'));
    mkdirSync(join(folder, 'node_modules', '@bufbuild'));
    mkdirSync(join(folder, 'node_modules', '@types'));
    for (const name of ['node-gyp-build', 'commander', '@bufbuild/protobuf', '@types/node']) {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  });

  test('holds what is needed to run and to compile, and nothing else', () => {
    const paths = packed.files.map(({ path }) => path);
    const allowed =
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|ARCHITECTURE\.md|docs\/(guides\/)?[\w-]+\.(md|svg)|examples\/[\w-]+\.cjs|binding\.gyp|scripts\/headers\.cjs|native\/sources\.cjs|native\/binding\/exports\.map|dist\/.+\.(js|mjs|d\.ts|d\.mts)|native\/(binding|kernels|ops|runtime|simd)\/(\w+\/)?\w+\.(h|cpp)|prebuilds\/.+\.node)$/;
    expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
    for (const path of [
      ...readdirSync(join(root, 'examples')).map((name) => `examples/${name}`),
      'docs/roofline.svg',
      'README.md',
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'docs/errors.md',
      'docs/guides/train.md',
      'LICENSE',
      'binding.gyp',
      'native/sources.cjs',
      'scripts/headers.cjs',
      'dist/index.mjs',
      'dist/index.d.mts',
    ]) {
      expect(paths).toContain(path);
    }
    const sources = packed.files.filter(({ path }) => !path.startsWith('prebuilds/')); // scripts/prebuild/check.cjs weighs those
    expect(sources.reduce((bytes, { size }) => bytes + size, 0)).toBeLessThan(2.5 * 2 ** 20);
  });

  test('require() and import give the same objects under the same names', () => {
    const script = `
      import * as imported from 'receptive';
      import { createRequire } from 'node:module';
      const required = createRequire(import.meta.url)('receptive');
      const named = Object.keys(imported).filter((name) => !['default', '__esModule', 'module.exports'].includes(name));
      const same = named.every((name) => imported[name] === required[name]);
      console.log(JSON.stringify({ named, required: Object.keys(required), same, sum: required.ops.sum(imported.ones([2, 3])).itemSync() }));
    `;
    const output = JSON.parse(run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder }));
    expect(output).toMatchObject({ same: true, sum: 6 });
    expect(output.named.sort()).toEqual(output.required.sort());
    expect(output.required).toEqual(Object.keys(lib).sort());
  });

  test('require() loads no more than the addon; a name loads what it is of', () => {
    const script = `
      const loaded = () => Object.keys(require.cache).filter((file) => !file.endsWith('.node')).map((file) => file.split('receptive/').pop());
      const receptive = require('receptive');
      const before = loaded();
      receptive.tensor([1]);
      console.log(JSON.stringify({ before, after: loaded() }));
    `;
    const { before, after } = JSON.parse(run(process.execPath, ['-e', script], { cwd: folder })) as Record<string, string[]>;
    const own = (files: string[]) => files.filter((file) => !file.includes('node-gyp-build')).sort();
    expect(own(before!)).toEqual(['dist/errors.js', 'dist/index.js', 'dist/native.js', 'package.json']);
    expect(after).toContain('dist/create.js');
    expect(after!.filter((file) => /dist\/(nn|data|formats|graph|inspect|models|train|cli)\/|node_modules/.test(file))).toEqual(
      after!.filter((file) => file.includes('node-gyp-build')),
    );
  });

  test('images without the package that decodes them: the error says what to install', () => {
    const script = "require('receptive').data.imageFolder({ dir: '.', size: 8 }).catch(({ code, message }) => console.log(code, message))";
    expect(run(process.execPath, ['-e', script], { cwd: folder })).toMatch(
      /^ERR_UNSUPPORTED .*run "npm install sharp" \(Cannot find module 'sharp'\)\n$/,
    );
  });

  test('an example runs where it was installed', () => {
    const example = join(installed, 'examples', 'text-worker.cjs');
    const { status, stderr } = spawnSync(process.execPath, [example, 'none.safetensors', 'a text'], { encoding: 'utf8', cwd: folder });
    expect([status, stderr]).toEqual([1, expect.stringContaining('none.safetensors: ENOENT')]);
  });

  test('the command line starts', () => {
    const main = join(installed, 'dist', 'cli', 'main.js');
    expect(run(process.execPath, [main, '--version']).trim()).toBe(require('../../package.json').version);
  });

  const consumer = `
    import { losses, models, ops, optim, Tensor, tensor, type Shape } from 'receptive';
    import { metrics, memory, nn, runtime, type MemoryUse, type Metric, type RuntimeInfo } from 'receptive';
    const use: MemoryUse = memory();
    const info: RuntimeInfo = runtime.info();
    const metric: Metric = metrics.accuracy;
    const parts = (module: nn.Module): nn.Part[] => Array.from(module.namedParts(), ([, part]) => part);
    const model = models.lenet5();
    const x: Tensor = tensor(new Float32Array(28 * 28), [1, 28, 28, 1]);
    const y: Tensor = model.forward(x);
    const shape: Shape = ops.softmax(y).shape;
    losses.crossEntropy(y, tensor(new Int32Array(1), [1])).backward();
    new optim.SGD(model.parameters(), { lr: shape.length }).step();
    // @ts-expect-error: a shape is no tensor
    ops.relu(shape);
  `;

  // What the declarations use of Node, and of newer libraries than the consumer's, they ask for themselves.
  test.each([
    ['consumer.cts', 'node16', 'node16'],
    ['consumer.mts', 'node16', 'node16'],
    ['consumer.ts', 'esnext', 'bundler'],
  ])('types resolve from %s, for %s under %s, where no others are global', (file, module, moduleResolution) => {
    const base = { noEmit: true, strict: true, skipLibCheck: false, target: 'es2022', lib: ['es2022'], types: [] };
    const project = { compilerOptions: { ...base, module, moduleResolution }, files: [file] };
    writeFileSync(join(folder, file), consumer);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
    const tsc = require.resolve('typescript/lib/tsc.js');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});

test('the loader says what to do where there is no binary', () => {
  const folder = join(temporary, 'no-binary');
  mkdirSync(folder);
  mkdirSync(join(folder, 'dist'));
  for (const file of ['package.json', 'dist/native.js', 'dist/errors.js']) copyFileSync(join(root, file), join(folder, file));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { status, stderr } = spawnSync(process.execPath, [join(folder, 'dist', 'native.js')], { encoding: 'utf8' });
  expect(status).not.toBe(0);
  expect(stderr).toContain('npm rebuild receptive');
  expect(stderr).toContain(`${process.platform}-${process.arch}`);
});

test('the lock file names the packages of every platform, and no registry', () => {
  const { missing } = require('../../scripts/lockfile.cjs');
  const lock = require('../../package-lock.json');
  expect(Object.keys(missing(lock))).toEqual([]);
  expect(Object.values(lock.packages as Record<string, { resolved?: string }>).filter(({ resolved }) => resolved)).toEqual([]);
});
