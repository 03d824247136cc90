#!/bin/sh
# Writes src/block/gen from the .proto files. What it writes is committed: run it after a change here.
#   proto/generate.sh            uses buf if it is on the PATH, else fetches it with npx
set -eu
cd "$(dirname "$0")"
if command -v buf >/dev/null; then
  buf generate
else
  npx --yes @bufbuild/buf@1.74.0 generate
fi
