export * from './binary';
export * from './expand';
export { max, mean, min, sum } from './reduce';
export * from './reshape';
export * from './unary';
