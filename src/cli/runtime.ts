/** Which Node this program runs on. Older ones begin, and fail somewhere on the way with a TypeError. */

/** As package.json has it in `engines`. */
const minimum = { major: 22, minor: 18 };

/** Why `version` of Node, the executable at `path`, is none for this program; null if it is. */
export function refusedRuntime(version: string, path: string): string | null {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isEnough = major > minimum.major || (major === minimum.major && minor >= minimum.minor);
  if (isEnough) return null;
  return (
    `needs Node ${minimum.major}.${minimum.minor} or later, and ${path} is ${version}: install a newer one, ` +
    "and put it first in PATH"
  );
}
