// Runs a script (see `script.mjs`) over and over on several connections of the plain driver; prints how often per second.
// The job comes as JSON on standard input.
import { json } from 'node:stream/consumers';
import pg from 'pg';

const { address, script, clients, seconds } = await json(process.stdin);
const { numbers = {}, once = [], each } = script;

/** A statement as the driver takes it: the variables by number, their names in that order. */
function prepare({ sql, keeps }, position) {
  const names = [];
  const text = sql.replace(/(?<!:):([a-z]\w*)/g, (_, name) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  return { name: `script_${position}`, text, names, keeps };
}
const first = once.map(prepare);
const repeated = each.map((statement, index) => prepare(statement, once.length + index));

async function run(client, statements, variables) {
  for (const { name, text, names, keeps } of statements) {
    const { rows } = await client.query({ name, text, values: names.map((one) => variables[one]) });
    if (keeps) Object.assign(variables, rows[0]);
  }
}

let done = 0;
const until = Date.now() + seconds * 1000;
await Promise.all(
  Array.from({ length: clients }, async (_, index) => {
    const client = new pg.Client(address);
    await client.connect();
    const variables = { client_id: index };
    await run(client, first, variables);
    for (; Date.now() < until; done++) {
      for (const [name, largest] of Object.entries(numbers)) variables[name] = Math.ceil(Math.random() * largest);
      await run(client, repeated, variables);
    }
    await client.end();
  }),
);
process.stdout.write(String(Math.round(done / seconds)));
