import { stat } from 'node:fs/promises';

/** How often the file is looked at, in milliseconds. */
const period = 1000;

/** What tells one version of a file from another: also where it was replaced by renaming, or a link to it was. */
export async function versionOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found && `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs}`;
}

/**
 * Calls fn when a file has changed and has then stayed the same for a period: not while it is being written. Looks at it from time to
 * time, since systems' notices of changes leave out network drives and links that are pointed elsewhere.
 * @param known The version there is; another one that is there by now is a change.
 * @returns What ends it.
 */
export function watchFile(path: string, known: string | null, fn: () => void): () => void {
  let before = known;
  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    const now = await versionOf(path);
    looking = false;
    if (now !== null && now === before && now !== known) {
      known = now;
      fn();
    }
    before = now;
  }, period).unref();
  return () => clearInterval(timer);
}
