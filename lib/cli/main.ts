#!/usr/bin/env node
import { Command } from 'commander';
import { ReceptiveError } from '../errors';
import { version } from '../native';
import { addBench } from './bench';
import { addConvert } from './convert';
import { addEvaluate } from './evaluate';
import { addInspect } from './inspect';
import { addPredict } from './predict';
import { addServe } from './serve';
import { addTrain } from './train';

const program = new Command('receptive')
  .description('Convolutional networks for Node.js: train them, look inside them, use them.')
  .version(version)
  .configureHelp({ showGlobalOptions: true })
  .showSuggestionAfterError();

addTrain(program);
addEvaluate(program);
addPredict(program);
addInspect(program);
addConvert(program);
addBench(program);
addServe(program);

program.parseAsync().catch((error: unknown) => {
  // What a user can put right is one line; anything else is a defect, and shows where.
  const expected = error instanceof ReceptiveError || (error instanceof Error && 'code' in error);
  process.stderr.write(`receptive: ${expected ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 1;
});
