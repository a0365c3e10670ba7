#!/usr/bin/env bash
# Random faults for a while, as people chat: `scripts/soak.sh MINUTES SEED [EPISODE...]`, such as `scripts/soak.sh 30 1`.
# Each trial prints the seed with which it can be run again: `scripts/soak.sh 0 SEED [EPISODE...]`. Needs what scripts/test.sh builds.
set -euo pipefail

if (($# < 2)); then
    printf 'usage: scripts/soak.sh MINUTES SEED [EPISODE...]\n' >&2
    exit 2
fi
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../tests"
exec node --import tsx faults/soak.ts "$@"
