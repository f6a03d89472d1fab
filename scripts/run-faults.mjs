#!/usr/bin/env node
// `npm run test:faults` and, with --long, `npm run test:faults:long`: what the service promises, under faults that are really made.
// Options: --seed N repeats a plan, --only F1,F17,F0.5 runs a part of it, --no-planted leaves out the planted bugs, --outputFile as jest's.
import { createRequire } from 'node:module';
import { buildIfStale } from './build-if-stale.mjs';

// FAULTS_BUILD names another build than that of these sources.
if (process.env.FAULTS_BUILD === undefined) buildIfStale();
const require = createRequire(import.meta.url);
require('../test/faults/harness/register-typescript.cjs');
require('../test/faults/main.ts');
