'use strict';
// `npm run coverage`: the tests with the branches of lib/ counted, those of the processes they start too. Fails below the threshold.
const fs = require('node:fs');
const path = require('node:path');
const base = require('../../jest.config.cjs');

const root = path.join(__dirname, '..', '..');
// Workers of jest read this file, too; the first process begins anew.
if (!process.env.JEST_WORKER_ID) fs.rmSync(path.join(root, 'coverage'), { recursive: true, force: true });

/** @type {import('jest').Config} */
module.exports = {
  ...base,
  rootDir: root,
  // Those measure time and memory, which counting takes, or install and compile the package elsewhere.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(packaging|reliability)/'],
  testEnvironment: path.join(__dirname, 'environment.cjs'),
  collectCoverage: true,
  coverageProvider: 'babel',
  collectCoverageFrom: ['lib/**/*.ts'],
  coverageDirectory: path.join(root, 'coverage'),
  coverageReporters: ['json', 'text', 'html'],
  testTimeout: 300_000,
  coverageThreshold: { global: { branches: 95 } },
};
