export { type ConvolveMethod, type ConvolveMode, type ConvolveOptions, convolve, correlate, type Signal } from './convolve';
