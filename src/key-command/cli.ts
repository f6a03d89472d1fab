import 'reflect-metadata';
import { main } from './command-line.js';

void main(process.argv.slice(2)).then((code) => process.exit(code));
