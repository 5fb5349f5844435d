import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load, models, nn, ops, readSafetensors, type Shape, save, type Tensor, tensor } from '../../lib';
import { temporaryDirectory } from '../packaging/support';
import { distance } from '../support/agree';

// state_dicts of PyTorch in models here, held to what PyTorch computed with them (generate_states.py).

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
interface Case {
  readonly state?: Readonly<Record<string, Values>>;
  /** The shape of the input, channels first. */
  readonly x: readonly number[];
  readonly y: Values;
}
const cases: Readonly<Record<string, Case>> = JSON.parse(readFileSync(join(__dirname, 'states.json'), 'utf8'));
const folder = temporaryDirectory();
const resnetFile = join(__dirname, 'resnet18.safetensors');

/** The file that PyTorch would write. */
function fileOf(name: string): string {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const parts: Buffer[] = [];
  let end = 0;
  for (const [key, { shape, data }] of Object.entries(cases[name].state!)) {
    const bytes = Buffer.from(Float32Array.from(data).buffer);
    header[key] = { dtype: 'F32', shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const path = join(folder, `${name}.safetensors`);
  writeFileSync(path, Buffer.concat([length, json, ...parts]));
  return path;
}

const channelsLast = ([n, c, ...places]: readonly number[]): number[] => [n, ...places, c];

/** The input that the generator's formula gives. */
function inputOf(name: string): Tensor {
  const shape = channelsLast(cases[name].x);
  const size = shape.reduce((a, b) => a * b);
  return tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin(i * 0.37 + 1)),
    shape,
    { dtype: 'float32' },
  );
}

function agrees(name: string, model: nn.Module, x = inputOf(name)): void {
  const { y } = cases[name];
  const ours = model.eval().forward(x);
  expect(ours.shape).toEqual(y.shape);
  expect(distance(ours.dataSync(), y.data)).toBeLessThan(1e-5);
}

const conv = (options: object) => ({ groups: 2, ...options });
const networks: Readonly<Record<string, () => nn.Module>> = {
  conv1d: () => new nn.Sequential(new nn.Conv1d(4, 6, 3, conv({}))),
  conv2d: () => new nn.Sequential(new nn.Conv2d(4, 6, [2, 3], conv({}))),
  conv3d: () => new nn.Sequential(new nn.Conv3d(2, 3, [1, 2, 3])),
  convTranspose1d: () => new nn.Sequential(new nn.ConvTranspose1d(4, 6, 3, conv({ stride: 2 }))),
  convTranspose2d: () => new nn.Sequential(new nn.ConvTranspose2d(4, 6, [2, 3], conv({ stride: 2 }))),
  flattened: () =>
    new nn.Sequential(
      new nn.Conv2d(2, 3, 3),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.BatchNorm1d(36),
      new nn.ReLU(),
      new nn.Linear(36, 4),
      new nn.ReLU(),
      new nn.Linear(4, 2),
    ),
  adaptive: () => new nn.Sequential(new nn.Conv2d(2, 3, 3), new nn.AdaptiveAvgPool2d([2, 3]), new nn.Flatten(), new nn.Linear(18, 2)),
  sequence: () => new nn.Sequential(new nn.Conv1d(2, 3, 2), new nn.Flatten(), new nn.Linear(12, 2)),
};
const inputs: Readonly<Record<string, Shape>> = { flattened: [1, 5, 6, 2], sequence: [1, 5, 2] };

test.each(Object.keys(networks))('%s', async (name) => {
  const model = networks[name]();
  const options = { layout: 'torch', input: inputs[name] } as const;
  await load(fileOf(name), model, options);
  agrees(name, model);
  // And back: the same names, shapes and numbers.
  const path = join(folder, 'back.safetensors');
  await save(path, model, options);
  const { tensors, metadata } = await readSafetensors(path);
  expect(metadata.format).toBe('pt');
  const { state } = cases[name];
  const names = Object.keys(state!).filter((key) => !key.endsWith('num_batches_tracked'));
  expect(Object.keys(tensors).sort()).toEqual(names.sort());
  for (const key of names) {
    expect(tensors[key].shape).toEqual(state![key].shape);
    expect([...tensors[key].dataSync()]).toEqual([...Float32Array.from(state![key].data)]);
  }
});

test('an embedding', async () => {
  const model = new nn.Sequential(new nn.Embedding(9, 4));
  await load(fileOf('embedding'), model, { layout: 'torch' });
  agrees('embedding', model, tensor(Int32Array.of(1, 8, 0, 3, 3, 5), [2, 3]));
});

describe('ResNet-18', () => {
  const small = () => models.resnet18({ width: 2, classes: 5 });

  test("torchvision's state_dict by its names", async () => {
    const model = small();
    expect(await load(resnetFile, model, { layout: 'torch' })).toEqual({ format: 'pt' });
    agrees('resnet18', model);
  });

  test('under other names', async () => {
    const [first, second] = [small(), small()];
    await load(resnetFile, first, { layout: 'torch' });
    const path = join(folder, 'wrapped.safetensors');
    await save(path, first, { layout: 'torch', keyMap: (name) => `module.${name}` });
    expect(Object.keys((await readSafetensors(path)).tensors)).toContain('module.layer1.0.bn1.running_mean');
    await load(path, second, { layout: 'torch', keyMap: (name) => `module.${name}` });
    agrees('resnet18', second);
    const renamed = { 'fc.weight': 'classifier.weight', 'fc.bias': 'classifier.bias' };
    await save(path, first, { layout: 'torch', keyMap: renamed });
    await load(path, second, { layout: 'torch', keyMap: renamed });
    await expect(load(path, second, { layout: 'torch' })).rejects.toThrow(/fc\.weight is missing.*classifier\.weight is not in the model/);
    const { missing } = { missing: await load(path, second, { layout: 'torch', strict: false }) };
    expect(missing).toEqual({ format: 'pt' });
  });

  test('of full size: every name and shape of torchvision 0.x', async () => {
    const expected: Record<string, number[]> = { 'conv1.weight': [64, 3, 7, 7], 'fc.weight': [1000, 512], 'fc.bias': [1000] };
    const norm = (name: string, n: number) => {
      for (const key of ['weight', 'bias', 'running_mean', 'running_var']) expected[`${name}.${key}`] = [n];
    };
    norm('bn1', 64);
    for (const [stage, [from, to]] of [
      [64, 64],
      [64, 128],
      [128, 256],
      [256, 512],
    ].entries()) {
      for (const block of [0, 1]) {
        const at = `layer${stage + 1}.${block}`;
        expected[`${at}.conv1.weight`] = [to, block === 0 ? from : to, 3, 3];
        expected[`${at}.conv2.weight`] = [to, to, 3, 3];
        norm(`${at}.bn1`, to);
        norm(`${at}.bn2`, to);
        if (block === 1 || from === to) continue;
        expected[`${at}.downsample.0.weight`] = [to, from, 1, 1];
        norm(`${at}.downsample.1`, to);
      }
    }
    const path = join(folder, 'full.safetensors');
    await save(path, models.resnet18(), { layout: 'torch' });
    const { tensors } = await readSafetensors(path);
    expect(Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, [...shape]]))).toEqual(expected);
  });

  test('a file for another network says so, in the shapes of the file', async () => {
    const model = models.resnet18({ width: 4, classes: 5 });
    await expect(load(resnetFile, model, { layout: 'torch' })).rejects.toThrow(/conv1\.weight has shape \[2,3,7,7\], expected \[4,3,7,7\]/);
    await expect(load(resnetFile, small())).rejects.toThrow(/bn1\.runningMean is missing/);
  });
});

describe('where the order of flattened features', () => {
  test('does not depend on the size of the input, none is needed', async () => {
    const vgg = models.vgg11({ classes: 2, width: 4, hidden: 8, size: 64 });
    const path = join(folder, 'vgg.safetensors');
    await save(path, vgg, { layout: 'torch' });
    const { tensors } = await readSafetensors(path);
    const there = tensors['classifier.0.weight'].dataSync();
    const here = vgg.stateDict()['classifier.0.weight'].dataSync();
    // [8, 2, 2, 32] here, [8, 32, 2, 2] there
    for (const [row, i, j, c] of [
      [0, 0, 1, 0],
      [3, 1, 0, 17],
      [7, 1, 1, 31],
    ]) {
      expect(there[row * 128 + c * 4 + i * 2 + j]).toBe(here[row * 128 + (i * 2 + j) * 32 + c]);
    }
  });

  test('does, the error says to give one', async () => {
    await expect(load(fileOf('flattened'), networks.flattened(), { layout: 'torch' })).rejects.toThrow(
      /in what order an image is flattened depends on its size: give the shape of an input/,
    );
  });

  test('cannot be told, the error says of which parameter', async () => {
    class Both extends nn.Module {
      conv = new nn.Conv2d(1, 2, 3);
      head = new nn.Linear(16, 2);
      forward(x: Tensor): Tensor {
        const features = ops.flatten(this.conv.forward(x));
        return this.head.forward(ops.concat([features, features], 1));
      }
    }
    await expect(save(join(folder, 'x'), new Both(), { layout: 'torch', input: [1, 4, 4, 1] })).rejects.toThrow(
      /head\.weight, which linear uses, learned of features in an order that cannot be told/,
    );
  });
});

describe('images flattened where no convolution tells of them', () => {
  const images = [2, 4, 5, 3];
  const numbers = images.reduce((a, b) => a * b) / 2;

  test('without an input it is an error, with one the columns are turned', async () => {
    class Functional extends nn.Module {
      head = new nn.Linear(numbers, 2);
      forward(x: Tensor): Tensor {
        return this.head.forward(ops.reshape(x, [x.shape[0], numbers]));
      }
    }
    const path = join(folder, 'flat');
    for (const model of [models.mlp({ inputs: numbers, hidden: [4], classes: 2 }), new Functional()]) {
      await expect(save(path, model, { layout: 'torch' })).rejects.toThrow(/give the shape of an input/);
      await save(path, model, { layout: 'torch', input: images });
      const [[name, weight]] = Object.entries(model.stateDict());
      const there = (await readSafetensors(path)).tensors[name];
      const turned = ops.reshape(ops.transpose(ops.reshape(weight, [-1, 4, 5, 3]), [0, 3, 1, 2]), weight.shape);
      expect([...there.dataSync()]).toEqual([...turned.dataSync()]);
      const before = [...weight.dataSync()];
      await load(path, model, { layout: 'torch', input: images });
      expect([...Object.values(model.stateDict())[0].dataSync()]).toEqual(before);
    }
  });

  test.each<[string, () => nn.Module, Shape | undefined]>([
    ['vectors', () => new nn.Sequential(new nn.Linear(60, 4), new nn.ReLU(), new nn.Linear(4, 2)), undefined],
    ['images of one channel', () => models.mlp({ inputs: 20, hidden: [4], classes: 2 }), [1, 4, 5, 1]],
    ['a prime number of elements', () => models.mlp({ inputs: 7, hidden: [4], classes: 2 }), undefined],
    ['embeddings', () => new nn.Sequential(new nn.Embedding(9, 4), new nn.Flatten(), new nn.Linear(12, 2)), undefined],
  ])('nothing is turned of %s', async (_, make, input) => {
    const model = make();
    const path = join(folder, 'same');
    await save(path, model, { layout: 'torch', input });
    const { tensors } = await readSafetensors(path);
    for (const [name, tensor] of Object.entries(model.stateDict())) expect([...tensors[name].dataSync()]).toEqual([...tensor.dataSync()]);
  });
});

describe('vectors that become images', () => {
  const image = [2, 3, 4]; // 24 features
  class Generator extends nn.Module {
    project = new nn.Linear(6, 24);
    norm = new nn.BatchNorm1d(24);
    up: nn.Module;
    constructor(up: nn.Module) {
      super();
      this.up = up;
    }
    forward(x: Tensor): Tensor {
      const features = ops.relu(this.norm.forward(this.project.forward(x)));
      return this.up.forward(ops.reshape(features, [x.shape[0], ...image]));
    }
  }
  const ups: Readonly<Record<string, () => nn.Module>> = {
    conv2d: () => new nn.Conv2d(4, 2, 2),
    convTranspose2d: () => new nn.ConvTranspose2d(4, 2, 2),
    'upsample, then conv2d': () => new nn.Sequential(new nn.Upsample({ scale: 2 } as never), new nn.Conv2d(4, 2, 2)),
    'batchNorm, then conv2d': () => new nn.Sequential(new nn.BatchNorm2d(4), new nn.ReLU(), new nn.Conv2d(4, 2, 2)),
  };

  /** Feature (i, j, c) of [places…, channels] here is (c, i, j) there. */
  const there = (rows: readonly number[][]): number[][] => {
    const [h, w, channels] = image;
    return Array.from({ length: h * w * channels }, (_, at) => {
      const [c, i, j] = [Math.floor(at / (h * w)), Math.floor(at / w) % h, at % w];
      return rows[(i * w + j) * channels + c];
    });
  };
  const rowsOf = (values: Tensor): number[][] => {
    const [rows] = values.shape;
    const data = [...values.dataSync()];
    return Array.from({ length: rows }, (_, i) => data.slice((i * data.length) / rows, ((i + 1) * data.length) / rows));
  };

  test.each(Object.keys(ups).flatMap((name) => [[name, undefined] as const, [name, [1, 6]] as const]))(
    'by %s, input %p',
    async (name, input) => {
      const model = new Generator(ups[name]());
      model.norm.runningMean.assign(tensor(Float32Array.from({ length: 24 }, (_, i) => i)));
      const path = join(folder, 'generator');
      await save(path, model, { layout: 'torch', input });
      const { tensors } = await readSafetensors(path);
      const own = model.stateDict();
      for (const [key, named] of [
        ['project.weight', 'project.weight'],
        ['project.bias', 'project.bias'],
        ['norm.runningMean', 'norm.running_mean'],
      ]) {
        expect(rowsOf(tensors[named])).toEqual(there(rowsOf(own[key])));
      }
      const other = new Generator(ups[name]());
      await load(path, other, { layout: 'torch', input });
      const x = tensor(
        Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
        [2, 6],
      );
      expect([...other.eval().forward(x).dataSync()]).toEqual([...model.eval().forward(x).dataSync()]);
    },
  );

  test('of a flattened image, both axes of one weight are turned', async () => {
    class Through extends nn.Module {
      narrow = new nn.Conv2d(1, 2, 2);
      middle = new nn.Linear(12, 24);
      wide = new nn.ConvTranspose2d(4, 1, 2);
      forward(x: Tensor): Tensor {
        const features = this.middle.forward(ops.flatten(this.narrow.forward(x)));
        return this.wide.forward(ops.reshape(features, [x.shape[0], ...image]));
      }
    }
    const [model, other] = [new Through(), new Through()];
    const path = join(folder, 'through');
    const options = { layout: 'torch', input: [1, 3, 4, 1] } as const;
    await save(path, model, options);
    const rows = there(rowsOf(model.middle.weight)).map((row) => row.map((_, at) => row[(at % 6) * 2 + Math.floor(at / 6)]));
    const saved = (await readSafetensors(path)).tensors['middle.weight'];
    expect(rowsOf(saved)).toEqual(rows);
    await load(path, other, options);
    expect([...other.middle.weight.dataSync()]).toEqual([...model.middle.weight.dataSync()]);
  });

  test('that cannot be told, the error says of which parameter', async () => {
    class Mixed extends nn.Module {
      project = new nn.Linear(6, 12);
      conv = new nn.Conv2d(4, 1, 1);
      forward(x: Tensor): Tensor {
        const features = this.project.forward(x);
        return this.conv.forward(ops.reshape(ops.concat([features, features], 1), [x.shape[0], ...image]));
      }
    }
    await expect(save(join(folder, 'x'), new Mixed(), { layout: 'torch' })).rejects.toThrow(
      /project\.weight, whose features reach conv2d as an image, in an order that cannot be told/,
    );
  });

  test('that never come to a convolution are none', async () => {
    class Heads extends nn.Module {
      project = new nn.Linear(6, 24);
      conv = new nn.Conv1d(1, 1, 1);
      forward(x: Tensor): Tensor {
        return ops.reshape(this.project.forward(x), [x.shape[0], ...image]);
      }
    }
    const model = new Heads();
    const path = join(folder, 'heads');
    await save(path, model, { layout: 'torch' });
    expect([...(await readSafetensors(path)).tensors['project.weight'].dataSync()]).toEqual([...model.project.weight.dataSync()]);
  });
});

test.each<[object, RegExp]>([
  [{ layout: 'nchw' }, /layout is "nchw", expected 'nhwc' or 'torch'/],
  [{ keyMap: 3 }, /keyMap is 3/],
  [{ keyMap: () => 'x' }, /the name of both .* expected names that differ/],
  [{ layout: 'torch', input: [-1] }, /shape is/],
])('options %p', async (options, message) => {
  await expect(load(resnetFile, models.resnet18({ width: 2, classes: 5 }), options as object)).rejects.toThrow(message);
});

test('tensors without a model have no layout of PyTorch', async () => {
  await expect(save(join(folder, 'x'), { a: tensor([1]) }, { layout: 'torch' })).rejects.toThrow(/expected a Module/);
});
