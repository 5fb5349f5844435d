export {
  type CompileOptions,
  compile,
  type Feed,
  type InputSpec,
  type RunOptions,
  Session,
  type SessionPlans,
  type SessionValue,
} from './session';
