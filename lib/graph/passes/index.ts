import type { Constants } from '../constants';
import type { Graph } from '../graph';
import { chain } from './chain';
import { dropDead, dropIdentities, foldConstants, shareCommon } from './fold';
import { fuse } from './fuse';
import { turnWeights } from './order';
import { foldPadding } from './pad';

/** All passes, in the order in which they help each other. Each gives a graph of the same results. */
export function optimised(graph: Graph, constants: Constants): Graph {
  const moved = turnWeights(foldPadding(dropIdentities(foldConstants(graph, constants))), constants);
  return chain(dropDead(fuse(shareCommon(dropDead(moved)), constants)));
}
