import { crossEntropy } from '../losses';
import type { Module } from '../nn';
import { evaluate, metrics } from '../train';
import { count, percent } from './output';
import type { Part } from './tasks/task';

/** How well the samples of one class are told from the others. */
interface ClassScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly samples: number;
}

export interface Scores {
  readonly accuracy: number;
  readonly loss: number;
  /** The mean over classes. */
  readonly f1: number;
  /** In the order of the labels. */
  readonly classes: readonly ClassScore[];
}

/** Measures a classifier, over all samples and class by class. */
export async function measure(model: Module, { batches }: Part): Promise<Scores> {
  const average = 'none';
  const { accuracy, loss, f1, matrix, precisions, recalls, f1s } = await evaluate(model, batches, {
    loss: crossEntropy,
    metrics: {
      accuracy: metrics.accuracy,
      f1: metrics.f1(),
      matrix: metrics.confusionMatrix,
      precisions: metrics.precision({ average }),
      recalls: metrics.recall({ average }),
      f1s: metrics.f1({ average }),
    },
  });
  const classes = matrix.map((row, i) => ({
    precision: precisions[i]!,
    recall: recalls[i]!,
    f1: f1s[i]!,
    samples: row.reduce((sum, n) => sum + n, 0),
  }));
  return { accuracy, loss, f1, classes };
}

/** The scores for programs, those of the classes by label. */
export const scoresByLabel = ({ classes, ...scores }: Scores, labels: readonly string[]) => ({
  ...scores,
  classes: Object.fromEntries(classes.map((score, i) => [labels[i], score])),
});

/** The most classes a table has. */
const mostRows = 40;

/** A table of the classes for people; of very many, those with the lowest F1. */
export function drawClasses({ classes }: Scores, labels: readonly string[]): string[] {
  const all = classes.map((score, i) => ({ label: labels[i]!, ...score }));
  const rows = all.length <= mostRows ? all : all.toSorted((a, b) => a.f1 - b.f1).slice(0, mostRows);
  const widest = Math.max(...rows.map(({ label }) => label.length));
  const line = (name: string, cells: readonly string[]) => `  ${name.padEnd(widest)}${cells.map((cell) => cell.padStart(11)).join('')}`;
  return [
    line('', ['precision', 'recall', 'F1', 'samples']),
    ...rows.map(({ label, precision, recall, f1, samples }) =>
      line(label, [percent(precision), percent(recall), percent(f1), count(samples)]),
    ),
  ];
}
