export type { Feed, SessionValue } from './feeds';
export { type CompileOptions, compile, type InputSpec, type RunOptions, Session, type SessionPlans } from './session';
