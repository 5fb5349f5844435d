import type { Constants } from '../constants';
import type { Graph } from '../graph';
import { chain } from './chain';
import { dropDead, dropIdentities, foldConstants, shareCommon } from './fold';
import { fuse } from './fuse';
import { turnWeights } from './order';

/** All passes, in the order in which they help each other. Each gives a graph of the same results. */
export const optimised = (graph: Graph, constants: Constants): Graph =>
  chain(dropDead(fuse(shareCommon(dropDead(turnWeights(dropIdentities(foldConstants(graph, constants)), constants))), constants)));
