import { readFile } from 'node:fs/promises';
import { ReceptiveError } from '../errors';
import { asFileError, fileError } from './file';

// Files of images are decoded by the package sharp, which users of images install beside this one. It decodes on threads of its own.

/** What every image is brought to. */
export interface Frame {
  readonly height: number;
  readonly width: number;
  /** 1 grey, 3 red, green and blue, 4 those and how opaque. */
  readonly channels: 1 | 3 | 4;
  readonly fit: Fit;
  /** What shows through transparent pixels, and around an image that is contained: red, green and blue, 0 to 255. */
  readonly background: readonly [red: number, green: number, blue: number];
}

/** How an image of another shape fills the frame: its middle is cut out, it is shown whole with the background around, or stretched. */
export type Fit = 'cover' | 'contain' | 'fill';

export const fits: readonly Fit[] = ['cover', 'contain', 'fill'];

/** What of sharp is used. */
interface Pipeline {
  rotate(): Pipeline;
  flatten(options: object): Pipeline;
  ensureAlpha(): Pipeline;
  resize(width: number, height: number, options: object): Pipeline;
  toColourspace(space: string): Pipeline;
  raw(options: object): Pipeline;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Uint8Array; info: { width: number; height: number; channels: number } }>;
}
type Sharp = (file: Uint8Array, options: object) => Pipeline;

/** @throws ReceptiveError `ERR_UNSUPPORTED` where sharp is not installed. */
export function loadDecoder(): Sharp {
  try {
    return require('sharp') as Sharp;
  } catch (cause) {
    const said = (cause as Error).message.split('\n', 1)[0];
    throw new ReceptiveError('ERR_UNSUPPORTED', `images are decoded by the package sharp: run "npm install sharp" (${said})`, { cause });
  }
}

/** The most pixels of an image that comes as bytes, from who knows whom: small files can claim to be very large images. */
const mostPixels = 2 ** 26;

/**
 * The pixels of an image file (PNG, JPEG, WebP, GIF, AVIF, TIFF), uint8 [height,width,channels]: turned upright by what EXIF says, in sRGB
 * or grey, 16 bits a colour rounded to 8, resized, and laid over the background unless there is a channel for transparency.
 * @param source A path, or the bytes of such a file, at most 2^26 pixels then.
 * @throws ReceptiveError `ERR_FILE`, which names the file that is missing, damaged or no image.
 */
export async function decodeImage(source: string | Uint8Array, { height, width, channels, fit, background }: Frame): Promise<Uint8Array> {
  const sharp = loadDecoder();
  try {
    const [r, g, b] = background;
    const own = typeof source === 'string';
    const upright = sharp(own ? await readFile(source) : source, {
      failOn: 'error',
      ...(!own && { limitInputPixels: mostPixels }),
    }).rotate();
    const opaque = channels === 4 ? upright.ensureAlpha() : upright.flatten({ background: { r, g, b } });
    const { data, info } = await opaque
      .resize(width, height, { fit, background: { r, g, b, alpha: channels === 4 ? 0 : 1 } })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.width !== width || info.height !== height || info.channels !== channels) {
      throw new Error(`was decoded to ${info.width}x${info.height} pixels of ${info.channels} channels`);
    }
    return data;
  } catch (cause) {
    throw decodingError(typeof source === 'string' ? source : 'the image', cause as NodeJS.ErrnoException);
  }
}

function decodingError(path: string, cause: NodeJS.ErrnoException): Error {
  if (cause.code !== undefined) return asFileError(path, cause);
  return fileError(path, `cannot be decoded: ${cause.message.trim().split('\n').join(', ')}`, cause);
}
