export type { ElementType, HostData } from './elementType';
export { type ExportOptions, exportOnnx } from './export';
export type { HostTensor } from './host';
export { loadOnnx } from './load';
export { type ImportOptions, importOnnx, OnnxModule, type OnnxValueInfo } from './module';
export type { AttributeKind, Dimension, ValueInfo } from './proto';
export { type AttributeValue, type OnnxAttribute, type OnnxModel, type OnnxNode, readOnnx } from './read';
