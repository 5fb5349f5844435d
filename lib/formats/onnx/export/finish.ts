import type { Rectifier } from '../../../op';
import type { TraceNode, Value } from '../../../trace';
import type { Exporter, Written } from './exporter';

/** Sets an operation's output once what it does in its last pass is written too: a sum, a rectifier. */
export function finished(
  to: Exporter,
  { attrs, output }: TraceNode,
  name: string,
  axes: readonly number[],
  add: Value | null = null,
): Written {
  const { activation } = attrs as { activation?: Rectifier | null };
  let last = add ? to.emit('Add', [name, to.as(add, axes)]) : name;
  if (activation === 'relu') last = to.emit('Relu', [last]);
  if (activation === 'relu6') last = to.emit('Clip', [last, to.scalar(0, output), to.scalar(6, output)]);
  return to.set(output, last, axes);
}
