/** One more writer to the same disk, for as long as its parent lives: a member of a cluster is never alone on it here. */

import { join } from "node:path";
import { openFloorDatabase } from "./floor.ts";

const [directory = "", sizeBytes = ""] = process.argv.slice(2);
const database = openFloorDatabase(join(directory, `floor-${process.pid}.mdb`));
const data = new Uint8Array(Number(sizeBytes)).fill(7);
process.on("disconnect", () => process.exit());
for (let key = 0; ; key++) {
  await database.put(key, data);
  if (key === 0) process.send?.("writing");
}
