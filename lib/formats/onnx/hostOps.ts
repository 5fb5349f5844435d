import { broadcastShapes, type Shape, sizeOf, stridesOf } from '../../shape';
import type { ElementType } from './elementType';
import { type Cell, type HostTensor, hostTensor } from './host';

// What is computed on the host: elementwise functions and the moving of cells. Tensors are small here; nothing is fast.

/** The most cells that are computed on the host; larger constants are uploaded. */
export const mostCells = 2 ** 16;

export const cellsOf = ({ data }: HostTensor): ArrayLike<Cell> => data as ArrayLike<Cell>;

/** f of cells that are broadcast together. */
export function mapHost(type: ElementType, inputs: readonly HostTensor[], f: (...cells: Cell[]) => Cell): HostTensor {
  const shape = inputs.map((one) => one.shape).reduce((a, b) => broadcastShapes('ONNX', a, b));
  const readers = inputs.map((one) => reader(one, shape));
  const cells = Array.from({ length: sizeOf(shape) }, (_, i) => f(...readers.map((read) => read(i))));
  return hostTensor(type, shape, cells);
}

/** Reads the cell that stands at place i of a shape that a tensor is stretched to. */
function reader(host: HostTensor, shape: Shape): (i: number) => Cell {
  const cells = cellsOf(host);
  if (sizeOf(host.shape) === sizeOf(shape)) return (i) => cells[i]!;
  const extra = shape.length - host.shape.length;
  const strides = stridesOf(host.shape);
  return (i) => {
    let [rest, at] = [i, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const own = axis - extra;
      if (own >= 0 && host.shape[own] !== 1) at += (rest % shape[axis]!) * strides[own]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return cells[at]!;
  };
}

/** A tensor of this shape whose cell at an index is the one of x at the index `from` gives. */
export function movedHost(x: HostTensor, shape: Shape, from: (index: number[]) => readonly number[]): HostTensor {
  const cells = cellsOf(x);
  const strides = stridesOf(x.shape);
  const index = new Array<number>(shape.length).fill(0);
  const moved = Array.from({ length: sizeOf(shape) }, () => {
    const cell = cells[from(index).reduce((at, i, axis) => at + i * strides[axis]!, 0)]!;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
    return cell;
  });
  return hostTensor(x.type, shape, moved);
}

/** x stretched to a shape. */
export function expandedHost(x: HostTensor, shape: Shape): HostTensor {
  const read = reader(x, shape);
  return hostTensor(
    x.type,
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => read(i)),
  );
}
