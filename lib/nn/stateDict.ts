import { scope } from '../scope';
import type { StateDict } from './module';

// Tensors by name that are handled as one.

/** Copies of tensors as they are now, whatever is queued later. Nothing waits, and they belong to no scope. */
export function snapshot(tensors: StateDict): StateDict {
  return mapped(tensors, (tensor) => tensor.copy());
}

/** Tensors of one's own on the same memory. */
export function shared(tensors: StateDict): StateDict {
  return mapped(tensors, (tensor) => tensor.share());
}

function mapped(tensors: StateDict, fn: (tensor: StateDict[string]) => StateDict[string]): StateDict {
  return scope.outside(() => Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, fn(tensor)])));
}

/** The same tensors under names that begin with a prefix. */
export function prefixed(prefix: string, tensors: StateDict): StateDict {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]));
}

/** Those whose names begin with a prefix, without it. */
export function unprefixed(prefix: string, tensors: StateDict): StateDict {
  const found = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

export function disposeAll(tensors: StateDict): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
