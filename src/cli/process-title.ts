/**
 * The command line as `ps` shows it: `evm start --home=...`, whatever node and script were called,
 * and never a secret. It must run before anything slow does, so it imports nothing.
 */

const hidden = "(hidden)";

/** The whole of `--evnode.signer.passphrase`, `--evm.jwt-secret`, `--evnode.rpc.admin_token` and the like. */
const secretFlag = /^--[\w.-]*(passphrase|secret|token)$/i;

/** `args` without node and script. */
export function processTitle(args: readonly string[]): string {
  const shown: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] ?? "";
    const equals = argument.indexOf("=");
    const flag = equals < 0 ? argument : argument.slice(0, equals);
    if (!secretFlag.test(flag)) {
      shown.push(isPrivateKey(args, at) ? hidden : argument);
      continue;
    }
    shown.push(`${flag}=${hidden}`);
    if (equals < 0) at++;
  }
  return ["evm", ...shown].join(" ");
}

/** The argument of `keys import`. */
function isPrivateKey(args: readonly string[], at: number): boolean {
  return args.includes("keys") && /^(0x)?[0-9a-fA-F]{64,}$/.test(args[at] ?? "");
}

/**
 * The kernel keeps the title where the arguments were, so it can be no longer than they are: its end
 * is cut off then, and the rest of the old command line is overwritten all the same.
 */
export function setProcessTitle(args: readonly string[]): void {
  process.title = processTitle(args);
}
