import type { TraceNode } from '../../../trace';
import type { Exporter, Written } from './exporter';

/** How operations are written: a row an operation, by its name, that gives what its output is called. */
export type Rows = Readonly<Record<string, (to: Exporter, node: TraceNode) => Written>>;
