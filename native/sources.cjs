'use strict';
// The one source list: what lies in a folder is built. binding.gyp and CMakeLists.txt both ask this script, so neither names a file.
// What is different on each system lies in a folder of the system's name inside it, as process.platform spells it, and is built there only.
// Usage: node native/sources.cjs <runtime|ops|kernels|binding|test|bench>  |  isas [arch]  |  flags <isa> <gcc|msvc>
const fs = require('node:fs');
const path = require('node:path');

/** Instruction sets by architecture, best first, with the flags that allow a compiler to use them. */
const isas = {
  x64: {
    avx512: {
      gcc: [
        '-mavx512f',
        '-mavx512bw',
        '-mavx512dq',
        '-mavx512vl',
        '-mfma',
        '-mprefer-vector-width=512',
        '-Wno-maybe-uninitialized',
        '-Wno-uninitialized',
      ],
      msvc: ['/arch:AVX512'],
    },
    avx2: { gcc: ['-mavx2', '-mfma'], msvc: ['/arch:AVX2'] },
    // What every x64 processor has, and few have no more: small rather than fast.
    sse2: { gcc: ['-Os'], msvc: ['/O1'] },
  },
  arm64: { neon: { gcc: [], msvc: [] } },
};

/**
 * What clang is told of kernels beside that. They are written in vectors and unrolled by hand: what clang makes of the loops that are left
 * over, where it is not asked to (RECEPTIVE_VECTORISE), is a fifth of the binary and not faster. gcc does less by itself.
 */
const clang = [
  '-fno-vectorize',
  '-fno-slp-vectorize',
  '-mllvm',
  '-unroll-runtime=false',
  '-mllvm',
  '-unroll-allow-partial=false',
  '-Wno-pass-failed',
];

/** Paths from the package root, with forward slashes, sorted. */
function sources(folder, platform = process.platform) {
  return [folder, `${folder}/${platform}`].flatMap((each) => {
    const directory = path.join(__dirname, each);
    const names = fs.existsSync(directory) ? fs.readdirSync(directory).filter((name) => name.endsWith('.cpp')) : [];
    return names.sort().map((name) => `native/${each}/${name}`);
  });
}

function flags(isa, compiler) {
  const found = Object.values(isas).find((table) => isa in table);
  if (!found) throw new Error(`sources: no instruction set ${isa}`);
  return found[isa][compiler];
}

module.exports = { isas, clang, sources, flags };

if (require.main === module) {
  const [what, ...rest] = process.argv.slice(2);
  const own = process.platform === 'darwin' || /clang/.test(process.env.CXX ?? '') ? clang : [];
  const answers = {
    isas: () => Object.keys(isas[rest[0] ?? process.arch] ?? {}),
    flags: () => (rest[1] === 'gcc' ? [...flags(...rest), ...own] : flags(...rest)),
  };
  const lines = answers[what]?.() ?? sources(what);
  process.stdout.write(lines.join('\n'));
}
