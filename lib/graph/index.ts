export { type CompileOptions, compile, type Feed, type InputSpec, type RunOptions, Session, type SessionValue } from './session';
