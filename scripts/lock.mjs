#!/usr/bin/env node
// `npm run lock -- run NAME -- COMMAND`: builds when needed, then becomes the command.
import { buildIfStale } from './build-if-stale.mjs';

buildIfStale();
await import('../dist/src/lock-command/cli.js');
