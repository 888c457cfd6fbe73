#!/usr/bin/env bash
# Resume after twenty kills of the head at random moments; `./scripts/test` has a few of them.
PODWRIGHT_KILLS=20 exec "$(dirname "${BASH_SOURCE[0]}")/../integration/test_resume.sh"
