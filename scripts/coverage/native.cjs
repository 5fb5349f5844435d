'use strict';
// Builds the native tests with gcc's counters, runs them, and prints which lines of the engine they ran. Fails where kernels and runtime
// together are below the threshold. Usage: node scripts/coverage/native.cjs [--missed]  (--missed: the lines as well).
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const threshold = 95;
const root = path.join(__dirname, '..', '..');
const build = path.join(root, 'build-coverage');
const folders = ['kernels', 'runtime', 'ops', 'simd'];
const run = (file, ...args) => execFileSync(file, args, { cwd: root, stdio: 'inherit' });
const below = (folder, ending) =>
  fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(ending)) : [];

run('cmake', '--preset', 'coverage');
run('cmake', '--build', '--preset', 'coverage', '--target', 'native_tests');
for (const name of below(build, '.gcda')) fs.rmSync(path.join(build, name));
run(path.join(build, 'native_tests'), '--gtest_brief=1');

/** File: line: how often it ran, in whatever unit, instance of a template and instruction set it was compiled for. */
const files = new Map();
for (const notes of below(build, '.gcno').filter((name) => !/googletest|native[/\\]test/.test(name))) {
  const json = execFileSync('gcov', ['--json-format', '--stdout', path.join(build, notes)], { encoding: 'utf8', maxBuffer: 2 ** 30 });
  for (const report of json.trim().split('\n')) {
    const { current_working_directory: folder, files: found } = JSON.parse(report);
    for (const { file, lines, functions } of found) {
      const name = path.relative(path.join(root, 'native'), path.resolve(folder, file));
      if (!folders.includes(name.split(path.sep)[0])) continue;
      const counts = files.get(name) ?? files.set(name, new Map()).get(name);
      for (const { line_number: line, count } of lines) counts.set(line, (counts.get(line) ?? 0) + count);
      // gcov gives the line where a lambda begins no count of its own
      for (const { start_line: line, execution_count: count } of functions)
        if (counts.has(line)) counts.set(line, counts.get(line) + count);
    }
  }
}

const percent = ({ run, lines }) => `${((100 * run) / lines).toFixed(1).padStart(6)} % of ${String(lines).padStart(5)}`;
const sum = (rows) => rows.reduce((all, row) => ({ run: all.run + row.run, lines: all.lines + row.lines }), { run: 0, lines: 0 });
const rows = [...files]
  .map(([name, counts]) => {
    const missed = [...counts].filter(([, count]) => count === 0).map(([line]) => line);
    return { name, run: counts.size - missed.length, lines: counts.size, missed: missed.sort((a, b) => a - b) };
  })
  .sort((a, b) => (a.name < b.name ? -1 : 1));
for (const row of rows) {
  console.log(`${percent(row)}  ${row.name}`);
  if (process.argv.includes('--missed') && row.missed.length > 0) console.log(`${' '.repeat(19)}${row.missed.join(' ')}`);
}
console.log();
const of = (...names) => sum(rows.filter(({ name }) => names.includes(name.split(path.sep)[0])));
for (const folder of folders) console.log(`${percent(of(folder))}  native/${folder}`);
const held = of('kernels', 'runtime');
console.log(`${percent(held)}  native/kernels and native/runtime, at least ${threshold} %`);
process.exitCode = (100 * held.run) / held.lines >= threshold ? 0 : 1;
