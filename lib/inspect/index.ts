export type { Range } from './geometry';
export type { LayerName } from './layers';
export { type ParametersRow, type ParametersTotal, parameters } from './parameters';
export { type FieldRow, type PerAxis, receptiveField } from './receptiveField';
export { type SummaryRow, type SummaryTotal, summary } from './summary';
export type { Report } from './table';
export { type Unit, unitField } from './units';
