// What modules that run others ask of these, so that two share a pass over memory. By symbols: whatever a program calls its parts is its own.

/** Whether `finish` may be called in the place of `forward`: not where that was overridden, or is watched. */
export const finishes: unique symbol = Symbol('finishes');
/** What `forward` gives, and what follows it, in one pass. */
export const finish: unique symbol = Symbol('finish');
/** The rectifier that a module is, for a pass it can be part of; else null. */
export const rectifier: unique symbol = Symbol('rectifier');
/** Whether a module gives the largest of some of its inputs and finishes with a rectifier: whether that comes before or behind is the same. */
export const takesMaxima: unique symbol = Symbol('takesMaxima');
