import type { ReceptiveError } from '../../lib';

// What loading says where there is no addon for this machine, or it may not be loaded. The package as others install it is in
// test/packaging/exports.test.ts.

afterEach(() => {
  jest.resetModules();
  delete process.env.RECEPTIVE_NUM_THREADS;
});

/** The error of loading, where the addon cannot be had for this reason. */
function failure(reason: () => never): ReceptiveError {
  let error: unknown;
  jest.isolateModules(() => {
    jest.doMock('node-gyp-build', () => reason);
    try {
      require('../../lib/native');
    } catch (caught) {
      error = caught;
    }
    jest.dontMock('node-gyp-build');
  });
  return error as ReceptiveError;
}

const because = (message: string, code?: string) =>
  failure(() => {
    throw Object.assign(new Error(message), { code });
  });

const here = `${process.platform}-${process.arch}`;

test('names the platform, the version of Node and what to do', () => {
  const { code, message } = because('No native build was found');
  expect(code).toBe('ERR_UNSUPPORTED');
  expect(message).toContain(`receptive: no native addon could be loaded for ${here}`);
  expect(message).toContain(`Node ${process.versions.node}. Run "npm rebuild receptive"`);
  expect(message).toContain('No native build was found');
});

test('names the C library on Linux, and nothing of the kind elsewhere', () => {
  const report = jest.spyOn(process.report, 'getReport');
  const as = (platform: NodeJS.Platform, header: object) => {
    report.mockReturnValue({ header });
    const before = Object.getOwnPropertyDescriptor(process, 'platform')!;
    Object.defineProperty(process, 'platform', { ...before, value: platform });
    try {
      return because('none').message;
    } finally {
      Object.defineProperty(process, 'platform', before);
    }
  };
  expect(as('linux', { glibcVersionRuntime: '2.17' })).toContain(`linux-${process.arch} (glibc 2.17), Node`);
  expect(as('linux', {})).toContain(`linux-${process.arch} (musl), Node`);
  expect(as('freebsd', {})).toContain(`freebsd-${process.arch}, Node`);
  report.mockRestore();
});

test.each([
  ['ERR_DLOPEN_DISABLED', 'start Node with --allow-addons'],
  ['ERR_ACCESS_DENIED', 'start Node with --allow-fs-read'],
])('where the permission model says %s', (code, advice) => {
  const { message } = because('denied', code);
  expect(message).toContain(advice);
  expect(message).not.toContain('npm rebuild');
});

test('an addon that is there and refuses says why by itself', () => {
  const { code, message } = because('RECEPTIVE_ISA is avx9, this machine runs sse2', 'ERR_RECEPTIVE');
  expect([code, message]).toEqual(['ERR_UNSUPPORTED', 'RECEPTIVE_ISA is avx9, this machine runs sse2']);
});

test.each(['0', '257', '-1', '1.5', 'two', '1e2'])('%s is no number of threads', (text) => {
  process.env.RECEPTIVE_NUM_THREADS = text;
  const { code, message } = because('was not asked');
  expect([code, message]).toEqual(['ERR_INVALID_VALUE', `RECEPTIVE_NUM_THREADS is "${text}", expected an integer from 1 to 256`]);
});

test.each(['', '1', '256'])('%p is one, or the default', (text) => {
  process.env.RECEPTIVE_NUM_THREADS = text;
  expect(because('was asked').message).toContain('was asked');
});
