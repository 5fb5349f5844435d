export { Batcher, type BatchReport } from './batcher';
export type { HostArray } from './feeds';
export type { Served } from './model';
export type { BatcherOptions, ServeOptions, ServiceEvent } from './options';
export { type Service, serve } from './service';
