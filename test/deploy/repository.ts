import { fileURLToPath } from "node:url";

/** The path of a file that ships with the product. */
export function repository(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
