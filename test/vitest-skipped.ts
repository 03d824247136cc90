/** Says at the end of a run which tests were skipped: most for want of a tool, which their names tell. For .ci/run. */

import { relative } from "node:path";
import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) => {
      const file = relative(process.cwd(), module.moduleId);
      return [...module.children].flatMap(skippedIn).map((name) => `  ${file}: ${name}`);
    });
    if (lines.length === 0) return;
    const sentence = "NOT TESTED HERE. These were skipped; install what they need, and run them:";
    process.stdout.write(`\n${sentence}\n${lines.sort().join("\n")}\n`);
  }
}

/** A suite that was skipped as a whole is one line. */
function skippedIn(task: TestCase | TestSuite): readonly string[] {
  if (task.type === "test") return task.result().state === "skipped" ? [task.fullName] : [];
  const tests = [...task.children.allTests()];
  const isSkipped = tests.every((test) => test.result().state === "skipped");
  return isSkipped ? [task.fullName] : [...task.children].flatMap(skippedIn);
}
